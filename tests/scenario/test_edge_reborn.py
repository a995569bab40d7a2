"""An edge that dies with the proof in its hands.

It is one of the test's making, so that it can die at that very moment: the
partner's answer to the ping has come in, the gateway has used it up, and the
result of the stanza is still unsaid.
"""

import threading
import time
import uuid

import pytest

from lib.channel import FakeEdge
from lib.site import COMPANY, Site

BO = "bo@partner.example"


class NoEdge(Site):
    """Only the pool and the gateway run."""

    def start(self):
        self.dns.start()
        self.pool.start(self.gateway.address, self.gateway.port)
        self.gateway.start()
        return self


@pytest.fixture(scope="module")
def place():
    from conftest import Started
    site = NoEdge("reborn", wide=False)
    address = site.run.address(33)
    port = site.run.port(address, 23456)
    leaf = site.internal.leaf(site.edge.node)
    fake = FakeEdge((address, port), site.edge.node, leaf.certificate,
                    leaf.key, site.internal.certificate)
    site.run.on_close(fake.close)
    site.gateway.config["edges"] = [{"name": site.edge.node,
                                     "address": f"{address}:{port}"}]
    site.fake = fake
    with Started(site) as site:
        yield site


@pytest.fixture
def anna(place):
    from conftest import employee
    yield from employee(place, "anna")


class Lives:
    """The edge's lives, one after another: each is a boot of its own and
    knows nothing of the former."""

    def __init__(self, place):
        self.place = place
        self.peer = None
        self.streams = 0

    def next(self):
        self.end()
        self.place.fake.boot = uuid.uuid4().hex
        self.peer = self.place.fake.gateway(honest=True)
        return self.peer

    def end(self):
        if self.peer is not None:
            self.peer.close()

    def stream(self, direction):
        """The partner's, one of either direction; returns its name."""
        self.streams += 1
        fake = self.place.fake
        name = f"{fake.node}.{fake.boot[:8]}.{self.streams}"
        self.peer.send("stream", json={
            "id": name, "event": "up", "direction": direction,
            "pairs": [[COMPANY, "partner.example"]],
            "peer": "192.0.2.1:5269", "auth": "external", "tls": "TLSv1.3",
            "cipher": "x", "proofs": []})
        return name

    def answer(self, barrier):
        """The partner's answer to the ping comes in on a stream of his, and
        the gateway uses it up."""
        self.peer.stanza("iq", **{"from": "partner.example"}, to=COMPANY,
                         id=barrier, kind="result", request="ping",
                         stream=self.stream("in"))
        assert self.peer.wait("proof")["barrier"] == barrier

    def settle(self, frame):
        self.peer.send("result", answers=frame["seq"], status="delivered",
                       proof="ping")

    def left(self, sort, /, **match):
        """Frames of that kind that nobody has waited for."""
        return [f for k, f in self.peer.frames if k == sort and
                all(f.get(n) == v for n, v in match.items())]


@pytest.fixture
def lives(place):
    lives = Lives(place)
    yield lives
    lives.end()


def test_a_message_that_goes_once_more_can_be_proven_once_more(lives, anna):
    lives.next()
    told = []
    writer = threading.Thread(
        target=lambda: told.append(anna.send(BO, "once more").status))
    writer.start()
    first = lives.peer.wait("message", body="once more")
    lives.answer(first["barrier"])

    lives.next()
    second = lives.peer.wait("message", body="once more")
    assert second["id"] == first["id"]
    assert second["barrier"] != first["barrier"]
    lives.answer(second["barrier"])
    lives.settle(second)
    writer.join(10)
    assert told == [200]
    assert not lives.left("message")


def test_a_request_that_goes_once_more_can_be_proven_once_more(lives, anna):
    """To see a contact: the same, and it is done with when it is proven."""
    lives.next()
    assert anna.add(BO).response.status == 200
    asked = dict(kind="subscribe", to=BO)
    first = lives.peer.wait("presence", **asked)
    lives.answer(first["barrier"])

    lives.next()
    second = lives.peer.wait("presence", **asked)
    assert second["barrier"] != first["barrier"]
    lives.answer(second["barrier"])
    lives.settle(second)
    assert not lives.left("presence", **asked)

    lives.next()
    time.sleep(1)
    assert not lives.left("presence", **asked)


def test_a_ping_that_tried_a_stream_ends_with_the_stream(lives):
    """The next life has streams of its own, and each is tried by a ping of
    its own."""
    lives.next()
    lives.stream("out")
    first = lives.peer.wait("iq", kind="get", request="ping")

    lives.next()
    time.sleep(0.5)
    assert not lives.left("iq", request="ping")
    lives.stream("out")
    second = lives.peer.wait("iq", kind="get", request="ping")
    assert second["barrier"] != first["barrier"]
    lives.answer(second["barrier"])
    lives.settle(second)
