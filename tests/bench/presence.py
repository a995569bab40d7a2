"""Contacts and presence under measure: what a pair and a subscription take,
how long 200 000 pairs take to load, and changes of presence per second.

Memory is what the gateway says it has allocated, the difference between two
moments divided by what came in between.
"""

import asyncio
import contextlib
import os
import re
import sqlite3
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

from lib import control                             # noqa: E402
from lib.daemons import partner                     # noqa: E402
from lib.morning import Morning, Watcher            # noqa: E402
from lib.documents import PIDF, State, msrtc        # noqa: E402
from lib.presence_pool import PresencePool          # noqa: E402
from lib.site import Site                           # noqa: E402
from lib.xmpp_component import Component            # noqa: E402

SECRET = "bench"
STORED = 200000
PAIR_MOST, SUBSCRIPTION_MOST, LOAD_MOST = 1024, 3072, 5.0
# While a company signs in: stanzas with the edges for one partner, what a
# user's change may take until it is answered, and how long the gateway may
# not answer an operator.
FLIGHT_MOST, STORM_MOST, LATENCY_MOST = 256, 4096, 5.0
SETTLE = 6      # seconds; answers are kept for five (RFC 3261 17.2.2)
# Those with something in them; a mere `subscribed` does not count.
PRESENCE = re.compile(rb"</presence>")


def heap(gateway):
    """Bytes that the gateway has allocated and not given back."""
    return control.ask(gateway.control, "status")["heap_bytes"]


def tell(name, value, unit, most=None, more=""):
    verdict = "" if most is None else f"   (at most {most:g})"
    good = most is None or value <= most
    print(f"{name:<34}{value:9.2f} {unit}{verdict}"
          f"{'' if good else '   TOO MUCH'}{more}", flush=True)
    return good


def worst(seen, calm, count):
    """What of the gateway's was largest meanwhile."""
    values = seen.worst
    return all([
        tell("  pairs with a stanza that waits", values["outbox"], "",
             count),
        tell("  stanzas with the edge", values["flight"], "", FLIGHT_MOST),
        tell("  memory beyond the calm, for each",
             max(values["heap"] - calm, 0) / count, "bytes", STORM_MOST,
             f"; rows that wait for the disk: {values['store_queue']}"),
        tell("  an operator waits", values["latency"], "s", LATENCY_MOST)])


def company(count):
    """Everybody comes online and is busy a moment later; then each of their
    clients asks for its contact."""
    begin = time.monotonic()
    morning = Morning(count)
    gateway = morning.site.gateway
    good = True
    try:
        morning.start()
        tell(f"{count} users are watched", time.monotonic() - begin, "s")
        wire = morning.wire()
        calm = heap(gateway)
        with Watcher(gateway) as seen:
            for number in (3500, 6500):
                took = morning.blow(wire, morning.notices(number))
                tell("  each has a notice, answered in", took, "s", None,
                     f"; {count / took:.0f} a second")
            if wire.statuses != {200: 2 * count}:
                raise SystemExit(f"bench: notices got {wire.statuses}")
            begin = time.monotonic()
            morning.until("not all are seen busy",
                          lambda: morning.shown("dnd") == count)
            tell("  their contacts saw the last after",
                 time.monotonic() - begin, "s")
        good = worst(seen, calm, count) and good
        wire = morning.wire()
        time.sleep(SETTLE)
        calm = heap(gateway)
        with Watcher(gateway) as seen:
            took = morning.blow(wire, morning.askings())
            tell("  each client asks, answered in", took, "s", None,
                 f"; {count / took:.0f} a second")
            if wire.statuses != {200: count}:
                raise SystemExit(f"bench: askings got {wire.statuses}")
            begin = time.monotonic()
            morning.until("not all are shown",
                          lambda: len(morning.pool.open) == count)
            tell("  and is shown its contact after",
                 time.monotonic() - begin, "s")
        good = worst(seen, calm, count) and good
    finally:
        morning.site.close()
    return good


