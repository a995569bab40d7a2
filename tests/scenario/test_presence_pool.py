"""The gateway as a subscriber: the pool's manners, good and bad."""

import time

import pytest

from lib import sip
from lib.documents import (AVAILABLE, AWAY, BUSY, DND, MSRTC, OFFLINE, PIDF,
                           State, msrtc)
from lib.presence_pool import min_expires, retry_after
from lib.presence_site import PresenceSite

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def site():
    from conftest import Started
    with Started(PresenceSite("pool")) as site:
        yield site


@pytest.fixture
def pool(site):
    """Its settings are everybody's: left as they were found."""
    before = {name: getattr(site.pool, name)
              for name in ("grant", "order", "benotify", "lower")}
    yield site.pool
    for name, value in before.items():
        setattr(site.pool, name, value)


@pytest.fixture
def couple(site):
    couple = site.couple()
    yield couple
    couple.leave()


@pytest.fixture
def bo(couple):
    return couple.login()


@pytest.fixture
def colleagues(site, bo):
    """Lets Bo watch more users at the same time, one for each of what is
    given: what takes its time does so side by side."""
    def watched(things, see=True):
        users = {site.colleague(): thing for thing in things}
        for user in users if see else ():
            bo.subscribe(user)
        for user in users if see else ():
            bo.presence_of(user, type="available")
        return users
    return watched


def subscription(pool, couple):
    [sub] = pool.live(couple.anna, couple.bo)
    return sub


def await_asked(pool, user, count, timeout=10, fresh=None):
    """Until so many SUBSCRIBEs came; returns them."""
    end = time.monotonic() + timeout
    while len(asked := pool.asked(user, fresh=fresh)) < count:
        assert time.monotonic() < end, f"{len(asked)} of {count} SUBSCRIBEs"
        time.sleep(0.05)
    return asked


def quiet_about(bo, anna, *types):
    assert not [e for e in bo.journal.all("presence", bare=anna)
                if e.type in types]


# --- how notices come -------------------------------------------------------

@pytest.mark.parametrize("order", ["before", "piggyback"])
def test_a_first_notice_may_come_before_or_in_the_answer(
        pool, couple, bo, order):
    """Two connections: NOTIFY overtakes the 200; a body in the 200 is a
    notice even if nobody asked for it."""
    pool.order = order
    pool.publish(couple.anna, number=BUSY)
    bo.subscribe(couple.anna)
    bo.presence_of(couple.anna, type="subscribed")
    assert bo.presence_of(couple.anna, type="available").show == "dnd"
    pool.order = "after"
    pool.publish(couple.anna, number=AVAILABLE)
    bo.presence_of(couple.anna, type="available", show="")
    assert len(pool.asked(couple.anna)) == 1


def test_best_effort_notices_are_taken_and_not_answered(pool, couple, bo):
    couple.bo_sees_anna(bo)
    pool.benotify = True
    before = len(pool.journal.all("response"))
    assert pool.publish(couple.anna, number=BUSY) == [0]
    bo.presence_of(couple.anna, show="dnd")
    assert pool.publish(couple.anna, number=AWAY) == [0]
    bo.presence_of(couple.anna, show="away")
    assert not [e for e in pool.journal.all("response")[before:]
                if e.method == "BENOTIFY"]


def test_header_names_come_in_any_case(pool, couple, bo):
    for lower, number, show in ((True, BUSY, "dnd"), (False, AWAY, "away")):
        pool.lower = lower
        if lower:
            couple.bo_sees_anna(bo)
        assert pool.publish(couple.anna, number=number) == [200]
        bo.presence_of(couple.anna, show=show)


