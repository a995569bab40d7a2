"""The channel between edge and gateway, spoken by a program of ours.

For what neither daemon can be made to do: lie, speak out of turn, come with a
wrong certificate.  Numbers and forms of frames and fields are read from
proto/frame_table.h, so this file knows none of its own.
"""

import hashlib
import json
import os
import re
import select
import socket
import ssl
import struct
import threading
import time
import uuid

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
FRAME_VERSION = 1

with open(os.path.join(ROOT, "proto", "channel.h"), encoding="utf-8") as _f:
    PROTOCOL_VERSION = int(re.search(r"CHANNEL_VERSION = (\d+)", _f.read())[1])


def _tables():
    with open(os.path.join(ROOT, "proto", "frame_table.h"),
              encoding="utf-8") as f:
        text = f.read().replace("\\\n", " ")
    types, fields = {}, {}
    for number, name in re.findall(r'X\(FRAME_\w+, (\d+), "([^"]+)"', text):
        types[name] = int(number)
    for tag, name, form in re.findall(
            r'X\(FIELD_\w+, (\d+), "([^"]+)", (\w+)', text):
        fields[name] = (int(tag), form)
    return types, fields


TYPES, FIELDS = _tables()
TYPE_NAMES = {v: k for k, v in TYPES.items()}
FIELD_NAMES = {tag: (name, form) for name, (tag, form) in FIELDS.items()}
STANZAS = ("message", "presence", "iq")


def encode(kind, /, frame_version=FRAME_VERSION, **fields):
    """One frame.  Underscores in names stand for hyphens; a list repeats."""
    body = bytes([frame_version, TYPES[kind] if isinstance(kind, str) else kind])
    for key, value in fields.items():
        tag, form = FIELDS[key.replace("_", "-")]
        for one in value if isinstance(value, list) else [value]:
            if form == "U64":
                data = struct.pack(">Q", one)
            elif form == "FLAG":
                data = b""
            elif form == "JSON" and not isinstance(one, (str, bytes)):
                data = json.dumps(one).encode()
            else:
                data = one if isinstance(one, bytes) else one.encode()
            body += struct.pack(">HI", tag, len(data)) + data
    return struct.pack(">I", len(body)) + body


def decode(body):
    """(type name, {field: value}) of a frame without its length."""
    kind, at, fields = TYPE_NAMES.get(body[1], body[1]), 2, {}
    while at < len(body):
        tag, size = struct.unpack_from(">HI", body, at)
        data = body[at + 6:at + 6 + size]
        at += 6 + size
        name, form = FIELD_NAMES.get(tag, (str(tag), "BYTES"))
        if form == "U64":
            value = struct.unpack(">Q", data)[0]
        elif form == "FLAG":
            value = True
        elif form == "JSON":
            value = json.loads(data)
            fields["json-text"] = data
        else:
            value = data.decode("utf-8", "replace")
        if name in fields:              # repeated: a list
            old = fields[name]
            value = (old if isinstance(old, list) else [old]) + [value]
        fields[name] = value
    return kind, fields


class Closed(Exception):
    """The other side ended the connection."""


