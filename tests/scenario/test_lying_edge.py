"""An edge that has been taken over, beside an honest one.

The gateway dials both.  The liar holds a good certificate and speaks the
channel without a fault; what it says is another matter.  Nothing it makes up
may reach the pool or count as proof, and the honest edge goes on.
"""

import re
import threading
import time

import pytest

from lib.admin_api import Api
from lib.channel import FakeEdge
from lib.daemons import partner
from lib.raw_partner import RawPartner, attribute, pong
from lib.site import Site
from lib.trace import Trace

pytestmark = pytest.mark.once

ANNA = "anna@contoso.example"
BO = "bo@partner.example"
RAW = "raw.example"
LIAR = "edge2.contoso.example"
STREAM = f"{LIAR}.0badcafe.%d"


class Liar:
    """The liar's end of the channel, and what it has told so far."""

    def __init__(self, site, fake):
        self.site = site
        self.fake = fake
        self.peer = fake.gateway()
        self.streams = 0

    def again(self):
        """The gateway dials once more after it hung up."""
        self.peer = self.fake.gateway(15)

    def stream(self, direction="in", remote="partner.example",
               local="contoso.example"):
        """Reports a stream that nobody ever opened; returns its id."""
        self.streams += 1
        id = STREAM % self.streams
        self.peer.send("stream", json={
            "id": id, "event": "up", "direction": direction,
            "pairs": [[local, remote]], "peer": "192.0.2.66:5269",
            "auth": "external", "tls": "TLSv1.3",
            "cipher": "TLS_AES_256_GCM_SHA384", "proofs": []})
        return id

    def say(self, sender, stream, to=ANNA, body="a forged word",
            kind="chat", type="message", **more):
        """Passes on a stanza of somebody's; returns what became of it."""
        fields = {"from": sender, "to": to, "kind": kind, "id": "lie"}
        if stream is not None:
            fields["stream"] = stream
        if type == "message":
            fields["body"] = body
        fields.update(more)
        seq = self.peer.stanza(type, **fields)
        return self.peer.wait("result", answers=seq)


@pytest.fixture(scope="module")
def place():
    from conftest import Started
    site = Site("liar", wide=False)
    run = site.run
    RawPartner.zones(site, RAW, 25)
    leaf = site.internal.leaf(LIAR)
    address = run.address(33)
    port = run.port(address, 23456)
    fake = FakeEdge((address, port), LIAR, leaf.certificate, leaf.key,
                    site.internal.certificate)
    run.on_close(fake.close)
    config = site.gateway.config
    config["edges"].append({"name": LIAR, "address": f"{address}:{port}"})
    config["partners"].append(partner(RAW))
    config["timers"] = {"outward_ms": 3000}
    with Started(site) as site:
        site.liar = Liar(site, fake)
        site.gateway.log.wait(f"config-mismatch edge={LIAR}")
        yield site


@pytest.fixture
def liar(place):
    return place.liar


@pytest.fixture
def bo(place):
    from conftest import visitor
    yield from visitor(place, BO)


@pytest.fixture
def anna(place):
    from conftest import employee
    yield from employee(place, "anna")


@pytest.fixture
def raw(place):
    peer = RawPartner(place, RAW, 25).start()
    yield peer
    peer.stop()
    time.sleep(0.2)     # the edge sees its stream go


class Watch:
    """Asserts that the pool heard nothing and the operator one thing."""

    def __init__(self, place, rule):
        self.place = place
        self.rule = rule

    def __enter__(self):
        self.logged = self.place.gateway.log.mark()
        self.routed = self.place.pool.log.mark()
        self.handles = self.place.gateway.handles()

    def __exit__(self, kind, *_):
        if kind is not None:
            return
        log = self.place.gateway.log
        log.wait(f"alarm .*rule={self.rule}", 5, self.logged)
        alarms = [l for l in log.text(self.logged).splitlines()
                  if " alarm " in l]
        assert len(alarms) == 1 and LIAR in alarms[0], alarms
        assert "a forged word" not in log.text(self.logged)
        assert "from sip:" not in self.place.pool.log.text(self.routed)
        self.place.gateway.await_handles(self.handles)


