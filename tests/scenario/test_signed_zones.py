"""Partners whose zones are signed, and one of whom somebody forged."""

import pytest

from lib.daemons import partner
from lib.nsd import Nsd
from lib.site import Site

GOOD = "signed.example"
FORGED = "forged.example"
UNSIGNED = "plain.example"


@pytest.fixture(scope="module")
def place():
    from conftest import Started
    site = Site("signed", wide=False)
    nsd = site.nsd = Nsd(site.run)
    xmpp = site.prosody
    for domain in (GOOD, FORGED, UNSIGNED):
        xmpp.host(domain)
        xmpp.register("bo", domain)
        nsd.zone(domain,
                 f"_xmpp-server._tcp.{domain}. 60 IN SRV 10 10 {xmpp.s2s} "
                 f"xmpp.{domain}.\nxmpp.{domain}. 60 IN A {xmpp.address}\n",
                 signed=domain != UNSIGNED)
    # The same server at another address, but nobody signed that.
    nsd.tamper(FORGED, f"A\t{xmpp.address}", f"A\t{site.run.address(66)}")
    site.edge.config["resolver"] = {
        "servers": [nsd.server],
        "trust_anchors": [open(nsd.anchors[d], encoding="ascii").read()
                          .strip() for d in (GOOD, FORGED)]}
    site.gateway.config["partners"] = [partner(GOOD, FORGED, UNSIGNED)]
    nsd.start()
    with Started(site) as site:
        yield site


@pytest.fixture
def anna(place):
    from conftest import employee
    yield from employee(place, "anna")


def resolved(place, mark, domain):
    """What the resolver says about the address; it logs each answer."""
    return place.edge.log.wait(rf" answer name=xmpp\.{domain} type=1 ", 5,
                               mark)


@pytest.mark.parametrize("domain, secure", [(GOOD, 1), (UNSIGNED, 0)])
def test_what_was_signed_is_known_as_such(place, anna, domain, secure):
    mark = place.edge.log.mark()
    assert anna.send(f"bo@{domain}", "hello").status == 200
    assert f"secure={secure}" in resolved(place, mark, domain)


def test_a_forged_answer_is_not_followed(place, anna):
    mark = place.edge.log.mark()
    assert anna.refused(f"bo@{FORGED}", "hello").status == 404
    place.edge.log.wait(r"resolver.* bogus ", 5, mark)
    connects = [l for l in place.edge.log.text(mark).splitlines()
                if place.run.address(66) in l]
    assert not connects, connects
