"""A site with many users and two partner domains, one behind Prosody with
stream management (XEP-0198), one behind ejabberd without; nobody there but
components (XEP-0114)."""

import os

from . import control
from .daemons import partner
from .ejabberd import Ejabberd
from .site import COMPANY, Site

SECRET = "crowd"
PROSODY = "load.example"
EJABBERD = "crowd.example"
# With SALLYPORT_BIDI Prosody's streams go both ways (XEP-0288).
BIDI = os.environ.get("SALLYPORT_BIDI")


class CrowdSite(Site):
    def __init__(self, name, users):
        """users: how many, u0 and on."""
        # ejabberd wants certificates good for clients, with DNS names only.
        super().__init__(name, wide=False, external_eku="both",
                         external_srv_id=False,
                         users=tuple(f"u{i}" for i in range(users)))
        self.prosody.modules.append("smacks")
        if BIDI:
            self.prosody.modules.append("s2s_bidi")
        self.prosody.log_level = "info"
        self.prosody.component(PROSODY, SECRET)
        self.ejabberd = Ejabberd(self.run, self.dns, self.public)
        self.ejabberd.host("other.example")
        self.ejabberd_port = self.ejabberd.component(EJABBERD, SECRET)
        for domain, server in ((PROSODY, self.prosody),
                               (EJABBERD, self.ejabberd)):
            self.dns.zone(domain)
            self.dns.srv(domain, f"xmpp.{domain}", server.s2s)
            self.dns.a(f"xmpp.{domain}", server.address)
        # ejabberd needs the address itself as the target; for Prosody it is
        # a name that has an address like any other.
        self.dns.forget_srv(COMPANY)
        self.dns.zone(self.edge.address)
        self.dns.a(self.edge.address, self.edge.address)
        self.ejabberd.srv_literal(COMPANY, self.edge.address, self.edge.port)
        self.gateway.config["partners"] = [partner(PROSODY),
                                           partner(EJABBERD)]
        for daemon in (self.edge, self.gateway):
            daemon.config["log"] = {"level": "info"}

    def start(self):
        super().start()
        self.ejabberd.start()
        return self


def under_way(site):
    """What both daemons still have to do, by kind."""
    gateway = control.ask(site.gateway.control, "status")
    edge = control.ask(site.edge.control, "status")
    return {"conversations": gateway["conversations"],
            "pending": gateway["pending"],
            "inward": edge["counters"]["inward"]["under_way"],
            "outward": edge["counters"]["outward"]["under_way"]}
