"""Each parameter of the gateway's configuration, changed with the operator's
command while people talk, observed at the far end."""

import contextlib
import re
import threading
import time
from concurrent.futures import CancelledError

import pytest

from lib.control import ask
from lib.daemons import Edge, partner
from lib.dialback_server import DialbackServer
from lib.dialback_server import answer as dialback_answer
from lib.key_server import NS
from lib.live_site import (EJABBERD, PROSODY, RAW, WEAK, LiveSite,
                           still_open)
from lib.run import endpoint
from lib.site import COMPANY
from lib.windows import Chat, reaches
from lib.xmpp_peer import Ended, RawStream

pytestmark = pytest.mark.once

KEYS = "keys.example"           # asks for keys and keeps them for later
IDLE = 10                       # the shortest that is permitted
ANNA = f"anna70@{COMPANY}"


@pytest.fixture(scope="module")
def site():
    from conftest import Started
    site = LiveSite("live-config")
    # What the edge itself has to say about texts.
    site.edge.config["log"]["bodies"] = True
    with Started(site) as site:
        yield site


@pytest.fixture
def couple(site):
    with site.people() as couple:
        yield couple


def goes_on(chat, bo, text):
    assert chat.say(text) == 200
    bo.message(body=text)


# --- what holds when nothing is set ------------------------------------------
GATEWAY = {"ConnectionLimit": 1000, "PartnerConnectionLimit": 20,
           "EnableLoggingAllMessageBodies": False, "KeepAliveInterval": 300,
           "StreamEstablishmentTimeout": 60, "StreamInactivityTimeout": 600,
           "SubscriptionRefreshInterval": 28800}
PARTNER = {"AdditionalDomains": [], "ConnectionLimit": 0, "Description": "",
           "EnableKeepAlive": True, "PartnerType": "PublicUnverified",
           "ProxyFqdn": "", "SaslNegotiation": "Required",
           "TlsNegotiation": "Required", "SupportDialbackNegotiation": True,
           "Formatting": True, "Provider": ""}
BOUNDS = {
    "ConnectionLimit": (1, 2 ** 32 - 1),
    "PartnerConnectionLimit": (1, 2 ** 32 - 1),
    "KeepAliveInterval": (1, 86400),
    "StreamEstablishmentTimeout": (1, 3600),
    "StreamInactivityTimeout": (IDLE, 86400),
    "SubscriptionRefreshInterval": (60, 604800),
}


def test_defaults(site):
    item = site.ask("gateway-config", "get")
    secret = item["object"].pop("DialbackPassphrase", None)
    assert item["object"] == GATEWAY and not secret and item["set"] == []
    site.change("partner", "new", "fresh.example")
    item = site.ask("partner", "get", "fresh.example")
    assert item["object"] == dict(PARTNER, Domain="fresh.example")
    assert item["set"] == ["Domain"]
    site.change("partner", "remove", "fresh.example")


def test_bounds(site):
    """Nothing beyond is taken, and nothing changes for it."""
    for member, (least, most) in BOUNDS.items():
        for value in (least - 1, most + 1):
            # What no number of that kind can be, the command sees itself.
            site.do("gateway-config", "set", f"--{member}", str(value),
                    status=2 if value >= 2 ** 32 else 1)
        for value in (least, most):
            site.do("gateway-config", "set", f"--{member}", str(value),
                    "--WhatIf")
    assert site.ask("gateway-config", "get")["set"] == []


def await_just(site, ids):
    """Until no other streams are left."""
    end = time.monotonic() + 5
    while (left := {s["id"] for s in site.streams()}) != ids:
        assert time.monotonic() < end, left ^ ids
        time.sleep(0.02)


