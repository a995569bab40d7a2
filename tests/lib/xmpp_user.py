"""A person with an ordinary XMPP client (slixmpp) on a partner's server.

Journal kinds: message (sender, body, id, thread), error (sender, id,
condition, type, text, by), receipt (sender, of), declined (sender, room,
stanza), state (state, sender, body, thread), presence (sender, bare, type, show, status, nick,
stanza), offline.

Contacts are the person's own doing: nothing is answered or asked by itself.
The roster is the server's; roster() asks it each time.
"""

import asyncio
import ssl
import logging
import time
import uuid
from xml.sax.saxutils import escape

# slixmpp reports every reconnect of a restarted server; the journal has it.
logging.getLogger("slixmpp").setLevel(logging.CRITICAL)

import slixmpp      # noqa: E402  (it logs while it is imported)
from slixmpp.xmlstream.handler import Callback    # noqa: E402
from slixmpp.xmlstream.matcher import MatchXPath    # noqa: E402

from .journal import Journal    # noqa: E402


STATES = "http://jabber.org/protocol/chatstates"
CHAT_STATES = ("active", "composing", "paused", "inactive", "gone")
STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
ROOM_USER = "http://jabber.org/protocol/muc#user"
NICK = "{http://jabber.org/protocol/nick}nick"
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


def condition(error):
    """The defined condition; slixmpp's own list lacks some of RFC 6120."""
    for child in error.xml:
        if child.tag.startswith(STANZAS) and child.tag != STANZAS + "text":
            return child.tag[len(STANZAS):]
    return ""


