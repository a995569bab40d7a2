"""A whole federation in one run: the names of the examples, made real.

  contoso.example   Lync pool behind Kamailio, our gateway and edge before it
  partner.example   Prosody, listed as a federated partner, with these domains
                    on the same row:
    nostore.example   keeps nothing for people who are not there
    second.example    its first SRV target is dead
    six.example       its target has an IPv6 address only
  stranger.example  Prosody, not listed
  impostor.example  listed, but its certificate says something else
"""

from .authority import Authority
from .daemons import Edge, Gateway, partner
from .dns import Dns
from .kamailio import Kamailio
from .lync_client import LyncClient
from .prosody import Prosody
from .run import Run, bindable
from .xmpp_user import XmppUser

COMPANY = "contoso.example"


class Site:
    """Everything is made at once, certificates and all, but not started:
    a test may still change what the daemons will be told."""

    public_address = None       # of the edge, where it is translated

    def __init__(self, name="site", wide=True,
                 users=("anna", "carl", "dora", "olaf"),
                 external_eku="server", external_srv_id=True, run=None):
        self.external_eku = external_eku
        self.external_srv_id = external_srv_id
        self.run = run or Run(name)
        try:
            self._make(wide, users)
        except BaseException:
            self.run.close()
            raise

    def _make(self, wide, users):
        run = self.run
        self.public = Authority(run, "public-ca")
        self.internal = Authority(run, "internal-ca", eku="both")
        self.dns = Dns(run)
        self.ipv6 = wide and bindable("::1", run.port6)
        self.prosody = Prosody(run, self.dns, self.public,
                               interfaces6=("::1",) if self.ipv6 else ())
        self.wide = wide
        self.users = users
        self.hosts()
        extra = ("--srv", COMPANY) if self.external_srv_id else ()
        leaf = self.public.leaf(COMPANY, extra=extra, eku=self.external_eku)
        self.edge = Edge(run, self.public, self.internal, self.dns, [leaf])
        self.pool = Kamailio(run, self.internal, users=users)
        self.gateway = Gateway(
            run, self.internal, [self.edge], [self.pool],
            partners=self.partners(),
            # olaf is a user of the pool who may not speak to partners.
            users=[f"{u}@{COMPANY}" for u in users if u != "olaf"])
        self.zones()

    def hosts(self):
        self.prosody.host("partner.example")
        self.prosody.register("bo", "partner.example")
        if not self.wide:
            return
        for domain in ("second.example", "six.example", "stranger.example"):
            self.prosody.host(domain)
        self.prosody.host("nostore.example", disabled=("offline",))
        wrong = self.public.leaf("somebody-else.example")
        self.prosody.host("impostor.example", wrong)
        for user, domain in (("cleo", "partner.example"),
                             ("gone", "partner.example"),
                             ("gone", "nostore.example"),
                             ("bo", "second.example"),
                             ("bo", "six.example"),
                             ("eve", "stranger.example"),
                             ("mallory", "impostor.example")):
            self.prosody.register(user, domain)

    def partners(self):
        if not self.wide:
            return [partner("partner.example")]
        return [partner("partner.example", "nostore.example",
                        "second.example", "six.example", "absent.example",
                        "closed.example"),
                partner("impostor.example")]

    def zones(self):
        dns, xmpp = self.dns, self.prosody
        for zone in (COMPANY, "partner.example"):
            dns.zone(zone)
        dns.srv(COMPANY, self.edge.node, self.edge.port)
        dns.a(self.edge.node, self.public_address or self.edge.address)
        dns.srv("partner.example", "xmpp.partner.example", xmpp.s2s)
        dns.a("xmpp.partner.example", xmpp.address)
        if not self.wide:
            return
        for domain in ("nostore", "stranger", "impostor"):
            dns.zone(f"{domain}.example")
            dns.srv(f"{domain}.example", "xmpp.partner.example", xmpp.s2s)
        dns.zone("second.example")
        dead = self.run.port(xmpp.address, 25270)
        dns.srv("second.example", "xmpp.partner.example", dead, priority=5)
        dns.srv("second.example", "xmpp.partner.example", xmpp.s2s,
                priority=20)
        dns.zone("six.example")
        dns.srv("six.example", "v6.six.example", xmpp.s2s)
        dns.a("v6.six.example", "::1")
        # A listed domain whose only target is closed.
        dns.zone("closed.example")
        dns.srv("closed.example", "xmpp.partner.example", dead)

    def start(self):
        self.dns.start()
        self.prosody.start()
        self.pool.start(self.gateway.address, self.gateway.port)
        self.edge.start()
        self.gateway.start()
        self.edge.await_open()
        return self

    def xmpp_user(self, jid, **more):
        """Somebody on Prosody, logged in."""
        return XmppUser(self.run, jid, self.prosody.address, self.prosody.c2s,
                        self.public.certificate, **more).login()

    def lync_user(self, user, name=None, **more):
        """Somebody of the pool, registered."""
        client = LyncClient(self.run, f"{user}@{COMPANY}", self.pool.address,
                            self.pool.port, self.internal.certificate,
                            name or user.title())
        for key, value in more.items():
            setattr(client, key, value)
        return client.login()

    def reports(self):
        """What sanitizers had to say about our daemons."""
        return self.edge.reports() + self.gateway.reports()

    def close(self):
        problems = self.run.close()
        for line in self.reports():
            problems.append(line)
        return problems

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
