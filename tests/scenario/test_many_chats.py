"""Chats opened and closed by the thousand: nothing of them remains."""

import asyncio
import os
import time

import pytest

from lib import control
from lib.daemons import partner
from lib.load import Quiet
from lib.site import COMPANY, Site
from lib.xmpp_component import Component

DOMAIN = "load.example"
USERS = 20
# In batches; make torture counts memory as well.
LONG = bool(os.environ.get("SALLYPORT_ROUNDS"))
CHATS, BATCHES = (1000, 4) if LONG else (100, 2)
IDLE = 2
# Between two batches tables may still grow by a step, but nothing that a
# chat is made of is as small as that.
SLACK = 64 * CHATS


pytestmark = pytest.mark.torture(rounds="own")


@pytest.fixture(scope="module")
def place():
    from conftest import Started
    site = Site("chats", wide=False,
                users=tuple(f"u{i}" for i in range(USERS)))
    site.prosody.component(DOMAIN, "load")
    site.prosody.log_level = "info"
    site.dns.zone(DOMAIN)
    site.dns.srv(DOMAIN, f"xmpp.{DOMAIN}", site.prosody.s2s)
    site.dns.a(f"xmpp.{DOMAIN}", site.prosody.address)
    site.gateway.config["partners"] = [partner(DOMAIN)]
    site.gateway.config["timers"] = {"idle_seconds": IDLE}
    for daemon in (site.edge, site.gateway):
        daemon.config["log"] = {"level": "info"}
    with Started(site) as site:
        yield site


@pytest.fixture
def source(place):
    component = Component(place.prosody.address, place.prosody.component_port,
                          DOMAIN, "load")
    yield component
    component.close()


@pytest.fixture
def clients(place):
    clients = [place.lync_user(f"u{i}") for i in range(USERS)]
    for client in clients:
        client.journal = Quiet()
    yield clients
    for client in clients:
        client.logout()


async def until(what, seconds):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "a chat did not get on"
        await asyncio.sleep(0.01)


async def chats(client, source, count):
    """One person's: opened by either side, closed by her or for idleness."""
    for i in range(count):
        peer = f"p{i}@{DOMAIN}"
        if i % 2:
            await client._send(peer, "a word", 30)
        else:
            # Without an id nothing is kept to know a second copy by.
            source.send(f"<message from='{peer}' to='{client.user}' "
                        "type='chat'><body>a word</body></message>")
            await until(lambda: peer in client.current, 30)
        if i % 4 < 2:
            await client._bye(peer)
    await until(lambda: not client.dialogs, 30)


async def batch(clients, source):
    await asyncio.gather(*(chats(c, source, CHATS // USERS)
                           for c in clients))


def under_way(site):
    gateway = control.ask(site.gateway.control, "status")
    edge = control.ask(site.edge.control, "status")
    return {
        "conversations": gateway["conversations"],
        "pending": gateway["pending"],
        **{k: gateway["pool"][k] for k in (
            "dialogs", "client_transactions", "server_transactions")},
        "inward": edge["counters"]["inward"]["under_way"],
        "outward": edge["counters"]["outward"]["under_way"],
    }


def at_rest(site):
    """Waits until both daemons have nothing under way.  Transactions of an
    INVITE stay for 32 s (RFC 6026 7.1)."""
    end = time.monotonic() + 45
    while any((left := under_way(site)).values()):
        assert time.monotonic() < end, f"still under way: {left}"
        time.sleep(0.2)


def held(site):
    """Handles and heap in use; 0 of that under a sanitizer."""
    return {d.name: (d.handles(),
                     control.ask(d.control, "status")["heap_bytes"])
            for d in (site.edge, site.gateway)}


def test_nothing_remains_of_chats_that_are_over(place, clients, source):
    seen = []
    for number in range(BATCHES):
        place.run.wait(batch(clients, source), 300)
        if LONG or number == BATCHES - 1:
            at_rest(place)
        seen.append(held(place))
    print(f"\nhandles and bytes after each {CHATS} chats:")
    for one in seen:
        print("  " + ", ".join(f"{name} {handles} {heap}" for
                               name, (handles, heap) in one.items()))
    # The first batches bring pools and tables to their size.
    for name, (handles, heap) in seen[-1].items():
        assert handles == seen[-2][name][0], name
        assert not LONG or heap <= seen[-2][name][1] + SLACK, name
