"""An XMPP server's streams, byte by byte, for what no honest server does.

RawStream dials an edge as the initiating server; RawServer is dialled by it.
Both speak over blocking sockets in the caller's (or one own) thread: a test
reads like the conversation it holds.
"""

import base64
import functools
import re
import socket
import ssl
import threading
import time

from .journal import Journal

STREAM = ("<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
          "xmlns:stream='http://etherx.jabber.org/streams' "
          "from='{local}' to='{remote}' {more}version='1.0'>")
STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
PROCEED = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
SM = "urn:xmpp:sm:3"
SM_FEATURE = f"<sm xmlns='{SM}'/>"


class Ended(AssertionError):
    """The other side closed the connection."""


class Wire:
    """Bytes both ways, and waiting for what must come."""

    def __init__(self, sock):
        self.sock = sock
        self.seen = ""          # all that came in since the last take
        self.closed = False

    def send(self, text):
        self.sock.sendall(text if isinstance(text, bytes) else text.encode())

    def read(self, timeout=5):
        """Some more text; Ended when there is no more, TimeoutError."""
        self.sock.settimeout(timeout)
        try:
            data = self.sock.recv(65536)
        except (ConnectionError, ssl.SSLError) as e:
            if isinstance(e, ssl.SSLWantReadError):
                return
            data = b""
        if not data:
            self.closed = True
            raise Ended(f"closed; seen before: {self.seen[-400:]}")
        self.seen += data.decode("utf-8", "replace")

    def until(self, pattern, timeout=10):
        """Takes everything up to and with the first match; the match."""
        end = time.monotonic() + timeout
        while True:
            found = re.search(pattern, self.seen, re.S)
            if found:
                self.seen = self.seen[found.end():]
                return found
            left = end - time.monotonic()
            if left <= 0:
                raise AssertionError(f"no {pattern} in {timeout:g} s; "
                                     f"seen: {self.seen[-600:]}")
            try:
                self.read(left)
            except TimeoutError:
                pass

    def drain(self, timeout=10):
        """Everything until the other side ends; fails if it does not."""
        end = time.monotonic() + timeout
        try:
            while time.monotonic() < end:
                try:
                    self.read(end - time.monotonic())
                except TimeoutError:
                    break
        except Ended:
            return self.seen
        raise AssertionError(f"still open after {timeout:g} s; "
                             f"seen: {self.seen[-600:]}")

    def close(self):
        self.closed = True
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


@functools.lru_cache(maxsize=128)
def client_context(ca, leaf):
    """Hundreds of streams share one: reading the files costs milliseconds."""
    context = ssl.create_default_context(cafile=ca)
    if leaf is not None:
        context.load_cert_chain(leaf.certificate, leaf.key)
    return context


