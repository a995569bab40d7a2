"""Peers that accept and then fall silent, and answers that come amiss.

However long they would take, a sender is told in time, the right one, and
once; nobody else waits for it.
"""

import os
import re
import subprocess
import threading
import time

import pytest

from lib.daemons import BIN, partner
from lib.lync_client import Refused
from lib.netns import tool
from lib.raw_partner import RawPartner, attribute, error, pong
from lib.site import Site

ANNA = "anna@contoso.example"
BO = "bo@partner.example"
STAGES = ("accepted", "starttls", "tls", "auth", "success")
DEADLINE = 2.5          # of the gateway, for a message to a partner
HOSTS = {**{f"{s}.example": 60 + i for i, s in enumerate(STAGES)},
         "mute.example": 70, "deaf.example": 71, "raw.example": 72,
         "slow.example": 73}
QUEUE = 262144          # bytes that may wait for one partner


@pytest.fixture(scope="module")
def place():
    from conftest import Started
    site = Site("patience", wide=False, users=("anna", "carl"))
    for domain, host in HOSTS.items():
        RawPartner.zones(site, domain, host)
        site.gateway.config["partners"].append(partner(domain))
    config = site.gateway.config
    config["timers"] = {"outward_ms": int(DEADLINE * 1000),
                        "inward_ms": 3000}
    config["limits"] = {"route_bytes": QUEUE}
    with Started(site) as site:
        site.raws = {d: RawPartner(site, d, h) for d, h in HOSTS.items()}
        for stage in STAGES:
            site.raws[f"{stage}.example"].server.silent_at = stage
        site.raws["slow.example"].server.silent_at = "starttls"
        site.raws["deaf.example"].server.deaf = True
        for raw in site.raws.values():
            raw.start()
        yield site


@pytest.fixture
def bo(place):
    from conftest import visitor
    yield from visitor(place, BO)


@pytest.fixture
def anna(place):
    from conftest import employee
    yield from employee(place, "anna")


@pytest.fixture
def carl(place):
    from conftest import employee
    yield from employee(place, "carl")


@pytest.fixture
def raw(place):
    peer = place.raws["raw.example"]
    honest(peer)
    yield peer
    honest(peer)


def honest(peer):
    peer.server.on_stanza = lambda text, wire: (
        peer.answer(pong(text)) if attribute(text, "type") == "get" else None)


class Writers:
    """Many messages under way at once; what became of each, and when."""

    def __init__(self, user, messages):
        self.began = time.monotonic()
        self.told = {}
        self.threads = [threading.Thread(target=self._write,
                                         args=(user, peer, text))
                        for peer, text in messages]
        for thread in self.threads:
            thread.start()

    def _write(self, user, peer, text):
        try:
            status = user.send(peer, text).status
        except Refused as e:
            status = e.status
        self.told[peer] = (status, time.monotonic() - self.began)

    def join(self):
        for thread in self.threads:
            thread.join(20)
        assert len(self.told) == len(self.threads)
        return self.told


# What others may wait meanwhile; a sanitizer makes everything slow.
PATIENCE = 5 if "asan" in BIN else 2


def honest_words(bo, anna, patience=PATIENCE):
    begin = time.monotonic()
    bo.send(ANNA, "an honest word")
    anna.message(body="an honest word", sender=BO)
    assert anna.send(BO, "an honest answer").status == 200
    bo.message(body="an honest answer")
    assert time.monotonic() - begin < patience


# --- silent XMPP servers ------------------------------------------------------

def test_a_server_that_falls_silent_is_reported_in_time(place, bo, anna):
    """Before TLS, behind it, behind authentication, and on the stream."""
    honest_words(bo, anna, patience=10)     # the first: all is cold
    place.before = place.edge.handles()
    writers = Writers(anna, [(f"eva@{s}.example", "anybody?")
                             for s in (*STAGES, "mute")])
    honest_words(bo, anna)
    for peer, (status, seconds) in writers.join().items():
        assert status == 504, peer
        assert DEADLINE - 0.5 < seconds < DEADLINE + 1.5, peer
        # Once: in the window it was written in.
        assert [e.status for e in anna.journal.all("sent", to=peer)] == [504]


