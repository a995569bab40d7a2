"""What an edge tells a gateway that asks to see somebody's traffic.

The gateways are of the test's making; the edge and its streams are real, and
so is the partner's server, as far as it goes.
"""

import itertools
import time

import pytest

from lib.authority import Authority
from lib.channel import dial
from lib.daemons import Edge
from lib.dns import Dns
from lib.raw_partner import RawPartner
from lib.run import Run

COMPANY = "contoso.example"
OTHER_COMPANY = "fabrikam.example"
PARTNER = "partner.example"
ANNA = f"anna@{COMPANY}"
KIM = f"kim@{COMPANY}"
OLGA = f"olga@{OTHER_COMPANY}"
BO = f"bo@{PARTNER}"
EVE = f"eve@{PARTNER}"
SECRET = "Bundesgeheimnis"
GRACE = 1


class Gateway:
    """A gateway that hosts one domain, and what it is told."""

    def __init__(self, place, node="gw1", domain=COMPANY, boot=None,
                 version=None):
        leaf = place.internal.leaf(f"{node}.{COMPANY}")
        edge = place.edge
        self.peer = dial((edge.inner_address, edge.inner_port),
                         f"{node}.{COMPANY}", leaf.certificate, leaf.key,
                         place.internal.certificate, boot=boot)
        self.boot = self.peer.boot
        more = {} if version is None else {"version": version}
        self.peer.hello("hello", store=node, epoch=1, **more)
        self.welcome = self.peer.wait("welcome")
        self.peer.send("credit", result_seen=0, credit_seq=1000000,
                       credit_bytes=1 << 40)
        self.node, self.domain, self.counter = node, domain, place.counter
        self.configure(bodies=True)
        self.ids = itertools.count(1)

    def configure(self, **settings):
        self.peer.send("config", json={
            "generation": {"store": self.node, "counter": next(self.counter)},
            "hosted": [{"domain": self.domain}], "settings": settings,
            "partners": [{"Domain": PARTNER, "PartnerType": "Federated"}]})
        assert self.peer.wait("confirm")["status"] == "ok"

    def ask(self, *who, seconds=60, bodies=False):
        """Addresses and domains."""
        self.peer.send("trace", json={
            "seconds": seconds, "bodies": bodies,
            "who": [{"address" if "@" in w else "domain": w} for w in who]})

    def say(self, sender, to, body):
        """A message of a user's; it has been written to the partner."""
        seq = self.peer.stanza("message", **{"from": sender}, to=to,
                               kind="chat", id=f"o{next(self.ids)}",
                               body=body)
        assert self.peer.wait("result", answers=seq)["status"] == "delivered"

    def answer(self, status="delivered", **more):
        """The next message that comes, and our answer to it."""
        frame = self.peer.wait("message")
        self.peer.send("result", answers=frame["seq"], status=status, **more)
        return frame

    def told(self):
        """All that has been told so far, since its answer to this comes
        behind it; it is taken off."""
        self.peer.send("ping", result_seen=0)
        self.peer.wait("pong")
        return [f["json"] for f in self.peer.take("traced")]


class Place:
    def __init__(self, name, **log):
        self.run = Run(name)
        self.dns = Dns(self.run)
        self.public = Authority(self.run, "public")
        self.internal = Authority(self.run, "internal", eku="both")
        RawPartner.zones(self, PARTNER, 25)
        self.edge = Edge(self.run, self.public, self.internal, self.dns,
                         [self.public.leaf(COMPANY),
                          self.public.leaf(OTHER_COMPANY)],
                         gateways=("gw1", "gw2"))
        self.edge.config["grace_seconds"] = GRACE
        self.edge.config["log"] = {"level": "info", **log}
        self.counter = itertools.count(1)
        self.dns.start()
        self.edge.start()
        self.partner = RawPartner(self, PARTNER, 25).start()
        self.first = Gateway(self)
        self.edge.await_open()

    def write(self, sender, to, body, id="i1"):
        """The partner's server sends a message of its user's."""
        self.partner.answer(f"<message from='{sender}' to='{to}' id='{id}' "
                            f"type='chat'><body>{body}</body></message>")

    def close(self):
        self.first.peer.close()
        self.partner.stop()
        try:
            self.edge.stop(20)
            assert not self.edge.reports()
        finally:
            self.run.close()