class Peer:
    """One end of one channel connection.

    A thread reads while others write, and OpenSSL takes one call at a time:
    none of them ever waits within the library.
    """

    def __init__(self, sock, node, boot=None):
        self.sock = sock
        self.node = node
        self.boot = boot or uuid.uuid4().hex
        self.seq = 0
        self.frames = []
        self.closed = threading.Event()
        self._more = threading.Condition()
        self._reader = None
        self._tls = threading.Lock()
        self._sending = threading.Lock()

    def start(self):
        self.sock.setblocking(False)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _receive(self):
        """What has come next; b"" at the end."""
        while True:
            try:
                with self._tls:
                    return self.sock.recv(65536)
            except ssl.SSLWantReadError:
                select.select([self.sock], [], [])
            except ssl.SSLWantWriteError:
                select.select([], [self.sock], [])

    def _read(self):
        data = b""
        try:
            while True:
                got = self._receive()
                if not got:
                    break
                data += got
                while len(data) >= 4:
                    size = struct.unpack_from(">I", data)[0]
                    if len(data) < 4 + size:
                        break
                    frame = decode(data[4:4 + size])
                    data = data[4 + size:]
                    self._take(*frame)
        except (OSError, ValueError):   # ValueError: we have closed it
            pass
        with self._more:
            self.closed.set()
            self._more.notify_all()

    def _take(self, kind, fields):
        if kind == "ping":
            self.send("pong", result_seen=0)
        with self._more:
            self.frames.append((kind, fields))
            self._more.notify_all()

    def send(self, kind, /, **fields):
        self.send_raw(encode(kind, **fields))

    def send_raw(self, data):
        left = memoryview(data)
        try:
            with self._sending:
                while left:
                    left = left[self._write(left):]
        except (OSError, ValueError) as e:
            raise Closed(str(e)) from e

    def _write(self, data):
        """As much as goes now; waits if that is nothing."""
        try:
            with self._tls:
                return self.sock.send(data)
        except ssl.SSLWantWriteError:
            select.select([], [self.sock], [])
        except ssl.SSLWantReadError:
            select.select([self.sock], [], [])
        return 0

    def hello(self, kind, /, **more):
        """Our hello or welcome."""
        fields = dict(version=PROTOCOL_VERSION, node=self.node, boot=self.boot,
                      peer_boot="", send_base=1, result_seen=0,
                      credit_seq=1000000, credit_bytes=1 << 40)
        fields.update(more)
        if not fields["peer_boot"]:
            del fields["peer_boot"]
        self.send(kind, **fields)

    def stanza(self, kind, /, **fields):
        """A stanza frame with the next number; returns the number."""
        self.seq += 1
        self.send(kind, seq=self.seq, **fields)
        return self.seq

    def wait(self, kind, /, timeout=10, **match):
        """The first frame of that kind whose fields match; it is taken off."""
        end = time.monotonic() + timeout
        with self._more:
            while True:
                for i, (k, f) in enumerate(self.frames):
                    if k == kind and all(
                            f.get(n.replace("_", "-")) == v
                            for n, v in match.items()):
                        del self.frames[i]
                        return f
                left = end - time.monotonic()
                if self.closed.is_set():
                    raise Closed(f"closed while waiting for {kind} {match};"
                                 f" had {self.frames}")
                if left <= 0:
                    raise AssertionError(
                        f"no {kind} {match} in {timeout} s;"
                        f" had {self.frames}")
                self._more.wait(left)

    def take(self, kind):
        """All frames of a kind that have come; they are taken off."""
        with self._more:
            taken = [f for k, f in self.frames if k == kind]
            self.frames = [(k, f) for k, f in self.frames if k != kind]
        return taken

    def deaf(self):
        """Held (with), nothing is read."""
        return self._tls

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


def _context(server, certificate, key, trust, versions=None):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server
                         else ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_REQUIRED
    ctx.load_verify_locations(trust)
    if certificate:
        ctx.load_cert_chain(certificate, key)
    if versions:
        ctx.minimum_version, ctx.maximum_version = versions
    return ctx


def dial(address, node, certificate, key, trust, boot=None, versions=None,
         timeout=5):
    """A connection to an edge's inner port, as a gateway makes it."""
    raw = socket.create_connection(address, timeout=timeout)
    sock = _context(False, certificate, key, trust, versions).wrap_socket(raw)
    sock.settimeout(None)
    peer = Peer(sock, node, boot)
    peer.start()
    return peer


class FakeEdge:
    """An edge's inner port: accepts a gateway and says welcome to it."""

    def __init__(self, address, node, certificate, key, trust):
        self.node = node
        self.boot = uuid.uuid4().hex
        self._ctx = _context(True, certificate, key, trust)
        self._listener = socket.create_server(address, reuse_port=False)
        self._peers = []
        self._more = threading.Condition()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                raw, _ = self._listener.accept()
                sock = self._ctx.wrap_socket(raw, server_side=True)
            except ssl.SSLError:
                continue
            except OSError:
                return
            peer = Peer(sock, self.node, self.boot)
            peer.start()
            with self._more:
                self._peers.append(peer)
                self._more.notify_all()

    def gateway(self, timeout=10, honest=False):
        """The next gateway that connects, after hello and welcome; its
        configuration is confirmed, with its hash by an honest edge."""
        with self._more:
            if not self._more.wait_for(lambda: self._peers, timeout):
                raise AssertionError("no gateway dialled")
            peer = self._peers.pop(0)
        peer.wait("hello", timeout)
        peer.hello("welcome")
        config = peer.wait("config", timeout)
        generation = config["json"]["generation"]
        confirmed = dict(store=generation["store"],
                         counter=generation["counter"])
        if honest:
            confirmed["hash"] = hashlib.sha256(
                config["json-text"]).hexdigest()
        peer.send("confirm", status="ok", json=confirmed)
        peer.config = config["json"]
        return peer

    def close(self):
        self._listener.close()
        with self._more:
            for peer in self._peers:
                peer.close()
