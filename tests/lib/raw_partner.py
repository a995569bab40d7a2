"""A partner whose server does only what the test writes, both directions.

Its RawServer is what the edge dials; answer() writes on a stream of its own
toward the edge, as servers do that do not answer on the stream they got.
"""

import re
import threading

from .xmpp_peer import RawServer, RawStream

STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"


def attribute(text, name):
    found = re.search(rf"""\b{name}=['"]([^'"]*)['"]""", text)
    return found[1] if found else ""


def pong(ping):
    return (f"<iq type='result' id='{attribute(ping, 'id')}' "
            f"from='{attribute(ping, 'to')}' "
            f"to='{attribute(ping, 'from')}'/>")


def error(stanza, condition, kind="cancel", id=None):
    """The error that a server answers a stanza with."""
    name = re.match(r"<(\w+)", stanza)[1]
    return (f"<{name} type='error' id='{id or attribute(stanza, 'id')}' "
            f"from='{attribute(stanza, 'to')}' "
            f"to='{attribute(stanza, 'from')}'><error type='{kind}'>"
            f"<{condition} xmlns='{STANZAS}'/></error></{name}>")


class RawPartner:
    """One domain at one address; the site must list it and name the
    address in its DNS (zones())."""

    PORT = 25269

    def __init__(self, site, domain, host, leaf=None, server=RawServer):
        self.site = site
        self.domain = domain
        self.leaf = leaf or site.public.leaf(domain)
        self.server = server(site.run, domain, self.leaf,
                             site.run.address(host), self.PORT)
        self.back = None
        self.lock = threading.Lock()

    @classmethod
    def zones(cls, site, domain, host):
        site.dns.zone(domain)
        site.dns.srv(domain, f"xmpp.{domain}", cls.PORT)
        site.dns.a(f"xmpp.{domain}", site.run.address(host))

    def start(self):
        self.server.start()
        return self

    def answer(self, text):
        """Writes a stanza on our own stream toward the edge.  Tests and the
        server's threads write; a stream that failed is replaced once."""
        with self.lock:
            try:
                self._back().send(text)
            except OSError:
                self.back = None
                self._back().send(text)

    def _back(self):
        if self.back is None or self.back.closed:
            edge = self.site.edge
            back = RawStream(edge.address, edge.port, self.domain,
                             "contoso.example")
            back.authenticate(self.site.public.certificate, self.leaf)
            self.back = back
        return self.back

    def hang_up(self):
        """Ends our own stream, behind what a server's thread still writes."""
        with self.lock:
            if self.back is not None:
                self.back.send("</stream:stream>")
                self.back.close()

    def stanzas(self, word):
        """What came in and holds the word, as text."""
        return [e.text for e in self.server.journal.all(
            "stanza", text=lambda t: word in t)]

    def stop(self):
        if self.back is not None:
            self.back.close()
        self.server.stop()
