"""Partners whose zones are signed: some are proven by them without a public
authority (RFC 7673), some have zones that say something else than their
certificates, and some of the zones somebody forged.

One Prosody serves all their domains, one name server all their zones.
"""

import hashlib
import subprocess

import pytest

from lib.daemons import partner
from lib.nsd import Nsd
from lib.site import Site
from lib.xmpp_user import XmppUser

ANNA = "anna@contoso.example"
# What the certificate of each domain is, and what its zone says of it.
SELF = "self.example"           # of another name, expired: 3 1 1
PRIVATE = "private.example"     # of an authority of its own: 2 0 1
HOSTED = "hosted.example"       # names the target alone, which is signed
WRONG = "wrong.example"         # good, but its record is of another one
LAX = "lax.example"             # the same, and dialback would be permitted
FORGED = "forged.example"       # good, and its record was tampered with
MOVED = "moved.example"         # good, and its address was tampered with
UNSIGNED = "unsigned.example"   # good; a wrong record in an unsigned zone
ALIEN = "alien.example"         # made by itself; its record is of another one
DOMAINS = (SELF, PRIVATE, HOSTED, WRONG, LAX, FORGED, MOVED, UNSIGNED, ALIEN)


def digest(certificate, key=True):
    """SHA-256 of the public key, or of the whole certificate."""
    def openssl(*argv, data=None):
        return subprocess.run(["openssl", *argv], input=data, check=True,
                              stdout=subprocess.PIPE).stdout

    der = openssl("x509", "-in", certificate, "-outform", "DER")
    if key:
        pem = openssl("x509", "-in", certificate, "-noout", "-pubkey")
        der = openssl("pkey", "-pubin", "-outform", "DER", data=pem)
    return hashlib.sha256(der).hexdigest()


def leaves(site):
    make = site.public.leaf
    found = {domain: make(domain)
             for domain in (WRONG, LAX, FORGED, MOVED, UNSIGNED)}
    found[SELF] = make("long-ago", extra=("--self-signed", "--from",
                                          "2020-01-01"))
    found[ALIEN] = make(ALIEN, extra=("--self-signed",))
    found[HOSTED] = make(f"xmpp.{HOSTED}")
    found[PRIVATE] = site.internal.leaf(PRIVATE)
    # Of an authority in the DNS alone the server has to show the certificate.
    with open(found[PRIVATE].certificate, "a", encoding="ascii") as chain, \
            open(site.internal.certificate, encoding="ascii") as ca:
        chain.write(ca.read())
    return found


def records(site, leaf):
    wrong = digest(site.public.certificate)
    found = {domain: f"3 1 1 {wrong}"
             for domain in (WRONG, LAX, UNSIGNED, ALIEN)}
    for domain in (SELF, FORGED):
        found[domain] = f"3 1 1 {digest(leaf[domain].certificate)}"
    found[PRIVATE] = f"2 0 1 {digest(site.internal.certificate, key=False)}"
    return found


@pytest.fixture(scope="module")
def place():
    from conftest import Started
    site = Site("signed", wide=False)
    nsd = site.nsd = Nsd(site.run)
    xmpp = site.prosody
    xmpp.modules.append("dialback")
    leaf = leaves(site)
    tlsa = records(site, leaf)
    for domain in DOMAINS:
        xmpp.host(domain, leaf[domain])
        xmpp.register("bo", domain)
        zone = (f"_xmpp-server._tcp.{domain}. 60 IN SRV 10 10 {xmpp.s2s} "
                f"xmpp.{domain}.\nxmpp.{domain}. 60 IN A {xmpp.address}\n")
        if domain in tlsa:
            zone += (f"_{xmpp.s2s}._tcp.xmpp.{domain}. 60 IN TLSA "
                     f"{tlsa[domain]}\n")
        nsd.zone(domain, zone, signed=domain != UNSIGNED)
    nsd.tamper(FORGED, digest(leaf[FORGED].certificate),
               digest(leaf[WRONG].certificate))
    # The same server at another address, but nobody signed that.
    nsd.tamper(MOVED, f"A\t{xmpp.address}", f"A\t{site.run.address(66)}")
    site.edge.config["resolver"] = {
        "servers": [nsd.server], "dane_inbound": True,
        "trust_anchors": [open(path, encoding="ascii").read().strip()
                          for path in nsd.anchors.values()]}
    site.gateway.config["partners"] = [
        partner(*(d for d in DOMAINS if d not in (LAX, HOSTED))),
        partner(LAX, HOSTED, SaslNegotiation="Optional",
                SupportDialbackNegotiation=True)]
    nsd.start()
    with Started(site) as site:
        yield site


