"""A federation whose parameters are changed with the operator's command while
people talk, seen at the far ends.

  partner.example   Prosody, a federated partner
  late.example      the same Prosody; no partner until a test makes it one
  more.example      the same; a further domain of whoever a test says
  plain.example     the same, for which it has no TLS
  weak.example      the same, with a certificate that nobody here trusts
  other.example     ejabberd
  raw.example       does what a test writes

ejabberd takes its time to start: whoever is its user first waits for it.
"""

import contextlib
import re
import time

from .command import sallyport, sallyport_json
from .control import ask
from .daemons import partner
from .ejabberd import Ejabberd
from .presence_site import PEOPLE, PresenceSite
from .raw_partner import RawPartner, pong
from .site import COMPANY
from .xmpp_peer import RawStream
from .xmpp_user import XmppUser

PROSODY, LATE, MORE = "partner.example", "late.example", "more.example"
PLAIN, WEAK = "plain.example", "weak.example"
EJABBERD, RAW = "other.example", "raw.example"

DIALBACK = {"SaslNegotiation": "Optional", "SupportDialbackNegotiation": True}


class SlowEjabberd(Ejabberd):
    """Does not wait for itself."""

    ready = False

    def restart(self, timeout=60):
        self.mark = self.log.mark()
        self.process.start()
        return self

    def await_ready(self):
        if not self.ready:
            self.log.wait("ready for users", 90, self.mark,
                          alive=self.process.alive)
            self.process.await_port(self.address, self.s2s)
        self.ready = True


class LiveSite(PresenceSite):
    def __init__(self, name, crowd=0):
        # See ejabberd.py about the certificate.
        super().__init__(name, external_eku="both", external_srv_id=False)
        self.gateway.config["partners"] += [
            partner(RAW), partner(PLAIN, **DIALBACK),
            partner(WEAK, **DIALBACK), partner(EJABBERD),
            *(partner(f"p{i}.crowd.example") for i in range(crowd))]
        self.raw = RawPartner(self, RAW, 40)
        self.raw.server.on_stanza = self._answer_pings

    def _answer_pings(self, text, _):
        if text.startswith("<iq"):
            self.raw.answer(pong(text))

    def hosts(self):
        super().hosts()
        prosody = self.prosody
        prosody.modules.append("dialback")
        prosody.encryption = False
        prosody.insecure_domains = [COMPANY]
        for domain in (LATE, MORE):
            prosody.host(domain)
        prosody.host(PLAIN, options="s2s_allow_encryption = false")
        self.strange = self.stranger()
        prosody.host(WEAK, self.strange.leaf(WEAK))
        self.ejabberd = SlowEjabberd(self.run, self.dns, self.public)
        self.ejabberd.dialback = True
        self.ejabberd.host(EJABBERD)
        for i in range(PEOPLE):
            for domain in (LATE, MORE, PLAIN, WEAK):
                prosody.register(f"bo{i}", domain)
            self.ejabberd.register(f"bo{i}", EJABBERD)

    def stranger(self):
        """An authority that no one else believes."""
        return self.internal

    def zones(self):
        super().zones()
        for domain in (LATE, MORE, PLAIN, WEAK):
            self.dns.zone(domain)
            self.dns.srv(domain, "xmpp.partner.example", self.prosody.s2s)
        RawPartner.zones(self, RAW, 40)
        # Whom ejabberd shall find by its address alone.
        self.ejabberd.srv_literal(COMPANY, self.edge.address, self.edge.port)

    def start(self):
        self.dns.start()
        self.ejabberd.start()
        self.prosody.start()
        self.pool.start()
        self.edge.start()
        self.gateway.start()
        self.edge.await_open()
        self.raw.start()
        return self

    def visitor(self, jid, resource="desk", **more):
        domain = jid.partition("@")[2]
        server, ca = self.prosody, self.public
        if domain == EJABBERD:
            self.ejabberd.await_ready()
            server = self.ejabberd
        if domain == WEAK:
            ca = self.strange
        user = XmppUser(self.run, jid, server.address, server.c2s,
                        ca.certificate, resource=resource)
        return user.login()

    @contextlib.contextmanager
    def people(self, domain=PROSODY):
        couple = self.couple(domain)
        try:
            yield couple
        finally:
            couple.leave()

    # --- the command ------------------------------------------------------

    @property
    def socket(self):
        return self.gateway.config["admin"]["socket"]

    def do(self, *argv, **more):
        return sallyport(*argv, "--socket", self.socket, **more)

    def ask(self, *argv):
        return sallyport_json(*argv, "--socket", self.socket)

    def change(self, *argv, edges=True, **members):
        """Every edge has confirmed it when the command is back, which waits a
        second; edges False: it is none of theirs."""
        begun = time.monotonic()
        said = self.do(*argv, *(word for name, value in members.items()
                                for word in (f"--{name}", written(value))))
        took = time.monotonic() - begun
        assert took < 2, took
        in_force = re.findall(r"^in force on (.*)$", said, re.M)
        wanted = ", ".join(sorted(e["name"] for e in
                                  self.gateway.config["edges"]))
        assert in_force == ([wanted] if edges else []), said
        return said

    def set(self, domain, edges=True, **members):
        return self.change("partner", "set", domain, edges=edges, **members)

    @contextlib.contextmanager
    def row(self, domain, edges=True, **members):
        """Set, and at the end as it was."""
        was = self.ask("partner", "get", domain)["object"]
        self.set(domain, edges=edges, **members)
        try:
            yield
        finally:
            self.do("partner", "set", domain,
                    *(word for name in members
                      for word in (f"--{name}", written(was[name]))))

    @contextlib.contextmanager
    def config(self, edges=True, **members):
        """Set, and the defaults again at the end."""
        self.change("gateway-config", "set", edges=edges, **members)
        try:
            yield
        finally:
            self.do("gateway-config", "set",
                    *(word for name in members
                      for word in (f"--{name}", "")))

    def generation(self):
        """The number of what the edges are to hold."""
        return ask(self.gateway.control, "status")["generation"]

    # --- streams ----------------------------------------------------------

    def wire(self, domain=RAW):
        """A connection of the raw partner's that has said nothing."""
        return RawStream(self.edge.address, self.edge.port, domain, COMPANY)

    def stream(self, domain=RAW):
        """One that is up."""
        return self.wire(domain).authenticate(
            self.public.certificate, self.public.leaf(domain))

    def streams(self, remote=None, direction=None):
        """As the gateway has them."""
        return [s for s in ask(self.gateway.control, "streams")["streams"]
                if (remote is None or remote in (p[1] for p in s["pairs"]))
                and direction in (None, s["direction"])]

    def await_streams(self, count, remote, direction=None, timeout=5):
        end = time.monotonic() + timeout
        while len(found := self.streams(remote, direction)) != count:
            assert time.monotonic() < end, found
            time.sleep(0.02)
        return found

    def reached(self, text, **match):
        """What the pool got."""
        return self.pool.journal.wait(
            "request", method="MESSAGE", request=lambda r:
            text.encode() in r.body, **match).request


def written(value):
    """As one writes it in a shell."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(value)
    return str(value)


def still_open(stream, seconds=0.2):
    """Nothing ends it for so long."""
    try:
        stream.until("</stream:stream>", seconds)
    except AssertionError:
        return not stream.closed
    return False
