"""Crowds of partners outside an edge; an edge with a gateway of our making
inside, for them.

Names of partners are p0.example, p1.example ...; each may have as many streams
as PartnerConnectionLimit permits by default.  Loopback has sixteen million
addresses, so that a crowd need not come from one.
"""

import itertools
import os
import re
import socket

from .authority import Authority
from .channel import dial
from .daemons import Edge
from .dns import Dns
from .run import Run
from .xmpp_peer import RawStream

COMPANY = "contoso.example"
NODE = f"gw1.{COMPANY}"
EACH = 20       # streams of one partner, by default


def partner_name(i):
    return f"p{i}.example"


class Crowd:
    """Those outside an edge, and what they cost it."""

    def __init__(self, edge, public, partners=50):
        self.edge = edge
        self.public = public
        self.partners = [partner_name(i) for i in range(partners)]
        # Public enough: one address for each stream, as partners have.
        self.addresses = (f"127.{a}.{b}.{c}" for a in range(200, 250)
                          for b in range(256) for c in range(1, 255))
        self.streams = []

    # --- who comes --------------------------------------------------------

    def connect(self, source=None):
        """A connection that has said nothing."""
        return socket.create_connection(
            (self.edge.address, self.edge.port), 10,
            (source or next(self.addresses), 0))

    def stream(self, domain, source=None):
        stream = RawStream(self.edge.address, self.edge.port, domain, COMPANY,
                           source or next(self.addresses))
        stream.place = self
        self.streams.append(stream)
        return stream

    def partner(self, domain, source=None):
        """An authenticated stream."""
        return self.stream(domain, source).authenticate(
            self.public.certificate, self.public.leaf(domain))

    def crowd(self, count, each=EACH):
        """That many of them, of as many partners as are needed."""
        return [self.partner(self.partners[i // each]) for i in range(count)]

    def let_go(self):
        while self.streams:
            self.streams.pop().close()

    # --- what it costs ----------------------------------------------------

    def streams_pid(self):
        for pid in self.edge.pids():
            with open(f"/proc/{pid}/cmdline", encoding="ascii") as f:
                if "streams" in f.read().split("\0"):
                    return pid
        raise AssertionError("no process has the streams")

    def memory(self):
        """Of the process that has the streams, in bytes: what is resident,
        and the most that ever was."""
        with open(f"/proc/{self.streams_pid()}/status",
                  encoding="ascii") as f:
            text = f.read()
        return tuple(int(re.search(rf"{name}:\s+(\d+)", text)[1]) << 10
                     for name in ("VmRSS", "VmHWM"))

    def handles(self):
        return len(os.listdir(f"/proc/{self.streams_pid()}/fd"))


class CrowdedEdge(Crowd):
    def __init__(self, name="crowd", partners=50):
        self.run = Run(name)
        self.dns = Dns(self.run)
        self.public = Authority(self.run, "public")
        self.internal = Authority(self.run, "internal", eku="both")
        self.edge = Edge(self.run, self.public, self.internal, self.dns,
                         [self.public.leaf(COMPANY)])
        self.edge.config["log"] = {"level": "info"}
        super().__init__(self.edge, self.public, partners)
        self.counter = itertools.count(1)

    def start(self, **settings):
        self.dns.start()
        self.edge.start()
        leaf = self.internal.leaf(NODE)
        self.inside = dial((self.edge.inner_address, self.edge.inner_port),
                           NODE, leaf.certificate, leaf.key,
                           self.internal.certificate)
        self.inside.hello("hello", store="s1", epoch=1)
        self.inside.wait("welcome")
        self.inside.send("credit", result_seen=0, credit_seq=1000000,
                         credit_bytes=1 << 40)
        self.configure(**settings)
        self.edge.await_open()
        return self

    def configure(self, rows=(), **settings):
        """Another generation; rows are those of partners with settings of
        their own."""
        named = {d for row in rows for d in
                 (row["Domain"], *row.get("AdditionalDomains", ()))}
        self.inside.send("config", json={
            "generation": {"store": "s1", "counter": next(self.counter)},
            "hosted": [{"domain": COMPANY}],
            "partners": [*rows, *({"Domain": p, "PartnerType": "Federated"}
                                  for p in self.partners if p not in named)],
            "settings": settings})
        assert self.inside.wait("confirm")["status"] == "ok"

    def close(self):
        self.let_go()
        self.inside.close()
        try:
            self.edge.stop(20)
            assert not self.edge.reports()
        finally:
            self.run.close()
