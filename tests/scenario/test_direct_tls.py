"""Direct TLS between servers (XEP-0368), with other people's servers."""

import json
import os
import re
import subprocess

import pytest

from lib.command import findings, sallyport
from lib.control import ask, run
from lib.daemons import partner
from lib.ejabberd import Ejabberd
from lib.raw_partner import RawPartner, pong
from lib.site import COMPANY, Site
from lib.xmpp_peer import STARTTLS, RawServer, RawStream
from lib.xmpp_user import XmppUser

ANNA = f"anna@{COMPANY}"
BO = "bo@partner.example"
DIRECT = "_xmpps-server"
OTHER = "other.example"         # ejabberd, nothing but direct TLS
FALLEN = "fallen.example"       # its direct target is dead
ODD = "odd.example"             # its direct target speaks no TLS
NONE = "none.example"           # "." among the direct services
SECOND = "fabrikam.example"     # our second certificate


def raw(site, domain, host):
    peer = RawPartner(site, domain, host)
    RawPartner.zones(site, domain, host)
    peer.server.on_stanza = lambda text, wire: (
        peer.answer(pong(text)) if text.startswith("<iq") else None)
    return peer


@pytest.fixture(scope="module")
def place():
    """Prosody and ejabberd that are found by direct TLS alone, and find us
    by it alone; servers whose direct target is of no use."""
    from conftest import Started
    site = Site("direct", wide=False, external_eku="both",
                external_srv_id=False)
    dns = site.dns
    xmpp = site.prosody
    xmpp.direct = site.run.port(xmpp.address, 25270)
    dns.forget_srv("partner.example")
    dns.srv("partner.example", "xmpp.partner.example", xmpp.direct,
            service=DIRECT)
    site.direct = site.edge.direct()
    dns.forget_srv(COMPANY)
    dns.srv(COMPANY, site.edge.node, site.direct, service=DIRECT)
    second = site.public.leaf(SECOND)
    certificate, key = site.edge.files(second, "external-9")
    site.edge.config["external"]["certificates"].append(
        {"certificate": certificate, "key": key})

    site.ejabberd = Ejabberd(site.run, dns, site.public)
    site.ejabberd.direct = site.run.port(site.ejabberd.address, 25270)
    site.ejabberd.host(OTHER)
    site.ejabberd.register("eva", OTHER)
    dns.zone(OTHER)
    dns.srv(OTHER, f"xmpp.{OTHER}", site.ejabberd.direct, service=DIRECT)
    dns.a(f"xmpp.{OTHER}", site.ejabberd.address)
    site.ejabberd.srv_literal(COMPANY, site.edge.address, site.direct,
                              service=DIRECT)

    site.raw = {}
    for domain, host, direct in ((FALLEN, 24, f"xmpp.{FALLEN}"),
                                 (ODD, 25, f"xmpp.{ODD}"),
                                 (NONE, 26, None)):
        peer = site.raw[domain] = raw(site, domain, host)
        port = site.run.port(site.run.address(host), 25271)
        if direct is None:
            dns.records.append(f"{DIRECT}._tcp.{domain}. 60 IN SRV 0 0 0 .")
        else:
            dns.srv(domain, direct, port, priority=1, service=DIRECT)
        if domain == ODD:
            # The same server again: it waits for a header, not for TLS.
            site.odd = RawServer(site.run, ODD, peer.leaf,
                                 site.run.address(host), port).start()
    site.gateway.config["partners"] += [
        partner(d) for d in (OTHER, FALLEN, ODD, NONE)]
    with Started(site) as site:
        site.ejabberd.start()
        for peer in site.raw.values():
            peer.start()
        yield site
        for peer in site.raw.values():
            peer.stop()


@pytest.fixture
def anna(place):
    from conftest import employee
    yield from employee(place, "anna")


@pytest.fixture
def bo(place):
    from conftest import visitor
    yield from visitor(place, BO)


@pytest.fixture
def eva(place):
    user = XmppUser(place.run, f"eva@{OTHER}", place.ejabberd.address,
                    place.ejabberd.c2s, place.public.certificate).login()
    yield user
    user.logout()


def stream_up(place, component, remote):
    return place.edge.log.lines(
        rf"{component} stream-up .*remote={remote} .*direct=1")


def test_prosody_both_ways(place, anna, bo):
    bo.send(ANNA, "in at once")
    anna.message(body="in at once", sender=BO)
    assert anna.send(BO, "out at once").status == 200
    bo.message(body="out at once")
    for component in ("s2s_in", "s2s_out"):
        line = stream_up(place, component, "partner.example")[-1]
        assert "auth=external" in line and "tls=TLSv1." in line
    assert "Accepting SASL EXTERNAL identity from contoso.example" in \
        place.prosody.log.text()