def honest_words(bo, anna):
    """Both ways over the edge that does not lie."""
    bo.send(ANNA, "an honest word")
    anna.message(body="an honest word", sender=BO)
    assert anna.send(BO, "an honest answer").status == 200
    bo.message(body="an honest answer")


def test_a_captured_edge_can_speak_for_partners(liar, anna):
    """The control of this file: the way is open but for what is checked."""
    result = liar.say("eva@partner.example", liar.stream(),
                      body="a word that passes")
    assert result["status"] == "delivered"
    anna.message(body="a word that passes", sender="eva@partner.example")


@pytest.mark.parametrize("sender, rule", [
    ("boss@contoso.example", "from-own-domain"),
    (ANNA, "from-own-domain"),
    ("contoso.example", "from-own-domain"),
    ("someone@pool.contoso.example", "from-own-domain"),
    ("someone@gw1.contoso.example", "from-own-domain"),
    (f"someone@{LIAR}", "from-own-domain"),
    ("eve@stranger.example", "from-no-partner"),
    ("eve@sub.partner.example", "from-no-partner"),
    ("eve@contoso.example.partner.example", "from-no-partner"),
    ("rho@raw.example", "stream-not-authorised"),
    ("EVE@partner.example", "address-malformed"),
    ("eve@partner.example@contoso.example", "address-malformed"),
    ("e\u200bve@partner.example", "address-malformed"),
    ("@partner.example", "address-malformed"),
])
def test_a_forged_sender_is_refused(place, liar, anna, sender, rule):
    stream = liar.stream()
    with Watch(place, rule):
        result = liar.say(sender, stream)
        assert result["status"] == "failed"
        assert result["condition"] == "not-authorized"
        anna.journal.none("invite", 0.2)


@pytest.mark.parametrize("type, kind", [
    ("message", "error"), ("presence", "subscribe"),
    ("presence", "unavailable"), ("iq", "result"), ("iq", "get")])
def test_no_kind_of_stanza_gets_round_the_guard(place, liar, type, kind):
    stream = liar.stream()
    with Watch(place, "from-own-domain"):
        result = liar.say("boss@contoso.example", stream, type=type,
                          kind=kind, **({"request": "ping"}
                                        if type == "iq" else {}))
        assert result["status"] == "failed"


def test_a_stanza_for_a_domain_that_is_not_hosted_is_refused(place, liar):
    stream = liar.stream(local="partner.example", remote="partner.example")
    with Watch(place, "to-not-hosted"):
        liar.say("eva@partner.example", stream, to="bo@partner.example")


def test_a_stream_that_does_not_exist_carries_nothing(place, liar, anna):
    with Watch(place, "stream-unknown"):
        liar.say("eva@partner.example", STREAM % 4711)
        anna.journal.none("invite", 0.2)


def test_no_stream_at_all_carries_nothing(place, liar, anna):
    with Watch(place, "stream-unknown"):
        liar.say("eva@partner.example", None)
        anna.journal.none("invite", 0.2)


def test_an_outbound_stream_carries_nothing_inward(place, liar, anna):
    stream = liar.stream("out")
    liar.peer.wait("iq", request="ping")
    with Watch(place, "stream-not-inbound"):
        liar.say("eva@partner.example", stream)
        anna.journal.none("invite", 0.2)


def test_a_stream_of_the_other_edge_carries_nothing(place, liar, bo, anna):
    mark = place.gateway.log.mark()
    honest_words(bo, anna)
    lines = place.gateway.log.lines(
        r"stream-up .*edge=edge1\S* .*direction=in")
    stream = re.search(r"stream=(\S+)", lines[-1])[1]
    assert "alarm" not in place.gateway.log.text(mark)
    calls = len(anna.journal.all("request"))
    with Watch(place, "stream-unknown"):
        liar.say(BO, stream)
        anna.journal.none("message", 0.2)
    assert len(anna.journal.all("request")) == calls


def test_a_report_about_the_other_edges_stream_is_about_none(
        place, liar, bo, anna):
    honest_words(bo, anna)
    lines = place.gateway.log.lines(r"stream-up .*edge=edge1\S* ")
    for line in lines:
        liar.peer.send("stream", json={
            "id": re.search(r"stream=(\S+)", line)[1], "event": "down",
            "reason": "because the liar says so"})
    honest_words(bo, anna)


