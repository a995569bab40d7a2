"""The gateway as a notifier: a Lync user's devices watch an XMPP user, who
has devices as well."""

import time

import pytest

from lib.presence_site import PresenceSite

pytestmark = pytest.mark.once

PLAIN = "application/pidf+xml"


@pytest.fixture(scope="module")
def site():
    from conftest import Started
    with Started(PresenceSite("endpoints",
                              presence={"expires_min": 2})) as site:
        yield site


@pytest.fixture(scope="module", autouse=True)
def lapsing(site):
    """A dialog that nobody refreshes, from before the first test on."""
    couple = site.couple()
    bo, endpoint = couple.login(), couple.endpoint()
    watch = endpoint.add(couple.bo, expires=2)
    bo.accept(couple.anna)
    endpoint.notice(watch=watch, show="online")
    yield couple, bo, endpoint, watch
    couple.leave()


@pytest.fixture(scope="module")
def brief():
    """Where who does not come back within three seconds has gone."""
    from conftest import Started
    with Started(PresenceSite("brief", presence={
            "expires_min": 1, "expires_default": 2, "expires_max": 3,
            "removal_days": 0})) as site:
        yield site


@pytest.fixture
def couple(site):
    couple = site.couple()
    yield couple
    couple.leave()


@pytest.fixture
def bo(couple):
    return couple.login()


@pytest.fixture
def endpoint(couple):
    return couple.endpoint()


# --- what is asked -----------------------------------------------------------

def test_an_interval_is_adjusted_not_refused(couple, endpoint):
    for asked, granted in ((None, 28800), (1, 2), (600, 600),
                           (10 ** 9, 43200), (28800, 28800)):
        watch = endpoint.watch(couple.bo, expires=asked)
        assert watch.response.status == 200
        assert watch.expires == granted
        assert endpoint.notice(watch=watch).expires <= granted
        if asked == 1:
            endpoint.vanish(watch)
        else:
            endpoint.unwatch(watch)


def test_another_package_is_refused_with_the_one_there_is(couple, endpoint):
    for event in ("vnd-microsoft-roaming-contacts", "presence.wpending",
                  "dialog"):
        answer = endpoint.watch(couple.bo, event=event).response
        assert answer.status == 489
        assert answer.tokens("Allow-Events") == ["presence"]


def test_extensions_for_proxies_are_not_ours_to_refuse(couple, bo, endpoint):
    """Proxy-Require: ms-benotify; what comes is NOTIFY all the same."""
    watch = couple.anna_sees_bo(bo, endpoint)
    bo.show("away")
    assert not endpoint.notice(watch=watch, show="away").benotify


def test_a_required_extension_that_is_unknown_is_refused(couple, endpoint):
    answer = endpoint.watch(couple.bo, headers=[
        ("Require", "adhoclist, categoryList")]).response
    assert answer.status == 420
    assert set(answer.tokens("Unsupported")) == {"adhoclist",
                                                 "categoryList"}


def test_the_body_may_be_missing(couple, bo, endpoint):
    """Without it nobody says that the contact is new; it is, all the same,
    for who never asked."""
    watch = endpoint.watch(couple.bo, body=False, accept=PLAIN)
    assert watch.response.status == 200
    bo.accept(couple.anna)
    endpoint.notice(watch=watch, show="online")


def test_what_is_read_of_a_body_is_bounded(couple, endpoint):
    """A body full of nonsense is not worth a refusal."""
    from lib import lync_watcher
    whole = lync_watcher.BATCH
    try:
        for nonsense in ("<batchSub", "x" * 60000, "<!DOCTYPE a><a/>",
                         "<a>" * 2000):
            lync_watcher.BATCH = nonsense.replace("{", "{{")
            watch = endpoint.watch(couple.bo)
            assert watch.response.status == 200, nonsense[:10]
            endpoint.unwatch(watch)
    finally:
        lync_watcher.BATCH = whole


# --- life of a dialog --------------------------------------------------------

def test_an_unknown_dialog_is_told_so(site, couple, endpoint):
    watch = endpoint.watch(couple.bo)
    right = watch.remote
    watch.remote = f"<sip:{couple.bo}>;tag=notours"
    assert endpoint.refresh(watch).status == 481
    watch.remote = right
    endpoint._watches()[watch.call_id] = watch
    assert endpoint.refresh(watch).status == 200