@pytest.fixture(scope="module")
def place():
    place = Place("traced")
    try:
        yield place
    finally:
        place.close()


@pytest.fixture
def gw(place):
    """The one gateway of the company, as a boot of its own."""
    place.first.peer.close()
    place.first = Gateway(place)
    yield place.first
    place.partner.hang_up()
    place.partner.back = None


def of_kind(told, kind):
    return [t for t in told if t["kind"] == kind]


def stanzas(told):
    return [(t["direction"], t["from"], t["to"])
            for t in of_kind(told, "stanza")]


def test_who_is_asked_for_is_told_of_and_nobody_else(place, gw):
    place.write(BO, ANNA, SECRET)
    gw.answer()
    assert gw.told() == []
    gw.ask(ANNA)
    for sender, to in ((BO, ANNA), (EVE + "/home", ANNA), (BO, KIM)):
        place.write(sender, to, SECRET)
        gw.answer()
    gw.say(ANNA + "/desk", BO, SECRET)
    gw.say(KIM, BO, SECRET)
    told = gw.told()
    assert stanzas(told) == [("in", BO, ANNA), ("in", EVE + "/home", ANNA),
                             ("out", ANNA + "/desk", BO)]
    # What a partner or a user wrote is nowhere in what was told.
    assert SECRET not in repr(told)
    size = f"<body>[{len(SECRET)} bytes]</body>"
    assert all(size in t["text"] for t in told)
    assert told[0]["text"].startswith("<message ") and \
        "id='i1'" in told[0]["text"] and "type='chat'" in told[0]["text"]
    assert all(abs(t["at"] / 1000 - time.time()) < 60 for t in told)
    assert all(t["stream"].startswith("edge1.") for t in told)
    assert told[0]["stream"] != told[2]["stream"]
    assert [t["missed"] for t in told] == [0, 0, 0]
    # The words themselves have gone their way.
    place.partner.server.journal.wait("stanza", text=lambda t: SECRET in t)
    # Nobody any more.
    gw.ask()
    place.write(BO, ANNA, SECRET)
    gw.answer()
    assert gw.told() == []


def test_what_the_edge_itself_answers_is_told(place, gw):
    """Errors and answers of its own go to the partner as stanzas do."""
    gw.ask(BO)
    place.write(BO, ANNA, SECRET, id="lost")
    gw.answer("failed", condition="item-not-found",
              error_text="no such user")
    place.partner.server.journal.wait(
        "stanza", text=lambda t: "id='lost'" in t and "type='error'" in t)
    place.partner.answer(f"<iq from='{BO}' to='{ANNA}' type='get' id='q1'>"
                         f"<query xmlns='jabber:iq:private'>{SECRET}</query>"
                         "</iq>")
    place.partner.server.journal.wait(
        "stanza", text=lambda t: "id='q1'" in t and "type='error'" in t)
    told = gw.told()
    assert stanzas(told) == [("in", BO, ANNA), ("out", ANNA, BO),
                             ("in", BO, ANNA), ("out", ANNA, BO)]
    _, failed, asked, refused = (t["text"] for t in of_kind(told, "stanza"))
    assert "<item-not-found " in failed
    assert "<text" in failed and "no such" not in failed
    assert "jabber:iq:private" in asked
    assert "<service-unavailable " in refused
    assert SECRET not in repr(told)


