"""Contacts and presence between a pool and a partner's server: adding,
seeing, removing and blocking, from both sides, with both servers."""

import time

import pytest

from lib.documents import (AVAILABLE, AWAY, BRB, BUSY, DND, IDLE, OFFLINE,
                           State)
from lib.presence_site import PresenceSite

pytestmark = pytest.mark.once

MSRTC_THEN_PIDF = "text/xml+msrtc.pidf, application/pidf+xml"


@pytest.fixture(scope="module", params=["prosody", "ejabberd"])
def site(request):
    from conftest import Started
    with Started(PresenceSite("flows", request.param)) as site:
        yield site


@pytest.fixture
def couple(site):
    couple = site.couple()
    yield couple
    couple.leave()


# --- an XMPP user watches a Lync user ----------------------------------------

def test_an_xmpp_user_adds_a_lync_user_and_sees_her(site, couple):
    bo = couple.login()
    bo.subscribe(couple.anna, nick="Bo Builder")
    asked = site.pool.journal.wait("subscribe", user=couple.anna)
    assert asked.fresh and asked.watcher == couple.bo
    request = asked.request
    assert request.get("Event") == "presence"
    assert request.get("Accept") == MSRTC_THEN_PIDF
    assert request.get("Expires") == "28800"
    assert request.get("From").startswith('"Bo Builder"')
    # None of the extensions that change how notices come.
    assert not [t for t in request.tokens("Supported") if "ms-" in t]
    assert not request.all("Require") and not request.all("Proxy-Require")
    assert bo.presence_of(couple.anna, type="subscribed").sender == \
        couple.anna
    seen = bo.presence_of(couple.anna, type="available")
    assert (seen.show, seen.status) == ("", "")
    assert seen.sender.startswith(couple.anna + "/")
    bo.await_roster(couple.anna, "to")
    assert site.pool.journal.wait("noticed", user=couple.anna).status == 200


def test_what_she_does_is_seen(site, couple):
    bo = couple.login()
    couple.bo_sees_anna(bo)
    for number, show, status in ((BUSY, "dnd", "Busy"),
                                 (AWAY, "away", "Away"),
                                 (BRB, "away", "Be right back"),
                                 (DND, "dnd", "Do not disturb"),
                                 (IDLE, "away", "Inactive"),
                                 (AVAILABLE, "", "")):
        assert site.pool.publish(couple.anna, number=number) == [200]
        seen = bo.presence_of(couple.anna)
        assert (seen.type, seen.show, seen.status) == \
            ("available", show, status)
    site.pool.publish(couple.anna, number=OFFLINE)
    assert bo.presence_of(couple.anna).type == "unavailable"
    site.pool.publish(couple.anna, number=AVAILABLE)
    bo.presence_of(couple.anna, type="available")
    bo.await_roster(couple.anna, "to")


def test_somebody_who_is_offline_is_allowed_to_be_watched(site, couple):
    bo = couple.login()
    site.pool.publish(couple.anna, number=OFFLINE)
    bo.subscribe(couple.anna)
    bo.presence_of(couple.anna, type="subscribed")
    bo.presence_of(couple.anna, type="unavailable")
    assert not bo.journal.all("presence", bare=couple.anna, type="available")


def test_who_asks_again_gets_the_same_answer_without_a_prompt(site, couple):
    """A server that forgot asks again (RFC 6121 3.1.3)."""
    bo = couple.login()
    couple.bo_sees_anna(bo)
    bo.raw(f"<presence to='{couple.anna}' type='subscribe'/>")
    bo.presence_of(couple.anna, type="available")
    assert site.pool.prompts(couple.anna, couple.bo) == 1


def test_who_comes_online_sees_her_at_once(site, couple):
    """The server's probe is answered with this pair's own document."""
    couple.bo_sees_anna(couple.login())
    site.pool.publish(couple.anna, number=BUSY)
    couple.users.pop().logout()
    before = len(site.pool.asked(couple.anna))
    bo = couple.login()
    assert bo.presence_of(couple.anna, type="available").show == "dnd"
    assert len(site.pool.asked(couple.anna)) == before