def test_ejabberd_both_ways(place, anna, eva):
    eva.send(ANNA, "from ejabberd")
    anna.message(body="from ejabberd", sender=eva.jid)
    assert anna.send(eva.jid, "to ejabberd").status == 200
    eva.message(body="to ejabberd")
    for component in ("s2s_in", "s2s_out"):
        assert stream_up(place, component, OTHER)


@pytest.mark.parametrize("domain", (FALLEN, ODD, NONE))
def test_starttls_where_direct_tls_is_of_no_use(place, anna, domain):
    assert anna.send(f"rho@{domain}", "by the other way").status == 200
    assert place.raw[domain].stanzas("by the other way")
    line = place.edge.log.lines(rf"s2s_out stream-up .*remote={domain} ")[-1]
    assert "direct=0" in line


# --- the port itself ---------------------------------------------------------

# What a client asks for, whose certificate it is shown (None: it is sent
# away with an alert), and what protocol is agreed on.
HELLOS = {
    "xmpp-server": (COMPANY, "xmpp-server", COMPANY, "xmpp-server"),
    "no protocol": (COMPANY, None, COMPANY, None),
    "one of several": (COMPANY, "h2,xmpp-server", COMPANY, "xmpp-server"),
    "second name": (SECOND, "xmpp-server", SECOND, "xmpp-server"),
    "no name": (None, "xmpp-server", COMPANY, "xmpp-server"),
    "unknown name": ("nobody.example", None, COMPANY, None),
    "another protocol": (COMPANY, "h2", None, None),
    "clients' protocol": (None, "xmpp-client", None, None),
}


@pytest.mark.parametrize("version", ("-tls1_2", "-tls1_3"))
@pytest.mark.parametrize("hello", HELLOS)
def test_name_and_protocol_of_a_hello(place, hello, version):
    name, protocols, shown, agreed = HELLOS[hello]
    argv = ["openssl", "s_client", "-connect",
            f"{place.edge.address}:{place.direct}", version,
            *(("-noservername",) if name is None else ("-servername", name)),
            *(() if protocols is None else ("-alpn", protocols))]
    seen = subprocess.run(argv, stdin=subprocess.DEVNULL, timeout=20,
                          capture_output=True, text=True, check=False)
    text = seen.stdout + seen.stderr
    if shown is None:
        assert re.search("alert.no.application.protocol", text), text
        return
    assert f"subject=CN = {shown}" in text, text
    said = re.search(r"ALPN protocol: (\S+)", text)
    assert (said and said[1]) == agreed, text


@pytest.fixture
def dial(place):
    streams = []

    def secured():
        stream = RawStream(place.edge.address, place.direct,
                           "partner.example", COMPANY)
        streams.append(stream)
        stream.wrap(place.public.certificate,
                    place.public.leaf("partner.example"))
        return stream

    yield secured
    for stream in streams:
        stream.close()


def test_starttls_is_neither_offered_nor_taken_within(dial):
    stream = dial()
    features = stream.open()
    assert "starttls" not in features and "EXTERNAL" in features
    stream.send(STARTTLS)
    assert "unsupported-stanza-type" in stream.drain()


def test_a_client_without_tls_is_told_nothing(place):
    stream = RawStream(place.edge.address, place.direct, "partner.example",
                       COMPANY)
    with pytest.raises(AssertionError, match="closed"):
        stream.open()
    assert "<" not in stream.seen
    stream.close()


def test_a_stranger_is_refused_as_on_the_other_port(place):
    stream = RawStream(place.edge.address, place.direct, "stranger.example",
                       COMPANY)
    stream.wrap(place.public.certificate,
                place.public.leaf("stranger.example"))
    with pytest.raises(AssertionError):
        stream.open()
    assert "policy-violation" in stream.seen
    stream.close()


def test_both_ports_are_looked_at_and_reported(place):
    edge = place.edge
    # It may find that somebody was refused: others do that here.
    _, out, _ = run("--json", "doctor", "--user", "root", "--config",
                    os.path.join(edge.run.state, edge.name,
                                 f"{edge.name}.json"))
    seen = json.loads(out)
    for port in (place.edge.port, place.direct):
        assert ("ports", f"{edge.address}:{port}: open") in \
            findings(seen, "ok")
    doors = ask(place.edge.control, "status")["doors"]
    assert doors["direct_listen"] == [f"{place.edge.address}:{place.direct}"]
    assert doors["listen"] == [f"{place.edge.address}:{place.edge.port}"]


def test_a_reload_moves_the_port(place):
    """The last test here: nobody finds us by the records afterwards."""
    edge = place.edge
    old, new = place.direct, edge.direct(25290)
    edge.write()
    sallyport("--socket", edge.control, "reload")
    edge.process.await_port(edge.address, new)
    with pytest.raises(ConnectionRefusedError):
        RawStream(edge.address, old, "partner.example", COMPANY)
    place.direct = new
