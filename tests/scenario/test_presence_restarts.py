"""Restarts and outages: presence is truthful, and nobody is asked twice."""

import re
import threading
import time

import pytest

from lib.daemons import partner
from lib.documents import AVAILABLE, AWAY, BUSY, OFFLINE
from lib.presence_site import PresenceSite
from lib.xmpp_component import Component

pytestmark = pytest.mark.once

GRACE = 4
MUTE = "mute.example"


@pytest.fixture(scope="module")
def site():
    from conftest import Started
    site = PresenceSite("restarts", presence={"grace_seconds": GRACE})
    # A server whose users answer what the test wants them to.
    site.prosody.component(MUTE, "mute")
    site.dns.zone(MUTE)
    site.dns.srv(MUTE, "xmpp.partner.example", site.prosody.s2s)
    site.gateway.config["partners"].append(partner(MUTE))
    with Started(site) as site:
        yield site


@pytest.fixture
def couple(site):
    couple = site.couple()
    yield couple
    couple.leave()


class Quiet:
    """What must not happen to friends while something restarts: she and he
    stay as they are, and nobody is asked anything anew."""

    def __init__(self, couple, bo, endpoint, watch):
        self.couple = couple
        self.bo, self.endpoint, self.watch = bo, endpoint, watch
        self.asked = len(couple.site.pool.asked(couple.anna, fresh=True))
        self.presences = len(bo.journal.all("presence", bare=couple.anna))
        self.notices = len(endpoint.journal.all("notice"))
        [self.sub] = couple.site.pool.live(couple.anna)

    def check(self, renewed=False):
        pool, anna = self.couple.site.pool, self.couple.anna
        later = self.bo.journal.all("presence", bare=anna)[self.presences:]
        assert not [p for p in later if p.type != "available"], later
        shows = [n.show for n in
                 self.endpoint.journal.all("notice")[self.notices:]]
        assert "offline" not in shows, shows
        if not renewed:
            assert len(pool.asked(anna, fresh=True)) == self.asked
            assert self.sub in pool.live(anna)
        assert len(self.bo.journal.all("presence", bare=anna,
                                       type="subscribe")) == 1

    def goes_on(self):
        """Both directions carry what is new, in the dialogs there are."""
        pool = self.couple.site.pool
        pool.publish(self.couple.anna, number=BUSY)
        self.bo.presence_of(self.couple.anna, show="dnd")
        self.bo.show("away")
        self.endpoint.notice(watch=self.watch, show="away")
        assert self.endpoint.refresh(self.watch).status == 200
        self.endpoint.notice(watch=self.watch, show="away")
        assert not self.endpoint.journal.all("disordered")


@pytest.fixture
def quiet(couple):
    bo, endpoint, watch = couple.friends()
    bo.await_roster(couple.anna, "both")
    couple.calm()
    return Quiet(couple, bo, endpoint, watch)


# --- our own daemons ---------------------------------------------------------

@pytest.mark.torture
@pytest.mark.parametrize("way", ["restart", "kill"])
def test_the_gateway_comes_back_and_nobody_notices(site, quiet, way):
    if way == "kill":
        site.gateway.kill()
        site.gateway.start()
    else:
        site.gateway.restart()
    time.sleep(1)
    quiet.check()
    quiet.goes_on()
    quiet.check()


def test_the_gateway_is_back_before_the_pool_speaks(site, quiet):
    """A notice in a stored dialog is taken, not answered 481."""
    site.gateway.restart()
    assert site.pool.publish(quiet.couple.anna, number=BUSY) == [200]
    quiet.bo.presence_of(quiet.couple.anna, show="dnd")
    quiet.check()


def test_what_changed_while_the_gateway_was_away_is_learned(site, quiet):
    """The pool's notices found nobody; his server's presence neither."""
    site.gateway.stop()
    site.pool.publish(quiet.couple.anna, number=BUSY, quiet=True)
    quiet.bo.show("dnd")
    time.sleep(0.5)
    site.gateway.start()
    quiet.endpoint.notice(watch=quiet.watch, show="busy", timeout=15)
    quiet.check()


@pytest.fixture
def patient(site):
    """One notification of a pair in ten seconds."""
    presence = site.gateway.config["presence"]
    site.gateway.config["presence"] = dict(presence, damp_ms=10000)
    site.reload()
    yield
    site.gateway.config["presence"] = presence
    site.reload()


