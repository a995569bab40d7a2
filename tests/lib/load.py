"""Messages both ways between many pairs, and the books of each of them.

A Flow carries numbered messages one way between the users of the pool and
those of one partner domain.  Every message has a Record: when it was sent,
what its sender was told, when it arrived and how often.  Afterwards the
Books say which message met which break of the way, and what became of it.
"""

import asyncio
import collections
import re
import threading
import time

from .lync_client import LyncClient, Refused
from .xmpp_component import Component, attribute

BODY = re.compile(rb"<body>([^<]*)</body>")


class Record:
    """One message.  Nothing in `told` means that its sender knows nothing
    yet: outward it waits, inward it counts as taken."""

    def __init__(self, flow, pair, number):
        self.flow = flow
        self.pair = pair
        self.number = number
        self.sent = time.monotonic()
        self.told = None            # "good", "bad" or "gone": the way broke
        self.told_at = None
        self.ended = None           # when the first of all that was known
        self.arrived = []
        self.bad_count = 0

    def tell(self, what):
        self.told = what
        self.told_at = time.monotonic()
        self.bad_count += what == "bad"
        self.ended = self.ended or time.monotonic()

    def arrive(self):
        self.arrived.append(time.monotonic())
        if self.flow.inward:
            self.ended = self.ended or self.arrived[0]

    def last(self):
        """When the last was known that a message has to have: that it came
        and what its sender was told."""
        if self.ended is None:
            return float("inf")
        return max(self.ended, self.told_at or 0, *self.arrived[:1])

    def __repr__(self):
        return (f"{self.flow.name} {self.pair}/{self.number} told={self.told}"
                f" arrived={len(self.arrived)}")


class Quiet:
    """A journal that keeps nothing: a long run would fill the memory."""

    def add(self, kind, **fields):
        pass


class LoadClient(LyncClient):
    """A Lync client that signs in again whenever the pool went away."""

    def __init__(self, load, number, *args):
        super().__init__(*args)
        self.load = load
        self.number = number
        self.journal = Quiet()
        self.takes_toast = number % 2 == 0
        self.signed_in = asyncio.Event()

    async def sign_in(self):
        while not self.load.stopping:
            try:
                await self._connect()
                await self._register(3600)
                self.signed_in.set()
                return
            except (OSError, TimeoutError, asyncio.TimeoutError, Refused):
                await asyncio.sleep(0.1)

    def _on_closed(self, connection):
        if connection is not self.connection:
            return
        self.signed_in.clear()
        super()._on_closed(connection)
        if not self.load.stopping:
            asyncio.ensure_future(self.sign_in())

    def _arrived(self, message, body, way):
        record = self.load.records.get(body.strip())
        if record is not None:
            record.arrive()


class Partner:
    """The component of one partner domain, found again after a break."""

    def __init__(self, load, server, domain, secret, port,
                 acknowledges=False):
        """acknowledges: the server uses stream management (XEP-0198)."""
        self.acknowledges = acknowledges
        self.load = load
        self.server = server
        self.domain = domain
        self.secret = secret
        self.port = port
        self.component = None

    def connect(self):
        self.component = Component(self.server.address, self.port,
                                   self.domain, self.secret,
                                   self._on_message)

    def _on_message(self, tag, inside):
        if attribute(tag, b"type") == b"error":
            record = self.load.records.get(attribute(tag, b"id").decode())
            if record is not None:
                record.tell("bad")
            return
        body = BODY.search(inside)
        record = body and self.load.records.get(body[1].decode())
        if record:
            record.arrive()

    def send(self, text):
        """False when the server did not take it."""
        if self.component is None or self.component.lost.is_set():
            return False
        try:
            self.component.send(text)
        except OSError:
            return False
        return True


class Flow:
    def __init__(self, partner, inward):
        self.partner = partner
        self.inward = inward
        self.name = f"{'from' if inward else 'to'} {partner.domain}"
        self.numbers = collections.Counter()

    def record(self, load, pair):
        self.numbers[pair] += 1
        record = Record(self, pair, self.numbers[pair])
        key = (f"{'in' if self.inward else 'out'} {self.partner.domain} "
               f"{pair} {record.number}")
        load.records[key] = record
        return record, key