def test_a_dialog_lost_at_the_other_side_is_dropped(site, couple, bo,
                                                    endpoint):
    watch = couple.anna_sees_bo(bo, endpoint)
    endpoint.vanish(watch)
    bo.show("away")                         # answered 481
    end = time.monotonic() + 5
    while not site.pool.strays(watch) and time.monotonic() < end:
        time.sleep(0.05)
    bo.show("dnd")
    time.sleep(1)
    assert len(site.pool.strays(watch)) == 1
    other = couple.endpoint()
    again = other.watch(couple.bo)
    other.notice(watch=again, show="busy")


def test_a_device_that_is_asleep_keeps_its_dialog(couple, bo, endpoint):
    watch = couple.anna_sees_bo(bo, endpoint)
    watch.answer = (480, "Temporarily Unavailable")
    bo.show("away")
    endpoint.notice(watch=watch, show="away")
    watch.answer = (200, "OK")
    bo.show("dnd")
    endpoint.notice(watch=watch, show="busy")
    assert endpoint.refresh(watch).status == 200


def test_one_silent_device_does_not_hold_up_another(couple, bo, endpoint):
    other = couple.endpoint()
    mute = couple.anna_sees_bo(bo, endpoint)
    heard = other.watch(couple.bo)
    other.notice(watch=heard, show="online")
    mute.answer = None
    begin = time.monotonic()
    bo.show("away")
    other.notice(watch=heard, show="away")
    bo.show("dnd")
    other.notice(watch=heard, show="busy")
    assert time.monotonic() - begin < 5
    # One notice at a time: the second waits for the first one's answer.
    assert len(endpoint.journal.all("notice", watch=mute, show="busy")) == 0


def test_asking_once_is_answered_once(couple, bo, endpoint):
    watch = couple.anna_sees_bo(bo, endpoint)
    bo.show("dnd")
    endpoint.notice(watch=watch, show="busy")
    other = couple.endpoint()
    once = other.fetch(couple.bo)
    assert once.response.status == 200 and once.expires == 0
    last = other.notice(watch=once)
    assert (last.state, last.reason, last.show) == \
        ("terminated", "timeout", "busy")
    bo.show("away")
    endpoint.notice(watch=watch, show="away")
    assert len(other.journal.all("notice")) == 1


def test_asking_once_about_a_stranger_tells_nothing(couple, bo, endpoint):
    once = endpoint.fetch(couple.bo)
    assert once.response.status == 200
    assert endpoint.notice(watch=once).show in ("offline", "")
    bo.journal.none("presence", 0.5, bare=couple.anna, type="subscribe")


# --- removing ----------------------------------------------------------------

def test_a_contact_is_off_the_list_when_nobody_comes_back(brief):
    """Removing looks like signing out; only time tells the two apart: the
    longest interval, and the days that are configured."""
    couple, back = brief.couple(), brief.couple()
    try:
        bo, endpoint = couple.login(), couple.endpoint()
        his, hers = back.login(), back.endpoint()
        watch = couple.anna_sees_bo(bo, endpoint)
        hers_watch = back.anna_sees_bo(his, hers)
        begin = time.monotonic()
        assert endpoint.unwatch(watch).status == 200
        endpoint.notice(watch=watch, state="terminated")
        hers.unwatch(hers_watch)
        again = hers.watch(back.bo)
        hers.notice(watch=again, show="online")
        gone = bo.presence_of(couple.anna, type="unsubscribe", timeout=10)
        assert gone.at - begin > 2.9
        bo.await_roster(couple.anna, "none")
        # Who came back has removed nobody.
        assert not his.journal.all("presence", type="unsubscribe")
        assert len(his.journal.all("presence", type="subscribe")) == 1
        his.await_roster(back.anna, "from")
    finally:
        couple.leave()
        back.leave()


def test_a_contact_added_again_is_one_again(brief):
    couple = brief.couple()
    try:
        bo, endpoint = couple.login(), couple.endpoint()
        watch = couple.anna_sees_bo(bo, endpoint)
        endpoint.unwatch(watch)
        bo.presence_of(couple.anna, type="unsubscribe", timeout=10)
        watch = endpoint.add(couple.bo)
        bo.accept(couple.anna)
        endpoint.notice(watch=watch, show="online")
    finally:
        couple.leave()


# --- what is seen of several devices of his ----------------------------------

def test_the_most_present_of_his_devices_counts(couple, bo, endpoint):
    watch = couple.anna_sees_bo(bo, endpoint)
    phone = couple.login("phone")
    for desk, mobile, word in (
            (("away", 50), (None, 1), "online"),
            (("dnd", 5), ("away", 5), "busy"),
            (("xa", 5), ("away", 5), "away"),
            (("away", 0), (None, -1), "away"),
            ((None, -1), (None, -2), "online")):
        bo.show(desk[0], priority=desk[1])
        phone.show(mobile[0], priority=mobile[1])
        deadline = time.monotonic() + 5
        while watch.show != word:
            assert time.monotonic() < deadline, \
                f"{desk} and {mobile}: {watch.show}, not {word}"
            time.sleep(0.05)
        time.sleep(0.4)                     # and it stays so
        assert watch.show == word, (desk, mobile)