def test_an_xmpp_user_stops_watching(site, couple):
    bo = couple.login()
    couple.bo_sees_anna(bo)
    bo.unsubscribe(couple.anna)
    asked = site.pool.journal.wait("subscribe", user=couple.anna, expires=0)
    assert not asked.fresh
    # The pool's last word is heard as well.
    end = time.monotonic() + 5
    while site.pool.live(couple.anna) and time.monotonic() < end:
        time.sleep(0.05)
    noticed = site.pool.journal.all("noticed", user=couple.anna)
    assert [n.status for n in noticed] == [200] * len(noticed)
    bo.await_roster(couple.anna, "none")


def test_an_unknown_user_cannot_be_watched(site, couple):
    site.pool.user(couple.anna).status = (404, "Not Found")
    bo = couple.login()
    bo.subscribe(couple.anna)
    bo.presence_of(couple.anna, type="unsubscribed")
    bo.await_roster(couple.anna, "none")


def test_a_pool_that_forbids_it_is_obeyed(site, couple):
    site.pool.user(couple.anna).status = (403, "Forbidden")
    bo = couple.login()
    bo.subscribe(couple.anna)
    bo.presence_of(couple.anna, type="unsubscribed")
    bo.await_roster(couple.anna, "none")


# --- a Lync user watches an XMPP user ----------------------------------------

def test_a_lync_user_adds_an_xmpp_user_and_sees_him(site, couple):
    bo, endpoint = couple.login(), couple.endpoint()
    watch = endpoint.add(couple.bo)
    answer = watch.response
    assert answer.status == 200
    assert answer.get("Event") == "presence" and answer.get("Contact")
    assert 1200 <= watch.expires <= 43200
    assert not [t for t in answer.tokens("Supported") if "ms-" in t]
    first = endpoint.notice(watch=watch)
    assert (first.state, first.show) == ("active", "offline")
    assert 0 < first.expires <= watch.expires
    assert first.request.method == "NOTIFY"
    assert first.request.get("Content-Type") == "application/pidf+xml"
    assert first.seen.entity.removeprefix("sip:") == couple.bo
    asked = bo.presence_of(couple.anna, type="subscribe")
    assert (asked.sender, asked.nick) == (couple.anna, "Anna")
    bo.subscribed(couple.anna)
    assert endpoint.notice(watch=watch, show="online").state == "active"
    bo.await_roster(couple.anna, "from")


def test_what_he_does_is_seen(couple):
    bo, endpoint = couple.login(), couple.endpoint()
    watch = couple.anna_sees_bo(bo, endpoint)
    for show, word in (("away", "away"), ("dnd", "busy"), (None, "online"),
                       ("xa", "away"), ("chat", "online")):
        bo.show(show)
        assert endpoint.notice(watch=watch).show == word
    bo.hide()
    assert endpoint.notice(watch=watch).show == "offline"
    bo.show("dnd", "at the <tower> & busy")
    assert endpoint.notice(watch=watch, show="busy").note == \
        "at the <tower> & busy"


def test_two_devices_of_hers_are_one_request(couple):
    bo, first, second = couple.login(), couple.endpoint(), couple.endpoint()
    one, two = first.add(couple.bo), second.watch(couple.bo)
    bo.accept(couple.anna)
    first.notice(watch=one, show="online")
    second.notice(watch=two, show="online")
    bo.show("away")
    first.notice(watch=one, show="away")
    second.notice(watch=two, show="away")
    assert first.unwatch(one).status == 200
    assert first.notice(watch=one, state="terminated").reason == "timeout"
    bo.show("dnd")
    second.notice(watch=two, show="busy")
    assert len(bo.journal.all("presence", type="subscribe")) == 1
    assert not bo.journal.all("presence", type="unsubscribe")