@pytest.fixture(scope="module")
def anna(place):
    from conftest import employee
    yield from employee(place, "anna")


def somebody(place, jid):
    """A user who does not look at his own server's certificate."""
    return XmppUser(place.run, jid, place.prosody.address, place.prosody.c2s,
                    None).login()


def up(place, mark, module, domain):
    return place.edge.log.wait(
        rf"/{module} stream-up .*remote={domain} ", 10, mark)


@pytest.mark.parametrize("domain, auth, by", [
    (SELF, "dane", "usage=3 selector=1 matching=1"),
    (PRIVATE, "dane", "usage=2 selector=0 matching=1"),
    (HOSTED, "external", None),
    (UNSIGNED, "external", None)])
def test_whom_the_zone_or_an_authority_proves(place, anna, domain, auth, by):
    mark = place.edge.log.mark()
    assert anna.send(f"bo@{domain}", "hello").status == 200
    assert f"auth={auth} " in up(place, mark, "s2s_out", domain)
    # The resolver logs each answer, and whether it is known to be signed.
    line = place.edge.log.wait(
        rf" answer name=xmpp\.{domain} type=1 ", 1, mark)
    assert f"secure={int(domain != UNSIGNED)}" in line
    if by is not None:
        line = place.edge.log.wait(
            rf"s2s_out proven-by-dane .*remote={domain} ", 1, mark)
        assert by in line and f"server=xmpp.{domain} " in line


@pytest.mark.parametrize("domain, reason", [
    (WRONG, "matches none of the server's TLSA records"),
    (LAX, "matches none of the server's TLSA records"),
    (FORGED, "DNSSEC validation failed")])
def test_against_whom_the_zone_speaks_is_told_nothing(place, anna, domain,
                                                      reason):
    mark = place.edge.log.mark()
    assert anna.refused(f"bo@{domain}", "hello").status in (404, 504)
    line = place.edge.log.wait(rf"route-failed .*remote={domain} ", 5, mark)
    assert reason in line and f"xmpp.{domain}" in line
    assert not [l for l in place.prosody.log.text().splitlines()
                if "hello" in l and domain in l]


def test_a_forged_answer_is_not_followed(place, anna):
    mark = place.edge.log.mark()
    assert anna.refused(f"bo@{MOVED}", "hello").status == 404
    place.edge.log.wait(r"resolver.* bogus ", 5, mark)
    connects = [l for l in place.edge.log.text(mark).splitlines()
                if place.run.address(66) in l]
    assert not connects, connects


@pytest.mark.parametrize("domain", [SELF, PRIVATE])
def test_who_dials_is_believed_by_his_zone_if_that_is_wanted(place, anna,
                                                             domain):
    bo = somebody(place, f"bo@{domain}")
    bo.send(ANNA, f"from {domain}")
    anna.message(body=f"from {domain}", sender=f"bo@{domain}")
    line = up(place, 0, "s2s_in", domain)
    assert "auth=dane " in line
    bo.logout()


def test_who_dials_and_matches_no_record_is_turned_away(place, anna):
    mark = place.edge.log.mark()
    bo = somebody(place, f"bo@{ALIEN}")
    bo.send(ANNA, "from nowhere")
    line = place.edge.log.wait(rf"stream-end .*remote={ALIEN} ", 10, mark)
    assert "policy-violation" in line and "self-signed" in line
    line = place.edge.log.wait(rf"not-proven-by-dane .*from={ALIEN} ", 1,
                               mark)
    assert "TLSA records" in line
    bo.logout()