def test_what_was_still_to_be_told_is_told_after_a_restart(
        site, couple, patient):
    bo, _, _ = couple.friends()
    site.pool.publish(couple.anna, number=BUSY)
    bo.presence_of(couple.anna, show="dnd")
    # The next one has to wait; and then the gateway is gone.
    assert site.pool.publish(couple.anna, number=AVAILABLE) == [200]
    count = len(bo.journal.all("presence", bare=couple.anna))
    site.gateway.restart()
    end = time.monotonic() + 10
    while len(told := bo.journal.all("presence", bare=couple.anna)) == count:
        assert time.monotonic() < end, "she stays busy"
        time.sleep(0.05)
    assert told[-1].show == ""


def test_a_dialog_that_lapsed_meanwhile_is_renewed(site, couple):
    bo = couple.login()
    site.pool.grant = 2
    couple.bo_sees_anna(bo)
    site.pool.grant = None
    site.gateway.stop()
    time.sleep(2.5)
    site.pool.forget()
    site.gateway.start()
    end = time.monotonic() + 10
    while not site.pool.live(couple.anna):
        assert time.monotonic() < end, "not renewed"
        time.sleep(0.05)
    site.pool.publish(couple.anna, number=BUSY)
    bo.presence_of(couple.anna, show="dnd")
    assert not bo.journal.all("presence", bare=couple.anna,
                              type="unavailable")
    assert not bo.journal.all("presence", bare=couple.anna,
                              type="unsubscribed")


class Mute:
    """A contact of a server that answers no probe."""

    def __init__(self, wire, couple):
        self.wire, self.anna = wire, couple.anna
        self.jid = f"m{couple.anna.split('@')[0]}@{MUTE}"

    def say(self, type="", show=""):
        kind = f"type='{type}'" if type else ""
        source = self.jid if type.startswith("subs") else self.jid + "/desk"
        self.wire.send(f"<presence {kind} from='{source}' to='{self.anna}'>"
                       + (f"<show>{show}</show>" if show else "")
                       + "</presence>")


@pytest.fixture(scope="module")
def wire(site):
    wire = Component(site.prosody.address, site.prosody.component_port, MUTE,
                     "mute")
    wire.ends = (b"/>",)            # probes are empty
    wire.seen = re.compile(rb"<presence[^>]*type=['\"]probe")
    yield wire
    wire.close()


@pytest.fixture
def mute(wire, couple):
    return Mute(wire, couple)


def test_who_is_not_heard_of_again_counts_as_gone(site, couple, mute):
    """His server answers no probe after a restart: what was stored is not
    shown for ever, and the next word from him counts."""
    endpoint = couple.endpoint()
    watch = endpoint.add(mute.jid)
    mute.say("subscribed")
    mute.say(show="dnd")
    endpoint.notice(watch=watch, show="busy")
    before = mute.wire.received
    endpoint.journal.settle()
    site.gateway.restart()
    # He was asked, and as long as he may answer he is as he was.
    assert mute.wire.wait(before + 1, 10) > before
    endpoint.journal.none("notice", GRACE / 2, watch=watch, show="offline")
    endpoint.notice(watch=watch, show="offline", timeout=3 * GRACE)
    assert mute.wire.received >= before + 2
    mute.say(show="away")
    endpoint.notice(watch=watch, show="away")
    endpoint.journal.none("notice", 2 * GRACE, watch=watch, show="offline")


def test_who_is_heard_of_again_stays(site, couple, mute):
    endpoint = couple.endpoint()
    watch = endpoint.add(mute.jid)
    mute.say("subscribed")
    mute.say(show="dnd")
    endpoint.notice(watch=watch, show="busy")
    before = mute.wire.received
    endpoint.journal.settle()
    site.gateway.restart()
    assert mute.wire.wait(before + 1, 10) > before
    mute.say(show="dnd")
    endpoint.journal.none("notice", 2 * GRACE, watch=watch, show="offline")