@pytest.mark.parametrize("form", [MSRTC, PIDF])
def test_every_class_of_availability_is_shown_from_either_form(
        pool, couple, bo, form):
    couple.bo_sees_anna(bo)
    for number, show in ((4500, "away"), (4499, ""), (11999, "dnd"),
                         (12000, "away"), (7500, "dnd"), (17999, "away"),
                         (18000, None), (3000, ""), (65536, None)):
        assert pool.publish(couple.anna, State(number, form=form)) == [200]
        seen = bo.presence_of(couple.anna)
        assert (seen.type, seen.show) == (
            ("unavailable", "") if show is None else ("available", show)), \
            number


def test_what_is_under_a_number_of_no_class_is_no_lie(pool, couple, bo):
    """0-2999 says nothing about a person."""
    pool.publish(couple.anna, number=0)
    bo.subscribe(couple.anna)
    bo.presence_of(couple.anna, type="subscribed")
    bo.journal.none("presence", 0.5, bare=couple.anna, type="available")
    pool.publish(couple.anna, number=AVAILABLE)
    bo.presence_of(couple.anna, type="available")
    pool.publish(couple.anna, number=0)
    bo.presence_of(couple.anna, type="unavailable")


def test_notes_and_idle_times_pass_to_a_federated_partner(pool, couple, bo):
    couple.bo_sees_anna(bo)
    pool.publish(couple.anna, number=BUSY, note="in Rome")
    assert bo.presence_of(couple.anna, show="dnd").status == "in Rome"
    pool.publish(couple.anna, number=AWAY,
                 last_active="2026-11-21T08:00:00Z")
    seen = bo.presence_of(couple.anna, show="away")
    assert seen.idle == "2026-11-21T08:00:00Z"
    pool.publish(couple.anna, number=AWAY, note="back Monday",
                 out_of_office=True)
    seen = bo.presence_of(couple.anna)
    assert (seen.show, seen.status) == ("xa", "Out of office: back Monday")


def test_nothing_else_in_a_document_leaves(pool, couple, bo):
    couple.bo_sees_anna(bo)
    pool.publish(couple.anna, State(BUSY, more=(
        '<email email="anna.secret@contoso.example"/>'
        '<phoneNumber label="mobile" number="+1 800 FLOWERS"/>'
        "<calendar><subject>merger talks</subject></calendar>"
        "<location>room 101</location>")))
    raw = str(bo.presence_of(couple.anna, show="dnd").stanza)
    for secret in ("anna.secret", "FLOWERS", "merger", "room", "epid",
                   "99aa88bb77"):
        assert secret not in raw


def test_one_watcher_s_view_is_not_another_s(site, pool):
    """Access is per watcher: each has a document of its own, probes
    included."""
    one, two = site.couple(), site.couple()
    two.anna = one.anna
    try:
        pool.publish(one.anna, State(BUSY, note="for one"), watcher=one.bo,
                     quiet=True)
        pool.publish(one.anna, State(OFFLINE), watcher=two.bo, quiet=True)
        first, second = one.login(), two.login()
        first.subscribe(one.anna)
        second.subscribe(one.anna)
        assert first.presence_of(one.anna, type="available").status == \
            "for one"
        second.presence_of(one.anna, type="subscribed")
        second.presence_of(one.anna, type="unavailable")
        pool.publish(one.anna, State(AVAILABLE, note="still one"),
                     watcher=one.bo)
        first.presence_of(one.anna, status="still one")
        # Each comes back and is told his own.
        two.users.pop().logout()
        again = two.login()
        again.journal.none("presence", 1, bare=one.anna, type="available")
        assert not [e for u in (second, again) for e in
                    u.journal.all("presence") if "one" in e.status]
    finally:
        one.leave()
        two.leave()


# --- answers to SUBSCRIBE ----------------------------------------------------

