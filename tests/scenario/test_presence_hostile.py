"""Floods and forgeries from either side."""

import threading
import time

import pytest

from lib import control, sip
from lib.daemons import partner
from lib.documents import BUSY
from lib.presence_site import PresenceSite
from lib.xmpp_component import Component
from lib.xmpp_peer import RawStream

pytestmark = pytest.mark.once

BURST = 20      # new addresses a contact may turn to at once


@pytest.fixture(scope="module")
def site():
    from conftest import Started
    site = PresenceSite("hostile", presence={"first_per_user_seconds": 0})
    # Whole crowds come as clients of a component.
    site.prosody.component("crowd.example", "crowd")
    site.dns.zone("crowd.example")
    site.dns.srv("crowd.example", "xmpp.partner.example", site.prosody.s2s)
    site.gateway.config["partners"].append(partner("crowd.example"))
    site.gateway.config["users"] += [
        f"user{i}@contoso.example" for i in range(200)]
    with Started(site) as site:
        yield site


@pytest.fixture
def couple(site):
    couple = site.couple()
    yield couple
    couple.leave()


@pytest.fixture(scope="module")
def crowd(site):
    crowd = Component(site.prosody.address, site.prosody.component_port,
                      "crowd.example", "crowd")
    yield crowd
    crowd.close()


def memory(daemon):
    with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as f:
        return next(int(l.split()[1]) for l in f if l.startswith("VmRSS"))


def serves(couple):
    """Presence works for somebody who has nothing to do with it."""
    bo, endpoint, watch = couple.friends()
    couple.site.pool.publish(couple.anna, number=BUSY)
    bo.presence_of(couple.anna, show="dnd")
    bo.show("away")
    endpoint.notice(watch=watch, show="away")


def test_askings_of_new_addresses_are_limited(site, couple, crowd):
    """Somebody tries the names of a directory; others are served, of the
    same server too."""
    before = len(site.pool.journal.all("subscribe"))
    for i in range(200):
        crowd.send("<presence type='subscribe' from='u0@crowd.example' "
                   f"to='user{i}@contoso.example' id='f{i}'/>")
    serves(couple)
    crowd.send("<presence type='subscribe' from='u1@crowd.example' "
               "to='user1@contoso.example'/>")
    site.pool.journal.wait("subscribe", user="user1@contoso.example",
                           watcher="u1@crowd.example")
    time.sleep(1)
    asked = [e for e in site.pool.journal.all("subscribe")[before:]
             if e.watcher == "u0@crowd.example"]
    assert 1 <= len(asked) <= BURST + 2, len(asked)
    status = control.ask(site.gateway.control, "status")["presence"]
    assert status["pairs"] <= BURST + 20


def test_thousands_of_presences_are_one_state(site, couple):
    bo, endpoint, watch = couple.friends()
    before = memory(site.gateway)
    notices = len(endpoint.journal.all("notice"))
    begin = time.monotonic()
    for burst in range(30):
        bo.raw("".join(
            f"<presence><show>{show}</show><status>{burst} {i}</status>"
            "</presence>" for i in range(34)
            for show in ("away", "dnd", "xa")))
    bo.show("dnd", "the last word")
    endpoint.notice(watch=watch, show="busy", note="the last word",
                    timeout=30)
    took = time.monotonic() - begin
    seen = len(endpoint.journal.all("notice")) - notices
    assert seen <= took / 0.25 + 3, (seen, took)
    assert memory(site.gateway) - before < 20000


def test_presences_of_strangers_leave_nothing_behind(site, couple, crowd):
    before = control.ask(site.gateway.control, "status")["presence"]["pairs"]
    resident = memory(site.gateway)
    for kind in ("", "type='unavailable'", "type='probe'",
                 "type='unsubscribe'", "type='unsubscribed'",
                 "type='subscribed'", "type='error'"):
        crowd.send("".join(
            f"<presence {kind} from='s{i}@crowd.example/r' "
            f"to='user{i % 200}@contoso.example'><status>{'x' * 200}"
            "</status></presence>" for i in range(1500)))
    serves(couple)
    # Who only asked is gone when he has been answered.
    end = time.monotonic() + 20
    while (after := control.ask(site.gateway.control, "status")["presence"][
            "pairs"]) > before + 1:
        assert time.monotonic() < end, f"{after}, not {before}"
        time.sleep(0.2)
    assert memory(site.gateway) - resident < 30000


