"""A server from before XMPP 1.0: its header has no version, it sends no
features and knows of no TLS, no SASL and no dialback errors (RFC 6120 4.7.5,
XEP-0220).  It never sends anything but stanzas and dialback.

It vouches for every key that it is asked about and lets everybody in.  The
journal has stream (header, wire), asked (text), stanza (text, wire).
"""

import socket
import threading

from .key_server import NS, KeyServer, result, verdict
from .raw_partner import attribute, error
from .xmpp_peer import Ended, Wire

HEADER = ("<stream:stream xmlns='jabber:server' "
          "xmlns:stream='http://etherx.jabber.org/streams' "
          f"{NS} {{more}}>")
ANSWER = (f"<db:result {NS} from='{{to}}' to='{{sender}}' type='valid'/>")


class OldServer(KeyServer):
    def __init__(self, run, domain, address, port, edge):
        super().__init__(run, domain, address, port)
        self.edge = edge
        self.own = None         # our stream toward the edge
        self.lock = threading.Lock()
        self.on_stanza = lambda text: None

    def _serve(self, wire):
        self.wires.append(wire)
        try:
            header = wire.until(r"<stream:stream[^>]*>")[0]
            wire.send(HEADER.format(more="id='before-1.0'"))
            self.journal.add("stream", header=header, wire=wire)
            while True:
                found = wire.until(
                    r"<(db:result|db:verify|message|iq|presence)\b"
                    r"[^>]*?(?:/>|(?<!/)>.*?</\1>)", 3600)
                self._take(found[0], found[1], wire)
        except (Ended, OSError, AssertionError):
            pass        # the edge has gone, or the test
        finally:
            wire.close()

    def _take(self, text, name, wire):
        sender, to = attribute(text, "from"), attribute(text, "to")
        if name == "db:verify":
            self.journal.add("asked", text=text)
            wire.send(verdict("valid", to, sender, attribute(text, "id")))
        elif name == "db:result":
            wire.send(ANSWER.format(sender=sender, to=to))
        else:
            self.journal.add("stanza", text=text, wire=wire)
            if name == "iq" and attribute(text, "type") in ("get", "set"):
                # Its key is asked for where this one is read.
                threading.Thread(
                    target=self.say, daemon=True,
                    args=(error(text, "service-unavailable"),)).start()
            self.on_stanza(text)

    def dial(self):
        """A stream of our own, as far as the edge's header; the header."""
        sock = socket.create_connection((self.edge.address, self.edge.port))
        wire = Wire(sock)
        self.wires.append(wire)
        wire.send(HEADER.format(
            more=f"from='{self.domain}' to='contoso.example'"))
        return wire, wire.until(r"<stream:stream[^>]*>")[0]

    def say(self, text):
        """Writes a stanza toward the edge, on a stream that it has let in."""
        with self.lock:
            if self.own is None or self.own.closed:
                self.own, _ = self.dial()
                self.own.send(result(self.domain, "contoso.example", "k"))
                self.own.until(r"<db:result [^>]*type='valid'/>")
            self.own.send(text)

    def await_stanza(self, *words, timeout=15):
        return self.journal.wait(
            "stanza", timeout=timeout,
            text=lambda t: all(w in t for w in words)).text
