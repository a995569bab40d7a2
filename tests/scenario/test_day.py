"""A day with two hundred people who do everything at once.

SALLYPORT_DAY says how many seconds it lasts; `make torture` has ten minutes.
At noon both daemons reload, and are started anew in good order: what was
said meanwhile arrived, or its writer knows that it did not.
"""

import asyncio
import os
import random
import signal
import time

import pytest

from lib import control
from lib.daemons import partner
from lib.day import Day
from lib.ejabberd import Ejabberd
from lib.presence_site import QUICK
from lib.site import COMPANY, Site
from lib.xmpp_company import Company

LONG = bool(os.environ.get("SALLYPORT_ROUNDS"))
SECONDS = float(os.environ.get("SALLYPORT_DAY", "600" if LONG else "25"))
COLLEAGUES = 100
SECRET = "day"
PROSODY, EJABBERD = "load.example", "crowd.example"
IDLE = 5

pytestmark = pytest.mark.torture(rounds="own")


@pytest.fixture(scope="module")
def town():
    from conftest import Started
    site = Site("day", wide=False, external_eku="both",
                external_srv_id=False,
                users=tuple(f"u{i}" for i in range(COLLEAGUES)))
    site.prosody.modules.append("smacks")
    site.prosody.component(PROSODY, SECRET)
    site.ejabberd = Ejabberd(site.run, site.dns, site.public)
    site.ejabberd.host("other.example")
    port = site.ejabberd.component(EJABBERD, SECRET)
    for domain, server in ((PROSODY, site.prosody),
                           (EJABBERD, site.ejabberd)):
        site.dns.zone(domain)
        site.dns.srv(domain, f"xmpp.{domain}", server.s2s)
        site.dns.a(f"xmpp.{domain}", server.address)
    # ejabberd needs the address itself as the target; for Prosody it is a
    # name that has an address like any other.
    site.dns.forget_srv(COMPANY)
    site.dns.zone(site.edge.address)
    site.dns.a(site.edge.address, site.edge.address)
    site.ejabberd.srv_literal(COMPANY, site.edge.address, site.edge.port)
    gateway = site.gateway.config
    gateway["partners"] = [partner(PROSODY), partner(EJABBERD)]
    gateway["timers"] = {"idle_seconds": IDLE}
    gateway["presence"] = dict(QUICK)
    for daemon in (site.edge, site.gateway):
        daemon.config["log"] = {"level": "info"}
    site.companies = [
        Company(site.prosody.address, site.prosody.component_port, PROSODY,
                SECRET),
        Company(site.ejabberd.address, port, EJABBERD, SECRET)]
    with Started(site) as site:
        site.ejabberd.start()
        yield site


def noon(site, day):
    """Both are told to read their files again; then each is stopped and
    started."""
    for daemon in (site.edge, site.gateway):
        os.kill(daemon.process.pid, signal.SIGHUP)
    time.sleep(2)
    for daemon in (site.edge, site.gateway):
        mark = site.gateway.log.mark()
        begin = time.monotonic() - 1
        daemon.restart()
        site.gateway.log.wait(r" edge_link up ", 20, mark)
        time.sleep(3)
        day.breaks.append((begin, time.monotonic()))


def under_way(site):
    gateway = control.ask(site.gateway.control, "status")
    edge = control.ask(site.edge.control, "status")
    return {"conversations": gateway["conversations"],
            "pending": gateway["pending"],
            "inward": edge["counters"]["inward"]["under_way"],
            "outward": edge["counters"]["outward"]["under_way"]}


def until(what, seconds):
    """Waits until there is nothing left of it; what is left at last."""
    end = time.monotonic() + seconds
    while (left := what()) and time.monotonic() < end:
        time.sleep(0.3)
    return left


def test_a_day_ends_with_every_word_accounted_for(town):
    seed = int(os.environ.get("SALLYPORT_SEED", random.randrange(1 << 30)))
    day = Day(town, town.companies, COLLEAGUES, SECONDS, seed)
    run = town.run
    try:
        run.wait(day.morning(), 120)
        work = asyncio.run_coroutine_threadsafe(day.work(), run.loop)
        time.sleep(SECONDS / 2)
        noon(town, day)
        work.result(SECONDS + 120)
        run.wait(day.evening(), 120)
        print(f"\nseed {seed}\n{day.table()}")
        wrong = day.account()
        assert not wrong, f"{len(wrong)} in all:\n" + "\n".join(wrong[:30])
        wrong = until(day.disagreements, 20)
        assert not wrong, f"{len(wrong)} in all:\n" + "\n".join(wrong[:30])
    finally:
        day.close()
    # Everybody has gone, and what they said is nowhere but with them.
    left = until(lambda: {k: v for k, v in under_way(town).items() if v},
                 IDLE + 40)
    assert not left
    for daemon in (town.edge, town.gateway):
        assert not daemon.log.lines(r"\[w\d+\]|/w\d+/photo")