# --- how many ----------------------------------------------------------------
def test_the_connection_limit(site, couple):
    """The newest go, ours and theirs, first who has not said who he is; who
    was first goes on."""
    bo = couple.login()
    with site.people(EJABBERD) as second:
        eva = second.login()
        reaches(site, couple, bo, "first")
        reaches(site, second, eva, "second")
        chat = Chat(site, couple.anna, couple.bo)
        third, half = site.stream(), site.wire()
        half.open()
        ids = {s["id"] for s in site.streams(PROSODY)}
        with site.config(ConnectionLimit=1):
            third.until("resource-constraint", 3)
            assert "</stream:features>" not in half.drain(3)
            site.await_streams(0, EJABBERD)
            await_just(site, ids)
            assert site.pool.chat(second.anna, second.bo, "no") != 200
            with pytest.raises((AssertionError, OSError)):
                site.stream()
            goes_on(chat, bo, "still")
        third = site.stream()
        assert site.pool.chat(second.anna, second.bo, "yes") == 200
        eva.message(body="yes")
        assert still_open(third)
        third.close()
        chat.close()


def test_the_limit_of_each_partner(site, couple):
    """Unless he has one of his own."""
    bo = couple.login()
    first, second = site.stream(), site.stream()
    with site.config(PartnerConnectionLimit=1):
        second.until("resource-constraint", 3)
        with pytest.raises(Ended, match="<resource-constraint "):
            site.stream()
        first.message(f"rho@{RAW}", ANNA, "the first")
        site.reached("the first")
        reaches(site, couple, bo, "another partner")
        with site.row(RAW, ConnectionLimit=2):
            second = site.stream()
            assert still_open(second)
        second.until("resource-constraint", 3)
    first.close()


# --- how long ----------------------------------------------------------------
def test_the_keep_alive_interval(site, couple):
    """Theirs has to come in that time, ours comes twice in it; and whom it cut
    off, Prosody too, is there again when he is written to."""
    bo = couple.login()
    chat = Chat(site, couple.anna, couple.bo)
    goes_on(chat, bo, "one")
    bo.send(couple.anna, "two")
    site.reached("two")
    assert site.pool.chat(couple.anna, f"rho@{RAW}", "hello") == 200
    ours = site.raw.server.journal.all("stream")[-1].wire
    silent = site.stream()
    talks = site.stream()
    assert still_open(silent, 1.2) and " " not in ours.seen
    with site.config(KeepAliveInterval=1):
        end = time.monotonic() + 2
        while time.monotonic() < end:
            talks.send(" ")
            time.sleep(0.3)
        silent.until("</stream:stream>", 1)
        assert ours.seen.count(" ") >= 3, ours.seen
        assert still_open(talks, 0.1)
        site.await_streams(0, PROSODY, "in")
        goes_on(chat, bo, "three")
        bo.send(couple.anna, "four")
        assert site.reached("four").call_id == chat.invite.call_id
    silent, ours.seen = site.stream(), ""
    assert still_open(silent, 1.2) and " " not in ours.seen
    for one in (silent, talks):
        one.close()
    chat.close()
    site.raw.hang_up()


def test_the_time_to_establish_a_stream(site):
    """Also for who has begun already, on either side."""
    said = site.wire()
    said.open()
    mute = site.wire()
    time.sleep(1.2)
    with site.config(StreamEstablishmentTimeout=1):
        for one in (said, mute):
            one.until("connection-timeout", 1)
        late = site.wire()
        late.open()
        begun = time.monotonic()
        late.until("connection-timeout", 3)
        assert 0.5 < time.monotonic() - begun < 2
        site.stream().close()
    slow = site.wire()
    slow.open()
    assert still_open(slow, 1.5)
    slow.close()


def test_the_time_to_establish_one_of_ours(site):
    """She hears of it when that is over."""
    site.raw.server.silent_at = "starttls"
    try:
        for wire in site.raw.server.wires:
            wire.close()
        site.await_streams(0, RAW, "out")
        with site.config(StreamEstablishmentTimeout=1):
            begun = time.monotonic()
            assert site.pool.chat(ANNA, f"rho@{RAW}", "anybody?") == 504
            assert 0.8 < time.monotonic() - begun < 4
    finally:
        site.raw.server.silent_at = None


