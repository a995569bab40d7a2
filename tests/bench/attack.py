#!/usr/bin/python3 -B
"""One who attacks an edge, as a process of his own, so that what is measured
beside him is not slowed by his Python.

Standard input is one line of JSON: where, as whom, what, how many.  He writes
"ready" when his crowd stands, and goes on until his standard input ends; then
a line of JSON with what became of it.
"""

import collections
import json
import os
import random
import resource
import select
import ssl
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

from lib.crowded_edge import COMPANY, Crowd, partner_name       # noqa: E402
from lib.xmpp_peer import STARTTLS, STREAM, client_context      # noqa: E402

BOMB = ("<!DOCTYPE a [<!ENTITY a0 'ha'>" + "".join(
    f"<!ENTITY a{i} '&a{i - 1};&a{i - 1};'>" for i in range(1, 30)) + "]>")
KINDS = {
    "entities": BOMB + "<message><body>&a29;</body></message>",
    "attributes": "<message" + "".join(f" a{i}=''" for i in range(100000)),
    "namespaces": "<message" + "".join(
        f" xmlns:a{i}='u{i}'" for i in range(100000)),
    "attribute": "<message a='" + "x" * (4 << 20),
    "depth": "<a>" * 100000,
    "children": "<message>" + "<a/>" * 100000,
}


class Leaf:
    def __init__(self, certificate, key):
        self.certificate, self.key = certificate, key


class Where:
    """Stands for edge and authority of another process."""

    def __init__(self, plan):
        self.address, self.port = plan["address"], plan["port"]
        self.certificate = plan["authority"]
        self.leaves = plan["leaves"]

    def leaf(self, name):
        if name not in self.leaves:
            raise KeyError(name)
        if not isinstance(self.leaves[name], Leaf):
            self.leaves[name] = Leaf(*self.leaves[name])
        return self.leaves[name]


class Attack:
    def __init__(self, plan):
        where = Where(plan)
        self.crowd = Crowd(where, where, len(plan["leaves"]))
        for _ in range(plan.get("skip", 0)):
            next(self.crowd.addresses)
        self.count = plan["count"]
        self.done = collections.Counter()
        self.over = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        sys.stdin.read()
        self.over.set()

    def ready(self):
        print("ready", flush=True)

    # --- the kinds --------------------------------------------------------

    def half_open(self):
        """Say hello, and no more; who is thrown out comes again."""
        hello = STREAM.format(local=partner_name(0), remote=COMPANY,
                              more="").encode()
        sockets = collections.deque()
        while not self.over.is_set():
            try:
                sock = self.crowd.connect()
                sock.sendall(hello)
                sockets.append(sock)
                self.done["connected"] += 1
            except OSError:
                self.done["refused"] += 1
            if len(sockets) > self.count:
                sockets.popleft().close()
            if self.done["connected"] == self.count:
                self.ready()
        self.done["held"] = len(sockets)

    def half_handshake(self):
        """STARTTLS, the first words of TLS, and silence; many at a time."""
        context = client_context(self.crowd.public.certificate, None)
        held = collections.deque()
        while not self.over.is_set():
            try:
                stream = self.crowd.stream(partner_name(0))
                stream.open()
                stream.send(STARTTLS)
                stream.until("<proceed[^>]*/>", 2)
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                try:
                    context.wrap_bio(incoming, outgoing,
                                     server_hostname=COMPANY).do_handshake()
                except ssl.SSLWantReadError:
                    pass
                stream.send(outgoing.read())
                stream.sock.settimeout(2)
                stream.sock.recv(1)         # it has done its part
                held.append(stream)
                self.done["half"] += 1
            except (AssertionError, OSError):
                self.done["refused"] += 1
                stream.close()
            while len(held) > 400:
                held.popleft().close()
            self.crowd.streams.clear()
            if self.done["half"] == self.count:
                self.ready()

    def bombs(self):
        """Authenticated, each kind again and again."""
        self.ready()
        for kind in self._forever(list(KINDS)):
            domain = random.choice(self.crowd.partners)
            try:
                stream = self.crowd.partner(domain)
                stream.send(KINDS[kind])
                stream.drain(5)
            except (AssertionError, OSError):
                pass
            self.done[kind] += 1
            self.crowd.let_go()

    def floods(self):
        """Each stream sends stanzas as fast as it is read."""
        streams = self.crowd.crowd(self.count)
        self.ready()
        poll = select.poll()
        by_fd = {}
        for stream in streams:
            stream.sock.setblocking(False)
            poll.register(stream.sock, select.POLLOUT)
            by_fd[stream.sock.fileno()] = stream
            stream.left = memoryview(b"")
            stream.text = "".join(
                f"<message from='u{i}@{stream.local}' id='f{i}' "
                f"to='nobody{i}@{COMPANY}' type='chat'><body>flood</body>"
                "</message>" for i in range(40)).encode()
        while not self.over.is_set() and by_fd:
            for fd, _ in poll.poll(100):
                self._push(poll, by_fd, fd)
        self.done["streams"] = len(by_fd)

    def _push(self, poll, by_fd, fd):
        stream = by_fd[fd]
        if not stream.left:
            stream.left = memoryview(stream.text)
        try:
            sent = stream.sock.send(stream.left)
            stream.left = stream.left[sent:]
            self.done["stanzas"] += 0 if stream.left else 40
        except ssl.SSLWantWriteError:
            self.done["held up"] += 1
        except ssl.SSLWantReadError:
            pass
        except OSError:
            poll.unregister(fd)
            del by_fd[fd]
            self.done["ended"] += 1

    def large(self):
        """Each stream in the middle of the largest stanza."""
        streams = self.crowd.crowd(self.count)
        for stream in streams:
            try:
                stream.send(b"<message><body>" + b"x" * 250000)
                self.done["sent"] += 1
            except OSError:
                self.done["ended"] += 1
        self.ready()
        self.over.wait()

    def drips(self):
        """Half of them write a byte a second, half ask and never read."""
        streams = self.crowd.crowd(self.count)
        writers, askers = streams[::2], streams[1::2]
        for stream in askers:
            stream.send("<enable xmlns='urn:xmpp:sm:3'/>")
        for stream in streams:
            stream.sock.settimeout(0.02)
        self.ready()
        text = b"<message><body>" + b"x" * 10000
        for i in range(10000):
            for stream in writers:
                self._try(stream, text[i:i + 1])
            for stream in askers:
                self._try(stream, b"<r xmlns='urn:xmpp:sm:3'/>" * 200)
            if self.over.wait(1):
                return

    def _try(self, stream, data):
        try:
            stream.send(data)
            self.done["sent"] += 1
        except OSError:
            self.done["not taken"] += 1

    def _forever(self, items):
        while not self.over.is_set():
            yield from items


def main():
    # As many descriptors as there may be: the largest crowd has 16 000.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    plan = json.loads(sys.stdin.readline())
    attack = Attack(plan)
    begun = time.monotonic()
    getattr(attack, plan["kind"])()
    attack.done["seconds"] = round(time.monotonic() - begun)
    print(json.dumps(attack.done), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