def test_a_stream_report_cannot_make_a_stranger_a_partner(place, liar, anna):
    for remote in ("stranger.example", "contoso.example"):
        stream = liar.stream(remote=remote)
        rule = ("from-own-domain" if remote == "contoso.example"
                else "from-no-partner")
        with Watch(place, rule):
            liar.say(f"eve@{remote}", stream)
            anna.journal.none("invite", 0.2)


@pytest.mark.parametrize("lie", [
    dict(kind="result", answers=999999, status="delivered"),
    dict(kind="result", answers=0, status="delivered"),
    dict(kind="result", status="delivered"),
    dict(kind="proof", barrier="sp1-gw1.contoso.example-1-00"),
    dict(kind="config", json={"generation": {}}),
    dict(kind="welcome", version=1, node=LIAR),
], ids=["number", "zero", "nameless", "proof", "config", "greeting"])
def test_a_frame_that_no_edge_may_send_ends_its_connection(
        place, liar, bo, anna, lie):
    """A result for what it never got; an order to the gateway."""
    honest_words(bo, anna)
    mark = place.gateway.log.mark()
    lie = dict(lie)
    liar.peer.send(lie.pop("kind"), **lie)
    assert liar.peer.closed.wait(5)
    place.gateway.log.wait(f"down .*{LIAR}", 5, mark)
    assert len([l for l in place.gateway.log.text(mark).splitlines()
                if " down " in l]) == 1
    honest_words(bo, anna)
    liar.again()


# --- forged proof -----------------------------------------------------------

def unanswered(raw):
    """Answers the trial ping, and no other; the barrier behind a message is
    put into the list that is returned."""
    barriers = []

    def on_stanza(text, wire):
        if text.startswith("<message"):
            barriers.append(None)
        elif attribute(text, "id").startswith("sp1-"):
            if barriers:
                barriers.append(attribute(text, "id"))
            else:
                raw.answer(pong(text))

    raw.server.on_stanza = on_stanza
    return barriers


def answered_by(liar, stream, id, sender=RAW, kind="result"):
    return liar.say(sender, stream, to="contoso.example", type="iq",
                    kind=kind, request="ping", id=id)


@pytest.mark.parametrize("lie", ["hmac", "domains", "counter"])
def test_a_forged_answer_to_a_ping_proves_nothing(
        place, liar, raw, anna, bo, lie):
    """The message is unproven, so Anna is told that it failed."""
    barriers = unanswered(raw)
    stream = liar.stream(remote=RAW)
    other = liar.stream()
    told = []
    writer = threading.Thread(target=lambda: told.append(
        anna.refused(f"rho@{RAW}", "prove me").status))
    writer.start()
    raw.server.journal.wait("stanza", text=lambda t: "prove me" in t)
    end = time.monotonic() + 3
    while not any(barriers) and time.monotonic() < end:
        time.sleep(0.02)
    id = [b for b in barriers if b][-1]
    with Watch(place, "ping-forged"):
        if lie == "hmac":
            forged = id[:-1] + ("0" if id[-1] != "0" else "1")
            answered_by(liar, stream, forged)
        elif lie == "domains":
            answered_by(liar, other, id, "partner.example")
        else:
            head, counter, mac = id.rsplit("-", 2)
            answered_by(liar, stream,
                        f"{head}-{int(counter, 16) + 1:x}-{mac}")
        writer.join(10)
    assert told == [504]
    honest_words(bo, anna)


def test_an_answer_counts_once(place, liar):
    """The liar's own ping, answered truly, then once more."""
    inward = liar.stream()
    liar.stream("out")
    ping = liar.peer.wait("iq", request="ping", to="partner.example")
    answered_by(liar, inward, ping["id"], "partner.example")
    assert liar.peer.wait("proof")["barrier"] == ping["id"]
    answered_by(liar, inward, ping["id"], "partner.example")
    answered_by(liar, inward, ping["id"], "partner.example", "error")
    time.sleep(0.2)
    assert not [f for f in liar.peer.frames if f[0] == "proof"]


