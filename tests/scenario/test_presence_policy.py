"""Who may see whom, and what those learn who may not."""

import time

import pytest

from lib import settings, sip
from lib.daemons import partner
from lib.documents import BUSY, OFFLINE, State
from lib.presence_site import PresenceSite
from lib.strangers import ANSWERED, TRIES, answers_of

pytestmark = pytest.mark.once

VERIFIED, UNVERIFIED = "verified.example", "unverified.example"
NOBODY = "nobody@contoso.example"       # not a user of the pool
FORBIDDEN = "olaf@contoso.example"      # one who may not speak to partners
GUESSES = [f"guess{i}@contoso.example" for i in range(60)]
STAFF = [f"staff{i}@contoso.example" for i in range(40)]


@pytest.fixture(scope="module")
def site():
    from conftest import Started
    site = PresenceSite("policy", rows=[
        partner(VERIFIED, PartnerType="PublicVerified"),
        partner(UNVERIFIED, PartnerType="PublicUnverified")])
    # He is listed here as everybody is, but nobody there knows him.
    site.gateway.config["users"] += [NOBODY, *GUESSES, *STAFF]
    site.gateway.config["limits"] = {"misses_contact_per_minute": 60,
                                     "misses_contact_at_once": 20}
    site.pool.user(NOBODY).status = (404, "Not Found")
    with Started(site) as site:
        yield site


def people(site, domain):
    couple = site.couple(domain)
    yield couple
    couple.leave()


@pytest.fixture
def couple(site):
    yield from people(site, "partner.example")


@pytest.fixture
def verified(site):
    yield from people(site, VERIFIED)


@pytest.fixture
def unverified(site):
    yield from people(site, UNVERIFIED)


def of_the_pool(site, user):
    """Requests the pool got about a user."""
    return [e.request.method for e in site.pool.journal.all("request")
            if user in e.request.get("To")]


# --- those without the right to know -----------------------------------------

@pytest.mark.parametrize("name", TRIES)
def test_to_a_stranger_everybody_looks_the_same(site, unverified, name):
    """Known and there, offline, having blocked him, unknown to the pool,
    not permitted: word for word the same, and no SIP."""
    offline, blocking = site.couple(), site.couple()
    site.pool.publish(offline.anna, number=OFFLINE, quiet=True)
    site.pool.publish(blocking.anna, State(OFFLINE), watcher=unverified.bo,
                      quiet=True)
    bo = unverified.login()
    people = (unverified.anna, offline.anna, blocking.anna, NOBODY,
              FORBIDDEN, "a.name.never.heard.of@contoso.example")
    answers = answers_of(bo, people, name)
    assert len({str(a) for a in answers.values()}) == 1, answers
    [first, *more] = answers[unverified.anna] or [""]
    assert not more
    if name in ANSWERED:
        assert "service-unavailable" in first
    for who in people:
        assert not of_the_pool(site, who), who


def test_a_federated_stranger_learns_no_more_by_asking_for_cards(
        site, couple):
    """He may ask to watch; until he does he has no right to anything."""
    bo = couple.login()
    for name in ("vcard", "disco", "time", "probe"):
        answers = answers_of(bo, (couple.anna, NOBODY, FORBIDDEN,
                                  "a.name.never.heard.of@contoso.example"),
                             name)
        assert len({str(a) for a in answers.values()}) == 1, (name, answers)
    assert not of_the_pool(site, couple.anna)


def test_a_user_who_may_not_is_not_asked(site, couple):
    """Who may ask for anybody hears the same as of one whom the pool does
    not know."""
    bo = couple.login()
    answers = answers_of(bo, (NOBODY, FORBIDDEN, "a.name.never.heard.of@"
                              "contoso.example"), "subscribe")
    assert len({str(a) for a in answers.values()}) == 1, answers
    assert "unsubscribed" in answers[NOBODY][0]
    assert of_the_pool(site, NOBODY)
    assert not of_the_pool(site, FORBIDDEN)


# --- who guesses names ---------------------------------------------------------

@pytest.fixture
def few(site):
    """Nobody of the guessed names is there."""
    def invited(message, conn):
        if sip.address_of(message.get("To")) in GUESSES:
            conn.send(message.answer(404, "Not Found", sip.token(5)))
        else:
            site.pool.accept(message, conn)

    site.pool.script["INVITE"] = invited
    yield
    del site.pool.script["INVITE"]


def refusals(bo, people):
    """He writes to one after the other; what he is told."""
    errors = (bo.error(id=bo.send(who, "are you there?")) for who in people)
    return {(e.condition, e.type, e.text) for e in errors}


def test_who_guesses_names_is_stopped_before_the_pool_is_asked(
        site, couple, few):
    bo, begin = couple.login(), time.monotonic()
    told = refusals(bo, GUESSES[:40])
    asked = [e for e in site.pool.journal.all("request", method="INVITE")
             if couple.bo in e.request.get("From")]
    paid = 20 + time.monotonic() - begin + 1
    assert 20 <= len(asked) <= paid, (len(asked), paid)
    # Who is there, who is not, who may not be written to: he hears the same.
    told |= refusals(bo, [couple.anna, FORBIDDEN, "never.heard@"
                          "contoso.example"])
    assert told == {("service-unavailable", "cancel", "")}
    assert not of_the_pool(site, couple.anna)
    # His neighbour has nothing to do with it.
    other = site.couple()
    try:
        other.login().send(other.anna, "hello")
        site.pool.journal.wait("request", method="MESSAGE",
                               request=lambda r: r.body == b"hello"
                               and other.bo in r.get("From"))
    finally:
        other.leave()
    # Nor has he himself, once he has waited.
    time.sleep(2)
    bo.send(couple.anna, "hello at last")
    site.pool.journal.wait("request", method="MESSAGE", request=lambda r:
                           b"hello at last" in r.body)


