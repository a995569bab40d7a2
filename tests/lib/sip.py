"""SIP as bytes: messages that keep every header line as it was, and a
connection that frames them by Content-Length over TLS.

Nothing here is clever on purpose: tests compare lines byte for byte, and a
rude peer must be able to send what no library would.
"""

import asyncio
import re
import secrets
import ssl

COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact",
           "l": "content-length", "c": "content-type", "k": "supported",
           "o": "event", "s": "subject"}


class Malformed(Exception):
    pass


class Message:
    """A request or response.  Headers are (name, value) in wire order."""

    def __init__(self, start, headers=(), body=b""):
        self.start = start
        self.headers = list(headers)
        self.body = body

    @classmethod
    def parse(cls, head, body=b""):
        lines = head.split("\r\n")
        headers = []
        for line in lines[1:]:
            if not line:
                continue
            if line[0] in " \t" and headers:
                name, value = headers[-1]
                headers[-1] = (name, value + " " + line.strip())
                continue
            name, colon, value = line.partition(":")
            if not colon:
                raise Malformed(line)
            headers.append((name.strip(), value.strip()))
        return cls(lines[0], headers, body)

    # --- reading ---------------------------------------------------------

    def all(self, name):
        name = name.lower()
        return [v for n, v in self.headers
                if COMPACT.get(n.lower(), n.lower()) == name]

    def get(self, name, default=""):
        values = self.all(name)
        return values[0] if values else default

    @property
    def request(self):
        return not self.start.startswith("SIP/2.0 ")

    @property
    def method(self):
        """Of a response: the method it answers."""
        if self.request:
            return self.start.split(" ", 1)[0]
        return self.get("CSeq").split()[-1]

    @property
    def uri(self):
        return self.start.split(" ")[1]

    @property
    def status(self):
        return int(self.start.split(" ")[1])

    @property
    def call_id(self):
        return self.get("Call-ID")

    @property
    def cseq(self):
        return int(self.get("CSeq").split()[0])

    def tag(self, name):
        found = re.search(r";\s*tag=([^;\s]+)", after_angle(self.get(name)))
        return found[1] if found else ""

    def tokens(self, name):
        """Tokens of a list header over all its lines."""
        return [t.strip() for v in self.all(name) for t in v.split(",")
                if t.strip()]

    def text(self):
        return self.body.decode("utf-8", "replace")

    # --- writing ---------------------------------------------------------

    def add(self, name, value):
        self.headers.append((name, value))
        return self

    def bytes(self):
        lines = [self.start]
        lengths = False
        for name, value in self.headers:
            lengths = lengths or name.lower() in ("content-length", "l")
            lines.append(f"{name}: {value}")
        if not lengths:
            lines.append(f"Content-Length: {len(self.body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + self.body

    def answer(self, status, reason, tag="", headers=(), body=b""):
        """A response as RFC 3261 8.2.6.2 builds it: Vias byte for byte."""
        reply = Message(f"SIP/2.0 {status} {reason}")
        for name in ("Via", "Record-Route", "From"):
            if name == "Record-Route" and status == 100:
                continue
            for value in self.all(name):
                reply.add(name, value)
        to = self.get("To")
        if tag and not self.tag("To"):
            to += f";tag={tag}"
        reply.add("To", to)
        reply.add("Call-ID", self.call_id).add("CSeq", self.get("CSeq"))
        for name, value in headers:
            reply.add(name, value)
        reply.body = body
        return reply

    def __repr__(self):
        return self.start


def after_angle(value):
    """What follows the <uri>: parameters of the header, not of the URI."""
    return value.rsplit(">", 1)[-1] if ">" in value else value


def uri_of(value):
    """The URI of a From, To, Contact or Route value."""
    found = re.search(r"<([^>]*)>", value)
    return found[1] if found else value.split(";")[0].strip()


def address_of(value):
    """user@host of such a value, lower case."""
    found = re.match(r"sips?:([^;?>]+)", uri_of(value))
    return found[1].lower() if found else ""


def token(size=8):
    return secrets.token_hex(size)


def branch():
    return "z9hG4bK" + token()


def client_context(ca, leaf=None):
    ctx = ssl.create_default_context(cafile=ca)
    ctx.check_hostname = False      # the name is checked where it matters
    if leaf is not None:
        ctx.load_cert_chain(leaf.certificate, leaf.key)
    return ctx


def server_context(ca, leaf):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(leaf.certificate, leaf.key)
    ctx.load_verify_locations(ca)
    ctx.verify_mode = ssl.CERT_REQUIRED
    return ctx


class Connection:
    """One TLS connection; on_message and on_close run in the loop."""

    LIMIT = 4 * 1024 * 1024

    def __init__(self, reader, writer, on_message, on_close=None):
        self.reader = reader
        self.writer = writer
        self.on_message = on_message
        self.on_close = on_close
        self.closed = False
        # Now: a closed connection has forgotten them.
        self.local = writer.get_extra_info("sockname")[:2]
        self.peer = writer.get_extra_info("peername")[:2]
        self.task = asyncio.ensure_future(self._read())

    @classmethod
    async def open(cls, address, port, context, on_message, on_close=None,
                   name=None, source=None):
        reader, writer = await asyncio.open_connection(
            address, port, ssl=context, server_hostname=name or address,
            local_addr=source, limit=cls.LIMIT)
        return cls(reader, writer, on_message, on_close)

    def peer_names(self):
        cert = self.writer.get_extra_info("peercert") or {}
        return [v for k, v in cert.get("subjectAltName", ()) if k == "DNS"]

    def send(self, message):
        data = message if isinstance(message, bytes) else message.bytes()
        self.writer.write(data)

    async def _read(self):
        try:
            while True:
                head = await self.reader.readuntil(b"\r\n\r\n")
                # CRLF keep-alives between messages (RFC 3261 7.5).
                head = head.lstrip(b"\r\n")
                if not head:
                    continue
                message = Message.parse(head.decode("utf-8", "replace"))
                length = int(message.get("Content-Length", "0"))
                message.body = await self.reader.readexactly(length)
                self.on_message(message, self)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError,
                asyncio.CancelledError):
            pass
        finally:
            self.close()
            if self.on_close is not None:
                self.on_close(self)

    def close(self):
        if not self.closed:
            self.closed = True
            self.writer.close()

    def abort(self):
        """Ends the connection as a crash would: no close_notify, RST."""
        self.closed = True
        self.writer.transport.abort()