def test_a_refresh_comes_before_the_granted_time_is_over(pool, couple, bo):
    """Shorter than asked, longer than asked: the answer counts."""
    pool.grant = 2
    couple.bo_sees_anna(bo)
    first, second, third = await_asked(pool, couple.anna, 3)[:3]
    assert first.fresh and not second.fresh and not third.fresh
    assert 1.0 < second.at - first.at < 2.0
    assert 1.0 < third.at - second.at < 2.0
    assert second.call_id == first.call_id
    assert [sip.uri_of(v) for v in second.request.all("Route")] == \
        [sip.uri_of(pool.route)]
    assert second.request.cseq > first.request.cseq
    # A refresh repeats the format (a server keeps to it).
    assert second.request.get("Accept") == first.request.get("Accept")
    quiet_about(bo, couple.anna, "unavailable", "unsubscribed")
    # The state repeated with each refresh is no news.
    assert len(bo.journal.all("presence", bare=couple.anna,
                              type="available")) == 1
    bo.unsubscribe(couple.anna)


def test_too_short_is_asked_again_with_what_the_pool_wants(
        pool, couple, bo):
    user = pool.user(couple.anna)
    user.status = (423, "Interval Too Brief", min_expires(40000))
    bo.subscribe(couple.anna)
    first = pool.journal.wait("subscribe", user=couple.anna)
    user.status = None
    second = pool.journal.wait("subscribe", user=couple.anna)
    assert (first.expires, second.expires) == (28800, 40000)
    bo.presence_of(couple.anna, type="subscribed")


def test_a_pool_that_knows_only_pidf_is_asked_for_pidf(
        pool, bo, colleagues):
    users = colleagues(((489, "Bad Event"), (406, "Not Acceptable"),
                        (415, "Unsupported Media Type")), see=False)
    for user, status in users.items():
        pool.user(user).status = status
        bo.subscribe(user)
    for user in users:
        pool.journal.wait("subscribe", user=user)
        pool.user(user).status = None
    for user in users:
        asked = pool.journal.wait("subscribe", user=user)
        assert asked.request.get("Accept") == "application/pidf+xml"
        bo.presence_of(user, type="subscribed")
        bo.presence_of(user, type="available")


def test_trouble_at_the_pool_is_waited_out(pool, bo, colleagues):
    users = colleagues(((480, "Temporarily Unavailable"),
                        (500, "Server Internal Error"),
                        (503, "Service Unavailable"),
                        (504, "Server Time-out"), (408, "Request Timeout")),
                       see=False)
    for user, status in users.items():
        pool.user(user).status = status
        bo.subscribe(user)
    first = {user: pool.journal.wait("subscribe", user=user)
             for user in users}
    for user in users:
        pool.user(user).status = None
    for user in users:
        second = pool.journal.wait("subscribe", user=user)
        assert second.fresh and second.call_id != first[user].call_id
        assert second.at - first[user].at > 0.5
        bo.presence_of(user, type="subscribed")
        quiet_about(bo, user, "unsubscribed", "error")


def test_a_retry_waits_as_long_as_the_pool_says(pool, couple, bo):
    user = pool.user(couple.anna)
    user.status = (503, "Service Unavailable", retry_after(3))
    bo.subscribe(couple.anna)
    first = pool.journal.wait("subscribe", user=couple.anna)
    user.status = None
    second = pool.journal.wait("subscribe", user=couple.anna)
    assert second.at - first.at >= 2.9
    bo.presence_of(couple.anna, type="subscribed")


def test_a_lost_dialog_is_renewed_without_a_word(pool, couple, bo):
    """481 to a refresh: a new Call-ID, and Bo notices nothing."""
    pool.grant = 2
    couple.bo_sees_anna(bo)
    first = pool.journal.wait("subscribe", user=couple.anna)
    pool.forget()
    refresh = pool.journal.wait("subscribe", user=couple.anna, fresh=False)
    pool.grant = None
    again = pool.journal.wait("subscribe", user=couple.anna, fresh=True)
    assert again.call_id != first.call_id == refresh.call_id
    pool.publish(couple.anna, number=BUSY)
    bo.presence_of(couple.anna, show="dnd")
    quiet_about(bo, couple.anna, "unavailable", "unsubscribed")