def test_who_talks_with_many_is_not_held_up(site, couple, few):
    """Forty people who are there, one after the other: none of them is a
    guess."""
    bo = couple.login()
    for who in STAFF:
        bo.send(who, f"notice for {who}")
    for who in STAFF:
        site.pool.journal.wait("request", method="MESSAGE", request=lambda r:
                               f"notice for {who}".encode() == r.body)


def test_who_was_added_is_not_held_up_by_his_guesses(site, couple, few):
    bo, endpoint = couple.login(), couple.endpoint()
    couple.anna_sees_bo(bo, endpoint)
    refusals(bo, GUESSES[:30])
    bo.send(couple.anna, "it is me")
    site.pool.journal.wait("request", method="MESSAGE", request=lambda r:
                           b"it is me" in r.body)


# --- partner types -----------------------------------------------------------

def test_who_was_not_invited_cannot_begin(site, unverified):
    bo = unverified.login()
    bo.subscribe(unverified.anna)
    seen = bo.presence_of(unverified.anna)
    assert (seen.type, seen.condition) == ("error", "service-unavailable")
    id = bo.send(unverified.anna, "hello")
    assert bo.error(id=id).condition == "service-unavailable"
    assert not of_the_pool(site, unverified.anna)


def test_who_was_added_may_watch_and_write(site, unverified):
    bo, endpoint = unverified.login(), unverified.endpoint()
    watch = unverified.anna_sees_bo(bo, endpoint)
    assert watch.response.status == 200
    unverified.bo_sees_anna(bo)
    bo.send(unverified.anna, "hello at last")
    site.pool.journal.wait("request", method="MESSAGE", request=lambda r:
                           b"hello at last" in r.body)


def test_who_was_added_may_still_do_so_after_a_restart(site, unverified):
    bo, endpoint = unverified.login(), unverified.endpoint()
    unverified.anna_sees_bo(bo, endpoint)
    site.gateway.restart()
    unverified.bo_sees_anna(bo)


def test_who_was_written_to_may_answer(site, unverified):
    """An invitation of another kind: she wrote first."""
    bo = unverified.login()
    assert site.pool.chat(unverified.anna, unverified.bo, "come in") == 200
    bo.message(body="come in")
    bo.send(unverified.anna, "thank you")
    site.pool.journal.wait("request", method="MESSAGE", request=lambda r:
                           r.body == b"thank you")


def test_a_verified_stranger_may_begin(site, verified):
    bo = verified.login()
    verified.bo_sees_anna(bo)
    bo.send(verified.anna, "hello")
    site.pool.journal.wait("request", method="MESSAGE", request=lambda r:
                           b"hello" == r.body)


@pytest.mark.parametrize("domain", [VERIFIED, UNVERIFIED])
def test_public_partners_never_see_a_note(site, domain):
    couple = site.couple(domain)
    try:
        bo, endpoint = couple.login(), couple.endpoint()
        couple.anna_sees_bo(bo, endpoint)
        site.pool.publish(couple.anna, number=BUSY, note="in Rome")
        bo.subscribe(couple.anna)
        seen = bo.presence_of(couple.anna, type="available")
        assert (seen.show, seen.status) == ("dnd", "Busy")
        site.pool.publish(couple.anna, number=15500, note="back Monday",
                          out_of_office=True)
        seen = bo.presence_of(couple.anna)
        assert "Monday" not in seen.status and "Rome" not in seen.status
        assert "Rome" not in str(seen.stanza)
    finally:
        couple.leave()


# --- the Lync side -----------------------------------------------------------

def test_an_unlisted_partner_cannot_be_added(site, couple):
    answer = couple.endpoint().add("eve@stranger.example").response
    assert answer.status in (403, 404)
    assert "61" in answer.get("ms-diagnostics")


def test_a_lync_user_who_may_not_cannot_add(site):
    endpoint = site.pool.endpoint(FORBIDDEN)
    answer = endpoint.add("bo0@partner.example").response
    assert answer.status == 403
    assert "61" in answer.get("ms-diagnostics")


def test_a_right_that_is_taken_away_ends_both_ways(site, couple):
    """Unavailable, not unsubscribed: it may be given back."""
    bo, endpoint, watch = couple.friends()
    settings.ungrant(site.gateway, couple.anna)
    try:
        bo.presence_of(couple.anna, type="unavailable")
        endpoint.notice(watch=watch, show="offline")
        id = bo.send(couple.anna, "hello")
        assert bo.error(id=id).condition == "service-unavailable"
    finally:
        settings.grant(site.gateway, couple.anna)
    bo.presence_of(couple.anna, type="available")
    bo.await_roster(couple.anna, "both")