def test_a_refresh_brings_the_whole_state(couple):
    bo, endpoint = couple.login(), couple.endpoint()
    watch = couple.anna_sees_bo(bo, endpoint)
    bo.show("dnd", "busy here")
    endpoint.notice(watch=watch, show="busy")
    assert endpoint.refresh(watch).status == 200
    again = endpoint.notice(watch=watch)
    assert (again.state, again.show, again.note) == \
        ("active", "busy", "busy here")
    assert not endpoint.journal.all("disordered")


def test_he_says_no_and_is_not_asked_again(site, couple):
    bo, endpoint = couple.login(), couple.endpoint()
    watch = endpoint.add(couple.bo)
    endpoint.notice(watch=watch, show="offline")
    bo.presence_of(couple.anna, type="subscribe")
    bo.unsubscribed(couple.anna)
    other = couple.endpoint().watch(couple.bo)      # signs in elsewhere
    assert other.response.status == 200
    other.owner.notice(watch=other, show="offline")
    bo.journal.none("presence", 1, bare=couple.anna, type="subscribe")
    # She adds him anew, some time later.
    site.days_pass(0.01)
    assert couple.endpoint().add(couple.bo).response.status == 200
    bo.accept(couple.anna)
    other.owner.notice(watch=other, show="online")


def test_who_was_away_when_she_asked_finds_the_request(couple):
    endpoint = couple.endpoint()
    watch = endpoint.add(couple.bo)
    endpoint.notice(watch=watch, show="offline")
    bo = couple.login()
    bo.accept(couple.anna)
    endpoint.notice(watch=watch, show="online")


def test_both_watch_each_other(couple):
    bo, endpoint, watch = couple.friends()
    bo.await_roster(couple.anna, "both")
    couple.site.pool.publish(couple.anna, number=BUSY)
    bo.presence_of(couple.anna, show="dnd")
    bo.show("away")
    endpoint.notice(watch=watch, show="away")


# --- removing and blocking ---------------------------------------------------

def test_an_xmpp_user_removes_her(site, couple):
    bo, endpoint, watch = couple.friends()
    bo.remove(couple.anna)
    asked = site.pool.journal.wait("subscribe", user=couple.anna, expires=0)
    assert not asked.fresh
    endpoint.notice(watch=watch, show="offline")
    bo.await_roster(couple.anna, None)
    bo.journal.settle()
    site.pool.publish(couple.anna, number=BUSY)
    bo.journal.none("presence", 1, bare=couple.anna, type="available")


def test_an_xmpp_user_takes_back_what_he_allowed(couple):
    bo, endpoint, watch = couple.friends()
    bo.unsubscribed(couple.anna)
    endpoint.notice(watch=watch, show="offline")
    bo.show("away")
    endpoint.journal.none("notice", 1, show="away")
    bo.await_roster(couple.anna, "to")      # his own stays


def test_a_lync_user_blocks_him(site, couple):
    """A polite block: what the container for the blocked shows is offline."""
    bo, endpoint, _ = couple.friends()
    site.pool.publish(couple.anna, State(OFFLINE), watcher=couple.bo)
    bo.presence_of(couple.anna, type="unavailable")
    bo.await_roster(couple.anna, "both")
    site.pool.publish(couple.anna, State(AVAILABLE), watcher=couple.bo)
    bo.presence_of(couple.anna, type="available")
    assert not bo.journal.all("presence", bare=couple.anna,
                              type="unsubscribed")


def test_an_xmpp_user_blocks_her(site, couple):
    """Prosody says that he is gone then, ejabberd 23.01 does not; both
    refuse what she writes."""
    bo, endpoint, watch = couple.friends()
    bo.block(couple.anna)
    if site.server == "prosody":
        endpoint.notice(watch=watch, show="offline")
    status = site.pool.chat(couple.anna, couple.bo, "hello?")
    # ejabberd's bounce may come behind the answer to the ping.
    assert status in (403, 480) or site.server == "ejabberd"
    assert not bo.journal.all("message", body="hello?")
    bo.unblock(couple.anna)
    bo.show("dnd")
    endpoint.notice(watch=watch, show="busy")
    assert site.pool.chat(couple.anna, couple.bo, "hello!") == 200
    bo.message(body="hello!")
    bo.await_roster(couple.anna, "both")