def test_a_refused_refresh_destroys_nothing(pool, bo, colleagues):
    """In doubt unavailable, never unsubscribed."""
    pool.grant = 2
    users = colleagues(((404, "Not Found"), (403, "Forbidden"),
                        (503, "Service Unavailable")))
    for user, status in users.items():
        pool.user(user).status = pool.user(user).refresh_status = status
    for user, status in users.items():
        if status[0] != 503:
            bo.presence_of(user, type="unavailable")
        await_asked(pool, user, 2)
    pool.grant = None
    time.sleep(1)
    for user in users:
        quiet_about(bo, user, "unsubscribed")
        bo.await_roster(user, "to")


# --- the pool ends a subscription --------------------------------------------

def test_an_end_that_means_nothing_is_followed_by_a_new_start(
        pool, bo, colleagues):
    users = colleagues(("deactivated", "timeout", ""))
    for user, reason in users.items():
        pool.terminate(user, reason)
    for user in users:
        await_asked(pool, user, 2, fresh=True)
        pool.publish(user, number=BUSY)
        bo.presence_of(user, show="dnd")
        quiet_about(bo, user, "unsubscribed")


def test_probation_is_waited_for(pool, couple, bo):
    couple.bo_sees_anna(bo)
    begin = time.monotonic()
    pool.terminate(couple.anna, "probation;retry-after=2")
    bo.presence_of(couple.anna, type="unavailable")
    again = await_asked(pool, couple.anna, 2, fresh=True)[-1]
    assert again.at - begin >= 1.9
    bo.presence_of(couple.anna, type="available")
    quiet_about(bo, couple.anna, "unsubscribed")


def test_an_end_for_good_is_not_tried_again(pool, bo, colleagues):
    """Refused, gone; or never to change, which is no bad news."""
    users = colleagues(("rejected", "noresource", "invariant"))
    for user, reason in users.items():
        pool.terminate(user, reason)
    for user, reason in users.items():
        if reason != "invariant":
            bo.presence_of(user, type="unsubscribed")
            bo.await_roster(user, "none")
    time.sleep(1.2)
    for user, reason in users.items():
        assert pool.prompts(user, bo.jid) == 1
        if reason == "invariant":
            quiet_about(bo, user, "unavailable", "unsubscribed")


def test_pending_says_nothing_until_it_is_decided(pool, couple, bo):
    """Lync has no such phase; other servers do (RFC 3856 6.7)."""
    user = pool.user(couple.anna)
    pool.order = "none"
    bo.subscribe(couple.anna)
    await_asked(pool, couple.anna, 1)
    end = time.monotonic() + 5
    while not pool.live(couple.anna) and time.monotonic() < end:
        time.sleep(0.02)
    sub = subscription(pool, couple)
    assert pool.notify(sub, "pending;expires=600", body=False) == 200
    bo.journal.none("presence", 1, bare=couple.anna)
    assert pool.notify(sub) == 200
    bo.presence_of(couple.anna, type="subscribed")
    bo.presence_of(couple.anna, type="available")
    assert user.status is None


# --- notices that are not right ----------------------------------------------

def test_a_notice_of_an_unknown_dialog_is_refused(site, pool, couple, bo):
    couple.bo_sees_anna(bo)
    sub = subscription(pool, couple)
    real = sub.call_id
    sub.call_id = sip.token()
    assert pool.notify(sub) == 481
    sub.call_id, tag = real, sub.tag
    sub.local = sub.local.replace(tag, "otherone")
    assert pool.notify(sub) == 481
    sub.local = sub.local.replace("otherone", tag)
    assert pool.notify(sub) == 200
    # Best effort: no answer, no effect.
    before = len(pool.journal.all("response"))
    pool.benotify, sub.call_id = True, sip.token()
    pool.publish(couple.anna, number=BUSY)
    bo.journal.none("presence", 0.5, bare=couple.anna, show="dnd")
    assert len(pool.journal.all("response")) == before