@pytest.mark.torture
@pytest.mark.parametrize("way", ["restart", "kill"])
def test_the_edge_comes_back_and_nobody_notices(site, quiet, way):
    if way == "kill":
        site.edge.kill()
        site.edge.start()
    else:
        site.edge.restart()
    site.edge.await_open()
    time.sleep(1)
    quiet.check()
    quiet.goes_on()
    quiet.check()


def test_without_an_edge_nobody_looks_online(site, quiet):
    """And what he did meanwhile is learned when there is one again."""
    bo, endpoint, watch = quiet.bo, quiet.endpoint, quiet.watch
    site.edge.stop()
    endpoint.notice(watch=watch, show="offline", timeout=20 + GRACE)
    bo.show("dnd")
    site.edge.start()
    site.edge.await_open()
    endpoint.notice(watch=watch, show="busy", timeout=30)
    assert len(bo.journal.all("presence", bare=quiet.couple.anna,
                              type="subscribe")) == 1
    assert not bo.journal.all("presence", bare=quiet.couple.anna,
                              type="unsubscribed")


def test_a_request_while_the_edge_was_away_arrives(site, couple):
    """She adds him; the stanza goes when there is a way."""
    bo, endpoint = couple.login(), couple.endpoint()
    site.edge.stop()
    watch = endpoint.add(couple.bo)
    assert watch.response.status == 200
    endpoint.notice(watch=watch, show="offline")
    site.edge.start()
    site.edge.await_open()
    bo.accept(couple.anna, timeout=30)
    endpoint.notice(watch=watch, show="online")


@pytest.mark.torture
def test_what_was_acknowledged_outlives_a_kill(site, couple):
    """His server heard that the request was taken; her device got 200."""
    bo, endpoint = couple.login(), couple.endpoint()
    site.pool.order = "none"        # the pool has not decided yet
    try:
        bo.subscribe(couple.anna)
        site.pool.journal.wait("subscribe", user=couple.anna)
        watch = endpoint.add(couple.bo)
        assert watch.response.status == 200
        site.gateway.kill()
    finally:
        site.pool.order = "after"
    rows = site.store("SELECT user, contact FROM pair WHERE user = ?",
                      couple.anna)
    assert rows == [(couple.anna, couple.bo)]
    [(dialogs,)] = site.store("SELECT count(*) FROM dialog WHERE user = ? "
                              "AND role = 2", couple.anna)
    assert dialogs == 1
    site.gateway.start()
    assert endpoint.refresh(watch).status == 200
    bo.accept(couple.anna, timeout=30)
    bo.presence_of(couple.anna, type="subscribed", timeout=30)


@pytest.mark.torture(rounds=True)
def test_kills_at_any_moment_leave_no_pair_half_way(site):
    """The gateway dies over and over while people add each other; each
    200 it gave is kept, and in the end all see each other."""
    couples = [site.couple() for _ in range(6)]
    users = [c.login() for c in couples]
    endpoints = [c.endpoint() for c in couples]
    taken, done = {}, threading.Event()

    def add():
        for couple, endpoint in zip(couples, endpoints):
            while couple not in taken:
                try:
                    watch = endpoint.add(couple.bo, timeout=2)
                    if watch.response.status == 200:
                        taken[couple] = watch
                except Exception:           # the gateway is away
                    time.sleep(0.05)
        done.set()

    writer = threading.Thread(target=add)
    writer.start()
    for _ in range(3):
        time.sleep(0.25)
        site.gateway.kill()
        site.gateway.start()
    assert done.wait(30)
    writer.join()
    try:
        for couple, user, endpoint in zip(couples, users, endpoints):
            user.accept(couple.anna, timeout=30)
            endpoint.notice(watch=taken[couple], show="online", timeout=30)
            assert endpoint.refresh(taken[couple]).status == 200
    finally:
        for couple in couples:
            couple.leave()


# --- the others --------------------------------------------------------------

@pytest.mark.torture
def test_the_partner_s_server_restarts(site, quiet):
    """Its users come back by themselves; she stays on his list."""
    couple = quiet.couple
    site.prosody.stop()
    time.sleep(0.5)
    site.prosody.restart()
    bo = couple.login()
    bo.presence_of(couple.anna, type="available", timeout=20)
    bo.show("dnd")
    quiet.endpoint.notice(watch=quiet.watch, show="busy", timeout=20)
    bo.await_roster(couple.anna, "both")
    assert len(site.pool.asked(couple.anna, fresh=True)) == 1


