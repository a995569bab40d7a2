"""A component (XEP-0114) of a Prosody host: load without rosters.

It writes stanzas as text, counts the messages that come in and answers
pings; nothing is parsed beyond what that needs, so that the load costs little
beside what is measured.  Who wants to know each message overrides on_message.
"""

import hashlib
import re
import socket
import threading
import time

BODY = re.compile(rb"<body>")
PING = re.compile(rb"""<iq\b[^>]*\btype=['"]get['"][^>]*>""")
ENDS = (b"</message>", b"</iq>", b"</presence>")
ERROR = re.compile(rb"""<message[^>]*\btype=['"]error['"]""")
MESSAGE = re.compile(rb"(<message\b[^>]*>)(.*?)</message>", re.S)


def attribute(tag, name):
    found = re.search(rb"\b" + name + rb"=(['\"])(.*?)\1", tag)
    return found[2] if found else b""


class Component:
    def __init__(self, address, port, domain, secret, on_message=None):
        self.domain = domain
        self.on_message = on_message        # (start tag, what is inside)
        self.sock = socket.create_connection((address, port), 10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.sendall(
            "<stream:stream xmlns='jabber:component:accept' "
            "xmlns:stream='http://etherx.jabber.org/streams' "
            f"to='{domain}'>".encode())
        head = self._until(rb"<stream:stream[^>]*\bid=['\"]([^'\"]+)")
        digest = hashlib.sha1(head[1] + secret.encode()).hexdigest()
        self.sock.sendall(f"<handshake>{digest}</handshake>".encode())
        self._until(rb"<handshake\s*/>")
        self.writing = threading.Lock()     # two threads write
        self.received = 0
        self.seen = BODY            # what counts as one
        self.ends = ENDS            # of stanzas that matter
        self.errors = 0
        self.lost = threading.Event()       # the server closed
        self.changed = threading.Condition()
        threading.Thread(target=self._count, daemon=True).start()

    def _until(self, pattern):
        seen = b""
        while True:
            found = re.search(pattern, seen)
            if found:
                return found
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionError(f"component refused: {seen[-300:]!r}")
            seen += data

    def _count(self):
        self.sock.settimeout(None)
        rest = b""
        while True:
            try:
                data = self.sock.recv(262144)
            except OSError:
                data = b""
            if not data:
                self.lost.set()
                return
            # Whole stanzas only; what is cut waits for its end.
            data = rest + data
            cut = max(data.rfind(end) + len(end) if end in data else 0
                      for end in self.ends)
            rest, data = data[cut:], data[:cut]
            self._answer_pings(data)
            if self.on_message is not None:
                for tag, inside in MESSAGE.findall(data):
                    self.on_message(tag, inside)
            with self.changed:
                self.errors += len(ERROR.findall(data))
                self.received += len(self.seen.findall(data))
                self.changed.notify_all()

    def _answer_pings(self, data):
        for ping in PING.findall(data):
            id, sender, to = (attribute(ping, name)
                              for name in (b"id", b"from", b"to"))
            try:
                self.send(b"<iq type='result' id='" + id + b"' from='" + to
                          + b"' to='" + sender + b"'/>")
            except OSError:
                return              # recv tells

    def send(self, text):
        with self.writing:
            self.sock.sendall(text if isinstance(text, bytes)
                              else text.encode())

    def wait(self, count, timeout):
        """Until that many bodies came in; returns how many did."""
        end = time.monotonic() + timeout
        with self.changed:
            while self.received < count and time.monotonic() < end:
                self.changed.wait(0.1)
            return self.received

    def close(self):
        self.sock.close()
