"""Finding a partner's server, and being found."""

import socket
import time

import pytest

from lib.daemons import partner
from lib.raw_partner import RawPartner, pong
from lib.site import Site

HOLED = "holed.example"


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


class Hole:
    """An address where connections are asked for in vain: a listener that
    accepts none, its queue full."""

    def __init__(self, address, port):
        self.sockets = [socket.create_server((address, port), backlog=0)]
        for _ in range(4):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex((address, port))
            self.sockets.append(sock)

    def close(self):
        for sock in self.sockets:
            sock.close()


@pytest.fixture
def holed():
    """A partner whose first two targets are silent."""
    from conftest import Started
    site = Site("holed", wide=False)
    peer = RawPartner(site, HOLED, 25)
    site.dns.zone(HOLED)
    holes = []
    for priority, host in ((1, 26), (2, 27), (3, 25)):
        site.dns.srv(HOLED, f"xmpp{host}.{HOLED}", peer.PORT,
                     priority=priority)
        site.dns.a(f"xmpp{host}.{HOLED}", site.run.address(host))
        if host != 25:
            holes.append(Hole(site.run.address(host), peer.PORT))
    site.gateway.config["partners"].append(partner(HOLED))
    peer.server.on_stanza = lambda text, wire: (
        peer.answer(pong(text)) if text.startswith("<iq") else None)
    with Started(site) as site:
        yield site, peer.start()
        peer.stop()
    for hole in holes:
        hole.close()


def test_silent_targets_cost_a_quarter_of_a_second_each(holed):
    from conftest import heard
    site, peer = holed
    for anna in heard(site, "anna", "bo@partner.example"):
        begun = time.monotonic()
        assert anna.send(f"rho@{HOLED}", "anybody there?").status == 200
        assert 0.5 < time.monotonic() - begun < 2
        assert len(peer.server.journal.all("stream")) == 1
