"""A Lync user's client behind the pool: SIP as UCCAPI clients speak it.

It registers with the pool over TLS and holds one-to-one chats as INVITE
sessions.  The traits marked (observed) are those that clients of Lync 2013
and Skype for Business 2015/2016 were seen with behind a front end; those
marked [MS-SIP] are stated there.

Journal kinds: message (sender, body, call_id, request), invite (sender,
call_id, request), bye (sender, call_id), typing (sender, state), sent
(to, status, reason, response), opened (to, status, response); and those of
lync_watcher.
"""

import asyncio
import base64
import re
import uuid

from . import documents, sip
from .journal import Journal
from .lync_watcher import Watching

ALLOW = ("INVITE, BYE, ACK, CANCEL, INFO, MESSAGE, UPDATE, REFER, NOTIFY, "
         "BENOTIFY")
AGENT = "UCCAPI/16.0.4600.1000 OC/16.0.4600.1000 (Skype for Business)"
# The formats a client offers for instant messages (observed); the trailing
# blank before the line's end is real.
OFFER_TYPES = ("text/plain multipart/alternative image/gif text/rtf text/html "
               "application/x-ms-ink application/ms-imdn+xml "
               "text/x-msmsgsinvite ")

HANDLERS = {
    "INVITE": "_on_invite", "ACK": "_on_ack", "BYE": "_on_bye",
    "CANCEL": "_on_cancel", "INFO": "_on_info", "OPTIONS": "_on_options",
    "UPDATE": "_on_update", "MESSAGE": "_on_message_request",
    "NOTIFY": "_on_notify", "BENOTIFY": "_on_notify",
}


class Refused(AssertionError):
    """The other side answered an error; .response has it."""

    def __init__(self, response):
        super().__init__(response.start)
        self.response = response
        self.status = response.status


class Dialog:
    """One chat window's SIP dialog."""

    def __init__(self, peer, call_id, local, remote, cseq=0):
        self.peer = peer            # user@host
        self.call_id = call_id
        self.local = local          # From of our requests
        self.remote = remote        # To of our requests
        self.cseq = cseq
        self.target = None
        self.routes = []
        self.confirmed = False
        self.conversation = ""
        self.lock = asyncio.Lock()