def test_a_domain_is_all_of_its_traffic_and_its_streams(place, gw):
    gw.say(KIM, BO, "so that a stream is there")
    gw.ask(PARTNER)
    place.write(BO, ANNA, "one")
    gw.answer()
    place.partner.answer(f"<iq from='{PARTNER}' to='{COMPANY}' type='get' "
                         "id='p1'><ping xmlns='urn:xmpp:ping'/></iq>")
    place.partner.server.journal.wait("stanza",
                                      text=lambda t: "id='p1'" in t)
    gw.say(KIM, EVE, "two")
    barrier = f"sp1-gw1.{COMPANY}-1-" + 32 * "0"
    gw.peer.stanza("message", **{"from": KIM}, to=EVE, kind="chat", id="b",
                   body="three", barrier=barrier)
    place.partner.server.journal.wait("stanza",
                                      text=lambda t: barrier in t)
    told = gw.told()
    assert stanzas(told) == [("in", BO, ANNA), ("in", PARTNER, COMPANY),
                             ("out", COMPANY, PARTNER), ("out", KIM, EVE),
                             ("out", KIM, EVE), ("out", COMPANY, PARTNER)]
    assert barrier in told[-1]["text"] and "<ping" in told[-1]["text"]
    assert "<ping" in of_kind(told, "stanza")[1]["text"]
    up = of_kind(told, "stream")
    assert [(t["direction"], t["from"], t["to"]) for t in up] == \
        [("in", PARTNER, COMPANY)]
    assert up[0]["text"].startswith("up: ") and "external" in up[0]["text"]
    place.partner.hang_up()
    place.partner.back = None
    ends, deadline = [], time.monotonic() + 10
    while not ends:
        assert time.monotonic() < deadline
        ends = of_kind(gw.told(), "stream")
    assert ends[0]["text"].startswith("down: ")
    assert ends[0]["stream"] == up[0]["stream"]


def test_a_gateway_sees_its_own_domains_alone(place, gw):
    other = Gateway(place, "gw2", OTHER_COMPANY)
    try:
        other.ask(PARTNER, ANNA, COMPANY)
        gw.ask(ANNA)
        place.write(BO, ANNA, SECRET)
        gw.answer()
        gw.say(ANNA, BO, SECRET)
        assert len(gw.told()) == 2
        assert other.told() == []
        # Another's ask is nobody else's to end or to replace.
        gw.ask()
        other.say(OLGA, BO, SECRET)
        assert ("out", OLGA, BO) in stanzas(other.told())
        assert gw.told() == []
    finally:
        other.peer.send("drain", status="removed")
        other.peer.close()


def test_bodies_are_not_told_because_a_gateway_wants_them(place, gw):
    """This edge's own switch is off."""
    gw.ask(ANNA, bodies=True)
    place.write(BO, ANNA, SECRET)
    gw.answer()
    gw.say(ANNA, BO, SECRET)
    told = gw.told()
    assert len(told) == 2 and SECRET not in repr(told)
    assert "bodies=0" in place.edge.log.wait(f"trace-begun .*who={ANNA}")


def test_bodies_are_told_if_all_want_it():
    """Who asks, the configuration, which may change, and the edge's file."""
    place = Place("traced-bodies", bodies=True)
    try:
        gw = place.first
        for configured in (True, False):
            for asked in (True, False):
                gw.ask(ANNA, bodies=asked)
                gw.configure(bodies=configured)
                place.write(BO, ANNA, SECRET)
                gw.answer()
                gw.say(ANNA, BO, SECRET)
                shown = [SECRET in t["text"] for t in gw.told()]
                assert shown == [asked and configured] * 2
        assert place.edge.log.wait("trace-begun .*bodies=1")
    finally:
        place.close()


def test_a_trace_ends_by_itself(place, gw):
    gw.ask(ANNA, seconds=1)
    place.edge.log.wait("trace-ended .*reason=time", 5,
                        mark=place.edge.log.mark())
    place.write(BO, ANNA, SECRET)
    gw.answer()
    assert gw.told() == []


