"""Streams of other forms than the usual pair of them: both directions on one
(XEP-0288) with Prosody, and those from before XMPP 1.0."""

import re

import pytest

from lib.control import ask
from lib.daemons import partner
from lib.documents import AVAILABLE, BUSY
from lib.old_server import OldServer
from lib.presence_site import QUICK
from lib.raw_partner import RawPartner, pong
from lib.site import COMPANY, Site
from lib.xmpp_peer import Ended, RawServer
from lib.xmpp_user import XmppUser

pytestmark = pytest.mark.once

ANNA = f"anna@{COMPANY}"
OLD = "old.example"
RHO = f"rho@{OLD}"
STRICT = "strict.example"       # the same old server, but TLS is required
BEHIND = "behind.example"       # another one, behind a next hop
NARROW = "narrow.example"       # takes small stanzas only, and says so
LIMITS = ("<limits xmlns='urn:xmpp:stream-limits:0'>"
          "<max-bytes>10000</max-bytes></limits>")

# Who connects, and how he proves himself, is what the domains differ in.
HOSTS = ("caller", "called", "weakcaller", "weakcalled")


def two_way_hosts(site):
    prosody = site.prosody
    prosody.modules = ["dialback", "s2s_bidi", "smacks"]
    prosody.insecure_domains = [COMPANY]
    for name in HOSTS:
        domain = f"{name}.example"
        weak = name.startswith("weak")
        # Those have a certificate that nobody here trusts.
        prosody.host(domain, (site.internal if weak else
                              site.public).leaf(domain))
        prosody.register("bo", domain)
        site.dns.zone(domain)
        site.dns.srv(domain, "xmpp.partner.example", prosody.s2s)
        site.gateway.config["partners"].append(
            partner(domain, SaslNegotiation="NotSupported",
                    SupportDialbackNegotiation=True)
            if weak else partner(domain))


def old_server(site):
    site.old = OldServer(site.run, OLD, site.run.address(40), 25269,
                         site.edge)
    for domain in (OLD, STRICT):
        site.dns.zone(domain)
        site.dns.srv(domain, f"xmpp.{OLD}", site.old.port)
    site.dns.a(f"xmpp.{OLD}", site.old.address)
    site.hop = OldServer(site.run, BEHIND, site.run.address(41), 5269,
                         site.edge)
    site.dns.zone(BEHIND)
    site.dns.srv(BEHIND, f"xmpp.{OLD}", site.old.port)
    site.dns.a(f"proxy.{BEHIND}", site.hop.address)
    site.gateway.config["partners"] += [
        partner(OLD, TlsNegotiation="NotSupported",
                SaslNegotiation="NotSupported", EnableKeepAlive=False,
                SupportDialbackNegotiation=True),
        partner(STRICT, SaslNegotiation="Optional",
                SupportDialbackNegotiation=True),
        partner(BEHIND, TlsNegotiation="NotSupported",
                SaslNegotiation="NotSupported",
                SupportDialbackNegotiation=True,
                ProxyFqdn=f"proxy.{BEHIND}")]


class NarrowServer(RawServer):
    def _header(self, wire, features):
        super()._header(wire, features + LIMITS)


def narrow_server(site):
    site.narrow = RawPartner(site, NARROW, 42, server=NarrowServer)
    site.narrow.server.on_stanza = lambda text, wire: (
        site.narrow.answer(pong(text)) if text.startswith("<iq") else None)
    RawPartner.zones(site, NARROW, 42)
    site.gateway.config["partners"].append(partner(NARROW))


@pytest.fixture(scope="module")
def place():
    from conftest import Started
    site = Site("forms", wide=False)
    two_way_hosts(site)
    old_server(site)
    narrow_server(site)
    site.gateway.config["presence"] = dict(QUICK)
    with Started(site) as site:
        site.old.start()
        site.hop.start()
        site.narrow.start()
        yield site
        site.narrow.stop()


@pytest.fixture
def anna(place):
    from conftest import employee
    yield from employee(place, "anna")


@pytest.fixture
def bo(place, request):
    weak = request.param.startswith("weak")
    ca = place.internal if weak else place.public
    user = XmppUser(place.run, f"bo@{request.param}.example",
                    place.prosody.address, place.prosody.c2s,
                    ca.certificate).login()
    yield user
    user.logout()


def streams(place, domain):
    return [s for s in ask(place.edge.control, "streams")["streams"]
            if domain in {remote for _, remote in s["pairs"]}]


# --- both directions ---------------------------------------------------------

@pytest.mark.parametrize("bo", HOSTS, indirect=True)
def test_prosody_and_we_share_a_stream(place, anna, bo):
    """Whoever has connected, the other one answers on his stream; with the
    same proofs as ever."""
    domain = bo.jid.split("@")[1]
    if "caller" in domain:
        bo.send(ANNA, "first")
        anna.message(body="first", sender=bo.jid)
    else:
        assert anna.send(bo.jid, "first").status == 200
        bo.message(body="first")
    for i in range(3):
        assert anna.send(bo.jid, f"to {i}").status == 200
        bo.message(body=f"to {i}")
        bo.send(ANNA, f"from {i}")
        anna.message(body=f"from {i}", sender=bo.jid)
    # To somebody who is not there: the error comes back on it as well.
    assert anna.refused(f"nobody@{domain}", "anyone?").status == 480
    assert "bidirectional stream" in place.prosody.log.text()
    seen = streams(place, domain)
    if "weakcalled" in domain:
        # To verify our key it has to connect to us; that one it keeps.
        assert {s["bidi"] for s in seen} == {True}
        return
    assert len(seen) == 1, seen
    stream = seen[0]
    assert stream["bidi"]
    assert stream["direction"] == ("in" if "caller" in domain else "out")
    assert stream["auth"] == ("dialback" if "weak" in domain else "external")
    assert stream["stanzas_in"] >= 3 and stream["stanzas_out"] >= 3
    assert "ping" in stream["proofs"]


