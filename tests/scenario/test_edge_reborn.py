"""An edge that dies with the proof in its hands.

It is one of the test's making, so that it can die at that very moment: the
partner's answer to the ping has come in, the gateway has used it up, and the
result of the message is still unsaid.
"""

import threading
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


def answer(place, peer, barrier, number):
    """The partner's answer comes in on a stream of his."""
    stream = f"{place.edge.node}.{place.fake.boot[:8]}.{number}"
    peer.send("stream", json={
        "id": stream, "event": "up", "direction": "in",
        "pairs": [[COMPANY, "partner.example"]], "peer": "192.0.2.1:5269",
        "auth": "external", "tls": "TLSv1.3", "cipher": "x", "proofs": []})
    peer.stanza("iq", **{"from": "partner.example"}, to=COMPANY, id=barrier,
                kind="result", request="ping", stream=stream)
    assert peer.wait("proof")["barrier"] == barrier


def test_a_message_that_goes_once_more_can_be_proven_once_more(place, anna):
    peer = place.fake.gateway(honest=True)
    place.gateway.log.wait("config-confirmed")
    told = []
    writer = threading.Thread(
        target=lambda: told.append(anna.send(BO, "once more").status))
    writer.start()
    first = peer.wait("message", body="once more")
    answer(place, peer, first["barrier"], 1)
    peer.close()
    place.fake.boot = uuid.uuid4().hex

    peer = place.fake.gateway(honest=True)
    second = peer.wait("message", body="once more")
    assert second["id"] == first["id"]
    assert second["barrier"] != first["barrier"]
    answer(place, peer, second["barrier"], 2)
    peer.send("result", answers=second["seq"], status="delivered",
              proof="ping")
    writer.join(10)
    assert told == [200]
    assert len([f for f in peer.frames if f[0] == "message"]) == 0
