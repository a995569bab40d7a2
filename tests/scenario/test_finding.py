"""Finding a partner's server, and being found."""

import pytest


@pytest.fixture
def second(site):
    from conftest import visitor
    yield from visitor(site, "bo@second.example")


@pytest.fixture
def six(site):
    if not site.ipv6:
        pytest.skip("no IPv6 on loopback here")
    from conftest import visitor
    yield from visitor(site, "bo@six.example")


def test_a_dead_first_target_is_passed_over(second, anna):
    assert anna.send("bo@second.example", "by the second door").status == 200
    second.message(body="by the second door")


def test_a_server_with_an_ipv6_address_only_is_reached(six, anna):
    assert anna.send("bo@six.example", "over six").status == 200
    six.message(body="over six")


def test_additional_domains_of_a_partner_write_to_us(second, anna):
    second.send("anna@contoso.example", "from a second domain")
    anna.message(body="from a second domain", sender="bo@second.example")


def test_both_directions_authenticate_by_certificate(site, bo, anna):
    anna.send("bo@partner.example", "out")
    bo.message(body="out")
    bo.send("anna@contoso.example", "in")
    anna.message(body="in")
    theirs = site.prosody.log.text()
    assert "Accepting SASL EXTERNAL identity from contoso.example" in theirs
    assert "SASL EXTERNAL with contoso.example succeeded" in theirs
    assert "external" in "".join(site.edge.log.lines("partner.example"))


def test_streams_use_tls_of_today(site, bo, anna):
    bo.send("anna@contoso.example", "which version?")
    anna.message(body="which version?")
    lines = site.edge.log.lines(r"TLSv1\.[23]")
    assert lines
    assert not site.edge.log.lines(r"TLSv1(\.1)?[^.\d]")


def test_edge_connects_from_the_address_it_was_given(site, anna):
    # The far end logs who came: an s2s connection from our outgoing address.
    anna.send("gone@partner.example", "from where?")
    came = site.prosody.log.lines(
        rf"New connection FD \d+ \({site.edge.address}")
    assert came
