"""A partner's server that ends its streams and is there again a moment later.

After an end the edge leaves the partner alone for some seconds; a partner
that comes to us need not be left alone any longer.
"""

import socket
import time

import pytest

from lib.daemons import partner
from lib.raw_partner import RawPartner, attribute, pong
from lib.site import Site

DOMAIN = "raw.example"
PEER = f"rho@{DOMAIN}"
SHUTDOWN = ("<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:"
            "xmpp-streams'/></stream:error></stream:stream>")


@pytest.fixture(scope="module")
def place():
    from conftest import Started
    site = Site("returns", wide=False)
    RawPartner.zones(site, DOMAIN, 60)
    site.gateway.config["partners"].append(partner(DOMAIN))
    with Started(site) as site:
        yield site


@pytest.fixture
def anna(place):
    from conftest import employee
    yield from employee(place, "anna")


@pytest.fixture
def raw(place):
    peer = RawPartner(place, DOMAIN, 60)
    peer.server.on_stanza = lambda text, wire: (
        peer.answer(pong(text)) if attribute(text, "type") == "get" else None)
    yield peer.start()
    peer.stop()


def acquainted(place, anna):
    """A message has passed, and all that is asked behind it is answered."""
    mark = place.gateway.log.mark()
    assert anna.send(PEER, "before").status == 200
    place.gateway.log.wait("prover probed delivered=1", 5, mark)


def shut_down(place, raw):
    """As a server does that restarts; the edge then leaves it alone."""
    mark = place.edge.log.mark()
    raw.server.listener.shutdown(socket.SHUT_RDWR)
    raw.server.listener.close()
    raw.server.listener = None
    raw.hang_up()
    for wire in list(raw.server.wires):
        if not wire.closed:
            wire.send(SHUTDOWN)
            wire.close()
    place.edge.log.wait(f"routes backoff .*remote={DOMAIN}", 5, mark)


def come_back(raw):
    raw.server.start()
    raw.answer("")


def test_a_partner_that_comes_back_is_reached_at_once(place, raw, anna):
    acquainted(place, anna)
    shut_down(place, raw)
    assert anna.refused(PEER, "while it is away").status == 504
    mark = place.edge.log.mark()
    come_back(raw)
    place.edge.log.wait(f"backoff-ended .*remote={DOMAIN}", 5, mark)
    begin = time.monotonic()
    assert anna.send(PEER, "and back").status == 200
    assert time.monotonic() - begin < 3
    assert len(raw.stanzas("and back")) == 1


def test_a_partner_that_only_comes_is_not_hammered(place, raw, anna):
    """It opens stream after stream to us and cannot be reached: each time of
    leaving it alone is cut short once at most."""
    acquainted(place, anna)
    mark = place.edge.log.mark()
    shut_down(place, raw)
    for _ in range(6):
        raw.back = None
        raw.answer("")
        assert anna.refused(PEER, "are you there?").status == 504
    tries = place.edge.log.text(mark)
    assert tries.count("backoff-ended") <= 2