@pytest.mark.parametrize("bo", ["caller"], indirect=True)
def test_a_stream_that_breaks_takes_nothing_with_it(place, anna, bo):
    """Prosody is killed; what was told as delivered was, and both go on."""
    bo.send(ANNA, "on mine")
    anna.message(body="on mine", sender=bo.jid)
    assert anna.send(bo.jid, "on yours").status == 200
    bo.message(body="on yours")
    mark = place.edge.log.mark()
    place.prosody.process.kill()
    place.edge.log.wait("stream-end.*remote=caller.example", 10, mark)
    assert not streams(place, "caller.example")
    place.prosody.restart()
    bo.login()
    bo.send(ANNA, "back again")
    anna.message(body="back again", sender=bo.jid)
    assert anna.send(bo.jid, "welcome").status == 200
    bo.message(body="welcome")
    assert [s["bidi"] for s in streams(place, "caller.example")] == [True]


# --- limits (XEP-0478) --------------------------------------------------------

def test_a_message_larger_than_the_partner_takes_is_refused(place, anna):
    """Its sender is told why; the server never sees it, and takes the next."""
    assert anna.send(f"nu@{NARROW}", "short").status == 200
    refusal = anna.refused(f"nu@{NARROW}", "long " * 2000)
    assert refusal.status == 413
    assert "10000 bytes" in "".join(refusal.all("ms-diagnostics"))
    assert anna.send(f"nu@{NARROW}", "short again").status == 200
    assert not place.narrow.stanzas("long long")
    assert len(place.narrow.server.journal.all("stream")) == 1


# --- before XMPP 1.0 ---------------------------------------------------------

@pytest.fixture
def old(place):
    yield place.old
    place.old.on_stanza = lambda text: None


def test_an_old_server_both_ways(place, anna, old):
    """It connects without a version, is answered without one and without
    features, and proves itself by dialback in the clear; so do we."""
    wire, header = old.dial()
    assert "version" not in header and "xmlns:db=" in header
    wire.close()
    old.say(f"<message from='{RHO}' to='{ANNA}' id='o1' type='chat'>"
            "<body>from long ago</body></message>")
    anna.message(body="from long ago", sender=RHO)
    assert anna.send(RHO, "to the past").status == 200
    old.await_stanza("<message", "to the past")
    assert {(s["direction"], s["auth"], s["tls"], s["bidi"])
            for s in streams(place, OLD)} == {
        ("in", "dialback", "-", False), ("out", "dialback", "-", False)}
    assert "<stream:features" not in old.own.seen


def test_presence_with_an_old_server(anna, old):
    old.say(f"<presence type='subscribe' from='{RHO}' to='{ANNA}'/>")
    old.await_stanza("<presence", "type='subscribed'")
    anna.publish(BUSY, note="in Rome")
    assert "in Rome" in old.await_stanza("<presence", "<show>dnd</show>")
    old.on_stanza = lambda text: (
        old.say(f"<presence type='subscribed' from='{RHO}' to='{ANNA}'/>"
                f"<presence from='{RHO}/desk' to='{ANNA}'>"
                "<show>away</show></presence>")
        if re.match(r"<presence [^>]*type='subscribe'", text) else None)
    watch = anna.add(RHO)
    anna.notice(watch=watch, show="away")
    old.say(f"<presence from='{RHO}/desk' to='{ANNA}'/>")
    anna.notice(watch=watch, show="online")
    anna.publish(AVAILABLE)
    anna.unpublish()
    old.await_stanza("<presence", "type='unavailable'")


def test_an_old_server_where_tls_is_required(place, anna, old):
    wire, _ = strictly(place, old)
    with pytest.raises(Ended):
        while True:
            wire.read()
    assert "<unsupported-version" in wire.seen
    mark = place.edge.log.mark()
    assert anna.refused(f"sigma@{STRICT}", "anyone?").status == 504
    assert "XMPP 1.0" in place.edge.log.wait(
        f"route-failed.*remote={STRICT}", 5, mark)


def strictly(place, old):
    was, old.domain = old.domain, STRICT
    try:
        return old.dial()
    finally:
        old.domain = was


# --- a next hop of our own side's naming --------------------------------------

def test_a_next_hop_is_used_instead_of_srv(place, anna):
    """Its address at port 5269, whatever the domain's SRV records say, for
    messages as for questions about keys."""
    assert anna.send(f"tau@{BEHIND}", "past SRV").status == 200
    place.hop.await_stanza("<message", "past SRV")
    place.hop.say(f"<message from='tau@{BEHIND}' to='{ANNA}' id='h1' "
                  "type='chat'><body>past SRV as well</body></message>")
    anna.message(body="past SRV as well", sender=f"tau@{BEHIND}")
    assert place.hop.journal.all("asked")
    assert not [e for e in place.old.journal.all("stream")
                if BEHIND in e.header]
