"""The devices of a Lync user behind a front end of the tests' making.

A user's INVITE is forked to all devices by the pool; each rings with a To tag
of its own, and one of them, or the pool by itself, accepts after up to ten
seconds.  Traits marked (observed) are those that Lync 2013 and Skype for
Business 2015 were seen with behind a front end; [MS-...] states the others.

Journal of the user (`user.journal`): invite, message, info, bye, cancel,
update, ack: each with request, call_id, sender, body; response: to what a
device asked.
"""

import asyncio
import re

from . import sip
from .front_end import sdp
from .journal import Journal

ALLOW = ("INVITE, BYE, ACK, CANCEL, INFO, MESSAGE, UPDATE, REFER, NOTIFY, "
         "BENOTIFY")
TEXT = [("Content-Type", "text/plain; charset=UTF-8")]
SDP = [("Content-Type", "application/sdp")]
AUDIO = (b"v=0\r\no=- 0 0 IN IP4 10.0.0.1\r\ns=session\r\n"
         b"c=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n")
# A client's own list in a 200 (observed).
TAKEN = ("ms-sender", "histinfo", "ms-safe-transfer",
         "ms-dialog-route-set-update", "ms-conf-invite")


def route(front_end, state="F:Ci.R77"):
    """A Record-Route of the pool: signed, naming the front end, with a
    parameter behind the brackets (observed)."""
    return (f"<sip:{front_end.pool}:{front_end.port};transport=tls;"
            f"ms-fe={front_end.name};opaque=state:{state};lr;"
            f"ms-route-sig={sip.token(6)}>;tag=9F0C")


class Device:
    """One endpoint: its epid, GRUU and To tag."""

    def __init__(self, user, name):
        self.user = user
        self.name = name
        self.tag = f"{name}{sip.token(3)}"
        # Up to 16 letters and digits [MS-SIP 2.2.1].
        self.epid = sip.token(5)
        # Without host and port: reached through the route alone (observed).
        self.gruu = (f"sip:{user.uri};opaque=user:epid:{name}"
                     f"{sip.token(8)}AA;gruu")

    # --- answering ----------------------------------------------------------

    def reply(self, invite, status, reason, headers=(), body=b""):
        """An answer of this device to an INVITE; in the loop's thread."""
        user = self.user
        message = invite.request.answer(status, reason, self.tag, headers,
                                        body)
        if status < 300:
            message.headers.insert(1, ("Record-Route", user.route))
        invite.connection.send(message)
        return message

    def accept(self, invite, supported=TAKEN, headers=(), body=None):
        """200: the user clicked, or ten seconds passed [UCMA]."""
        user = self.user
        reply = self.reply(invite, 200, "OK", [
            ("Contact", f"<{self.gruu}>"),
            ("Allow", ALLOW),
            *[("Supported", s) for s in supported],   # a line each (observed)
            ("Server", "RTC/6.0"), *headers, *SDP],
            sdp(user.front_end.address, "sip null") if body is None else body)
        chat = Chat(self, invite.call_id, reply.get("To"),
                    invite.request.get("From"))
        chat.target = sip.uri_of(invite.request.get("Contact"))
        chat.connection = invite.connection
        user.chats[(invite.call_id, self.tag)] = chat
        return chat

    # --- asking ---------------------------------------------------------------

    def invite(self, line, peer, conversation=None, body=None, headers=(),
               content_type="application/sdp", ack=True, call_id=None):
        """Opens a chat with a contact; (chat, response)."""
        user, fe = self.user, self.user.front_end
        request = fe.invite(line, user.uri, peer, body=body, headers=headers,
                            content_type=content_type)
        replace = {"From": f'"Anna"<sip:{user.uri}>;tag={self.tag};'
                   f"epid={self.epid}", "Contact": f"<{self.gruu}>",
                   "Record-Route": user.route}
        if call_id:
            replace["Call-ID"] = call_id
        if conversation:
            replace["Ms-Conversation-ID"] = conversation
        request.headers = [(n, replace.get(n, v)) for n, v in request.headers
                           if not (n == "Content-Type" and not v)]
        chat = Chat(self, request.call_id, replace["From"], request.get("To"))
        chat.connection = line
        chat.cseq = 1
        user.chats[(request.call_id, self.tag)] = chat
        chat.offer = request
        response = fe.transact(line, request)
        if response.status >= 300:
            del user.chats[(request.call_id, self.tag)]
            return None, response
        chat.remote = response.get("To")
        chat.target = sip.uri_of(response.get("Contact"))
        if ack:
            chat.ack()
        return chat, response


class Chat:
    """A dialog as a device has it."""

    def __init__(self, device, call_id, local, remote):
        self.device = device
        self.call_id = call_id
        self.local = local
        self.remote = remote
        self.target = ""
        self.cseq = 0
        self.connection = None
        self.lost = False           # the device has forgotten it: 481

    def request(self, method, body=b"", headers=(), cseq=None):
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        host, port = self.connection.local
        return sip.Message(f"{method} {self.target} SIP/2.0", [
            ("Via", f"SIP/2.0/TLS {host}:{port};branch={sip.branch()}"),
            ("Max-Forwards", "69"), ("From", self.local), ("To", self.remote),
            ("Call-ID", self.call_id), ("CSeq", f"{cseq} {method}"),
            *headers], body)

    def ask(self, method, body=b"", headers=(), timeout=20):
        fe = self.device.user.front_end
        return fe.transact(self.connection,
                           self.request(method, body, headers), timeout)

    def say(self, text):
        return self.ask("MESSAGE", text.encode(), TEXT)

    def ack(self, body=b"", headers=(), cseq=None):
        self.device.user.front_end.write(self.connection, self.request(
            "ACK", body, headers, cseq=cseq or self.cseq))

    def reinvite(self, body=None, headers=SDP, contact=True, ack=True):
        fe = self.device.user.front_end
        body = sdp(fe.address, "sip null") if body is None else body
        more = [("Contact", f"<{self.device.gruu}>")] if contact else []
        request = self.request("INVITE", body, [*more, *headers])
        response = fe.transact(self.connection, request)
        if ack and response.status < 300:
            self.ack()
        elif response.status >= 300:
            # Hop by hop, with the INVITE's branch (RFC 3261 17.1.1.3).
            refused = self.request("ACK", cseq=self.cseq)
            refused.headers[0] = ("Via", request.get("Via"))
            fe.write(self.connection, refused)
        return response