def resident(site):
    """Kilobytes of the edge's process that the world talks to."""
    with open(f"/proc/{site.edge.process.pid}/task/"
              f"{site.edge.process.pid}/children", encoding="ascii") as f:
        streams = max(f.read().split(), key=lambda pid: open(
            f"/proc/{pid}/cmdline", encoding="ascii").read().count("streams"))
    with open(f"/proc/{streams}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])


def flood(place, bo, anna, domain):
    """40 long messages to one partner, while others talk; they cost no more
    memory than the queue has.  What became of each."""
    before = resident(place)
    writers = Writers(anna, [(f"u{i}@{domain}", "x" * 60000)
                             for i in range(40)])
    honest_words(bo, anna)
    told = writers.join()
    # A sanitizer keeps what was freed.
    if "asan" not in BIN:
        assert resident(place) - before < 8192
    assert max(s for _, s in told.values()) < DEADLINE + 2.5
    honest_words(bo, anna)
    return [status for status, _ in told.values()]


def test_a_server_that_stops_reading_costs_its_own_messages_only(
        place, bo, anna):
    """How many the kernel takes off our hands is its own affair: those that
    do not fit are refused at once, the others when their time is up."""
    assert set(flood(place, bo, anna, "deaf.example")) <= {500, 504}


def test_a_server_that_is_not_ready_costs_its_own_messages_only(
        place, bo, anna):
    """Nothing can be written to it yet, so what waits is all in our hands;
    what does not fit is refused at once."""
    statuses = flood(place, bo, anna, "slow.example")
    fit = QUEUE // 60000
    assert statuses.count(504) <= fit
    assert statuses.count(500) >= 40 - fit
    assert set(statuses) == {500, 504}


# --- answers that come amiss --------------------------------------------------

def notices(user):
    return [m for m in user.journal.all("message")
            if m.body.startswith("[Not delivered: ")]


def test_a_bounce_that_comes_late_is_told_and_fails_nothing_else(
        place, raw, anna):
    """The earlier message was proven and has its 200: that it came back all
    the same stands in the chat, once; the later one is not concerned."""
    mark = place.gateway.log.mark()
    assert anna.send("rho@raw.example", "the earlier").status == 200
    earlier = raw.stanzas("the earlier")[0]

    def on_stanza(text, wire):
        if text.startswith("<message"):
            raw.answer(error(earlier, "item-not-found"))
        elif attribute(text, "type") == "get":
            raw.answer(pong(text))

    raw.server.on_stanza = on_stanza
    assert anna.send("rho@raw.example", "the later").status == 200
    place.gateway.log.wait("bounce-late .*rho@raw.example", 5, mark)
    notice = anna.message(sender="rho@raw.example")
    assert "XMPP address does not exist" in notice.body
    raw.answer(error(earlier, "item-not-found"))
    place.gateway.log.wait("bounce-unmatched .*rho@raw.example", 5, mark)
    time.sleep(0.2)
    assert len(notices(anna)) == 1
    # In the window she wrote in.
    assert not anna.journal.all("invite")


def test_a_bounce_is_told_once_however_often_it_comes(place, raw, anna):
    def on_stanza(text, wire):
        if text.startswith("<message"):
            raw.answer(error(text, "item-not-found") * 3)
        elif attribute(text, "type") == "get":
            raw.answer(pong(text))

    mark = place.gateway.log.mark()
    raw.server.on_stanza = on_stanza
    assert anna.refused("rho@raw.example", "who?").status == 404
    place.gateway.log.wait("bounce-unmatched .*rho@raw.example", 5, mark)
    time.sleep(0.2)
    assert len(anna.journal.all("response", method="MESSAGE")) == 1
    honest(raw)
    assert anna.send("rho@raw.example", "and now?").status == 200


@pytest.mark.parametrize("change", ["id", "sender", "recipient"])
def test_a_bounce_that_belongs_to_nothing_fails_nothing(
        place, raw, anna, carl, change):
    """An id of its own making; another's address on a known id."""
    def on_stanza(text, wire):
        if text.startswith("<message"):
            wrong = error(text, "item-not-found",
                          id="unheard-of" if change == "id" else None)
            if change == "sender":
                wrong = wrong.replace("from='rho@", "from='eva@")
            elif change == "recipient":
                wrong = wrong.replace("to='anna@", "to='carl@")
            raw.answer(wrong)
        elif attribute(text, "type") == "get":
            raw.answer(pong(text))

    raw.server.on_stanza = on_stanza
    assert anna.send("rho@raw.example", "still mine").status == 200
    assert not carl.journal.all("request")


def test_each_of_two_senders_gets_his_own_bounce(raw, anna, carl):
    def on_stanza(text, wire):
        if text.startswith("<message"):
            to = attribute(text, "from")
            raw.answer(error(text, "forbidden" if to.startswith("anna")
                             else "item-not-found"))
        elif attribute(text, "type") == "get":
            raw.answer(pong(text))

    raw.server.on_stanza = on_stanza
    told = {}
    threads = [threading.Thread(target=lambda u=u: told.update({
        u.user: u.refused("rho@raw.example", "hello").status}))
        for u in (anna, carl)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert told == {ANNA: 403, "carl@contoso.example": 404}


# --- what is left of the silence ------------------------------------------------

def test_a_server_that_answers_no_ping_is_believed_by_its_tcp(place, anna):
    """The weakest proof, and the log says that it is that."""
    place.gateway.log.wait("stream-update .*remote=mute.example .*"
                           "proofs=tcp", 15)
    mark = place.gateway.log.mark()
    begin = time.monotonic()
    assert anna.send("eva@mute.example", "into the quiet").status == 200
    assert time.monotonic() - begin < 2
    place.gateway.log.wait("delivered .*eva@mute.example .*proof=tcp", 5,
                           mark)
    mute = place.raws["mute.example"]
    assert len(mute.stanzas("into the quiet")) == 1
    # What such a server cannot take comes back behind the 200.
    mute.answer(error(mute.stanzas("into the quiet")[0], "forbidden"))
    notice = anna.message(sender="eva@mute.example")
    assert "forbidden" in notice.body and notices(anna) == [notice]


def test_silent_servers_are_let_go_and_named(place, bo, anna):
    """One line each, and no connection is left."""
    for stage in STAGES:
        line = place.edge.log.wait(
            f"stream-end .*remote={stage}.example", 15)
        assert "did not answer in time" in line
    for raw in place.raws.values():
        raw.stop()
    honest_words(bo, anna)
    place.edge.await_handles(place.before, 10)


# --- servers that vanish ----------------------------------------------------------

SILENCE = 3             # seconds that a partner's TCP may give no sign of life
GONE = {"gone.example": 80, "idle.example": 81, "full.example": 82}


@pytest.fixture(scope="module")
def vanishing():
    """Patient enough with a message to see the connection given up first."""
    from conftest import Started
    site = Site("vanishing", wide=False)
    for domain, host in GONE.items():
        RawPartner.zones(site, domain, host)
        site.gateway.config["partners"].append(partner(domain))
    site.gateway.config["timers"] = {"outward_ms": 25000,
                                     "silence_seconds": SILENCE}
    with Started(site) as site:
        site.raws = {d: RawPartner(site, d, h) for d, h in GONE.items()}
        site.raws["full.example"].server.deaf = True
        for raw in site.raws.values():
            raw.start()
        yield site


@pytest.fixture
def dora(vanishing):
    from conftest import employee
    yield from employee(vanishing, "dora")


@pytest.fixture
def vanish(vanishing):
    """Takes a host off the net: no packet comes or goes, and nobody says so."""
    table = f"sallyport-{os.getpid()}"

    def nft(*words):
        subprocess.run([tool("nft"), *words], check=True)

    nft("add", "table", "ip", table)
    nft("add", "chain", "ip", table, "out",
        "{ type filter hook output priority 0; }")

    def off(domain):
        address = vanishing.run.address(GONE[domain])
        for direction in ("saddr", "daddr"):
            nft("add", "rule", "ip", table, "out", "ip", direction, address,
                "drop")

    yield off
    nft("delete", "table", "ip", table)


def known(site, raw, user):
    """A stream is up, and its server answers pings."""
    honest(raw)
    assert user.send(f"eva@{raw.domain}", "are you there?").status == 200
    site.gateway.log.wait(f"stream-update .*remote={raw.domain} .*"
                          "proofs=ping", 15)


def given_up(site, domain, mark, within):
    """The stream's end; what the log says of it."""
    begin = time.monotonic()
    line = site.edge.log.wait(f"stream-end .*remote={domain} was_up=1",
                              within + 5, mark)
    assert time.monotonic() - begin < within
    return line


def test_a_server_that_vanishes_is_noticed_and_the_sender_told(
        vanishing, dora, vanish):
    """By its TCP, long before the message's own time is up."""
    raw = vanishing.raws["gone.example"]
    known(vanishing, raw, dora)
    mark = vanishing.edge.log.mark()
    vanish("gone.example")
    begin = time.monotonic()
    assert dora.refused("eva@gone.example", "anybody?").status == 504
    assert time.monotonic() - begin < 3 * SILENCE
    assert "timed out" in given_up(vanishing, "gone.example", mark, SILENCE)


def test_a_server_that_vanishes_from_an_idle_stream_is_noticed(
        vanishing, dora, vanish):
    """It was asked, and did not answer: nobody's message had to find out."""
    raw = vanishing.raws["idle.example"]
    known(vanishing, raw, dora)
    mark = vanishing.edge.log.mark()
    vanish("idle.example")
    assert "timed out" in given_up(vanishing, "idle.example", mark,
                                   3 * SILENCE)


def test_a_server_whose_window_is_full_is_given_up(vanishing, dora):
    """It is there, but reads nothing, counts nothing, answers nothing."""
    mark = vanishing.edge.log.mark()
    begin = time.monotonic()
    writers = Writers(dora, [(f"eva{i}@full.example", "x" * 60000)
                             for i in range(40)])
    told = writers.join()
    assert time.monotonic() - begin < 20
    assert 504 in {status for status, _ in told.values()}
    assert all(status in (200, 504) for status, _ in told.values()), told
    given_up(vanishing, "full.example", mark, 3 * SILENCE)
