"""A day with two hundred people who do everything at once.

SALLYPORT_DAY says how many seconds it lasts; `make torture` has ten minutes.
At noon both daemons reload, and are started anew in good order: what was
said meanwhile arrived, or its writer knows that it did not.
"""

import asyncio
import json
import os
import random
import signal
import time

import pytest

from lib import control
from lib.crowd import EJABBERD, PROSODY, SECRET, CrowdSite, under_way
from lib.day import Day
from lib.presence_site import QUICK
from lib.site import COMPANY
from lib.xmpp_company import Company

LONG = bool(os.environ.get("SALLYPORT_ROUNDS"))
SECONDS = float(os.environ.get("SALLYPORT_DAY", "600" if LONG else "25"))
COLLEAGUES = 100
IDLE = 5

pytestmark = pytest.mark.torture(rounds="own")


@pytest.fixture(scope="module")
def town():
    from conftest import Started
    site = CrowdSite("day", COLLEAGUES)
    # Two would now and then corrupt the registrations of a busy morning.
    site.pool.workers = 1
    site.gateway.config["timers"] = {"idle_seconds": IDLE}
    site.gateway.config["presence"] = dict(QUICK)
    site.companies = [
        Company(site.prosody.address, site.prosody.component_port, PROSODY,
                SECRET),
        Company(site.ejabberd.address, site.ejabberd_port, EJABBERD, SECRET)]
    with Started(site) as site:
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


def until(what, seconds):
    """Waits until there is nothing left of it; what is left at last."""
    end = time.monotonic() + seconds
    while (left := what()) and time.monotonic() < end:
        time.sleep(0.3)
    return left


def believed(site, wrong):
    """What the gateway has of those who disagree."""
    rows = [row for line in wrong for row in control.ask(
        site.gateway.control, "contacts", "--user",
        next(w for w in line.replace(",", "").split()
             if w.endswith("@" + COMPANY)))["contacts"]]
    return "\n".join(json.dumps(row) for row in rows)


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
        assert not wrong, (f"{len(wrong)} in all:\n" + "\n".join(wrong[:30])
                           + "\n" + believed(town, wrong[:3]))
    finally:
        day.close()
    # Everybody has gone, and what they said is nowhere but with them.
    left = until(lambda: {k: v for k, v in under_way(town).items() if v},
                 IDLE + 40)
    assert not left
    for daemon in (town.edge, town.gateway):
        assert not daemon.log.lines(r"\[w\d+\]|/w\d+/photo")