def test_askings_of_one_address_over_and_over_are_one(site, couple):
    bo = couple.login()
    for _ in range(200):
        bo.raw(f"<presence type='subscribe' to='{couple.anna}'/>")
    bo.presence_of(couple.anna, type="subscribed")
    # Not so often that he counts as somebody who tries one address after the
    # other.
    for _ in range(12):
        bo.unsubscribe(couple.anna)
        bo.subscribe(couple.anna)
    time.sleep(1)
    # Each that did go out was a question on her screen.
    assert len(site.pool.asked(couple.anna, fresh=True)) <= 14
    assert len(site.pool.live(couple.anna)) <= 1
    bo.subscribe(couple.anna)
    site.pool.publish(couple.anna, number=BUSY)
    bo.presence_of(couple.anna, show="dnd", timeout=20)


def test_a_crowd_of_devices_is_bounded(site, couple):
    """Somebody opens dialog after dialog to one contact."""
    bo, endpoint = couple.login(), couple.endpoint()
    watch = couple.anna_sees_bo(bo, endpoint)
    answers = [endpoint.watch(couple.bo).response.status for _ in range(40)]
    assert answers.count(200) <= 16
    assert set(answers) <= {200, 480, 500, 486, 403}
    assert 503 not in answers
    bo.show("dnd")
    endpoint.notice(watch=watch, show="busy")


def test_notices_nobody_asked_for_are_refused(site, couple):
    line = site.pool.connect(site.gateway)
    host, port = line.local
    try:
        for i in range(300):
            answer = site.pool.transact(line, sip.Message(
                f"NOTIFY sip:bo{i}@partner.example SIP/2.0", [
                    ("Via", f"SIP/2.0/TLS {host}:{port};"
                     f"branch={sip.branch()}"),
                    ("Max-Forwards", "69"),
                    ("From", f"<sip:{couple.anna}>;tag=x{i}"),
                    ("To", f"<sip:{couple.bo}>;tag=y{i}"),
                    ("Call-ID", sip.token()), ("CSeq", "1 NOTIFY"),
                    ("Contact", "<sip:fe2.contoso.example>"),
                    ("Event", "presence"),
                    ("Subscription-State", "active;expires=99"),
                    ("Content-Type", "application/pidf+xml")],
                b"x" * 1000))
            assert answer.status == 481
    finally:
        site.pool.drop(line)
    serves(couple)


@pytest.mark.parametrize("change", [
    {"Subscription-State": "active;expires=99999999999999999999"},
    {"Subscription-State": "active;expires=-1"},
    {"Subscription-State": "x" * 5000},
    {"Subscription-State": ""},
    {"Event": "presence;id=" + "y" * 3000},
    {"Content-Type": "application/x-unheard-of"},
    {"Content-Type": "multipart/related;" * 100},
    {"Expires": "never"}])
def test_a_notice_of_strange_shape_harms_nobody(site, couple, change):
    bo = couple.login()
    couple.bo_sees_anna(bo)
    [sub] = site.pool.live(couple.anna)
    site.pool.strange = change
    try:
        assert site.pool.notify(sub) == (489 if "Event" in change else 200)
    finally:
        site.pool.strange = {}
    # He keeps what he was granted.
    bo.journal.none("presence", 1, bare=couple.anna, type="unavailable")
    assert not bo.journal.all("presence", bare=couple.anna,
                              type="unsubscribed")
    assert site.pool.publish(couple.anna, number=BUSY) == [200]
    bo.presence_of(couple.anna, show="dnd", timeout=10)


def test_subscribes_in_parallel_are_one_pair(site, couple):
    """Eight devices at the same moment, one request to him."""
    bo = couple.login()
    endpoints = [couple.endpoint() for _ in range(8)]
    watches = {}

    def add(endpoint):
        watches[endpoint] = endpoint.add(couple.bo)

    threads = [threading.Thread(target=add, args=(e,)) for e in endpoints]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [w.response.status for w in watches.values()] == [200] * 8
    bo.accept(couple.anna)
    for endpoint, watch in watches.items():
        endpoint.notice(watch=watch, show="online")
    assert len(bo.journal.all("presence", type="subscribe")) == 1


def test_a_partner_cannot_speak_for_another_partner_s_users(site, couple):
    bo, endpoint, watch = couple.friends()
    for stanza in (f"<presence type='unsubscribed' from='{couple.bo}' "
                   f"to='{couple.anna}'/>",
                   f"<presence from='{couple.bo}/x' to='{couple.anna}'>"
                   "<show>dnd</show></presence>"):
        stream = RawStream(site.edge.address, site.edge.port,
                           "crowd.example", "contoso.example")
        stream.authenticate(site.public.certificate,
                            site.public.leaf("crowd.example"))
        stream.send(stanza)
        stream.until("invalid-from")
        stream.close()
    endpoint.journal.none("notice", 1, watch=watch, show="busy")
    assert watch.show == "online"


def test_the_daemons_are_still_the_same_ones(site):
    """Nothing above made either of them start again."""
    for daemon in (site.gateway, site.edge):
        assert daemon.process.alive()
        assert not daemon.reports()