def test_a_long_outage_of_the_partner_is_told_and_ends(site, quiet):
    """Beyond the grace she sees him offline; nothing else is lost."""
    couple = quiet.couple
    begin = time.monotonic()
    site.prosody.process.kill()
    try:
        # An attempt that fails is how it is noticed.
        site.pool.publish(couple.anna, number=AWAY)
        seen = quiet.endpoint.notice(watch=quiet.watch, show="offline",
                                     timeout=30)
        assert seen.at - begin > GRACE - 0.5
        assert quiet.endpoint.refresh(quiet.watch).status == 200
    finally:
        site.prosody.restart()
    bo = couple.login()
    quiet.endpoint.notice(watch=quiet.watch, show="online", timeout=40)
    bo.presence_of(couple.anna, type="available", show="away", timeout=20)
    bo.await_roster(couple.anna, "both")
    assert len(bo.journal.all("presence", type="subscribe")) == 0
    assert len(site.pool.asked(couple.anna, fresh=True)) == 1


@pytest.mark.torture
def test_the_pool_s_front_end_restarts(site, quiet):
    site.pool.stop()
    time.sleep(0.5)
    site.pool.start()
    time.sleep(1)
    quiet.check()
    quiet.goes_on()
    quiet.check()


def test_a_front_end_that_forgot_is_asked_anew(site, quiet):
    """The entry of her watchers is the pool's, so no new question."""
    couple = quiet.couple
    site.pool.stop()
    site.pool.forget()
    site.pool.start()
    # Only a refresh can find out; the dialog's time is not over yet.
    site.gateway.restart()
    site.pool.publish(couple.anna, number=BUSY, quiet=True)
    quiet.bo.show("away")
    quiet.endpoint.notice(watch=quiet.watch, show="away")
    quiet.check(renewed=True)


def test_a_long_outage_of_the_pool_is_told_once_and_ends(site, quiet):
    couple = quiet.couple
    site.pool.stop()
    begin = time.monotonic()
    try:
        gone = quiet.bo.presence_of(couple.anna, type="unavailable",
                                    timeout=30)
        assert gone.at - begin > GRACE - 0.5
        assert gone.status == ""
        quiet.bo.journal.none("presence", 1, bare=couple.anna)
    finally:
        site.pool.start()
    quiet.bo.presence_of(couple.anna, type="available", timeout=40)
    quiet.bo.await_roster(couple.anna, "both")
    assert not quiet.bo.journal.all("presence", bare=couple.anna,
                                    type="unsubscribed")


def test_a_short_outage_of_the_pool_is_not_told(site, quiet):
    site.pool.stop()
    time.sleep(0.7)
    site.pool.start()
    time.sleep(GRACE + 0.5)
    quiet.check()


# --- the two sides disagree --------------------------------------------------

def test_his_server_lost_or_got_back_its_rosters(site):
    """Three people at once, for a restart of their server takes its time:
    one whose server forgot that he allowed her, one whose server forgot that
    he watches her, and one whose server thinks so still."""
    allowed, watching, over = (site.couple() for _ in range(3))
    device = allowed.endpoint()
    allowed.anna_sees_bo(allowed.login(), device)
    watching.bo_sees_anna(watching.login())
    bo = over.login()
    over.bo_sees_anna(bo)
    bo.await_roster(over.anna, "to")
    over.users.pop().logout()
    saved = site.save_roster(over.bo)
    bo = over.login()
    bo.unsubscribe(over.anna)
    bo.await_roster(over.anna, "none")
    for couple in (allowed, watching, over):
        couple.users.pop().logout()
    site.prosody.stop()
    site.forget_roster(allowed.bo)
    site.forget_roster(watching.bo)
    site.restore_roster(over.bo, saved)
    site.prosody.restart()
    site.days_pass(0.01)
    site.await_partner(over)
    try:
        # She takes him off and adds him anew, and he is asked.
        bo = allowed.login()
        bo.await_roster(allowed.anna, None)
        device = allowed.endpoint()
        watch = device.add(allowed.bo)
        bo.accept(allowed.anna)
        bo.show("dnd")
        device.notice(watch=watch, show="busy")
        bo.await_roster(allowed.anna, "from")
        # What we send him is dropped there, and he may ask anew.
        bo = watching.login()
        site.pool.publish(watching.anna, number=BUSY)
        bo.subscribe(watching.anna)
        bo.presence_of(watching.anna, type="subscribed")
        bo.presence_of(watching.anna, type="available", show="dnd")
        bo.await_roster(watching.anna, "to")
        assert len(site.pool.asked(watching.anna, fresh=True)) == 1
        # Its probe is answered with the truth.
        bo = over.login()
        bo.presence_of(over.anna, type="unsubscribed")
        bo.await_roster(over.anna, "none")
        assert not bo.journal.all("presence", bare=over.anna,
                                  type="available")
    finally:
        for couple in (allowed, watching, over):
            couple.leave()