class RawStream(Wire):
    """The initiating side of one s2s stream."""

    def __init__(self, address, port, local, remote, source=None):
        super().__init__(socket.create_connection(
            (address, port), 10, source and (source, 0)))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.local = local
        self.remote = remote

    def open(self, more=""):
        """Sends a header; returns the features that come back."""
        self.send(STREAM.format(local=self.local, remote=self.remote,
                                more=more))
        self.until(r"<stream:stream[^>]*>")
        return self.until(r"<stream:features\s*/>|"
                          r"<stream:features.*?</stream:features>")[0]

    def starttls(self, ca, leaf=None):
        self.send(STARTTLS)
        self.until(r"<proceed[^>]*/>")
        self.wrap(ca, leaf)

    def wrap(self, ca, leaf=None):
        self.sock.settimeout(10)
        self.sock = client_context(ca, leaf).wrap_socket(
            self.sock, server_hostname=self.remote)
        self.seen = ""

    def external(self, authzid=None):
        """Asks for EXTERNAL; returns success or the failure's condition."""
        who = authzid if authzid is not None else self.local
        data = base64.b64encode(who.encode()).decode() or "="
        self.send(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>{data}</auth>")
        found = self.until(r"<success[^>]*/>|<failure[^>]*>\s*<([a-z-]+)")
        return found[1] or "success"

    def authenticate(self, ca, leaf):
        """The whole way to an open, authenticated stream."""
        self.open()
        self.starttls(ca, leaf)
        features = self.open()
        assert "EXTERNAL" in features, features
        assert self.external() == "success"
        self.open()
        return self

    def message(self, sender, to, body, id="m1"):
        self.send(f"<message from='{sender}' to='{to}' id='{id}' "
                  f"type='chat'><body>{body}</body></message>")


class RawServer:
    """The receiving side: authenticates the edge by EXTERNAL, then hands
    each stanza to a test's function.

    on_stanza(text, wire) runs in a thread of the connection; the journal has
    stream, stanza (text, wire) and ended.
    """

    def __init__(self, run, domain, leaf, address, port,
                 on_stanza=None):
        self.run = run
        self.domain = domain
        self.address = address
        self.port = port
        self.on_stanza = on_stanza
        # What tests turn before the start: a stage from which on nothing is
        # answered; whether the open stream is never read.
        self.silent_at = None
        self.deaf = False
        self.managed = None     # or "enabled", "counting": see _manage
        self.journal = Journal(domain)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(leaf.certificate, leaf.key)
        # It believes the edge: Python's TLS refuses a client whose
        # certificate is good for servers only, as the public ones are.
        self.context.verify_mode = ssl.CERT_NONE
        self.wires = []
        self.listener = None

    def start(self):
        self.listener = socket.create_server((self.address, self.port))
        if self.deaf:       # the kernel reads little in its stead
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                     4096)
        threading.Thread(target=self._accept, daemon=True).start()
        self.run.on_close(self.stop)
        return self

    def stop(self):
        if self.listener is not None:
            # shutdown wakes the thread in accept(); close alone does not.
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        for wire in list(self.wires):
            wire.close()

    def _accept(self):
        listener = self.listener
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,),
                             daemon=True).start()

    def _header(self, wire, features):
        wire.until(r"<stream:stream[^>]*>", 60)
        wire.send(STREAM.format(local=self.domain, remote="contoso.example",
                                more="id='s1' ")
                  + f"<stream:features>{features}</stream:features>")

    def proceed(self, wire):
        wire.send(PROCEED)

    def _falls_silent(self, wire, stage):
        """The rest of the connection, if it is to end there: heard, but
        without an answer."""
        if self.silent_at == stage:
            wire.until("(?!)", 3600)

    def _manage(self, wire, name):
        """Stream management, as far as `managed` says: "enabled" answers no
        requests, "counting" does."""
        self.journal.add("sm", name=name, wire=wire)
        if name == "enable":
            wire.handled = 0
            wire.send(f"<enabled xmlns='{SM}'/>")
        elif self.managed == "counting":
            wire.send(f"<a xmlns='{SM}' h='{wire.handled}'/>")

    def _serve(self, sock):
        wire = Wire(sock)
        wire.handled = 0
        self.wires.append(wire)
        try:
            self._falls_silent(wire, "accepted")
            self._header(wire, STARTTLS.replace("/>", "><required/>"
                                                "</starttls>"))
            wire.until(r"<starttls[^>]*(/>|>\s*</starttls>)")
            self._falls_silent(wire, "starttls")
            self.proceed(wire)
            sock.settimeout(10)
            wire.sock = self.context.wrap_socket(sock, server_side=True)
            wire.seen = ""
            self._falls_silent(wire, "tls")
            self._header(wire, f"<mechanisms xmlns='{SASL}'>"
                         "<mechanism>EXTERNAL</mechanism></mechanisms>")
            wire.until(r"<auth[^>]*>[^<]*</auth>")
            self._falls_silent(wire, "auth")
            wire.send(f"<success xmlns='{SASL}'/>")
            self._falls_silent(wire, "success")
            self._header(wire, SM_FEATURE if self.managed else "")
            self.journal.add("stream", wire=wire)
            while self.deaf and not wire.closed:
                time.sleep(0.05)
            while True:
                found = wire.until(
                    r"<(message|presence|iq|enable|r)\b[^>]*?"
                    r"(?:/>|(?<!/)>.*?</\1>)", 3600)
                text = found[0]
                if found[1] in ("enable", "r"):
                    self._manage(wire, found[1])
                    continue
                wire.handled += 1
                self.journal.add("stanza", text=text, wire=wire)
                if self.on_stanza is not None:
                    self.on_stanza(text, wire)
        except (Ended, OSError, AssertionError) as e:
            self.journal.add("ended", reason=str(e), wire=wire)
        finally:
            wire.close()
