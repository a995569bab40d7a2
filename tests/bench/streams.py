"""Partners' streams under measure: what an idle one takes of memory, and what
becomes of an honest partner's messages while others attack.

Memory is the resident size of the process that has the streams, the difference
between two moments divided by what came in between.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

from lib import control                             # noqa: E402
from lib.crowded_edge import COMPANY, Crowd, CrowdedEdge   # noqa: E402
from lib.daemons import partner                     # noqa: E402
from lib.front_end import FrontEnd                  # noqa: E402
from lib.site import Site                           # noqa: E402
from lib.xmpp_component import Component            # noqa: E402

KB, MB = 1 << 10, 1 << 20
EACH_MOST, ALL_MOST = 48 * KB, 64 * MB
# limits.edge_memory_bytes by default, which is what is allocated; resident is
# a little more.
MEMORY_MOST = 1.25 * 256 * MB
HONEST = "load.example"
ATTACKS = (
    ("half-open connections", "half_open", 16000),
    ("half handshakes", "half_handshake", 10000),
    ("streams with bombs", "bombs", 50),
    ("slow writers and readers", "drips", 900),
    ("streams in a large stanza", "large", 900),
    ("streams at their limit", "floods", 980))
STANDING = ("drips", "large", "floods")     # begin when the crowd stands
ATTACK = os.path.join(os.path.dirname(__file__), "attack.py")
EVERY = 0.02                    # seconds between two honest messages


def tell(name, value, unit, most=None):
    good = most is None or value <= most
    verdict = "" if most is None else f"   (at most {most:g})"
    print(f"{name:<44}{value:9.1f} {unit}{verdict}"
          f"{'' if good else '   TOO MUCH'}", flush=True)
    return good


# --- idle streams -----------------------------------------------------------

def idle(count):
    """Authenticated TLS 1.3 streams: fresh, after some words, at rest."""
    place = CrowdedEdge("bench-streams")
    try:
        place.start()
        for stream in place.crowd(20):
            stream.close()
        time.sleep(1)
        before = place.memory()[0]
        streams = place.crowd(count)
        time.sleep(1)
        fresh = place.memory()[0]
        answered = 0
        for _ in range(5):
            for stream in streams:
                stream.message(f"bo@{stream.local}/x", f"anna@{COMPANY}",
                               "hello " * 200)
            answered = answer(place, answered, len(streams))
        time.sleep(41)          # rests after 5 s, is trimmed each 30 s
        rested, most = place.memory()
        return all([
            tell(f"{count} idle streams, each, fresh",
                 (fresh - before) / count / KB, "KB", EACH_MOST / KB),
            tell("  each, 40 s after five messages",
                 (rested - before) / count / KB, "KB", EACH_MOST / KB),
            tell("  the whole process", rested / MB, "MB", ALL_MOST / MB),
            tell("  the most it ever was", most / MB, "MB", ALL_MOST / MB)])
    finally:
        place.close()


def answer(place, answered, more):
    """Takes the messages of a round; how many there were in all."""
    end = time.monotonic() + 30
    seen = answered
    while seen < answered + more:
        assert time.monotonic() < end, "messages are missing"
        frames = [f for k, f in list(place.inside.frames) if k == "message"]
        for frame in frames[seen:]:
            place.inside.send("result", answers=frame["seq"],
                              status="delivered", proof="gateway")
        seen = len(frames)
        time.sleep(0.02)
    return seen


# --- an honest partner ------------------------------------------------------

class Honest:
    """Prosody, one message each EVERY seconds; when each came to the pool."""

    def __init__(self, site, component, front_end):
        self.site = site
        self.component = component
        self.sent, self.came, self.copies = {}, {}, 0
        self.number = 0
        front_end.script["MESSAGE"] = self._on_message
        front_end.journal.add = lambda *_, **__: None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._write, daemon=True)

    def _on_message(self, message, conn):
        found = re.search(rb"honest (\d+)", message.body)
        if found:
            number = int(found[1])
            self.copies += number in self.came
            self.came.setdefault(number, time.monotonic())
        conn.send(message.answer(200, "OK"))

    def _write(self):
        while not self.over.wait(EVERY):
            number = self.number
            self.number += 1
            self.sent[number] = time.monotonic()
            self.component.send(
                f"<message from='u{number % 20}@{HONEST}' id='h{number}' "
                f"to='anna@{COMPANY}' type='chat'>"
                f"<body>honest {number}</body></message>")

    def between(self, begin, end):
        """Delays in ms of what was sent then, in order."""
        return sorted(1000 * (self.came[n] - t)
                      for n, t in list(self.sent.items())
                      if begin <= t < end and n in self.came)

    def finish(self, patience=30):
        """Until all came; how many did not, and how many came as errors."""
        self.over.set()
        self.thread.join()
        end = time.monotonic() + patience
        while len(self.came) < len(self.sent) and time.monotonic() < end:
            time.sleep(0.1)
        return len(self.sent) - len(self.came), self.component.errors


def percentile(values, share):
    return values[min(int(len(values) * share), len(values) - 1)]


class Hostile:
    """A whole site; the attackers are processes of their own."""

    def __init__(self, share):
        self.share = share
        self.site = site = Site("hostile", wide=False)
        self.front_end = FrontEnd(site.run, site.internal)
        site.prosody.component(HONEST, "bench")
        site.dns.zone(HONEST)
        site.dns.srv(HONEST, f"xmpp.{HONEST}", site.prosody.s2s)
        site.dns.a(f"xmpp.{HONEST}", site.prosody.address)
        self.crowd = Crowd(site.edge, site.public)
        site.gateway.config["partners"] = [
            partner(HONEST), *(partner(p) for p in self.crowd.partners)]
        site.gateway.config["sip"]["pool"]["front_ends"] = [
            {"name": self.front_end.name, "address":
             f"{self.front_end.address}:{self.front_end.port}"}]
        for daemon in (site.edge, site.gateway, site.prosody):
            if hasattr(daemon, "config"):
                daemon.config["log"] = {"level": "info"}
        site.prosody.log_level = "info"
        self.skip = 0
        self.whole = True

    def start(self):
        site = self.site
        self.front_end.start()
        site.dns.start()
        site.prosody.start()
        site.edge.start()
        site.gateway.start()
        site.edge.await_open()
        component = Component(site.prosody.address,
                              site.prosody.component_port, HONEST, "bench")
        site.run.on_close(component.close)
        self.honest = Honest(site, component, self.front_end)
        self.honest.thread.start()
        time.sleep(2)           # chats have begun
        return self

    def status(self, *path):
        value = control.ask(self.site.edge.control, "status")
        for name in path:
            value = value[name]
        return value

    def phase(self, name, begin, end, more=""):
        delays = self.honest.between(begin, end)
        rss, most = self.crowd.memory()
        if not delays:
            self.whole = False
            print(f"{name:<34}nothing came", flush=True)
            return
        self.whole &= most < MEMORY_MOST
        print(f"{name:<34}{percentile(delays, .5):8.1f} ms median"
              f"{percentile(delays, .99):9.1f} ms p99{delays[-1]:9.1f} ms most"
              f"{rss / MB:7.0f} MB, most {most / MB:.0f}   {more}", flush=True)

    def attack(self, name, kind, count, seconds, partners=50):
        count = max(int(count * self.share), 10)
        domains = self.crowd.partners[:partners]
        plan = {"address": self.site.edge.address,
                "port": self.site.edge.port,
                "authority": self.site.public.certificate,
                "leaves": {d: [self.site.public.leaf(d).certificate,
                               self.site.public.leaf(d).key]
                           for d in domains},
                "kind": kind, "count": count, "skip": self.skip}
        self.skip += 60000
        begin = time.monotonic()
        with subprocess.Popen([sys.executable, "-B", ATTACK], text=True,
                              stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as p:
            p.stdin.write(json.dumps(plan) + "\n")
            p.stdin.flush()
            assert p.stdout.readline() == "ready\n", "the attack did not begin"
            if kind in STANDING:
                begin = time.monotonic()
            time.sleep(seconds)
            end = time.monotonic()
            held = self.status("counters", "streams", "half_open")
            p.stdin.close()
            done = json.loads(p.stdout.readline())
        time.sleep(1)           # what was under way arrives
        self.phase(f"{count} {name}", begin, end,
                   f"{dict(sorted(done.items()))}, half open {held}")

    def calm(self, name, seconds):
        begin = time.monotonic()
        time.sleep(seconds)
        end = time.monotonic()
        time.sleep(1)
        self.phase(name, begin, end)

    def run(self, seconds, only):
        self.calm("before", seconds)
        for name, kind, count in ATTACKS:
            if only in (None, kind):
                self.attack(name, kind, count, seconds)
        self.calm("after", seconds)
        lost, errors = self.honest.finish()
        print(f"{len(self.honest.sent)} honest messages, {lost} lost, "
              f"{errors} refused, {self.honest.copies} twice", flush=True)
        return self.whole and lost == errors == self.honest.copies == 0


def hostile(seconds, share=1.0, only=None):
    place = Hostile(share)
    try:
        return place.start().run(seconds, only)
    finally:
        place.site.close()
