"""A front end of a pool, faked down to single lines, for what no SIP proxy
does: it speaks mutual TLS with the gateway directly and can be rude.

As a server it takes the gateway's connections; connect() makes one toward
the gateway, as front ends do.  It answers what its script says: `script` maps
a method to a function (request, connection) that answers or does not; what
is not in it is answered as a plain client would.

Journal kinds: request (method, call_id, request, connection), response
(status, method, response), accepted, closed.
"""

import asyncio
import base64

from . import sip
from .journal import Journal


class FrontEnd:
    def __init__(self, run, authority, host=41, name="fe2.contoso.example",
                 pool="pool.contoso.example", domain="contoso.example",
                 leaf=None):
        self.run = run
        self.name = name
        self.pool = pool
        self.domain = domain
        self.leaf = leaf or authority.leaf(name, name, pool)
        self.ca = authority.certificate
        self.address = run.address(host)
        self.port = run.port(self.address, 25061)
        self.journal = Journal(name)
        self.script = {}
        self.server = None
        self.stopped = False
        self.connections = []
        self.pending = {}
        self.route = (f"<sip:{pool}:{self.port};transport=tls;"
                      f"ms-fe={name};opaque=state:F:Ci.R77;lr;"
                      "ms-route-sig=bXq-_Zz09AbCdEfGh>;tag=9F0C")

    # --- as a server ------------------------------------------------------

    async def _listen(self):
        self.stopped = False
        context = sip.server_context(self.ca, self.leaf)

        def on_connection(reader, writer):
            conn = sip.Connection(reader, writer, self._on_message,
                                  self._on_closed)
            self.connections.append(conn)
            self.journal.add("accepted", names=tuple(conn.peer_names()),
                             connection=conn)

        self.server = await asyncio.start_server(
            on_connection, self.address, self.port, ssl=context,
            limit=sip.Connection.LIMIT)

    async def _stop(self):
        self.stopped = True
        if self.server is not None:
            self.server.close()
            self.server = None
        for conn in list(self.connections):
            conn.close()

    def _on_closed(self, conn):
        if conn in self.connections:
            self.connections.remove(conn)
        self.journal.add("closed", connection=conn)
        for via, future in self.pending.values():
            if via is conn and not future.done():
                future.set_exception(ConnectionError("connection closed"))

    def _on_message(self, message, conn):
        if not message.request:
            self.journal.add("response", status=message.status,
                             method=message.method, response=message)
            _, future = self.pending.get((message.call_id, message.cseq),
                                         (None, None))
            if future is not None and message.status >= 200:
                if not future.done():
                    future.set_result(message)
            return
        self.journal.add("request", method=message.method, request=message,
                         call_id=message.call_id, connection=conn)
        handler = self.script.get(message.method, self._plain)
        handler(message, conn)

    def _plain(self, message, conn):
        if message.method == "ACK":
            return
        if message.method == "INVITE":
            self.accept(message, conn)
            return
        conn.send(message.answer(200, "OK"))

    # --- what scripts use, in the loop's thread -----------------------------

    def gruu(self, user):
        return f"sip:{user};opaque=user:epid:ExampleEpidToken1234AA;gruu"

    def accept(self, message, conn, tag="b2b2b2", routes=True, supported=()):
        """200 to an INVITE, with a GRUU Contact and the pool's route."""
        user = sip.address_of(message.get("To"))
        reply = message.answer(200, "OK", tag, [
            ("Contact", f"<{self.gruu(user)}>"),
            *[("Supported", s) for s in supported],
            ("Server", "RTC/6.0"),
            ("Content-Type", "application/sdp")],
            sdp(self.address, "sip null"))
        if routes:
            reply.headers.insert(1, ("Record-Route", self.route))
        conn.send(reply)

    # --- toward the gateway -------------------------------------------------

    async def _connect(self, address, port):
        conn = await sip.Connection.open(
            address, port, sip.client_context(self.ca, self.leaf),
            self._on_message, self._on_closed, source=(self.address, 0))
        if self.stopped:        # meanwhile: one that is down has none
            conn.close()
            raise ConnectionError("the front end has stopped")
        self.connections.append(conn)
        return conn

    async def _transact(self, conn, data, call_id, cseq, timeout):
        future = asyncio.get_running_loop().create_future()
        self.pending[(call_id, cseq)] = (conn, future)
        conn.send(data)
        try:
            return await asyncio.wait_for(future, timeout)
        finally:
            self.pending.pop((call_id, cseq), None)

    # --- for tests -----------------------------------------------------------

    def start(self):
        self.run.wait(self._listen(), 10)
        self.run.on_close(self.stop)
        return self

    def stop(self):
        self.run.wait(self._stop(), 10)

    def connect(self, gateway):
        return self.run.wait(self._connect(gateway.address, gateway.port), 20)

    def drop(self, conn):
        """Ends a connection as a crash would."""
        self.run.loop.call_soon_threadsafe(conn.abort)

    def write(self, conn, data):
        self.run.loop.call_soon_threadsafe(conn.send, data)

    def transact(self, conn, message, timeout=20):
        return self.run.wait(self._transact(
            conn, message, message.call_id, message.cseq, timeout),
            timeout + 5)

    def negotiate(self, conn, timeout=5):
        """Asks for compression, as the first message on a connection: no
        branch, no user, Max-Forwards 0 (the MS-SIPCOMP shape)."""
        host, port = conn.local
        return self.transact(conn, sip.Message(
            f"NEGOTIATE sip:{conn.peer[0]}:{conn.peer[1]} SIP/2.0", [
                ("Via", f"SIP/2.0/TLS {host}:{port}"),
                ("CSeq", "1 NEGOTIATE"),
                ("Call-ID", sip.token()),
                ("From", f"<sip:{self.name}>;tag={sip.token(4)}"),
                ("To", f"<sip:{conn.peer[0]}>"),
                ("Compression", "LZ77-8K"),
                ("Max-Forwards", "0"),
                ("Content-Length", "0")]), timeout)

    def invite(self, conn, user, peer, text="Hello", body=None,
               content_type="application/sdp", headers=(), rtf=2000):
        """An INVITE with the traits of a front end: interleaved headers,
        Record-Route above and below, Supported spread over many lines, the
        first message three times in headers of some kilobytes."""
        host, port = conn.local
        b64 = base64.b64encode
        toast = b64(text.encode() + b"\r\n").decode()
        html = b64(f"<p>{text}</p>".encode()).decode()
        rich = b64(b"{\\rtf1 " + b"x" * rtf + b"}").decode()
        return sip.Message(f"INVITE sip:{peer} SIP/2.0", [
            ("Record-Route", self.route),
            ("Via", f"SIP/2.0/TLS {host}:{port};branch={sip.branch()};"
             'branched=FALSE;ms-internal-info="abCd.."'),
            ("Max-Forwards", "68"),
            ("Via", "SIP/2.0/TLS 198.51.100.7:52001;"
             "ms-received-port=52001;ms-received-cid=4C2100"),
            ("From", f'"Anna"<sip:{user}>;tag={sip.token(5)};'
             "epid=99aa88bb77"),
            ("To", f"<sip:{peer}>"),
            ("Call-ID", sip.token()),
            ("CSeq", "1 INVITE"),
            ("Contact", f"<{self.gruu(user)}>"),
            ("User-Agent", "UCCAPI/16.0.4600.1000 OC/16.0.4600.1000 "
             "(Skype for Business)"),
            ("Supported", "ms-dialog-route-set-update"),
            ("ms-text-format", f"text/plain; charset=UTF-8; ms-body={toast}"),
            ("ms-im-format", f"text/html; charset=UTF-8; ms-body={html}"),
            ("ms-im-format", f"text/rtf; charset=UTF-8; ms-body={rich}"),
            ("Supported", "ms-embedded-first-message"),
            ("Supported", "ms-delayed-accept"),
            ("Ms-Conversation-ID", b64(sip.token().encode()).decode()),
            ("Supported", "timer"),
            ("Roster-Manager", f"sip:{user}"),
            ("EndPoints", f"<sip:{user}>, <sip:{peer}>"),
            ("Supported", "com.microsoft.rtc-multiparty"),
            ("ms-keep-alive", "UAC;hop-hop=yes"),
            ("Allow", "INVITE, BYE, ACK, CANCEL, INFO, MESSAGE, UPDATE, "
             "REFER, NOTIFY, BENOTIFY"),
            ("Supported", "ms-conf-invite"),
            *headers,
            ("Content-Type", content_type),
            ("history-info", f"<sip:{peer}>;index=1"),
        ], sdp(host, "sip null") if body is None else body)

    def follow(self, conn, invite, response, method, cseq, body=b"",
               headers=()):
        """A request in the dialog that an INVITE of ours opened."""
        host, port = conn.local
        target = sip.uri_of(response.get("Contact"))
        return sip.Message(f"{method} {target} SIP/2.0", [
            ("Via", f"SIP/2.0/TLS {host}:{port};branch={sip.branch()}"),
            ("Max-Forwards", "69"),
            ("From", invite.get("From")),
            ("To", response.get("To")),
            ("Call-ID", invite.call_id),
            ("CSeq", f"{cseq} {method}"),
            *headers,
        ], body)


def sdp(host, where):
    return ("v=0\r\n"
            f"o=- 0 0 IN IP4 {host}\r\n"
            "s=session\r\n"
            f"c=IN IP4 {host}\r\n"
            "t=0 0\r\n"
            f"m=message 5060 {where}\r\n"
            "a=accept-types:text/plain multipart/alternative image/gif "
            "text/rtf text/html application/x-ms-ink application/ms-imdn+xml "
            "text/x-msmsgsinvite \r\n").encode()