def traced(sender, to=ANNA, **more):
    """What an edge might tell of somebody's traffic."""
    return {"at": 1, "kind": "stanza", "direction": "in", "stream": "s",
            "from": sender, "to": to, "missed": 0, "text":
            f"<message from='{sender}' to='{to}'><body>a lie</body>"
            "</message>", **more}


FLOOD = 5000


def test_what_it_makes_up_for_a_trace_is_seen_as_its_own(place, liar, bo,
                                                         anna):
    """It shows who looks on what it likes, within bounds, and under its own
    name; what others tell is seen beside it."""
    peer = liar.peer
    peer.send("traced", json=traced("unasked@partner.example"))
    with Api(place.gateway.config["admin"]["socket"]) as api, \
            Trace(api, user=ANNA) as trace:
        assert peer.wait("trace")["json"]["who"] == [{"address": ANNA}]
        logged = place.gateway.log.mark()
        for wrong in ({}, {"text": "no more than that"},
                      traced("eva@partner.example", at=-1),
                      traced("eva@partner.example", kind="sip"),
                      traced("eva@partner.example", missed=1 << 60),
                      traced("eva@partner.example", text="x" * 16385),
                      traced("eva@partner.example", text="\x07\x1b[2J")):
            peer.send("traced", json=wrong)
        place.gateway.log.wait(f"traced-dropped edge={LIAR}", 5, logged)
        peer.send("traced", json=traced("eva@partner.example",
                                        to="carl@contoso.example"))
        peer.send("traced", json=traced("pia@partner.example"))
        told = trace.wait("stanza")
        assert told["from"] == "pia@partner.example"
        assert told["edge"] == LIAR
        assert trace.wait("missed", by=LIAR)["count"] == 7
        for _ in range(FLOOD):
            peer.send("traced", json=traced("flo@partner.example"))
        place.gateway.log.wait(f"traced-dropped edge={LIAR} reason=.too much",
                               5, logged)
        # As long as it floods, it may take the watcher's whole measure.
        seen = None
        end = time.monotonic() + 20
        while seen is None and time.monotonic() < end:
            honest_words(bo, anna)
            time.sleep(1)
            seen = next(iter(trace.all("stanza", edge="edge1.contoso.example",
                                       direction="outward")), None)
        assert seen is not None
        assert 0 < len(trace.all("stanza", edge=LIAR)) < FLOOD / 2
        assert "unasked" not in trace.text() and "eva@" not in trace.text()
    # Nothing in it was taken for anything else.
    assert peer.wait("trace")["json"]["who"] == []
    assert not place.gateway.reports()


def test_nothing_of_all_this_has_cost_a_handle(place, liar, bo, anna):
    """The last of this file: many lies at once, then as before."""
    honest_words(bo, anna)
    before = place.gateway.handles()
    stream = liar.stream()
    for i in range(300):
        liar.peer.stanza("message", **{"from": f"e{i}@contoso.example"},
                         to=ANNA, kind="chat", id=f"x{i}", stream=stream,
                         body="a forged word")
    for i in range(300):
        assert liar.peer.wait("result")["status"] == "failed"
    place.gateway.await_handles(before)
    honest_words(bo, anna)


def test_thousands_of_lies_are_counted_and_not_written_down(place, liar):
    """Really the last: the log is bounded, and the operator told how many."""
    lies = 3000
    place.gateway.restart()
    liar.again()
    stream = liar.stream()
    mark = place.gateway.log.mark()
    for begin in range(0, lies, 500):
        for i in range(begin, begin + 500):
            liar.peer.stanza("message", **{"from": f"e{i}@contoso.example"},
                             to=ANNA, kind="chat", id=f"y{i}", stream=stream,
                             body="a forged word")
        for i in range(500):
            assert liar.peer.wait("result")["status"] == "failed"
    # A lie of another kind is news.
    liar.say("eve@stranger.example", stream)
    place.gateway.log.wait("alarm .*rule=from-no-partner", 5, mark)
    written = len([l for l in place.gateway.log.text(mark).splitlines()
                   if " alarm rule=from-own-domain " in l])
    assert 0 < written < 50
    # At the latest when it ends.
    place.gateway.stop()
    place.gateway.log.wait(
        rf"error gateway suppressed event=alarm what=from-own-domain "
        rf"peer={LIAR} lines={lies - written} ", 5, mark)
