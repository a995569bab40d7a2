"""The dead are many: what a load of messages notices of kill -9.

Messages flow both ways through Prosody, with stream management, and through
ejabberd, without, while edge, gateway, pool and both servers are killed in
turn.  In the end every message is looked up at both of its ends.

SALLYPORT_ROUNDS says how often each is killed; without it edge, gateway and
pool are, once.
"""

import os
import random
import time

import pytest

from lib.crowd import EJABBERD, PROSODY, SECRET, CrowdSite
from lib.load import UNSEEN_SECONDS, Books, Break, Load

pytestmark = pytest.mark.torture(rounds="own")

ROUNDS = int(os.environ.get("SALLYPORT_ROUNDS", "0"))
TARGETS = ("edge", "gateway", "pool", "prosody", "ejabberd")[
    :None if ROUNDS > 0 else 3]
RATE = float(os.environ.get("SALLYPORT_RATE", "50"))    # a second, each flow
PAIRS = 20
TIMERS = {"inward_ms": 12000, "outward_ms": 8000}

BACK_SECONDS = 2.0
POOL_SECONDS = 5.0


class Crowd:
    """The site and its load, and the ways to tear it down."""

    def __init__(self):
        self.site = site = CrowdSite("load", PAIRS)
        site.gateway.config["timers"] = TIMERS
        self.breaks = []
        # Seconds from a start to the channel, to our connection to the pool.
        self.channel, self.sip = [], []

    def start(self):
        site = self.site
        prosody, ejabberd = (site.prosody, site.ejabberd)
        self.load = Load(site, [
            (prosody, PROSODY, SECRET, prosody.component_port, True),
            (ejabberd, EJABBERD, SECRET, site.ejabberd_port)],
            PAIRS, RATE, 9)
        self.load.start()
        self.load.flowing(time.monotonic(), 30)
        self.flowed = time.monotonic()

    def tear(self, target):
        """Kills it, starts it, waits until all flows are back."""
        mark = self.site.gateway.log.mark()
        torn = Break(target)
        self.breaks.append(torn)
        getattr(self, f"kill_{target}")()
        time.sleep(random.uniform(0.1, 0.6))
        getattr(self, f"start_{target}")()
        started = time.monotonic()
        log = self.site.gateway.log
        if target in ("edge", "gateway"):
            log.wait(r" edge_link up ", 20, mark)
            self.channel.append((target, time.monotonic() - started))
        if target in ("gateway", "pool"):
            log.wait(r" sip_transport connected .* direction=out ", 20, mark)
            self.sip.append((target, time.monotonic() - started))
        self.load.flowing(time.monotonic(), 60)
        torn.end = time.monotonic() + Break.MARGIN

    def kill_edge(self):
        self.site.edge.kill()

    def start_edge(self):
        self.site.edge.start()

    def kill_gateway(self):
        self.site.gateway.kill()

    def start_gateway(self):
        self.site.gateway.start()

    def kill_pool(self):
        self.site.pool.process.kill()

    def start_pool(self):
        self.site.pool.restart()

    def kill_prosody(self):
        self.site.prosody.process.kill()

    def start_prosody(self):
        self.site.prosody.restart()
        self.load.partners[0].connect()

    def kill_ejabberd(self):
        self.site.ejabberd.process.kill()

    def start_ejabberd(self):
        self.site.ejabberd.restart()
        self.load.partners[1].connect()


@pytest.fixture(scope="module")
def crowd():
    from conftest import Started
    crowd = Crowd()
    with Started(crowd.site):
        crowd.start()
        yield crowd
        crowd.load.close()


def test_every_message_is_accounted_for_whatever_is_killed(crowd):
    load = crowd.load
    time.sleep(1)
    for _ in range(max(1, ROUNDS)):
        for target in TARGETS:
            crowd.tear(target)
            time.sleep(random.uniform(1.0, 2.0))
    load.stop()
    load.drain(TIMERS["inward_ms"] / 1000 + 5)
    records = list(load.records.values())
    books = Books(records, crowd.breaks)
    print("\n" + books.table())
    for story in books.doubles:
        print(f"double: {story}")
    for what, took in (("channel", crowd.channel), ("SIP", crowd.sip)):
        print(f"{what} back after " + ", ".join(
            f"{t} {s:.2f} s" for t, s in took))
    problems = [*books.problems[:20],
                *([f"... {len(books.problems)} in all"]
                  if len(books.problems) > 20 else [])]
    for (target, flow), lost in books.lost.items():
        kills = sum(b.target == target for b in crowd.breaks)
        if lost > UNSEEN_SECONDS * RATE * kills:
            problems.append(f"{lost} lost {flow}, killed: {target}")
    for before, after in books.disorder(records, crowd.flowed)[:5]:
        problems.append(f"{after} came after {before}")
    assert not problems, "\n".join(problems)
    # The pool was found when it was dialled next.
    late = [c for c in crowd.channel + crowd.sip
            if c[1] > (POOL_SECONDS if c[0] == "pool" else BACK_SECONDS)]
    assert not late
