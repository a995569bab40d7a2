"""A partner's server that lets pairs in by dialback, as the test decides.

It listens on plain TCP.  verdict(sender, to, wire) says "valid", "invalid", a
condition for an error, or None for silence; it may also write on the wire or
close it.  The journal has stream (wire), asked (sender, to, wire) and stanza
(text, wire).
"""

from .key_server import NS, KeyServer
from .raw_partner import STANZAS, attribute
from .xmpp_peer import STREAM, Ended

FEATURE = "<dialback xmlns='urn:xmpp:features:dialback'>{}</dialback>"


def answer(kind, sender, to):
    error = ""
    if kind not in ("valid", "invalid"):
        error = (f"<error type='cancel'><{kind} xmlns='{STANZAS}'/></error>")
        kind = "error"
    return (f"<db:result {NS} from='{to}' to='{sender}' type='{kind}'>"
            f"{error}</db:result>")


class DialbackServer(KeyServer):
    def __init__(self, run, domain, address, port, errors=True):
        super().__init__(run, domain, address, port)
        self.errors = errors
        self.verdict = lambda sender, to, wire: "valid"

    def _serve(self, wire):
        self.wires.append(wire)
        try:
            wire.until(r"<stream:stream[^>]*>")
            wire.send(STREAM.format(local=self.domain,
                                    remote="contoso.example",
                                    more=f"id='k1' {NS} ")
                      + "<stream:features>"
                      + FEATURE.format("<errors/>" if self.errors else "")
                      + "</stream:features>")
            self.journal.add("stream", wire=wire)
            while True:
                found = wire.until(r"<(db:result|message|iq|presence)\b"
                                   r"[^>]*?(?:/>|(?<!/)>.*?</\1>)", 3600)
                self._take(found[0], found[1], wire)
        except (Ended, OSError, AssertionError):
            pass        # the edge went, or the test closed it
        finally:
            wire.close()

    def _take(self, text, name, wire):
        if name != "db:result":
            self.journal.add("stanza", text=text, wire=wire)
            return
        sender, to = attribute(text, "from"), attribute(text, "to")
        self.journal.add("asked", sender=sender, to=to, wire=wire)
        kind = self.verdict(sender, to, wire)
        if kind is not None:
            wire.send(answer(kind, sender, to))
