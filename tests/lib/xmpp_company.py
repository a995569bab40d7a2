"""All people of one partner domain, behind a real server (XEP-0114).

The component does for its people what the server of a domain does: it holds
who may see whom, tells presence to them, and answers probes (RFC 6121 3, 4).
Each person is a Friend; what comes in for an address that is nobody's is
answered as for a user who does not exist.
"""

import asyncio
import hashlib
from xml.etree.ElementTree import XMLPullParser
from xml.sax.saxutils import escape, quoteattr

STREAM = "{http://etherx.jabber.org/streams}stream"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"


def local(tag):
    return tag.rpartition("}")[2]


def child(stanza, name):
    return next((c for c in stanza if local(c.tag) == name), None)


def text(stanza, name):
    found = child(stanza, name)
    return "" if found is None else found.text or ""


def bare(jid):
    return jid.partition("/")[0]


class Friend:
    """A person with one resource at a time."""

    def __init__(self, company, name, resource="desk"):
        self.company = company
        self.jid = f"{name}@{company.domain}"
        self.resource = resource
        self.available = False
        self.show = self.status = ""
        self.watchers = set()       # bare JIDs who may see this person
        self.views = {}             # bare JID -> show of whom this one watches
        self.granted = set()        # of them, who lets herself be watched

    @property
    def full(self):
        return f"{self.jid}/{self.resource}"

    def presence(self, show="", status=""):
        """Comes online, or changes."""
        self.available, self.show, self.status = True, show, status
        for watcher in self.watchers:
            self._tell(watcher)

    def leave(self):
        self.available = False
        for watcher in self.watchers:
            self._tell(watcher)

    def subscribe(self, to):
        self.views.setdefault(to, "unavailable")
        self.company.presence(self.jid, to, "subscribe")

    def unsubscribe(self, to):
        self.views.pop(to, None)
        self.company.presence(self.jid, to, "unsubscribe")

    def _tell(self, watcher):
        if not self.available:
            self.company.presence(self.full, watcher, "unavailable")
            return
        inside = (f"<show>{self.show}</show>" if self.show else "") + (
            f"<status>{escape(self.status)}</status>" if self.status else "")
        self.company.presence(self.full, watcher, "", inside)

    def on_presence(self, stanza):
        sender, kind = bare(stanza.get("from")), stanza.get("type", "")
        if kind == "subscribe":
            self.watchers.add(sender)
            self.company.presence(self.jid, sender, "subscribed")
            if self.available:
                self._tell(sender)
        elif kind == "unsubscribe":
            self.watchers.discard(sender)
            self.company.presence(self.jid, sender, "unsubscribed")
        elif kind == "subscribed":
            self.granted.add(sender)
        elif kind == "probe":
            if sender not in self.watchers:
                self.company.presence(self.jid, sender, "unsubscribed")
            else:
                self._tell(sender)
        elif kind == "unavailable":
            if sender in self.views:
                self.views[sender] = "unavailable"
        elif kind == "" and sender in self.views:
            self.views[sender] = text(stanza, "show") or "available"


class Company:
    def __init__(self, address, port, domain, secret):
        self.address = (address, port)
        self.domain = domain
        self.secret = secret
        self.people = {}            # bare JID -> Friend
        self.on_message = None      # (Friend or None, stanza)
        self.lost = asyncio.Event()
        self.writer = None

    def hire(self, name):
        friend = Friend(self, name)
        self.people[friend.jid] = friend
        return friend

    async def connect(self):
        reader, self.writer = await asyncio.open_connection(*self.address)
        self.send("<stream:stream xmlns='jabber:component:accept' "
                  "xmlns:stream='http://etherx.jabber.org/streams' "
                  f"to='{self.domain}'>")
        ready = asyncio.get_running_loop().create_future()
        self.task = asyncio.ensure_future(self._read(reader, ready))
        await asyncio.wait_for(ready, 20)

    async def _read(self, reader, ready):
        parser = XMLPullParser(("start", "end"))
        depth, root = 0, None
        while data := await reader.read(65536):
            parser.feed(data)
            for event, element in parser.read_events():
                depth += 1 if event == "start" else -1
                if event == "start" and depth == 1:
                    root = element
                    digest = hashlib.sha1((element.get("id")
                                           + self.secret).encode())
                    self.send(f"<handshake>{digest.hexdigest()}</handshake>")
                elif event == "end" and depth == 1:
                    self._on_stanza(element, ready)
                    root.clear()
        self.lost.set()
        if not ready.done():
            ready.set_exception(ConnectionError("component refused"))

    def _on_stanza(self, stanza, ready):
        name = local(stanza.tag)
        if name == "handshake":
            ready.set_result(None)
        elif name == "iq":
            self._on_iq(stanza)
        elif name == "presence":
            friend = self.people.get(bare(stanza.get("to")))
            if friend is not None:
                friend.on_presence(stanza)
        elif name == "message":
            self._on_message(stanza)

    def _on_iq(self, stanza):
        if stanza.get("type") not in ("get", "set"):
            return
        addresses = (f"id={quoteattr(stanza.get('id'))} "
                     f"from={quoteattr(stanza.get('to'))} "
                     f"to={quoteattr(stanza.get('from'))}")
        if child(stanza, "ping") is not None:
            self.send(f"<iq type='result' {addresses}/>")
        else:
            self.send(f"<iq type='error' {addresses}><error type='cancel'>"
                      f"<service-unavailable xmlns='{STANZAS}'/></error></iq>")

    def _on_message(self, stanza):
        friend = self.people.get(bare(stanza.get("to")))
        if friend is None and stanza.get("type") != "error":
            self.send(f"<message type='error' id={quoteattr(stanza.get('id'))}"
                      f" from={quoteattr(stanza.get('to'))}"
                      f" to={quoteattr(stanza.get('from'))}>"
                      f"<error type='cancel'><item-not-found "
                      f"xmlns='{STANZAS}'/></error></message>")
            return
        self.on_message(friend, stanza)

    def presence(self, sender, to, kind, inside=""):
        kind = f" type='{kind}'" if kind else ""
        self.send(f"<presence from='{sender}' to='{to}'{kind}>"
                  f"{inside}</presence>")

    def send(self, xml):
        self.writer.write(xml.encode())

    def close(self):
        if self.writer is not None:
            self.writer.close()