def test_our_store_was_restored_from_before_they_met(site, couple):
    """His server thinks that she may see him and he her; we know nothing.
    A probe brings his list in order; she adds him again without his
    doing."""
    bo, endpoint, watch = couple.friends()
    bo.await_roster(couple.anna, "both")
    couple.users.pop().logout()
    site.gateway.stop()
    site.store("DELETE FROM dialog WHERE user = ?", couple.anna)
    site.store("DELETE FROM pair WHERE user = ?", couple.anna)
    site.gateway.start()
    assert endpoint.refresh(watch).status == 481
    bo = couple.login()
    bo.presence_of(couple.anna, type="unsubscribed", timeout=20)
    again = endpoint.add(couple.bo)
    # His server answers for him: she still has the right.
    endpoint.notice(watch=again, show="online", timeout=20)
    assert not bo.journal.all("presence", bare=couple.anna,
                              type="subscribe")
    bo.await_roster(couple.anna, "from")


def test_our_store_was_restored_from_when_they_still_were_friends(
        site, couple):
    """We think that each watches the other; he took her off.  Nothing in
    XMPP says so: what we tell him is for his client to ignore.  Adding him
    anew asks him, though his server answers no probe of hers."""
    bo, endpoint, watch = couple.friends()
    bo.await_roster(couple.anna, "both")
    couple.calm()
    site.gateway.stop()
    pairs = site.store("SELECT * FROM pair WHERE user = ?", couple.anna)
    dialogs = site.store("SELECT * FROM dialog WHERE user = ?", couple.anna)
    site.gateway.start()
    bo.remove(couple.anna)
    endpoint.notice(watch=watch, show="offline")
    site.pool.journal.wait("subscribe", user=couple.anna, expires=0)
    site.gateway.stop()
    site.put_back("pair", pairs)
    site.put_back("dialog", dialogs)
    site.gateway.start()
    site.days_pass(0.01)
    again = couple.endpoint()
    new = again.add(couple.bo)
    bo.accept(couple.anna)
    bo.show("away")
    again.notice(watch=new, show="away")
    bo.await_roster(couple.anna, "from")


def test_nobody_who_slept_through_an_outage_looks_online(site, couple):
    """She went offline while the gateway was away; the pool, whose notice
    found nobody, is asked again."""
    bo = couple.login()
    couple.bo_sees_anna(bo)
    site.gateway.stop()
    site.pool.publish(couple.anna, number=OFFLINE, quiet=True)
    site.gateway.start()
    bo.presence_of(couple.anna, type="unavailable")
    couple.users.pop().logout()
    bo = couple.login()
    bo.journal.none("presence", 1, bare=couple.anna, type="available")
    site.pool.publish(couple.anna, number=AVAILABLE)
    bo.presence_of(couple.anna, type="available")


def test_streams_that_end_for_want_of_traffic_are_no_outage():
    """He is where he was, though nobody has a word to say."""
    from conftest import Started
    site = PresenceSite("idle", presence={"grace_seconds": GRACE})
    site.gateway.config["timers"] = {"StreamInactivityTimeout": 10}
    with Started(site):
        couple = site.couple()
        bo, endpoint, watch = couple.friends()
        couple.calm()
        mark = site.gateway.log.mark()
        site.gateway.log.wait("stream-down", 40, mark)
        endpoint.journal.none("notice", 3 * GRACE, watch=watch,
                              show="offline")
        site.pool.publish(couple.anna, number=BUSY)
        bo.presence_of(couple.anna, show="dnd")