def test_subscriptions_are_renewed(site, couple):
    """With the pool, and with the contact's server; at once when the interval
    falls."""
    bo, _, _ = couple.friends()
    [first] = site.pool.live(couple.anna)
    assert site.pool.asked(couple.anna)[-1].expires == 28800
    mark = site.prosody.log.mark()
    with site.config(edges=False, SubscriptionRefreshInterval=3600):
        site.pool.journal.wait("subscribe", user=couple.anna, fresh=False,
                               expires=3600)
        site.prosody.log.wait("<presence[^>]*type='probe'", mark=mark)
    # Longer: nothing has to happen at once.
    couple.calm()
    before = len(site.pool.asked(couple.anna))
    with site.config(edges=False, SubscriptionRefreshInterval=43200):
        couple.calm()
        assert len(site.pool.asked(couple.anna)) == before
        with site.people() as more:
            more.bo_sees_anna(more.login())
            assert site.pool.asked(more.anna)[-1].expires == 43200
    assert site.pool.live(couple.anna) == [first]
    bo.journal.settle()


# --- what is logged ----------------------------------------------------------
def logs(site, word):
    """The daemons in whose log it stands."""
    return {d.name for d in (site.gateway, site.edge)
            if word in d.log.text()}


def test_texts_are_logged_where_both_permit_it(site, couple):
    """In no log before and after; the edge has the last word about its own."""
    bo = couple.login()
    chat = Chat(site, couple.anna, couple.bo)

    def talk(word):
        goes_on(chat, bo, f"{word} going out")
        bo.send(couple.anna, f"{word} coming in")
        site.reached(f"{word} coming in")
        return (logs(site, f"{word} going out"),
                logs(site, f"{word} coming in"))

    def edge_permits(yes):
        site.edge.config["log"]["bodies"] = yes
        site.edge.write()
        ask(site.edge.control, "reload")
    both = {"gw1", "edge1"}
    assert talk("discreet") == (set(), set())
    with site.config(EnableLoggingAllMessageBodies=True):
        assert talk("frank") == (both, both)
        edge_permits(False)
        assert talk("guarded") == ({"gw1"}, {"gw1"})
        edge_permits(True)
        assert talk("open") == (both, both)
    assert talk("silent") == (set(), set())
    for word in ("discreet", "silent"):
        assert logs(site, f"{word} coming") == logs(site, f"{word} going") \
            == set()
    line = site.edge.log.lines("frank coming in")[-1]
    assert f"from={couple.bo}" in line and f"to={couple.anna}" in line
    chat.close()


# --- the secret --------------------------------------------------------------
class KeyKeeper(DialbackServer):
    """Takes keys and says nothing about them yet."""

    def __init__(self, *args):
        super().__init__(*args)
        self.verdict = lambda sender, to, wire: None

    def _take(self, text, name, wire):
        super()._take(text, name, wire)
        if name == "db:result":
            self.journal.add("key", wire=wire,
                             key=re.search(r">(\w+)</db:result>", text)[1])

    def next(self):
        """A key that somebody waits for to be verified, and where."""
        found = self.journal.wait("key")
        return found.key, found.wire


@pytest.fixture
def pair():
    """Two edges: partners who look for us find the second, whichever of them
    a stream came from."""
    from conftest import Started
    site = LiveSite("live-secret")
    site.second = Edge(site.run, site.public, site.internal, site.dns,
                       [site.public.leaf(COMPANY)], host=32, node="edge2")
    site.gateway.config["edges"].append({
        "name": site.second.node,
        "address": endpoint(site.second.inner_address,
                            site.second.inner_port)})
    site.gateway.config["partners"].append(
        partner(KEYS, TlsNegotiation="NotSupported",
                SaslNegotiation="NotSupported",
                SupportDialbackNegotiation=True))
    site.keys = KeyKeeper(site.run, KEYS, site.run.address(43), 25269)
    site.dns.zone(KEYS)
    site.dns.srv(KEYS, f"xmpp.{KEYS}", site.keys.port)
    site.dns.a(f"xmpp.{KEYS}", site.keys.address)
    site.dns.forget_srv(COMPANY)
    site.dns.srv(COMPANY, site.second.node, site.second.port)
    site.dns.a(site.second.node, site.second.address)
    with Started(site) as site:
        site.keys.start()
        site.second.start()
        site.second.await_open()
        yield site
    assert not site.second.reports()