def test_what_remains_when_a_device_goes(couple, bo, endpoint):
    watch = couple.anna_sees_bo(bo, endpoint)
    phone = couple.login("phone")
    phone.show("away")
    bo.show("dnd")
    endpoint.notice(watch=watch, show="busy")
    bo.hide()
    endpoint.notice(watch=watch, show="away")
    phone.hide()
    endpoint.notice(watch=watch, show="offline")


def test_a_word_that_is_none_counts_as_present(couple, bo, endpoint):
    watch = couple.anna_sees_bo(bo, endpoint)
    bo.show("away")
    endpoint.notice(watch=watch, show="away")
    bo.raw("<presence><show>lunch</show><priority>500</priority></presence>")
    endpoint.notice(watch=watch, show="online")


def test_a_status_is_a_note_with_its_language(couple, bo, endpoint):
    watch = couple.anna_sees_bo(bo, endpoint)
    bo.show("away", "<b>&", lang="en")
    seen = endpoint.notice(watch=watch, show="away").seen
    assert (seen.note, seen.language) == ("<b>&", "en")
    bo.show("away", "ž" * 2000)
    note = endpoint.notice(watch=watch).note
    assert note and len(note) <= 500 and set(note) <= {"ž", "…"}


def test_presence_of_somebody_she_did_not_add_goes_nowhere(
        site, couple, bo, endpoint):
    bo.raw(f"<presence to='{couple.anna}'><show>away</show></presence>")
    watch = endpoint.add(couple.bo)
    assert endpoint.notice(watch=watch).show == "offline"
    bo.presence_of(couple.anna, type="subscribe")
    endpoint.journal.none("notice", 0.7, watch=watch)
    assert len(site.pool.journal.all("request", method="NOTIFY",
                                     call_id=watch.call_id)) == 1


def test_more_devices_than_anybody_has(couple, bo, endpoint):
    """The least important goes; the best one counts."""
    watch = couple.anna_sees_bo(bo, endpoint)
    bo.show("away", priority=100)
    endpoint.notice(watch=watch, show="away")
    for i in range(40):
        bo.raw(f"<presence to='{couple.anna}' id='d{i}'>"
               f"<show>xa</show><priority>{i - 60}</priority></presence>")
    bo.show("dnd", priority=100)
    endpoint.notice(watch=watch, show="busy")


# --- damping -----------------------------------------------------------------

def test_five_changes_at_once_are_a_first_and_a_last(couple, bo, endpoint):
    watch = couple.anna_sees_bo(bo, endpoint)
    time.sleep(0.6)                         # nothing is owed from before
    before = len(endpoint.journal.all("notice", watch=watch))
    for show in ("away", "dnd", None, "xa", "dnd"):
        bo.show(show, f"now {show}")
    endpoint.notice(watch=watch, show="busy", note="now dnd")
    time.sleep(0.8)
    seen = [e.note for e in endpoint.journal.all("notice",
                                                 watch=watch)[before:]]
    assert seen[0] == "now away" and seen[-1] == "now dnd"
    assert len(seen) <= 3, seen


def test_five_changes_of_hers_are_a_first_and_a_last(site, couple, bo):
    couple.bo_sees_anna(bo)
    time.sleep(0.6)
    before = len(bo.journal.all("presence", bare=couple.anna))
    for note in ("one", "two", "three", "four", "five"):
        assert site.pool.publish(couple.anna, number=6500, note=note) == \
            [200]
    bo.presence_of(couple.anna, status="five")
    time.sleep(0.8)
    seen = [e.status for e in bo.journal.all("presence",
                                             bare=couple.anna)[before:]]
    assert seen[0] == "one" and seen[-1] == "five"
    assert len(seen) <= 3, seen


# --- at the end, for it takes its time ---------------------------------------

def test_a_dialog_without_refresh_ends_with_a_word(lapsing):
    """32 seconds after its time, in which a refresh may still be under
    way."""
    couple, bo, endpoint, watch = lapsing
    bo.show("away")
    last = endpoint.notice(watch=watch, state="terminated", timeout=45)
    assert last.reason == "timeout"
    assert not bo.journal.all("presence", bare=couple.anna,
                              type="unsubscribe")
    again = couple.endpoint()
    watch = again.watch(couple.bo)
    again.notice(watch=watch, show="away")
    assert len(bo.journal.all("presence", type="subscribe")) == 1