class LyncClient(Watching):
    def __init__(self, run, user, address, port, ca, name="",
                 pool_name="pool.contoso.example"):
        self.run = run
        self.user = user                        # anna@contoso.example
        self.domain = user.split("@")[1]
        self.display = name
        self.address = (address, port)
        self.pool_name = pool_name
        self.context = sip.client_context(ca)
        self.journal = Journal(f"sip:{user}")
        # An endpoint id of up to 16 characters stands as a parameter of
        # From and To [MS-SIP 2.2.1].
        self.epid = sip.token(5)
        self.instance = uuid.uuid5(uuid.NAMESPACE_OID, self.epid)
        self.gruu = f"sip:{user};opaque=user:epid:{sip.token(11)}AA;gruu"
        self.connection = None
        self.dialogs = {}           # by Call-ID
        self.current = {}           # peer -> dialog to write in
        self.pending = {}           # (call id, cseq, method) -> future
        self.inviting = {}          # Call-ID -> INVITE we have not answered
        self.published = ""         # the entity tag of its own presence
        self.renewal = None
        # What tests turn:
        self.answer_after = 0.0     # several endpoints accept late (observed)
        self.takes_toast = False    # lists ms-text-format in its 200
        self.accepts = "text/plain "    # the formats that its 200 lists
        self.invite_status = None   # (486, "Busy Here") refuses chats
        self.message_status = None  # the same for MESSAGE
        self.silent = False         # answers nothing at all

    # --- connection and registration -------------------------------------

    async def _connect(self):
        self.connection = await sip.Connection.open(
            *self.address, self.context, self._on_message, self._on_closed,
            name=self.pool_name)

    def _on_closed(self, _):
        self.journal.add("closed")
        for future in self.pending.values():
            if not future.done():
                future.set_exception(ConnectionError("pool closed"))
        self.pending.clear()

    def _via(self):
        host, port = self.connection.local
        return f"SIP/2.0/TLS {host}:{port};branch={sip.branch()}"

    def _from(self, tag):
        # No blank between display name and URI (observed).
        return f'"{self.display}"<sip:{self.user}>;tag={tag};epid={self.epid}'

    async def _register(self, expires):
        host, port = self.connection.local
        request = sip.Message(f"REGISTER sip:{self.domain} SIP/2.0", [
            ("Via", self._via()),
            ("Max-Forwards", "70"),
            ("From", self._from(sip.token(5))),
            ("To", f"<sip:{self.user}>"),
            ("Call-ID", sip.token()),
            ("CSeq", "1 REGISTER"),
            # proxy=replace asks the server to put in the address it sees
            # [MS-SIP 3.1.5.3]; the instance comes from the epid.
            ("Contact", f"<sip:{host}:{port};transport=tls;"
             f"ms-opaque={sip.token(5)}>;"
             'methods="INVITE, MESSAGE, INFO, OPTIONS, BYE, CANCEL, NOTIFY, '
             'ACK, REFER, BENOTIFY";proxy=replace;'
             f'+sip.instance="<urn:uuid:{self.instance}>"'),
            ("User-Agent", AGENT),
            ("Supported", "gruu-10, adhoclist, msrtc-event-categories"),
            ("Supported", "ms-forking"),
            ("ms-keep-alive", "UAC;hop-hop=yes"),
            ("Event", "registration"),
            ("Expires", str(expires)),
        ])
        response = await self._transact(request, 10)
        if response.status != 200:
            raise Refused(response)

    async def _publish(self, state, expires):
        """A client of Lync's publishes by SERVICE to its home server; this
        one tells a plain presence server (RFC 3903)."""
        request = sip.Message(f"PUBLISH sip:{self.user} SIP/2.0", [
            ("Via", self._via()), ("Max-Forwards", "70"),
            ("From", self._from(sip.token(5))),
            ("To", f"<sip:{self.user}>"), ("Call-ID", sip.token()),
            ("CSeq", "1 PUBLISH"), ("User-Agent", AGENT),
            ("Event", "presence"), ("Expires", str(expires))])
        if self.published:
            request.add("SIP-If-Match", self.published)
        if state is not None:
            request.add("Content-Type", documents.PIDF)
            request.body = documents.pidf(self.user, state)
        response = await self._transact(request, 10)
        if self.renewal is not None:
            self.renewal.cancel()
            self.renewal = None
        if response.status != 200:
            self.published = ""
            raise Refused(response)
        self.published = response.get("SIP-ETag") if expires else ""
        granted = float(response.get("Expires", "0"))
        if granted > 0:
            self.renewal = asyncio.get_running_loop().call_later(
                granted / 2, lambda: asyncio.ensure_future(
                    self._publish_again()))

    async def _publish_again(self):
        """The same state for longer: no body."""
        try:
            await self._publish(None, 3600)
        except (Refused, ConnectionError, asyncio.TimeoutError) as e:
            self.journal.add("unpublished", why=repr(e))

    # --- client transactions ---------------------------------------------

    async def _transact(self, request, timeout):
        """Sends and waits for the final response (TLS: no retransmission)."""
        key = (request.call_id, request.cseq, request.method)
        future = asyncio.get_running_loop().create_future()
        self.pending[key] = future
        self.connection.send(request)
        try:
            return await asyncio.wait_for(future, timeout)
        finally:
            self.pending.pop(key, None)

    def _on_response(self, message):
        key = (message.call_id, message.cseq, message.method)
        self.journal.add("response", status=message.status,
                         method=message.method, response=message)
        future = self.pending.get(key)
        if future is not None and message.status >= 200:
            if not future.done():
                future.set_result(message)
        elif message.method == "INVITE" and message.status // 100 == 2:
            dialog = self.dialogs.get(message.call_id)
            if dialog is not None:          # retransmitted 200: ACK again
                self._ack(dialog, message.cseq)

    def _in_dialog(self, dialog, method, headers=(), body=b"", cseq=None):
        if cseq is None:
            dialog.cseq += 1
            cseq = dialog.cseq
        request = sip.Message(f"{method} {dialog.target} SIP/2.0")
        request.add("Via", self._via()).add("Max-Forwards", "70")
        for route in dialog.routes:         # as they came, byte for byte
            request.add("Route", route)
        request.add("From", dialog.local).add("To", dialog.remote)
        request.add("Call-ID", dialog.call_id)
        request.add("CSeq", f"{cseq} {method}")
        request.add("User-Agent", AGENT)
        for name, value in headers:
            request.add(name, value)
        request.body = body
        return request

    def _ack(self, dialog, cseq):
        self.connection.send(self._in_dialog(dialog, "ACK", cseq=cseq))

    # --- a chat of ours ----------------------------------------------------

    async def _open(self, peer, text, timeout=60, headers=(), send=True):
        host, port = self.connection.local
        dialog = Dialog(peer, sip.token(), self._from(sip.token(5)),
                        f"<sip:{peer}>", 1)
        dialog.conversation = base64.b64encode(
            b"\x01" + uuid.uuid4().bytes + sip.token(2).encode()).decode()
        typed = (text + "\r\n").encode()
        toast = base64.b64encode(typed).decode()
        html = base64.b64encode(b"<p>" + typed + b"</p>").decode()
        rtf = base64.b64encode(rb"{\rtf1 " + typed + b"}").decode()
        request = sip.Message(f"INVITE sip:{peer} SIP/2.0", [
            ("Via", self._via()),
            ("Max-Forwards", "70"),
            ("From", dialog.local),
            ("To", dialog.remote),
            ("Call-ID", dialog.call_id),
            ("CSeq", "1 INVITE"),
            # A GRUU without host and port: reached through the route set
            # and the pool only (observed).
            ("Contact", f"<{self.gruu}>"),
            ("User-Agent", AGENT),
            ("Supported", "ms-dialog-route-set-update"),
            # The first message rides in the INVITE, in up to three formats,
            # with a blank after each semicolon (observed, 2013 and later).
            ("ms-text-format", f"text/plain; charset=UTF-8; ms-body={toast}"),
            ("ms-im-format", f"text/html; charset=UTF-8; ms-body={html}"),
            ("ms-im-format", f"text/rtf; charset=UTF-8; ms-body={rtf}"),
            ("Supported", "ms-embedded-first-message"),
            ("Supported", "ms-delayed-accept"),
            ("Ms-Conversation-ID", dialog.conversation),
            ("Supported", "timer"),
            ("Supported", "histinfo, ms-safe-transfer, ms-sender"),
            ("Roster-Manager", f"sip:{self.user}"),
            ("EndPoints", f"<sip:{self.user}>, <sip:{peer}>"),
            ("Supported", "com.microsoft.rtc-multiparty"),
            ("ms-keep-alive", "UAC;hop-hop=yes"),
            ("Allow", ALLOW),
            ("Supported", "ms-conf-invite"),
            ("Content-Type", "application/sdp"),
            *headers,
        ], self._sdp(host, "sip null", OFFER_TYPES))
        # Known from the answer on: a request of the other side may follow
        # it in the same packet.
        self.dialogs[dialog.call_id] = dialog
        try:
            response = await self._transact(request, timeout)
        except BaseException:
            self._forget(dialog)
            raise
        self.journal.add("opened", to=peer, status=response.status,
                         call_id=dialog.call_id, response=response)
        if response.status >= 300:
            # The pool acknowledges a refusal hop by hop.
            ack = sip.Message(f"ACK sip:{peer} SIP/2.0", [
                ("Via", request.get("Via")), ("Max-Forwards", "70"),
                ("From", dialog.local), ("To", response.get("To")),
                ("Call-ID", dialog.call_id), ("CSeq", "1 ACK")])
            self.connection.send(ack)
            self._forget(dialog)
            raise Refused(response)
        dialog.remote = response.get("To")
        dialog.target = sip.uri_of(response.get("Contact"))
        dialog.routes = list(reversed(response.all("Record-Route")))
        dialog.confirmed = True
        self.current[peer] = dialog
        self._ack(dialog, 1)
        # A callee that lists ms-text-format has taken the first message;
        # any other gets it as MESSAGE (observed).
        if not send or "ms-text-format" in response.tokens("Supported"):
            return dialog, None
        return dialog, await self._message(dialog, text, timeout)

    @staticmethod
    def _sdp(host, where, types):
        # The port means nothing behind a server [MS-SDP 3.1.5.3].
        return ("v=0\r\n"
                f"o=- 0 0 IN IP4 {host}\r\n"
                "s=session\r\n"
                f"c=IN IP4 {host}\r\n"
                "t=0 0\r\n"
                f"m=message 5060 {where}\r\n"
                f"a=accept-types:{types}\r\n").encode()

    async def _message(self, dialog, text, timeout=60):
        fmt = base64.b64encode(
            "X-MMS-IM-Format: FN=Segoe%20UI; EF=; CO=0; CS=0; PF=22"
            "\r\n\r\n".encode("utf-16-le")).decode().rstrip("=")
        return await self._content(
            dialog, f"text/plain; charset=UTF-8;msgr={fmt}", text.encode(),
            (), timeout)

    async def _content(self, dialog, kind, body, headers, timeout=60):
        async with dialog.lock:     # one at a time, as clients send them
            request = self._in_dialog(
                dialog, "MESSAGE",
                [("Content-Type", kind),
                 ("Supported", "ms-dialog-route-set-update"),
                 ("Supported", "timer"), *headers], body)
            response = await self._transact(request, timeout)
        self.journal.add("sent", to=dialog.peer, status=response.status,
                         response=response)
        if response.status in (408, 480, 481):
            # The chat is gone with its dialog (observed).
            self._forget(dialog)
        if response.status >= 300:
            raise Refused(response)
        return response

    async def _send(self, peer, text, timeout):
        dialog = self.current.get(peer)
        if dialog is None:
            return (await self._open(peer, text, timeout))[1]
        try:
            return await self._message(dialog, text, timeout)
        except Refused as e:
            if e.status != 481:
                raise
            # The dialog is unknown there: a new session carries the text.
            return (await self._open(peer, text, timeout))[1]

    async def _say(self, peer, kind, body, headers, timeout):
        dialog = self.current.get(peer)
        if dialog is None:
            dialog, _ = await self._open(peer, "", timeout, send=False)
        return await self._content(dialog, kind, body, headers, timeout)

    async def _bye(self, peer):
        dialog = self.current[peer]
        self._forget(dialog)
        return await self._transact(self._in_dialog(dialog, "BYE"), 20)

    async def _typing(self, peer, state):
        dialog = self.current[peer]
        body = ('<?xml version="1.0"?><KeyboardActivity>'
                f'<status status="{state}"/></KeyboardActivity>').encode()
        return await self._transact(self._in_dialog(
            dialog, "INFO", [("Content-Type", "application/xml")], body), 20)

    def _forget(self, dialog):
        self.dialogs.pop(dialog.call_id, None)
        if self.current.get(dialog.peer) is dialog:
            del self.current[dialog.peer]

    # --- requests of the other side -----------------------------------------

    def _on_message(self, message, connection):
        if not message.request:
            self._on_response(message)
            return
        self.journal.add("request", method=message.method, request=message,
                         call_id=message.call_id)
        if self.silent:
            return
        handler = HANDLERS.get(message.method)
        if handler is None:
            connection.send(message.answer(
                405, "Method Not Allowed", sip.token(5), [("Allow", ALLOW)]))
            return
        getattr(self, handler)(message, connection)

    def _dialog_of(self, message):
        dialog = self.dialogs.get(message.call_id)
        if dialog is None:
            return None
        local = re.search(r";tag=([^;]+)", dialog.local)[1]
        return dialog if message.tag("To") == local else None

    def _on_invite(self, message, connection):
        sender = sip.address_of(message.get("From"))
        self.journal.add("invite", sender=sender, call_id=message.call_id,
                         conversation=message.get("Ms-Conversation-ID"),
                         request=message)
        if self.invite_status:
            connection.send(message.answer(*self.invite_status,
                                           sip.token(5)))
            return
        if b"m=message" not in message.body and \
                b"m=x-ms-message" not in message.body:
            connection.send(message.answer(
                488, "Not Acceptable Here", sip.token(5)))
            return
        if self._dialog_of(message) is not None:    # re-INVITE
            connection.send(self._accept(message, message.tag("To")))
            return
        tag = sip.token(5)
        connection.send(message.answer(180, "Ringing", tag))
        self.inviting[message.call_id] = message
        asyncio.get_running_loop().call_later(
            self.answer_after, self._answer, message, connection, tag)

    def _accept(self, message, tag):
        sender = sip.address_of(message.get("From"))
        headers = [("Contact", f"<{self.gruu}>"), ("User-Agent", AGENT),
                   ("Allow", ALLOW),
                   # One token a line (observed).
                   ("Supported", "ms-sender"), ("Supported", "histinfo"),
                   ("Supported", "ms-safe-transfer"),
                   ("Supported", "ms-dialog-route-set-update"),
                   ("Supported", "ms-conf-invite")]
        if self.takes_toast:
            headers.append(("Supported", "ms-text-format"))
        headers.append(("Content-Type", "application/sdp"))
        return message.answer(
            200, "OK", tag, headers,
            self._sdp(connection_host(self.connection), f"sip sip:{sender}",
                      self.accepts))

    def _answer(self, message, connection, tag):
        if self.inviting.pop(message.call_id, None) is None:
            return                  # cancelled meanwhile
        sender = sip.address_of(message.get("From"))
        reply = self._accept(message, tag)
        dialog = Dialog(sender, message.call_id, reply.get("To"),
                        message.get("From"))
        dialog.local = add_epid(reply.get("To"), self.epid)
        dialog.target = sip.uri_of(message.get("Contact"))
        dialog.routes = message.all("Record-Route")
        dialog.conversation = message.get("Ms-Conversation-ID")
        self.dialogs[dialog.call_id] = dialog
        self.current[sender] = dialog
        connection.send(reply)
        if self.takes_toast:
            for value in message.all("ms-text-format"):
                found = re.search(r"ms-body=([A-Za-z0-9+/=]+)", value)
                self._arrived(message, base64.b64decode(found[1]).decode(),
                              "toast")

    def _arrived(self, message, body, way):
        self.journal.add("message", body=body, way=way,
                         sender=sip.address_of(message.get("From")),
                         call_id=message.call_id, request=message)

    def _on_ack(self, message, _):
        dialog = self._dialog_of(message)
        if dialog is not None:
            dialog.confirmed = True

    def _on_message_request(self, message, connection):
        if self._dialog_of(message) is None:
            connection.send(message.answer(
                481, "Call Leg/Transaction Does Not Exist", sip.token(5)))
            return
        if self.message_status:
            connection.send(message.answer(*self.message_status))
            return
        self._arrived(message, message.text(), "message")
        connection.send(message.answer(200, "OK"))

    def _on_bye(self, message, connection):
        dialog = self._dialog_of(message)
        if dialog is None:
            connection.send(message.answer(
                481, "Call Leg/Transaction Does Not Exist", sip.token(5)))
            return
        self._forget(dialog)
        connection.send(message.answer(200, "OK"))
        self.journal.add("bye", sender=dialog.peer, call_id=message.call_id,
                         request=message)

    def _on_cancel(self, message, connection):
        invite = self.inviting.pop(message.call_id, None)
        connection.send(message.answer(200, "OK", sip.token(5)))
        if invite is not None:
            connection.send(invite.answer(487, "Request Terminated",
                                          sip.token(5)))
            self.journal.add("cancelled", call_id=message.call_id)

    def _on_info(self, message, connection):
        found = re.search(rb'status="(\w+)"', message.body)
        if found:
            self.journal.add("typing", state=found[1].decode(),
                             sender=sip.address_of(message.get("From")))
        connection.send(message.answer(200, "OK"))

    def _on_options(self, message, connection):
        connection.send(message.answer(200, "OK", sip.token(5),
                                       [("Allow", ALLOW)]))

    def _on_update(self, message, connection):
        connection.send(message.answer(200, "OK"))

    # --- for tests -----------------------------------------------------------

    def login(self):
        self.run.wait(self._connect(), 20)
        self.run.wait(self._register(3600), 20)
        self.run.on_close(self.close)
        return self

    def logout(self):
        self.run.wait(self._register(0), 20)

    def close(self):
        if self.renewal is not None:
            self.run.loop.call_soon_threadsafe(self.renewal.cancel)
        if self.connection is not None:
            self.run.loop.call_soon_threadsafe(self.connection.close)

    def publish(self, number=documents.AVAILABLE, **more):
        """Tells her presence to those who watch her."""
        state = documents.State(number, name=self.display, **more)
        self.run.wait(self._publish(state, 3600), 20)

    def unpublish(self):
        self.run.wait(self._publish(None, 0), 20)

    def send(self, peer, text, timeout=60):
        """Writes into the chat with a contact, opening one when needed.

        Returns the final response; raises Refused with an error one.
        """
        return self.run.wait(self._send(peer, text, timeout), timeout + 10)

    def open(self, peer, text=""):
        """Opens a chat whose INVITE holds the text, and sends no more."""
        return self.run.wait(self._open(peer, text, send=False), 70)[0]

    def say(self, peer, kind, body, headers=(), timeout=60):
        """A message of any Content-Type in the chat with a contact; returns
        the final response, also an error one."""
        if isinstance(body, str):
            body = body.encode()
        try:
            return self.run.wait(
                self._say(peer, kind, body, headers, timeout), timeout + 10)
        except Refused as e:
            return e.response

    def refused(self, peer, text, timeout=60):
        """As send, for a message that must fail; returns the response."""
        try:
            response = self.send(peer, text, timeout)
        except Refused as e:
            return e.response
        raise AssertionError(f"{text!r:.60} was accepted: {response}")

    def bye(self, peer):
        return self.run.wait(self._bye(peer), 30)

    def typing(self, peer, state="type"):
        return self.run.wait(self._typing(peer, state), 30)

    def message(self, timeout=20, **match):
        return self.journal.wait("message", timeout, **match)


def connection_host(connection):
    return connection.local[0]


def add_epid(value, epid):
    return value if ";epid=" in value else f"{value};epid={epid}"