def is_vouched_for(edge, key):
    """What an edge says to KEYS about a key it has been given."""
    stream = RawStream(edge.address, edge.port, KEYS, COMPANY)
    try:
        stream.open()
        stream.send(f"<db:verify {NS} from='{KEYS}' to='{COMPANY}' id='k1'>"
                    f"{key}</db:verify>")
        return stream.until("id='k1' type='(valid|invalid)'")[1] == "valid"
    finally:
        stream.close()


def by_the_first(site):
    """A couple of Prosody's whose words go out by the first edge."""
    while True:
        couple = site.couple(WEAK)
        bo = couple.login()
        chat = Chat(site, couple.anna, couple.bo)
        goes_on(chat, bo, "hello")
        ways = site.streams(WEAK, "out")
        if any(s["id"].startswith(site.edge.node) for s in ways):
            return bo, chat
        chat.close()
        couple.leave()


def write(site, text):
    """To who keeps keys; he answers no ping, so nobody waits for the end."""
    def chat():
        with contextlib.suppress(ConnectionError, CancelledError):
            site.pool.chat(ANNA, f"kay@{KEYS}", text)
    threading.Thread(target=chat, daemon=True).start()


def new_secret(site, text):
    """In use, which takes every edge's word."""
    mark = site.gateway.log.mark()
    site.change("gateway-config", "set", "--DialbackPassphrase",
                "@" + site.run.write("passphrase", text))
    site.gateway.log.wait("dialback-secret-used", mark=mark)
    for edge in (site.edge, site.second):
        site.gateway.log.wait("config-confirmed.*"
                              f"edge={edge.node} .*counter="
                              f"{site.generation()}", mark=mark)


def test_the_dialback_passphrase(pair):
    """Prosody asks the second edge about a key of the first one's, before and
    after; and one who takes his time to ask is told the truth, too."""
    site = pair
    bo, chat = by_the_first(site)
    write(site, "when you are ready")
    old, held = site.keys.next()
    new_secret(site, "a passphrase of ours")
    both = (site.edge, site.second)
    assert [is_vouched_for(e, old) for e in both] == [True, True]
    assert [is_vouched_for(e, old[::-1]) for e in both] == [False, False]
    held.send(dialback_answer("valid", COMPANY, KEYS))
    site.keys.journal.wait("stanza", text=lambda t: "you are ready" in t)
    # New streams, with keys of the new secret.
    mark = site.prosody.log.mark()
    with site.row(WEAK, SupportDialbackNegotiation=False):
        site.await_streams(0, WEAK)
    goes_on(chat, bo, "with the new one")
    bo.send(chat.user, "and back")
    site.reached("and back")
    assert "asking contoso.example if key" in site.prosody.log.text(mark)
    held.close()
    site.await_streams(0, KEYS)
    write(site, "once more")
    new, _ = site.keys.next()
    assert new != old
    assert [is_vouched_for(e, new) for e in both] == [True, True]
    # One is remembered, not two.
    new_secret(site, "another passphrase")
    assert [is_vouched_for(e, new) for e in both] == [True, True]
    assert [is_vouched_for(e, old) for e in both] == [False, False]
    chat.close()


# --- who is silent -----------------------------------------------------------
def test_a_stream_without_traffic_ends(site, couple):
    """In good order on either side, Prosody's and ours; what comes next opens
    another one, in the window that stayed."""
    bo = couple.login()
    chat = Chat(site, couple.anna, couple.bo)
    goes_on(chat, bo, "one")
    bo.send(couple.anna, "two")
    site.reached("two")
    before = {s["id"] for s in site.streams(PROSODY)}
    assert len(before) == 2
    sleeper = site.stream()
    mark = site.prosody.log.mark()
    with site.config(StreamInactivityTimeout=IDLE):
        begun = time.monotonic()
        sleeper.until("</stream:stream>", IDLE + 2)
        assert time.monotonic() - begun > IDLE - 1
        sleeper.close()
        site.await_streams(0, PROSODY)
        assert "stream:error" not in site.prosody.log.text(mark)
        goes_on(chat, bo, "three")
        bo.send(couple.anna, "four")
        assert site.reached("four").call_id == chat.invite.call_id
        assert not before & {s["id"] for s in site.streams(PROSODY)}
    chat.close()