class LyncUser:
    """A user with devices, on a FrontEnd; takes its script over."""

    def __init__(self, front_end, uri, devices=("desk", "phone", "web")):
        self.front_end = front_end
        self.uri = uri
        self.route = route(front_end)
        self.devices = [Device(self, name) for name in devices]
        self.journal = Journal(uri)
        self.chats = {}             # (Call-ID, our tag) -> Chat
        # What tests turn; all run in the loop's thread:
        self.on_invite = self.ring_and_accept
        self.on_message = None      # (entry, chat) -> True: it answered
        self.accept_after = 0.0
        self.takes = TAKEN
        self.answers_cancel = True
        self.ringing = {}           # Call-ID -> invite entry
        for method in ("INVITE", "MESSAGE", "INFO", "BYE", "CANCEL",
                       "UPDATE", "ACK"):
            front_end.script[method] = self._on_request

    def __getattr__(self, name):
        for device in self.__dict__.get("devices", ()):
            if device.name == name:
                return device
        raise AttributeError(name)

    # --- from the gateway, in the loop's thread -------------------------------

    def _on_request(self, request, connection):
        entry = self.journal.add(
            request.method.lower(), request=request, connection=connection,
            call_id=request.call_id, body=request.text(),
            sender=sip.address_of(request.get("From")))
        getattr(self, "_on_" + request.method.lower())(entry)

    def _chat_of(self, entry):
        chat = self.chats.get((entry.call_id, entry.request.tag("To")))
        return None if chat is None or chat.lost else chat

    def _on_invite(self, entry):
        self.ringing[entry.call_id] = entry
        self.on_invite(entry)

    def ring(self, entry):
        """The pool's report and each device's ring (observed): 101 without a
        To tag, then 180s of as many early dialogs."""
        count = len(self.devices)
        entry.connection.send(entry.request.answer(100, "Trying"))
        entry.connection.send(entry.request.answer(
            101, "Progress Report", headers=[
                ("ms-diagnostics", '13004;reason="Request was proxied to one '
                 f'or more registered endpoints";Count="{count}";'
                 'appName="InboundRouting"')]))
        for device in self.devices:
            device.reply(entry, 180, "Ringing")

    def ring_and_accept(self, entry):
        self.ring(entry)
        self.front_end.run.loop.call_later(
            self.accept_after, self.answer, entry, self.devices[0])

    def answer(self, entry, device, **more):
        if self.ringing.pop(entry.call_id, None) is None:
            return None             # cancelled
        more.setdefault("supported", self.takes)
        return device.accept(entry, **more)

    def refuse(self, entry, status, reason, headers=()):
        self.ringing.pop(entry.call_id, None)
        entry.connection.send(entry.request.answer(
            status, reason, self.devices[0].tag, headers))

    def _on_cancel(self, entry):
        invite = self.ringing.pop(entry.call_id, None)
        entry.connection.send(entry.request.answer(200, "OK", "c"))
        if invite is not None and self.answers_cancel:
            invite.connection.send(invite.request.answer(
                487, "Request Terminated", self.devices[0].tag))

    def _on_message(self, entry):
        chat = self._chat_of(entry)
        if self.on_message is not None and self.on_message(entry, chat):
            return
        self.respond(entry, *((200, "OK") if chat else
                              (481, "Call Leg/Transaction Does Not Exist")))

    @staticmethod
    def respond(entry, status, reason, headers=()):
        entry.connection.send(entry.request.answer(status, reason,
                                                   headers=headers))

    def _on_info(self, entry):
        self.respond(entry, *((200, "OK") if self._chat_of(entry) else
                              (481, "Call Leg/Transaction Does Not Exist")))

    def _on_update(self, entry):
        self._on_info(entry)

    def _on_bye(self, entry):
        self._on_info(entry)
        self.chats.pop((entry.call_id, entry.request.tag("To")), None)

    def _on_ack(self, entry):
        pass

    # --- for tests ------------------------------------------------------------

    def on_loop(self, function, *arguments):
        """Runs something of the above in the loop's thread."""
        async def call():
            return function(*arguments)
        return self.front_end.run.wait(call(), 10)

    def later(self, seconds, function, *arguments, **more):
        async def call():
            asyncio.get_running_loop().call_later(
                seconds, lambda: function(*arguments, **more))
        self.front_end.run.wait(call(), 10)

    def invited(self, timeout=20, **match):
        return self.journal.wait("invite", timeout, **match)

    def message(self, body, timeout=20, **match):
        return self.journal.wait("message", timeout, body=body, **match)

    def bodies(self):
        return [e.body for e in self.journal.all("message")]

    def hang_up(self):
        for key in list(self.chats):
            chat = self.chats.pop(key)
            if not chat.lost and chat.target:
                chat.connection = self.front_end.connections[-1]
                chat.ask("BYE")


def toast_of(request):
    """The first message that rides in an INVITE."""
    import base64
    found = re.search(r"ms-body=([A-Za-z0-9+/=]+)",
                      request.get("ms-text-format"))
    return base64.b64decode(found[1]).decode() if found else None
