"""A person with an ordinary XMPP client (slixmpp) on a partner's server.

Journal kinds: message (sender, body, id, thread), error (sender, id,
condition, type, text, by), presence (sender, type, show, status), offline.
"""

import asyncio
import logging
import uuid

# slixmpp reports every reconnect of a restarted server; the journal has it.
logging.getLogger("slixmpp").setLevel(logging.CRITICAL)

import slixmpp      # noqa: E402  (it logs while it is imported)

from .journal import Journal    # noqa: E402


STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"


def condition(error):
    """The defined condition; slixmpp's own list lacks some of RFC 6120."""
    for child in error.xml:
        if child.tag.startswith(STANZAS) and child.tag != STANZAS + "text":
            return child.tag[len(STANZAS):]
    return ""


class XmppUser:
    def __init__(self, run, jid, address, port, ca, password="secret",
                 resource="desk"):
        self.run = run
        self.jid = jid
        self.full = f"{jid}/{resource}"
        self.address = (address, port)
        self.ca = ca
        self.password = password
        self.journal = Journal(jid)
        self.client = None

    # --- in the loop's thread -------------------------------------------

    def _connect(self):
        client = slixmpp.ClientXMPP(self.full, self.password)
        client.loop = asyncio.get_running_loop()
        client.ca_certs = self.ca
        client.auto_reconnect = False
        client.register_plugin("xep_0030")
        client.register_plugin("xep_0199")
        client.register_plugin("xep_0092")
        ready = client.loop.create_future()

        def on_session_start(_):
            client.send_presence()
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

    def _on_error(self, stanza):
        error = stanza["error"]
        self.journal.add("error", sender=str(stanza["from"]),
                         id=stanza["id"], condition=condition(error),
                         type=error["type"], text=error["text"],
                         by=error["by"], stanza=stanza)

    def _on_presence(self, stanza):
        self.journal.add("presence", sender=str(stanza["from"]),
                         type=stanza["type"], status=stanza["status"])

    async def _send(self, to, body, id, kind, thread):
        stanza = self.client.make_message(mto=to, mbody=body, mtype=kind)
        stanza["id"] = id
        if thread:
            stanza["thread"] = thread
        stanza.send()

    async def _iq(self, to, payload, timeout):
        iq = self.client.make_iq_get(ito=to)
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

    def iq(self, to, payload, timeout=15):
        """Sends a request of type get and returns the answer or error."""
        return self.run.wait(self._iq(to, payload, timeout), timeout + 5)

    def message(self, timeout=20, **match):
        return self.journal.wait("message", timeout, **match)

    def error(self, timeout=20, **match):
        return self.journal.wait("error", timeout, **match)