class XmppUser:
    def __init__(self, run, jid, address, port, ca, password="secret",
                 resource="desk", plugins=()):
        self.run = run
        self.jid = jid
        self.full = f"{jid}/{resource}"
        self.address = (address, port)
        self.ca = ca
        self.password = password
        self.journal = Journal(jid)
        # What this client speaks beside the usual: names of slixmpp's.
        self.plugins = plugins
        self.client = None
        # What the first presence after a login says; available False sends
        # none.
        self.available = True
        self.presence = {}

    # --- in the loop's thread -------------------------------------------

    def _connect(self):
        client = slixmpp.ClientXMPP(self.full, self.password)
        client.loop = asyncio.get_running_loop()
        client.ca_certs = self.ca
        if self.ca is None:     # whoever his own server is
            client.ssl_context.check_hostname = False
            client.ssl_context.verify_mode = ssl.CERT_NONE
        client.auto_reconnect = False
        client.auto_authorize = None
        client.auto_subscribe = False
        client.register_plugin("xep_0030")
        client.register_plugin("xep_0199")
        client.register_plugin("xep_0092")
        client.register_plugin("xep_0191")
        for plugin in self.plugins:
            client.register_plugin(plugin)
        ready = client.loop.create_future()

        async def on_session_start(_):
            # Whoever asks for the roster is told of requests (RFC 6121
            # 2.2).
            await client.get_roster()
            if self.available:
                client.send_raw(self._availability())
            self.journal.add("online")
            if not ready.done():
                ready.set_result(None)

        def on_failed(reason):
            if not ready.done():
                ready.set_exception(ConnectionError(str(reason)))

        def on_disconnected(reason):
            self.journal.add("offline")
            on_failed(reason)

        client.add_event_handler("session_start", on_session_start)
        client.add_event_handler("failed_auth", on_failed)
        client.add_event_handler("connection_failed", on_failed)
        client.add_event_handler("disconnected", on_disconnected)
        client.add_event_handler("message", self._on_message)
        client.add_event_handler("message_error", self._on_error)
        client.add_event_handler("presence", self._on_presence)
        client.add_event_handler("receipt_received", self._on_receipt)
        # slixmpp's own event for it fails.
        client.register_handler(Callback("declined", MatchXPath(
            f"{{jabber:client}}message/{{{ROOM_USER}}}x/"
            f"{{{ROOM_USER}}}decline"), self._on_decline))
        for state in CHAT_STATES:
            client.register_handler(Callback(
                f"state {state}",
                MatchXPath(f"{{jabber:client}}message/{{{STATES}}}{state}"),
                self._on_state))
        client.connect(self.address)
        return client, ready

    async def _login(self):
        self.client, ready = self._connect()
        await asyncio.wait_for(ready, 20)

    async def _logout(self):
        client, self.client = self.client, None
        if client is not None:
            client.send_presence(ptype="unavailable")
            await client.disconnect(wait=2)
            # A task slixmpp 1.8 leaves behind.
            task = getattr(client, "_run_out_filters", None)
            if task is not None:
                task.cancel()

    def _on_message(self, stanza):
        if stanza["type"] == "error":
            return
        self.journal.add("message", sender=str(stanza["from"]),
                         body=stanza["body"], id=stanza["id"],
                         thread=stanza["thread"], stanza=stanza)

    def _on_state(self, stanza):
        """A chat state, whether a text comes with it or not."""
        state = next(child.tag.rpartition("}")[2] for child in stanza.xml
                     if child.tag.startswith("{" + STATES))
        self.journal.add("state", state=state, sender=str(stanza["from"]),
                         body=stanza["body"], thread=stanza["thread"])

    def _on_error(self, stanza):
        error = stanza["error"]
        self.journal.add("error", sender=str(stanza["from"]),
                         id=stanza["id"], condition=condition(error),
                         type=error["type"], text=error["text"],
                         by=error["by"], stanza=stanza)

    def _on_receipt(self, stanza):
        self.journal.add("receipt", sender=str(stanza["from"]),
                         of=stanza["receipt"], stanza=stanza)

    def _on_decline(self, stanza):
        decline = stanza.xml.find(f".//{{{ROOM_USER}}}decline")
        self.journal.add(
            "declined", room=stanza["from"].bare,
            sender=decline.get("from"), stanza=stanza,
            reason=decline.findtext(f"{{{ROOM_USER}}}reason"))

    def _on_presence(self, stanza):
        xml = stanza.xml
        space = xml.tag.partition("}")[0] + "}"

        def text(name):
            return xml.findtext(space + name) or ""

        status = xml.find(space + "status")
        if status is None:
            status = {}
        found = xml.find(f"{space}error")
        self.journal.add(
            "presence", sender=str(stanza["from"]),
            bare=stanza["from"].bare, type=xml.get("type", "available"),
            show=text("show"), status=text("status"),
            language=status.get(LANGUAGE) or xml.get(LANGUAGE, ""),
            priority=text("priority"), nick=xml.findtext(NICK) or "",
            condition="" if found is None else condition(stanza["error"]),
            idle=next((e.get("since") for e in xml
                       if e.tag == "{urn:xmpp:idle:1}idle"), ""),
            id=xml.get("id", ""), stanza=stanza)

    def _availability(self):
        """The presence that is in force, as a stanza."""
        p = self.presence
        lang = f" xml:lang='{p['lang']}'" if "lang" in p else ""
        return (f"<presence{lang}>" + "".join(
            f"<{name}>{escape(str(p[name]))}</{name}>"
            for name in ("show", "status", "priority") if name in p)
            + p.get("more", "") + "</presence>")

    async def _roster(self):
        iq = self.client.make_iq_get()
        iq.enable("roster")
        answer = await iq.send(timeout=15)
        items = {}
        for item in answer.xml.iter("{jabber:iq:roster}item"):
            items[item.get("jid")] = (item.get("subscription", "none"),
                                      item.get("ask", ""))
        return items

    async def _set(self, payload, to=None):
        """A request of type set, written down; fails with its error."""
        iq = self.client.make_iq_set(ito=to)
        iq.append(slixmpp.xmlstream.ET.fromstring(payload))
        await iq.send(timeout=15)

    async def _vcard(self, to):
        iq = self.client.make_iq_get(ito=to)
        iq.append(slixmpp.xmlstream.ET.fromstring(
            "<vCard xmlns='vcard-temp'/>"))
        try:
            return await iq.send(timeout=15)
        except slixmpp.exceptions.IqError as e:
            return e.iq

    async def _send(self, to, body, id, kind, thread):
        stanza = self.client.make_message(mto=to, mbody=body, mtype=kind)
        stanza["id"] = id
        if thread:
            stanza["thread"] = thread
        stanza.send()

    async def _iq(self, to, payload, timeout, kind):
        iq = self.client.make_iq(ito=to, itype=kind)
        if payload is not None:
            iq.append(payload)
        try:
            return await iq.send(timeout=timeout)
        except slixmpp.exceptions.IqError as e:
            return e.iq

    async def _raw(self, text):
        self.client.send_raw(text)

    # --- for tests -------------------------------------------------------

    def login(self):
        self.run.wait(self._login())
        self.run.on_close(self.logout)
        return self

    def logout(self):
        if self.client is not None:
            self.run.wait(self._logout(), 10)

    def send(self, to, body, id=None, kind="chat", thread=None):
        """Sends a message; returns its id."""
        id = id or f"t{uuid.uuid4().hex[:12]}"
        self.run.wait(self._send(to, body, id, kind, thread))
        return id

    def raw(self, text):
        """Writes text into the client's stream as it is."""
        self.run.wait(self._raw(text))

    def iq(self, to, payload, timeout=15, kind="get"):
        """Sends a request and returns the answer or error."""
        return self.run.wait(self._iq(to, payload, timeout, kind),
                             timeout + 5)

    def plugin(self, name, call, *args, timeout=20, **more):
        """Calls a function of a plugin of the client, and waits for it when
        it takes time."""
        async def ask():
            result = getattr(self.client.plugin[name], call)(*args, **more)
            if asyncio.iscoroutine(result) or asyncio.isfuture(result):
                result = await result
            return result
        return self.run.wait(ask(), timeout)

    def compose(self, to, fill, kind="chat", id=None):
        """Sends a message that fill(stanza) makes in the client's loop;
        returns its id."""
        async def make():
            stanza = self.client.make_message(mto=to, mtype=kind)
            stanza["id"] = id or f"t{uuid.uuid4().hex[:12]}"
            fill(stanza)
            stanza.send()
            return stanza["id"]
        return self.run.wait(make())

    def message(self, timeout=20, **match):
        return self.journal.wait("message", timeout, **match)

    def error(self, timeout=20, **match):
        return self.journal.wait("error", timeout, **match)

    # --- contacts ----------------------------------------------------------

    def ask(self, to, kind, nick="", id=None):
        """A presence about a subscription; kind as its type has it."""
        inside = (f"<nick xmlns='http://jabber.org/protocol/nick'>"
                  f"{escape(nick)}</nick>" if nick else "")
        id = id or f"p{uuid.uuid4().hex[:12]}"
        self.raw(f"<presence to='{to}' type='{kind}' id='{id}'>{inside}"
                 "</presence>")
        return id

    def subscribe(self, to, **more):
        return self.ask(to, "subscribe", **more)

    def subscribed(self, to):
        return self.ask(to, "subscribed")

    def unsubscribe(self, to):
        return self.ask(to, "unsubscribe")

    def unsubscribed(self, to):
        return self.ask(to, "unsubscribed")

    def accept(self, who, timeout=20):
        """Waits for the request and allows it."""
        asked = self.presence_of(who, timeout, type="subscribe")
        self.subscribed(who)
        return asked

    def show(self, show=None, status=None, **more):
        """Tells everybody who may know; show None is plain available."""
        self.presence = {k: v for k, v in dict(
            more, show=show, status=status).items() if v is not None}
        self.raw(self._availability())

    def hide(self):
        """Unavailable, while the session goes on."""
        self.raw("<presence type='unavailable'/>")

    def presence_of(self, who, timeout=20, **match):
        return self.journal.wait("presence", timeout, bare=who, **match)

    def roster(self):
        """What the server has: {address: (subscription, ask)}."""
        return self.run.wait(self._roster(), 20)

    def await_roster(self, who, subscription, ask="", timeout=10):
        """Until the server's roster says so; None: no such item."""
        wanted = None if subscription is None else (subscription, ask)
        end = time.monotonic() + timeout
        while (have := self.roster().get(who)) != wanted:
            assert time.monotonic() < end, \
                f"{self.jid} has {who} as {have}, not {wanted}"
            time.sleep(0.1)

    def name(self, who, name):
        """Puts somebody on the list, without asking."""
        self.run.wait(self._set(
            "<query xmlns='jabber:iq:roster'><item jid="
            f"'{who}' name='{escape(name)}'/></query>"), 20)

    def remove(self, who):
        """Off the list, and both subscriptions with it."""
        self.run.wait(self._set(
            "<query xmlns='jabber:iq:roster'>"
            f"<item jid='{who}' subscription='remove'/></query>"), 20)

    def block(self, who):
        self.run.wait(self._set(
            f"<block xmlns='urn:xmpp:blocking'><item jid='{who}'/></block>"),
            20)

    def unblock(self, who):
        self.run.wait(self._set(
            "<unblock xmlns='urn:xmpp:blocking'>"
            f"<item jid='{who}'/></unblock>"), 20)

    def publish_vcard(self, name, nickname=""):
        nick = f"<NICKNAME>{escape(nickname)}</NICKNAME>" if nickname else ""
        self.run.wait(self._set(f"<vCard xmlns='vcard-temp'><FN>"
                                f"{escape(name)}</FN>{nick}</vCard>"), 20)

    def vcard(self, who):
        """The answer to a request for somebody's card."""
        return self.run.wait(self._vcard(who), 20)