class Load:
    """rate: messages a second in each flow."""

    def __init__(self, site, partners, pairs, rate, patience):
        self.site = site
        self.pairs = pairs
        self.rate = rate
        self.patience = patience
        self.stopping = False
        self.records = {}
        self.partners = []
        self.flows = []
        self.threads = []
        for args in partners:
            partner = Partner(self, *args)
            self.partners.append(partner)
            self.flows += [Flow(partner, True), Flow(partner, False)]

    # --- the people of the pool -------------------------------------------

    async def _people(self):
        run, pool, ca = (self.site.run, self.site.pool,
                         self.site.internal.certificate)
        self.clients = [LoadClient(self, i, run, f"u{i}@contoso.example",
                                   pool.address, pool.port, ca, f"User {i}")
                        for i in range(self.pairs)]
        await asyncio.gather(*(c.sign_in() for c in self.clients))
        self.tasks = [asyncio.ensure_future(self._write(flow, client))
                      for flow in self.flows if not flow.inward
                      for client in self.clients]

    async def _write(self, flow, client):
        """One person at one contact: the next message after the answer to
        the one before, as clients do it."""
        pause = self.pairs / self.rate
        peer = f"p{client.number}@{flow.partner.domain}"
        due = time.monotonic() + pause * client.number / self.pairs
        while not self.stopping:
            await asyncio.sleep(max(0, due - time.monotonic()))
            due = max(due + pause, time.monotonic())
            await client.signed_in.wait()
            record, text = flow.record(self, client.number)
            try:
                await client._send(peer, text, self.patience)
                record.tell("good")
            except Refused:
                record.tell("bad")
            except (OSError, TimeoutError, asyncio.TimeoutError):
                record.tell("gone")
                # What the window shows is failed; the next opens anew.
                for dialog in list(client.dialogs.values()):
                    if dialog.peer == peer:
                        client._forget(dialog)

    # --- the people of the partner ------------------------------------------

    def _pump(self, flow):
        pair, due = 0, time.monotonic()
        while not self.stopping:
            time.sleep(max(0, due - time.monotonic()))
            due = max(due + 1 / self.rate, time.monotonic() - 0.2)
            record, text = flow.record(self, pair)
            taken = flow.partner.send(
                f"<message from='p{pair}@{flow.partner.domain}/desk' "
                f"to='u{pair}@contoso.example' id='{text}' type='chat'>"
                f"<body>{text}</body></message>")
            if not taken:
                del self.records[text]
                time.sleep(0.05)
            pair = (pair + 1) % self.pairs

    # --- for tests ----------------------------------------------------------

    def start(self):
        for partner in self.partners:
            partner.connect()
        self.site.run.wait(self._people(), 60)
        for flow in self.flows:
            if flow.inward:
                thread = threading.Thread(target=self._pump, args=(flow,),
                                          daemon=True)
                self.threads.append(thread)
                thread.start()
        return self

    def flowing(self, since, timeout):
        """Waits until each flow has brought a message that was sent after a
        moment; the seconds it took by flow."""
        took, end = {}, time.monotonic() + timeout
        while len(took) < len(self.flows):
            assert time.monotonic() < end, (
                "still stopped: " + ", ".join(
                    f.name for f in self.flows if f.name not in took))
            time.sleep(0.05)
            # The newest are the last; of the rest there may be many.
            for r in reversed(list(self.records.values())):
                if r.sent < since - 1:
                    break
                if (r.sent >= since and r.flow.name not in took and r.arrived
                        and (r.flow.inward or r.told == "good")):
                    took[r.flow.name] = max(r.arrived[0], r.ended) - since
        return took

    def stop(self):
        """Ends the writing; what is under way goes on."""
        self.stopping = True
        for thread in self.threads:
            thread.join(5)
        self.site.run.wait(self._finish(), self.patience + 60)

    async def _finish(self):
        # Who waits for a pool that is away has nothing under way.
        await asyncio.wait(self.tasks, timeout=self.patience + 10)
        for task in self.tasks:
            if task.done():
                task.result()       # raises what ended it too early
            task.cancel()

    def drain(self, timeout):
        """Waits until every message has an end, or long enough."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if not [r for r in self.records.values() if not r.ended]:
                return
            time.sleep(0.1)

    def close(self):
        self.stopping = True
        for client in self.clients:
            client.close()
        for partner in self.partners:
            partner.component.close()


class Break:
    """Something was torn down; begin reaches back to what had ended just
    before, of which the other side may not have known."""

    MARGIN = 1.0

    def __init__(self, target):
        self.target = target
        self.begin = time.monotonic() - self.MARGIN
        self.killed = time.monotonic()
        self.end = None


CALM = "none"
COLUMNS = ("sent", "arrived", "errors", "broken", "doubles", "both", "lost")

# What may befall a message, by what was killed under way and where it went;
# nothing else may, and nothing at all when no kill touched its way.
#
#   failed   its sender was told that it failed
#   broken   its sender's own connection broke: he knows that he does not know
#   both     it arrived and its sender was told that it failed: the proof that
#            it had arrived was lost with who held it
#   double   it arrived twice: the proof was lost, and who still had custody
#            gave it to another, or to the one that came back
#   lost     it never arrived and its sender was told nothing, or that it had
#
# Custody within a half dies with that half.  The edge keeps a message for a
# gateway that is away, and the gateway one for an edge, so those two may make
# doubles of each other's deaths.  The gateway sends once more what a dead
# pool had not answered.  A message of which a killed server was the only
# keeper is its loss alone, as is, without stream management, what a killed
# edge held.
MAY = {
    ("edge", "in, acknowledged"): {"failed", "both"},
    ("edge", "in"): {"failed", "lost"},
    ("edge", "out"): {"failed", "both", "double"},
    ("gateway", "in"): {"failed", "both", "double"},
    # Kamailio, which dials the dead in vain, now and then takes OpenSSL's
    # complaint for one about a client's connection, and ends that.
    ("gateway", "out"): {"failed", "both", "broken"},
    ("pool", "in"): {"failed", "both", "double"},
    ("pool", "out"): {"failed", "broken"},
    ("server", "in"): {"lost"},
    ("server", "out"): {"failed", "both"},
}


# What can be lost unseen in a kill is of the last moment before it, or was
# written into a connection that was dead already.
UNSEEN_SECONDS = 2.0


def may(target, flow):
    """What a kill may do to the messages of a flow."""
    partner = flow.partner
    if target == partner.server.name:
        target = "server"
    if flow.inward and partner.acknowledges:
        found = MAY.get((target, "in, acknowledged"))
        if found is not None:
            return found
    return MAY.get((target, "in" if flow.inward else "out"), set())


def befell(r):
    """What befell a message that is not simply delivered once."""
    what = set()
    if r.told == "bad":
        what.add("both" if r.arrived else "failed")
    if r.told == "gone":
        what.add("broken")
    if len(r.arrived) > 1:
        what.add("double")
    if not r.arrived and r.told in (None, "good"):
        what.add("lost")
    return what


class Books:
    """What became of every message, by the break that it met."""

    def __init__(self, records, breaks):
        self.rows = collections.defaultdict(collections.Counter)
        self.lost = collections.Counter()       # by what was killed, and flow
        self.problems = []
        self.doubles = []                       # the story of each, to read
        self.breaks = breaks
        for record in records:
            met = self.met(record)
            self._enter(record, met)
            self._judge(record, met)

    def met(self, record):
        """The breaks that a message met."""
        sent, last = record.sent, record.last()
        return [b for b in self.breaks if sent <= b.end and last >= b.begin]

    def target(self, record, met):
        """Two breaks may lie close together: what has an end owes it to the
        later one, what has none was lost in the first."""
        if not met:
            return CALM
        return met[-1 if record.ended else 0].target

    def _enter(self, r, met):
        row = self.rows[self.target(r, met), r.flow.name]
        what = befell(r)
        row["sent"] += 1
        row["arrived"] += bool(r.arrived)
        row["errors"] += r.told == "bad"
        row["broken"] += r.told == "gone"
        row["doubles"] += max(0, len(r.arrived) - 1)
        row["both"] += "both" in what
        row["lost"] += "lost" in what

    def _judge(self, r, met):
        for what in befell(r):
            guilty = [b for b in met if what in may(b.target, r.flow)]
            if what == "lost":
                # The first kill after it was sent took it, and soon.
                guilty = [b for b in met[:1] if b in guilty
                          and b.killed - r.sent < UNSEEN_SECONDS]
                self.lost[met[0].target if met else CALM, r.flow.name] += 1
            if what == "double":
                # Each copy more has a kill of its own before it.
                copies = [sum(b.killed <= at for b in guilty) >= i
                          for i, at in enumerate(r.arrived)]
                guilty = guilty if all(copies) else []
                self.doubles.append(self.story(r))
            if not guilty:
                self.problems.append(f"{what}: {self.story(r)}")
        # A sender is told once, whatever happens.
        if r.bad_count > 1:
            self.problems.append(f"told {r.bad_count} times: {self.story(r)}")

    def story(self, r):
        """A message's life, in seconds since it was sent, between the wall
        clock that logs show and the kills it met."""
        began = time.time() - time.monotonic() + r.sent
        clock = time.strftime("%H:%M:%S", time.gmtime(began))
        parts = [f"{r.flow.name} {r.pair}/{r.number} sent at {clock}"
                 f".{int(began % 1 * 1000):03d}Z"]
        parts += [f"arrived +{at - r.sent:.3f}" for at in r.arrived]
        if r.told:
            parts.append(f"told {r.told} +{r.told_at - r.sent:.3f}")
        parts += [f"{b.target} killed {b.killed - r.sent:+.3f}"
                  for b in self.met(r)]
        return ", ".join(parts)

    def disorder(self, records, since):
        """Pairs of records of one pair that arrived in the wrong order, with
        no break between them; of those sent from a moment on.  (While its
        stream comes up Prosody lets new stanzas overtake those that waited
        for it.)"""
        wrong, last = [], {}
        arrived = sorted((r for r in records if r.arrived and r.sent > since),
                         key=lambda r: r.arrived[0])
        for r in arrived:
            key = (r.flow.name, r.pair)
            before = last.get(key)
            if before is not None and before.number > r.number:
                if not self.met(r) and not self.met(before):
                    wrong.append((before, r))
                continue
            last[key] = r
        return wrong

    def table(self):
        kills = collections.Counter(b.target for b in self.breaks)
        lines = [f"{'killed':<10}{'times':>6}  {'messages':<22}"
                 + "".join(f"{c:>9}" for c in COLUMNS)]
        for (target, flow), row in sorted(self.rows.items()):
            lines.append(f"{target:<10}{kills[target] or '':>6}  {flow:<22}"
                         + "".join(f"{row[c]:>9}" for c in COLUMNS))
        return "\n".join(lines)