class Small(PresencePool):
    """A pool that keeps no journal of what it does thousands of times."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.journal.add = lambda *_, **__: None
        self.heard = 0

    def _on_notify(self, message, conn):
        self.heard += 1
        conn.send(message.answer(200, "OK"))


class PresenceBench:
    def __init__(self, seconds, count):
        self.seconds = seconds
        self.count = count
        self.site = site = Site("presence", wide=False)
        self.pool = Small(site.run, site.internal)
        self.pool.gateway = site.gateway
        site.prosody.component("crowd.example", SECRET)
        site.prosody.log_level = "info"
        site.dns.zone("crowd.example")
        site.dns.srv("crowd.example", "xmpp.partner.example",
                     site.prosody.s2s)
        gateway = site.gateway.config
        gateway["partners"] = [partner("crowd.example")]
        gateway["users"] = [f"u{i}@contoso.example" for i in range(count)]
        gateway["sip"]["pool"]["front_ends"] = [
            {"name": self.pool.name,
             "address": f"{self.pool.address}:{self.pool.port}"}]
        gateway["presence"] = {
            "damp_ms": 0, "first_per_user_seconds": 0,
            "new_per_minute": 100000, "renew_per_second": 1000}
        for daemon in (site.edge, site.gateway):
            daemon.config["log"] = {"level": "info"}
        # One stream stands for many.
        site.gateway.config["limits"] = {"stanzas_per_second": 0}
        self.good = True

    def tell(self, *args):
        self.good = tell(*args) and self.good

    # --- what is live -----------------------------------------------------

    def until(self, what, good, timeout=120):
        end = time.monotonic() + timeout
        while not good():
            if time.monotonic() > end:
                raise SystemExit(f"bench: {what} after {timeout} s")
            time.sleep(0.02)

    def subscribe(self):
        """Everybody of the crowd watches one of the pool."""
        pool, crowd = self.pool, self.crowd
        warm = self.count // 5      # what is only made once is there then
        for first, last in ((0, warm), (warm, self.count)):
            before = heap(self.site.gateway)
            begin = time.monotonic()
            for i in range(first, last):
                crowd.send(f"<presence type='subscribe' "
                           f"from='c{i}@crowd.example' "
                           f"to='u{i}@contoso.example'/>")
                if i % 100 == 99:   # no more than a partner may at once
                    self.until("not all are subscribed", lambda: len(
                        pool.subscriptions) > i)
            self.until("not all are told",
                       lambda: crowd.received >= last)
            took = time.monotonic() - begin
            time.sleep(SETTLE)
        self.tell("memory for a subscription of ours",
                  (heap(self.site.gateway) - before)
                  / (last - first), "bytes", SUBSCRIPTION_MOST + PAIR_MOST,
                  f" with its pair; {(last - first) / took:.0f} a second")

    def watch(self):
        """Each of those is watched by a device of hers as well."""
        pool = self.pool

        async def one(i):
            endpoint = pool.endpoints[i]
            watch = await endpoint._watch(
                f"c{i}@crowd.example", True, None, 60, "presence", (),
                PIDF, True)
            if watch.response.status != 200:
                raise SystemExit(f"bench: {watch.response.start}")

        async def all_of_them(begin, end):
            for first in range(begin, end, 100):
                await asyncio.gather(*(one(i) for i in range(
                    first, min(first + 100, end))))

        for i in range(self.count):
            pool.endpoint(f"u{i}")
        asked = self.crowd.received
        warm = self.count // 5
        for first, last in ((0, warm), (warm, self.count)):
            before = heap(self.site.gateway)
            self.site.run.wait(all_of_them(first, last), 120)
            self.until("not all are asked", lambda: self.crowd.received
                       >= asked + last)
            time.sleep(SETTLE)
        self.tell("memory for a device's subscription",
                  (heap(self.site.gateway) - before)
                  / (last - first), "bytes", SUBSCRIPTION_MOST)
        for i in range(self.count):
            self.crowd.send(f"<presence type='subscribed' "
                            f"from='c{i}@crowd.example' "
                            f"to='u{i}@contoso.example'/>")

    # --- changes a second ------------------------------------------------

    def rounds(self, change, seen, measure):
        """Everybody changes, everybody has been seen to, and again."""
        total = 0
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            before = seen()
            change(total // self.count)
            self.until("not every change arrived", lambda: seen()
                       >= before + self.count, 60)
            total += self.count
        return measure.done(total)

    def compare(self, rate):
        print(f"{'':<34}{rate / self.rate:9.2f} of Prosody's own rate",
              flush=True)

    def yardstick(self, measure, second, sink):
        def change(number):
            show = ("away", "dnd")[number % 2]
            self.crowd.send("".join(
                f"<presence from='c{i}@crowd.example/r' "
                f"to='u{i}@sink.example'><show>{show}</show></presence>"
                for i in range(self.count)))

        change(0)
        self.until("nothing arrives", lambda: sink.received >= self.count)
        with measure("Prosody to Prosody, presence", [
                self.site.prosody.process, second.process]) as m:
            self.rate = self.rounds(change, lambda: sink.received, m)

    def inward(self, measure):
        def change(number):
            show = ("away", "dnd")[number % 2]
            self.crowd.send("".join(
                f"<presence from='c{i}@crowd.example/r' "
                f"to='u{i}@contoso.example'><show>{show}</show></presence>"
                for i in range(self.count)))

        before = self.pool.heard
        change(1)
        self.until("nothing arrives", lambda: self.pool.heard
                   >= before + self.count)
        with measure("XMPP to Lync, presence", [
                self.site.prosody.process, self.site.edge.process,
                self.site.gateway.process]) as m:
            self.compare(self.rounds(change, lambda: self.pool.heard, m))

    def outward(self, measure):
        pool, run = self.pool, self.site.run
        subs = list(pool.subscriptions.values())

        async def tell(number):
            state = State((6500, 15500)[number % 2])
            for sub in subs:
                sub.presentity.state = state
            for first in range(0, len(subs), 200):
                await asyncio.gather(*(
                    pool._notify(sub, sub.cseq + 1, document=msrtc(
                        sub.presentity.user, state))
                    for sub in subs[first:first + 200]))

        with measure("Lync to XMPP, presence", [
                self.site.gateway.process, self.site.edge.process,
                self.site.prosody.process]) as m:
            self.compare(self.rounds(lambda n: run.wait(tell(n), 120),
                                     lambda: self.crowd.received, m))

    # --- what is stored --------------------------------------------------

    def await_status(self):
        """What the gateway says of itself when it can: all is loaded."""
        while True:
            try:
                return control.ask(self.site.gateway.control,
                                   "status")["presence"]
            except control.Refused:
                time.sleep(0.01)

    @contextlib.contextmanager
    def store(self):
        with contextlib.closing(sqlite3.connect(
                self.site.gateway.config["store"])) as db, db:
            yield db

    def fill(self, pairs):
        """Pairs as they are after months: friends, with last states, whose
        dialogs are over."""
        now = int(time.time() * 1000)
        roster, flags, told, seen = self.sample
        with self.store() as db:
            db.executemany(
                "INSERT INTO pair VALUES (?, ?, ?, ?, ?, 0, 0, ?, ?, ?, ?)",
                ((f"u{i % self.count}@contoso.example",
                  f"stored{i}@crowd.example", roster, flags, now - 10 ** 9,
                  now, "Bo Builder", told, seen) for i in range(pairs)))

    def stored(self):
        """Load time and memory, beside those of an empty store.  The pool
        is away, so that nothing comes alive meanwhile."""
        site = self.site
        self.pool.stop()
        site.gateway.stop()
        with self.store() as db:
            self.sample = db.execute(
                "SELECT roster, flags, told, seen FROM pair WHERE told IS "
                "NOT NULL AND seen IS NOT NULL").fetchone()
            db.execute("DELETE FROM dialog")
            db.execute("DELETE FROM pair")
        took, memory = [], []
        for pairs in (0, STORED):
            if pairs:
                self.fill(pairs)
            begin = time.monotonic()
            site.gateway.start()
            status = self.await_status()
            took.append(time.monotonic() - begin)
            if status["pairs"] < pairs:
                raise SystemExit(f"bench: {status['pairs']} of {pairs} "
                                 "pairs are there")
            time.sleep(0.5)
            memory.append(heap(site.gateway))
            if not pairs:
                site.gateway.stop()
        self.tell(f"{STORED} stored pairs load in", took[1] - took[0], "s",
                  LOAD_MOST)
        self.tell("memory for a stored pair", (memory[1] - memory[0])
                  / STORED, "bytes", PAIR_MOST)

    # --- all of it ---------------------------------------------------------

    def run(self, measure):
        from lib.prosody import Prosody
        site = self.site
        second = Prosody(site.run, site.dns, site.public, name="prosody2",
                         host=21)
        second.log_level = "info"
        second.host("second.example")
        second.component("sink.example", SECRET)
        site.dns.zone("sink.example")
        site.dns.srv("sink.example", "xmpp.sink.example", second.s2s)
        site.dns.a("xmpp.sink.example", second.address)
        site.dns.start()
        site.prosody.start()
        second.start()
        self.pool.start()
        site.edge.start()
        site.gateway.start()
        site.edge.await_open()
        self.crowd = Component(site.prosody.address,
                               site.prosody.component_port, "crowd.example",
                               SECRET)
        sink = Component(second.address, second.component_port,
                         "sink.example", SECRET)
        self.crowd.seen = sink.seen = PRESENCE
        site.run.on_close(self.crowd.close)
        site.run.on_close(sink.close)
        self.yardstick(measure, second, sink)
        self.subscribe()
        self.watch()
        self.inward(measure)
        self.outward(measure)
        self.stored()
        return self.good