def test_another_package_s_notice_is_refused(pool, couple, bo):
    couple.bo_sees_anna(bo)
    assert pool.notify(subscription(pool, couple), event="dialog") == 489
    assert pool.publish(couple.anna, number=BUSY) == [200]
    bo.presence_of(couple.anna, show="dnd")


def test_a_document_about_somebody_else_is_ignored(pool, couple, bo):
    couple.bo_sees_anna(bo)
    sub = subscription(pool, couple)
    assert pool.notify(sub, document=msrtc(
        couple.anna, State(BUSY), entity="carl@contoso.example")) == 200
    bo.journal.none("presence", 1, bare=couple.anna, show="dnd")
    quiet_about(bo, "carl@contoso.example", "available")
    assert pool.publish(couple.anna, number=AWAY) == [200]
    bo.presence_of(couple.anna, show="away")


def test_documents_that_are_none_cost_nothing_but_themselves(
        pool, couple, bo):
    couple.bo_sees_anna(bo)
    sub = subscription(pool, couple)
    for document in (
            b'<!DOCTYPE p [<!ENTITY a "b">]><presentity uri="x">&a;'
            b"</presentity>",
            b"<presentity",
            b"<presence>" + b"<a>" * 4000 + b"</a>" * 4000 + b"</presence>",
            b"\x00\xff\xfe" * 30):
        assert pool.notify(sub, document=document) == 400, document
    # One of another kind.
    assert pool.notify(sub, document=b"<watcherinfo/>") == 415
    bo.journal.none("presence", 0.5, bare=couple.anna)
    assert pool.live(couple.anna) == [sub]
    assert pool.publish(couple.anna, number=BUSY) == [200]
    bo.presence_of(couple.anna, show="dnd")


def test_declared_utf_16_that_is_utf_8_is_read(pool, couple, bo):
    """Some servers say so (observed)."""
    couple.bo_sees_anna(bo)
    text = (b'<?xml version="1.0" encoding="utf-16"?>'
            + msrtc(couple.anna, State(DND, note="čekám")))
    assert pool.notify(subscription(pool, couple), document=text) == 200
    assert bo.presence_of(couple.anna, show="dnd").status == "čekám"


def test_foreign_name_spaces_are_read_by_local_names(pool, couple, bo):
    couple.bo_sees_anna(bo)
    text = msrtc(couple.anna, State(BUSY)).replace(b"</", b"</q:").replace(
        b"<", b"<q:").replace(b"<q:/q:", b"</q:").replace(
        b"<q:presentity ", b'<q:presentity xmlns:q="urn:x" ', 1)
    assert pool.notify(subscription(pool, couple), document=text) == 200
    bo.presence_of(couple.anna, show="dnd")


def test_a_note_of_64_kilobytes_does_not_break_the_stream(pool, couple, bo):
    couple.bo_sees_anna(bo)
    pool.publish(couple.anna, number=BUSY, note="ž" * 32768)
    pool.publish(couple.anna, number=AWAY)
    bo.presence_of(couple.anna, show="away")
    long = [e.status for e in bo.journal.all("presence") if e.status]
    assert all(len(s) <= 32768 for s in long)
    quiet_about(bo, couple.anna, "unsubscribed")


# --- how often ---------------------------------------------------------------

def test_first_askings_are_spread_for_each_lync_user(site, pool):
    """Each is a question on her screen."""
    couples = [site.couple() for _ in range(3)]
    anna = couples[0].anna
    try:
        users = [c.login() for c in couples]
        for user in users:
            user.subscribe(anna)
        end = time.monotonic() + 15
        while len(asked := pool.asked(anna)) < 3:
            assert time.monotonic() < end
            time.sleep(0.05)
        gaps = [b.at - a.at for a, b in zip(asked, asked[1:])]
        assert min(gaps) > 0.8, gaps
        for user in users:
            user.presence_of(anna, type="subscribed")
    finally:
        for couple in couples:
            couple.leave()
