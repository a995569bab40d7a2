"""Server dialback with ejabberd, asserted on its log."""

import pytest

from lib.daemons import partner
from lib.ejabberd import Ejabberd
from lib.site import Site
from lib.xmpp_user import XmppUser

ANNA = "anna@contoso.example"

# Both domains are one ejabberd, whose certificates nobody here trusts.
ROWS = [partner("weak.example", "absent.example",
                SaslNegotiation="NotSupported",
                SupportDialbackNegotiation=True),
        partner("plain.example", TlsNegotiation="NotSupported",
                SaslNegotiation="NotSupported",
                SupportDialbackNegotiation=True)]


@pytest.fixture(scope="module")
def other():
    from conftest import Started
    # See test_ejabberd.py about the certificate.
    site = Site("keys-ejabberd", wide=False, external_eku="both",
                external_srv_id=False)
    ejabberd = site.ejabberd = Ejabberd(site.run, site.dns, site.public)
    ejabberd.dialback = True
    ejabberd.starttls = "optional"
    ejabberd.trust = site.internal
    for domain in ("weak.example", "plain.example", "absent.example"):
        if domain != "absent.example":
            ejabberd.host(domain, site.internal.leaf(domain))
            ejabberd.register("eva", domain)
        site.dns.zone(domain)
        site.dns.srv(domain, "xmpp.weak.example", ejabberd.s2s)
    site.dns.a("xmpp.weak.example", ejabberd.address)
    site.dns.forget_srv("contoso.example")
    ejabberd.srv_literal("contoso.example", site.edge.address, site.edge.port)
    site.gateway.config["partners"] += ROWS
    with Started(site) as site:
        ejabberd.start()
        yield site


@pytest.fixture
def anna(other):
    from conftest import employee
    yield from employee(other, "anna")


@pytest.fixture
def eva(other, request):
    user = XmppUser(other.run, f"eva@{request.param}", other.ejabberd.address,
                    other.ejabberd.c2s, other.internal.certificate).login()
    yield user
    user.logout()


@pytest.mark.parametrize("eva, tls", [("weak.example", "TLS"),
                                      ("plain.example", "-")],
                         indirect=["eva"])
def test_messages_pass_both_ways(other, eva, anna, tls):
    domain = eva.jid.split("@")[1]
    eva.send(ANNA, "from ejabberd")
    anna.message(body="from ejabberd", sender=eva.jid)
    assert anna.send(eva.jid, "to ejabberd").status == 200
    eva.message(body="to ejabberd")
    log = other.ejabberd.log.text()
    assert "Accepted inbound s2s dialback authentication contoso.example" \
        in log
    assert f"Accepted outbound s2s dialback authentication {domain} -> " \
        "contoso.example" in log
    for direction in ("in", "out"):
        line = other.gateway.log.lines(
            f"stream-up .*direction={direction} .*remote={domain} ")[-1]
        assert f"auth=dialback tls={tls}" in line


def test_a_domain_that_is_not_there_is_told(other, anna):
    """ejabberd calls it not-allowed; it is not found."""
    assert anna.refused("eva@absent.example", "hello").status == 404
