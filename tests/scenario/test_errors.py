"""What people are told when a message does not arrive."""

import re

import pytest

pytestmark = pytest.mark.once

ANNA = "anna@contoso.example"


def diagnostics(response):
    """The number of our ms-diagnostics: 61xxx, an expected failure."""
    for value in response.all("ms-diagnostics"):
        found = re.match(r"(61\d{3});", value)
        if found:
            assert "reason=" in value
            return int(found[1])
    raise AssertionError(f"no ms-diagnostics of ours in {response.headers}")


# --- Lync to XMPP ---------------------------------------------------------

def test_an_unknown_partner_user_is_reported_to_the_lync_user(bo, anna):
    """The bounce comes before the answer to the ping behind the message."""
    response = anna.refused("nobody@partner.example", "anybody there?")
    assert response.status in (404, 480)
    diagnostics(response)


def test_after_a_bounce_the_same_chat_still_reports_each_message(anna):
    for text in ("one", "two"):
        response = anna.refused("nobody@partner.example", text)
        assert response.status in (404, 480)


def test_somebody_who_is_away_gets_it_where_the_server_keeps_it(site, anna):
    assert anna.send("gone@partner.example", "for later").status == 200
    gone = site.xmpp_user("gone@partner.example")
    try:
        gone.message(body="for later")
    finally:
        gone.logout()


def test_somebody_who_is_away_is_reported_where_nothing_keeps_it(anna):
    response = anna.refused("gone@nostore.example", "lost")
    assert response.status == 480
    assert diagnostics(response) == 61118


def test_a_partner_without_an_address_is_reported(anna):
    response = anna.refused("bo@absent.example", "hello")
    assert response.status == 404
    assert diagnostics(response) == 61115


def test_a_partner_whose_only_server_is_down_is_reported(anna):
    response = anna.refused("bo@closed.example", "hello")
    assert response.status == 504
    assert diagnostics(response) == 61116


def test_an_unlisted_partner_is_refused_to_the_lync_user(site, anna):
    mark = site.prosody.log.mark()
    response = anna.refused("eve@stranger.example", "hello")
    assert response.status in (403, 404)
    assert diagnostics(response) == 61020
    assert "stranger.example" not in site.prosody.log.text(mark)


def test_a_lync_user_who_is_not_permitted_is_refused(olaf):
    response = olaf.refused("bo@partner.example", "hello")
    assert response.status == 403
    assert diagnostics(response) == 61021


def test_a_server_with_the_wrong_certificate_gets_no_message(site, anna):
    response = anna.refused("mallory@impostor.example", "secret")
    assert response.status == 504
    assert diagnostics(response) == 61116
    assert "secret" not in site.prosody.log.text()


@pytest.mark.parametrize("uri", [
    "bo%00@partner.example", "bo%0A@partner.example",
], ids=["nul", "newline"])
def test_an_address_that_is_none_is_refused(anna, uri):
    response = anna.refused(uri, "hello")
    assert 400 <= response.status < 500


# --- XMPP to Lync ---------------------------------------------------------

def test_not_permitted_unknown_and_absurd_look_the_same_to_partners(
        site, bo, olaf):
    """Nobody learns who works at the company; the pool is not even asked."""
    mark = site.pool.log.mark()
    seen = set()
    for user in ("olaf", "nobody", "no.such.person"):
        id = bo.send(f"{user}@contoso.example", "hello")
        error = bo.error(id=id)
        assert error.sender == f"{user}@contoso.example"
        seen.add((error.condition, error.type, error.text))
    assert len(seen) == 1
    assert seen.pop()[0] == "service-unavailable"
    assert "INVITE" not in site.pool.log.text(mark)
    olaf.journal.none("invite", 0.3)


def test_a_lync_user_who_is_signed_out_is_reported_to_the_partner(bo):
    id = bo.send("dora@contoso.example", "hello")
    error = bo.error(id=id)
    assert error.condition in ("recipient-unavailable",
                               "service-unavailable")
    assert error.sender == "dora@contoso.example"


@pytest.mark.parametrize("status, conditions", [
    ((486, "Busy Here"), ("recipient-unavailable", "service-unavailable")),
    ((603, "Decline"), ("not-allowed", "service-unavailable")),
    ((500, "Server Internal Error"), ("internal-server-error",
                                      "service-unavailable")),
], ids=["busy", "decline", "error"])
def test_a_chat_that_the_client_refuses_is_reported(
        bo, anna, status, conditions):
    anna.invite_status = status
    id = bo.send(ANNA, "hello")
    assert bo.error(id=id).condition in conditions


def test_a_message_that_the_client_refuses_is_reported_alone(bo, anna):
    bo.send(ANNA, "fine")
    anna.message(body="fine")
    anna.message_status = (415, "Unsupported Media Type")
    id = bo.send(ANNA, "not so fine")
    error = bo.error(id=id)
    assert error.condition in ("not-acceptable", "service-unavailable")
    anna.message_status = None
    bo.send(ANNA, "fine again")
    anna.message(body="fine again")


def test_a_client_that_never_answers_is_reported_in_time(
        hasty_bo, hasty_anna):
    hasty_anna.silent = True
    id = hasty_bo.send(ANNA, "hello?")
    error = hasty_bo.error(id=id, timeout=15)
    assert error.condition == "remote-server-timeout"
    assert error.type == "wait"


def test_an_unlisted_partner_is_refused(site, anna):
    eve = site.xmpp_user("eve@stranger.example")
    try:
        id = eve.send(ANNA, "let me in")
        eve.error(id=id, timeout=60)
        anna.journal.none("invite", 0.3)
    finally:
        eve.logout()


def test_a_partner_with_the_wrong_certificate_is_refused(site, anna):
    mallory = site.xmpp_user("mallory@impostor.example")
    try:
        id = mallory.send(ANNA, "let me in")
        mallory.error(id=id, timeout=60)
        anna.journal.none("invite", 0.3)
    finally:
        mallory.logout()
