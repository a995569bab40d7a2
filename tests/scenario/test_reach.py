"""Partners whose DNS leads where the edge must not go."""

import os
import signal

import pytest

from lib.daemons import partner
from lib.key_server import result
from lib.site import COMPANY, Site
from lib.xmpp_peer import RawStream

MIRROR = "mirror.example"       # its target is the edge's port for partners
INNER = "inner.example"         # the port where gateways come
INSIDE = "inside.example"       # an address in a network that was named
LITERAL = "literal.example"     # the same, without a name
LATER = "later.example"         # the same
MIXED = "mixed.example"         # first the edge itself, then its server
HOP = "hop.example"             # a next hop in such a network, of our naming


def add_hosts(site):
    dns, edge, prosody = site.dns, site.edge, site.prosody
    inside = site.run.address(77)
    hop = site.run.address(78)
    edge.config["internal"]["networks"] = [f"{inside}/32", f"{hop}/32"]
    for domain, target, port, address in (
            (MIRROR, f"a.{MIRROR}", edge.port, edge.address),
            (INNER, f"a.{INNER}", edge.inner_port, edge.inner_address),
            (INSIDE, f"a.{INSIDE}", prosody.s2s, inside),
            (MIXED, f"a.{MIXED}", edge.port, edge.address)):
        dns.zone(domain)
        dns.srv(domain, target, port, priority=1)
        dns.a(target, address)
    for domain in (LITERAL, LATER):
        dns.zone(domain)
        dns.srv(domain, inside, prosody.s2s)
    dns.srv(MIXED, "xmpp.partner.example", prosody.s2s, priority=9)
    prosody.host(MIXED)
    prosody.register("bo", MIXED)
    dns.zone(HOP)
    dns.a(f"proxy.{HOP}", hop)
    permits = {"TlsNegotiation": "Optional", "SaslNegotiation": "Optional",
               "SupportDialbackNegotiation": True}
    site.gateway.config["partners"] += [
        partner(d, **permits)
        for d in (MIRROR, INNER, INSIDE, LITERAL, LATER, MIXED)]
    site.gateway.config["partners"].append(
        partner(HOP, ProxyFqdn=f"proxy.{HOP}", **permits))


@pytest.fixture(scope="module")
def place():
    from conftest import Started
    site = Site("reach", wide=False)
    add_hosts(site)
    with Started(site) as site:
        yield site


@pytest.fixture
def anna(place):
    from conftest import employee
    yield from employee(place, "anna")


def accepted(place, mark):
    return [l for l in place.edge.log.text(mark).splitlines()
            if "s2s_in accepted " in l or " gateway-refused " in l]


@pytest.mark.parametrize("domain, reason", [
    (MIRROR, "it is our own port for partners"),
    (INNER, "it is our own internal address"),
    (INSIDE, "it lies in internal.networks"),
    (LITERAL, "it lies in internal.networks"),
])
def test_an_address_out_of_reach_is_not_connected_to(
        place, anna, domain, reason):
    mark = place.edge.log.mark()
    response = anna.refused(f"bo@{domain}", "to nowhere", 20)
    assert response.status in (404, 480, 504)
    line = place.edge.log.wait(f"address-refused .*remote={domain}", 5, mark)
    assert reason in line and "address=127." in line
    place.edge.log.wait(f"route-failed .*remote={domain} .*{reason}", 5, mark)
    assert not accepted(place, mark)


def test_another_target_is_taken_instead(place, anna):
    from conftest import visitor
    mark = place.edge.log.mark()
    for bo in visitor(place, f"bo@{MIXED}"):
        assert anna.send(f"bo@{MIXED}", "by the other way").status == 200
        bo.message(body="by the other way")
    place.edge.log.wait(f"address-refused .*remote={MIXED}", 5, mark)


def test_a_next_hop_that_an_admin_has_named_is_tried(place, anna):
    mark = place.edge.log.mark()
    anna.refused(f"bo@{HOP}", "by the hop", 20)
    line = place.edge.log.wait(f"route-failed .*remote={HOP} ", 5, mark)
    assert "refused" in line and "not connected to" not in line


@pytest.mark.parametrize("domain", [MIRROR, INNER, INSIDE])
def test_nobody_can_have_us_ask_ourselves_for_a_key(place, domain):
    """Dialback: who is asked about a key is for the DNS of the one to say who
    shows it (XEP-0220)."""
    mark = place.edge.log.mark()
    stream = RawStream(place.edge.address, place.edge.port, domain, COMPANY)
    stream.open()
    stream.starttls(place.public.certificate)
    stream.open()
    before = len(accepted(place, mark))
    stream.send(result(domain, COMPANY, "k3y"))
    stream.until(r"<db:result [^>]*type='error'><error type='\w+'>"
                 "<remote-server-not-found")
    place.edge.log.wait(f"address-refused .*remote={domain}", 5, mark)
    assert len(accepted(place, mark)) == before
    stream.close()


def test_the_networks_change_with_a_reload(place, anna):
    mark = place.edge.log.mark()
    place.edge.config["internal"]["networks"] = []
    place.edge.write()
    os.kill(place.edge.process.pid, signal.SIGHUP)
    place.edge.log.wait(r"keeper reloaded ", 10, mark)
    mark = place.edge.log.mark()
    anna.refused(f"bo@{LATER}", "to a closed port", 20)
    line = place.edge.log.wait(f"route-failed .*remote={LATER} ", 5, mark)
    assert "connection refused" in line
    assert "address-refused" not in place.edge.log.text(mark)