def test_it_ends_with_the_gateway_that_asked(place, gw):
    mark = place.edge.log.mark()
    gw.ask(ANNA)
    gw.told()
    gw.peer.close()
    place.edge.log.wait("trace-ended node=gw1.*reason=away", GRACE + 5, mark)
    place.first = back = Gateway(place, boot=gw.boot)
    place.edge.await_open()
    place.write(BO, ANNA, SECRET)
    back.answer()
    assert back.told() == []


def test_it_outlives_a_broken_connection_but_not_a_restart(place, gw):
    gw.ask(ANNA)
    gw.told()
    place.first = same = Gateway(place, boot=gw.boot)
    gw.peer.close()
    place.write(BO, ANNA, SECRET)
    same.answer()
    assert len(same.told()) == 1
    mark = place.edge.log.mark()
    place.first = new = Gateway(place)
    place.edge.log.wait("trace-ended .*reason=.another boot", 5, mark)
    place.write(BO, ANNA, SECRET)
    new.answer()
    assert new.told() == []


def test_what_cannot_be_taken_changes_nothing(place, gw):
    gw.ask(ANNA)
    mark = place.edge.log.mark()
    for nonsense in ({}, {"seconds": 5, "who": [ANNA]},
                     {"seconds": 5, "who": [{"address": "not an address"}]},
                     {"seconds": 100000, "who": []},
                     {"seconds": 5, "who": [{"domain": PARTNER}] * 17}):
        gw.peer.send("trace", json=nonsense)
    place.edge.log.wait("trace-refused", 5, mark)
    place.write(BO, ANNA, SECRET)
    gw.answer()
    assert stanzas(gw.told()) == [("in", BO, ANNA)]


def test_an_older_gateway_is_spoken_to_as_before(place, gw):
    """It was promised version 1, in which there is no trace."""
    gw.peer.close()
    place.first = old = Gateway(place, version=1)
    assert old.welcome["version"] == 1
    place.write(BO, ANNA, SECRET)
    old.answer()
    old.ask(ANNA)
    assert old.peer.closed.wait(5)
    assert "may not send" in old.peer.wait("refuse")["reason"]


def test_a_gateway_that_does_not_read_is_told_nothing_more(place, gw):
    """What it was sent before has to be taken first: stanzas wait for it in
    the edge's custody, a trace does not."""
    gw.say(KIM, BO, "so that a stream is there")
    gw.ask(BO)
    gw.told()
    filler = "x" * 60000
    with gw.peer.deaf():
        for i in range(400):
            place.write(BO, ANNA, filler, id=f"d{i}")
        time.sleep(0.5)
    for _ in range(400):
        assert gw.answer()["body"] == filler
    time.sleep(0.1)
    place.write(BO, ANNA, "the last")
    gw.answer()
    told = of_kind(gw.told(), "stanza")
    missed = sum(t["missed"] for t in told)
    assert missed > 0 and len(told) + missed == 401


COUNT = 3000


def test_a_flood_is_neither_held_up_nor_told_in_full(place, gw):
    def pour():
        """All of them, and how long it took."""
        began = time.monotonic()
        for i in range(0, COUNT, 250):
            place.partner.answer("".join(
                f"<message from='{BO}' to='{ANNA}' id='f{i + n}' "
                f"type='chat'><body>{SECRET}</body></message>"
                for n in range(250)))
            for _ in range(250):
                gw.answer()
        return time.monotonic() - began

    plain = pour()
    gw.ask(BO)
    gw.told()
    watched = pour()
    # With room for a machine that has other things to do.
    assert watched < 2 * plain + 2, (plain, watched)
    time.sleep(0.1)
    place.write(BO, ANNA, "the last", id="last")
    gw.answer()
    told = gw.told()
    missed = sum(t["missed"] for t in told)
    assert len(told) + missed == COUNT + 1
    assert len(told) <= 400 + 200 * (watched + 2)
    assert missed > 0
