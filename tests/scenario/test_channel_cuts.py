"""The connection between the halves breaks, both of them live: nobody may
notice, not by a loss, not by an error and not by a double."""

import random
import time

import pytest

from lib.daemons import partner
from lib.load import Books, Load
from lib.relay import Relay
from lib.site import Site

DOMAIN = "load.example"
PAIRS = 10
RATE = 100
CUTS = 30


@pytest.fixture(scope="module")
def wire():
    from conftest import Started
    users = tuple(f"u{i}" for i in range(PAIRS))
    site = Site("cuts", wide=False, users=users)
    edge = site.edge
    site.wire = Relay(site.run, 32, (edge.inner_address, edge.inner_port))
    site.gateway.config["edges"][0]["address"] = \
        f"{site.wire.address}:{site.wire.port}"
    site.wire.start()
    site.prosody.component(DOMAIN, "load")
    site.dns.zone(DOMAIN)
    site.dns.srv(DOMAIN, f"xmpp.{DOMAIN}", site.prosody.s2s)
    site.dns.a(f"xmpp.{DOMAIN}", site.prosody.address)
    site.gateway.config["partners"] = [partner(DOMAIN)]
    with Started(site) as site:
        yield site


def test_every_message_arrives_once_over_a_channel_that_breaks(wire):
    load = Load(wire, [(wire.prosody, DOMAIN, "load",
                        wire.prosody.component_port)], PAIRS, RATE, 40)
    load.start()
    load.flowing(time.monotonic(), 30)
    flowed = time.monotonic()
    for _ in range(CUTS):
        mark = wire.gateway.log.mark()
        wire.wire.cut()
        wire.gateway.log.wait(r" edge_link up .* resumed=1", 10, mark)
        time.sleep(random.uniform(0.0, 0.1))
    load.stop()
    load.drain(20)
    load.close()
    records = list(load.records.values())
    assert len(records) > RATE
    books = Books(records, [])
    assert not books.problems, "\n".join([*books.problems, books.table()])
    assert not books.disorder(records, flowed)
