"""Two companies behind one edge, several domains at one partner's server: which
pairs share a connection outward, and whose certificate is shown to whom."""

from concurrent.futures import ThreadPoolExecutor
import re
import subprocess
import time

import pytest

from lib import settings
from lib.control import ask
from lib.daemons import partner
from lib.dialback_server import DialbackServer
from lib.ejabberd import Ejabberd
from lib.front_end import FrontEnd
from lib.site import Site
from lib.xmpp_user import XmppUser

ONE, TWO = "contoso.example", "fabrikam.example"

TEXT = [("Content-Type", "text/plain; charset=UTF-8")]
EXTERNAL = {}                   # the defaults: TLS and EXTERNAL required
EITHER = dict(SaslNegotiation="Optional", SupportDialbackNegotiation=True)
DIALBACK = dict(SaslNegotiation="NotSupported",
                SupportDialbackNegotiation=True)
PLAIN = dict(DIALBACK, TlsNegotiation="NotSupported")


def two_companies(name):
    """Both hosted, each with a certificate of its own; the pool of both is a
    front end of the test's making."""
    site = Site(name, wide=False, external_eku="both", external_srv_id=False)
    more = site.edge.files(site.public.leaf(TWO, eku="both"), "external-1")
    site.edge.config["external"]["certificates"].append(
        {"certificate": more[0], "key": more[1]})
    site.dns.zone(TWO)
    site.front_end = FrontEnd(site.run, site.internal).start()
    config = site.gateway.config
    config["sip"]["pool"]["front_ends"] = [
        {"name": site.front_end.name,
         "address": f"{site.front_end.address}:{site.front_end.port}"}]
    config["hosted"].append({"Domain": TWO})
    config["users"].append(f"anna@{TWO}")
    return site


def say(site, company, to, text):
    """One message in a chat that anna of the company opens for it; the
    status it is answered with, which tells its fate."""
    front_end = site.front_end
    conn = front_end.connect(site.gateway)
    invite = front_end.invite(conn, f"anna@{company}", to, "")
    opened = front_end.transact(conn, invite)
    if opened.status != 200:
        return opened.status

    def follow(method, cseq, *more):
        return front_end.follow(conn, invite, opened, method, cseq, *more)

    front_end.write(conn, follow("ACK", 1))
    said = front_end.transact(
        conn, follow("MESSAGE", 2, text.encode(), TEXT), 40)
    front_end.transact(conn, follow("BYE", 3))
    return said.status


def outward(site, *remotes):
    """Streams outward that carry any of these domains, as the operator sees
    them."""
    return [s for s in ask(site.edge.control, "streams")["streams"]
            if s["direction"] == "out" and
            any(pair[1] in remotes for pair in s["pairs"])]


def carried(site, *remotes):
    return sorted(sorted(map(tuple, s["pairs"]))
                  for s in outward(site, *remotes))


def connections(site, server, address=None):
    """TCP connections from the edge to the server, by the kernel."""
    out = subprocess.run(
        ["ss", "-Htn", "state", "established", "src", site.edge.address,
         "dst", f"{address or server.address}:{server.port}"],
        capture_output=True, text=True, check=True).stdout
    return len(out.splitlines())


def await_connections(site, server, count):
    """Those that asked about a key go by themselves."""
    end = time.monotonic() + 10
    while connections(site, server) != count:
        assert time.monotonic() < end, connections(site, server)
        time.sleep(0.05)


class Port:
    """A server's address and the port of its s2s listener."""

    def __init__(self, server):
        self.address, self.port = server.address, server.s2s


def let_go(site, *remotes):
    """No stream to them is left."""
    kept = site.gateway.config["partners"][1:]
    settings.drop_partner(site.gateway, *(p["Domain"] for p in kept))
    end = time.monotonic() + 10
    while outward(site, *remotes):
        assert time.monotonic() < end
        time.sleep(0.05)
    settings.commit(site.gateway, *(
        settings.change("partner", None, "PUT", p) for p in kept))


# --- Prosody -----------------------------------------------------------------

@pytest.fixture(scope="module")
def prosody():
    from conftest import Started
    site = two_companies("sharing-prosody")
    site.dns.srv(TWO, site.edge.node, site.edge.port)
    server = site.prosody
    server.modules = ["dialback"]
    # They may come by dialback; EXTERNAL is theirs all the same.
    server.insecure_domains = [ONE, TWO]
    rows = {"ext": EXTERNAL, "either": EITHER, "dial": DIALBACK,
            "dial2": DIALBACK}
    for name, row in rows.items():
        domain = f"{name}.example"
        server.host(domain)
        server.register("bo", domain)
        site.dns.zone(domain)
        site.dns.srv(domain, "xmpp.partner.example", server.s2s)
        site.gateway.config["partners"].append(partner(domain, **row))
    with Started(site) as site:
        yield site


@pytest.fixture
def bo(prosody, request):
    user = XmppUser(prosody.run, f"bo@{request.param}.example",
                    prosody.prosody.address, prosody.prosody.c2s,
                    prosody.public.certificate).login()
    yield user
    user.logout()


@pytest.mark.parametrize("bo, auth", [
    ("ext", "external"), ("either", "external"), ("dial", "dialback")],
    indirect=["bo"])
def test_two_companies_of_ours_have_their_own_connections_to_prosody(
        prosody, bo, auth):
    """It does no dialback errors, and what it answers on a stream goes to the
    domain that came first there: a bounce of the other would be lost."""
    domain = bo.jid.split("@")[1]
    log = prosody.prosody.log
    before = len(log.text())
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(say, prosody, company, bo.jid,
                               f"from {company}") for company in (ONE, TWO)]
        assert [a.result() for a in answers] == [200, 200]
    for company in (ONE, TWO):
        assert bo.message(body=f"from {company}").sender.startswith(
            f"anna@{company}/")
    assert carried(prosody, domain) == [[(ONE, domain)], [(TWO, domain)]]
    streams = outward(prosody, domain)
    assert {s["auth"] for s in streams} == {auth}
    # Both are proven to have arrived, by pings of their own.
    assert all("ping" in s["proofs"] for s in streams)
    # Prosody's word: each company with its own certificate, or by a key.
    said = log.text()[before:]
    assert set(re.findall(
        r"Accepting SASL EXTERNAL identity from (\S+)", said)) == (
        {ONE, TWO} if auth == "external" else set())
    assert set(re.findall(r"asking (\S+) if key", said)) == (
        {ONE, TWO} if auth == "dialback" else set())
    for company in (TWO, ONE):
        assert say(prosody, company, f"nobody@{domain}", "lost?") == 480


@pytest.mark.parametrize("bo", ["dial2"], indirect=True)
def test_another_domain_of_prosodys_gets_a_connection_of_its_own(
        prosody, bo):
    for name in ("dial", "dial2"):
        assert say(prosody, ONE, f"bo@{name}.example", name) == 200
    bo.message(body="dial2")
    assert len({s["id"] for s in outward(
        prosody, "dial.example", "dial2.example")
        if [ONE, "dial.example"] in s["pairs"] or
        [ONE, "dial2.example"] in s["pairs"]}) == 2


# --- one certificate each ------------------------------------------------------

def certificate_for(site, company):
    """Names in the certificate that a server gets which asks for the
    company."""
    shown = subprocess.run(
        ["openssl", "s_client", "-connect",
         f"{site.edge.address}:{site.edge.port}", "-starttls", "xmpp-server",
         "-xmpphost", company, "-CAfile", site.public.certificate,
         "-verify_return_error", "-verify_hostname", company],
        input="", capture_output=True, text=True, timeout=20)
    assert "Verify return code: 0 (ok)" in shown.stdout, shown
    names = subprocess.run(
        ["openssl", "x509", "-noout", "-ext", "subjectAltName"],
        input=shown.stdout, capture_output=True, text=True, check=True)
    return set(re.findall(r"DNS:(\S+?),?\s", names.stdout + " "))


@pytest.mark.parametrize("company", [ONE, TWO])
def test_who_asks_for_a_company_is_shown_its_certificate(prosody, company):
    assert certificate_for(prosody, company) == {company}


@pytest.mark.parametrize("bo", ["ext"], indirect=True)
def test_prosody_finds_each_company_behind_its_own_certificate(prosody, bo):
    """It demands a good one before it says a word."""
    for company in (ONE, TWO):
        bo.send(f"anna@{company}", f"to {company}")
        prosody.front_end.journal.wait(
            "request", 20, method="INVITE",
            request=lambda r: f"anna@{company}" in r.get("To"))


# --- ejabberd ------------------------------------------------------------------

@pytest.fixture(scope="module")
def ejabberd():
    from conftest import Started
    site = two_companies("sharing-ejabberd")
    server = site.ejabberd = Ejabberd(site.run, site.dns, site.public)
    server.dialback = True
    both = site.public.leaf("either.example", "either.example",
                            "either2.example", eku="both")
    for name, row, leaf in (("ext", EXTERNAL, None), ("either", EITHER, both),
                            ("either2", EITHER, both),
                            ("dial", DIALBACK, None),
                            ("dial2", DIALBACK, None)):
        domain = f"{name}.example"
        server.host(domain, leaf or site.public.leaf(domain, eku="both"))
        server.register("eva", domain)
        site.dns.zone(domain)
        site.dns.srv(domain, "xmpp.ext.example", server.s2s)
        site.gateway.config["partners"].append(partner(domain, **row))
    site.dns.a("xmpp.ext.example", server.address)
    site.dns.forget_srv(ONE)
    for company in (ONE, TWO):
        server.srv_literal(company, site.edge.address, site.edge.port)
    with Started(site) as site:
        server.start()
        yield site


@pytest.fixture
def evas(ejabberd, request):
    users = [XmppUser(ejabberd.run, f"eva@{name}.example",
                      ejabberd.ejabberd.address, ejabberd.ejabberd.c2s,
                      ejabberd.public.certificate).login()
             for name in request.param]
    yield users
    for user in users:
        user.logout()
    let_go(ejabberd, *(f"{name}.example" for name in request.param))


def leave_it_to_the_other(site, stream, eva):
    """The second company is closed: the stream stays for the first one."""
    config = site.gateway.config
    before = {key: config[key] for key in ("hosted", "users")}
    config["hosted"] = [h for h in config["hosted"] if h["Domain"] != TWO]
    config["users"] = [u for u in config["users"] if TWO not in u]
    site.gateway.write()
    ask(site.gateway.control, "reload")
    try:
        assert say(site, TWO, eva.jid, "closed") != 200
        assert say(site, ONE, eva.jid, "still there") == 200
        eva.message(body="still there")
        now, = outward(site, eva.jid.split("@")[1])
        assert now["id"] == stream["id"]
        assert {p[0] for p in now["pairs"]} == {ONE}
    finally:
        config.update(before)
        site.gateway.write()
        ask(site.gateway.control, "reload")


@pytest.mark.parametrize("evas, auth", [
    (["either", "either2"], "external"), (["dial", "dial2"], "dialback")],
    indirect=["evas"])
def test_all_pairs_share_one_connection_to_ejabberd(ejabberd, evas, auth):
    """It does dialback errors: four pairs, at the same time."""
    domains = [eva.jid.split("@")[1] for eva in evas]
    work = [(company, eva) for company in (ONE, TWO) for eva in evas]
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(say, ejabberd, company, eva.jid,
                               f"{company} to {eva.jid}")
                   for company, eva in work]
        assert [a.result() for a in answers] == [200] * 4
    for company, eva in work:
        assert eva.message(body=f"{company} to {eva.jid}"
                           ).sender.startswith(f"anna@{company}/")
    assert carried(ejabberd, *domains) == [sorted(
        (company, domain) for company in (ONE, TWO) for domain in domains)]
    stream, = outward(ejabberd, *domains)
    assert stream["auth"] == auth and "ping" in stream["proofs"]
    await_connections(ejabberd, Port(ejabberd.ejabberd), 1)
    # A bounce finds its way to whom it belongs.
    for company, eva in work:
        assert say(ejabberd, company, "nobody@" + eva.jid.split("@")[1],
                   "lost?") == 480
    leave_it_to_the_other(ejabberd, stream, evas[0])


@pytest.mark.parametrize("evas", [["ext"]], indirect=True)
def test_ejabberd_takes_each_certificate_for_its_company(ejabberd, evas):
    for company in (ONE, TWO):
        assert say(ejabberd, company, evas[0].jid, company) == 200
        evas[0].message(body=company)
        assert "Accepted inbound s2s EXTERNAL authentication " \
            f"{company} -> ext.example" in ejabberd.ejabberd.log.text()
    assert carried(ejabberd, "ext.example") == [
        [(ONE, "ext.example")], [(TWO, "ext.example")]]
    await_connections(ejabberd, Port(ejabberd.ejabberd), 2)


# --- servers that refuse ----------------------------------------------------------

@pytest.fixture(scope="module")
def raw():
    from conftest import Started
    site = two_companies("sharing-raw")
    site.dns.srv(TWO, site.edge.node, site.edge.port)
    site.server = DialbackServer(site.run, "raw.example",
                                 site.run.address(40), 25269).start()
    for domain in ("raw.example", "raw2.example"):
        site.dns.zone(domain)
        site.dns.srv(domain, "xmpp.raw.example", site.server.port)
        site.gateway.config["partners"].append(partner(domain, **PLAIN))
    site.dns.a("xmpp.raw.example", site.server.address)
    with Started(site) as site:
        yield site


@pytest.mark.parametrize("how", ["forbidden", "invalid", None])
def test_a_refused_pair_goes_its_own_way_and_costs_no_other(raw, how):
    server = raw.server
    server.forget()
    first = []

    def verdict(sender, to, wire):
        first.append(wire)
        return how if wire is first[0] and sender == TWO else "valid"

    server.verdict = verdict
    with ThreadPoolExecutor(3) as pool:
        pool.submit(say, raw, ONE, "raw@raw.example", "one")
        server.journal.wait("stanza", 10, text=lambda t: ">one<" in t)
        pool.submit(say, raw, TWO, "raw@raw.example", "two")
        two = server.journal.wait("stanza", 25, text=lambda t: ">two<" in t)
        assert two.wire is not first[0]
        pool.submit(say, raw, ONE, "raw@raw.example", "three")
        three = server.journal.wait("stanza", 10,
                                    text=lambda t: ">three<" in t)
        assert three.wire is first[0]
        await_connections(raw, server, 2)
    asked = [e.sender for e in server.journal.all("asked")]
    assert asked == [ONE, TWO, TWO]
    let_go(raw, "raw.example")


def test_a_server_that_closes_for_being_asked_is_asked_once(raw):
    """Two more connections then, and the pair that was there before is served
    at once."""
    server = raw.server
    server.forget()
    first = []

    def verdict(sender, to, wire):
        first.append(wire)
        if wire is first[0] and sender == TWO:
            wire.send("<stream:error><host-unknown xmlns='urn:ietf:params:"
                      "xml:ns:xmpp-streams'/></stream:error>"
                      "</stream:stream>")
            return None
        return "valid"

    server.verdict = verdict
    assert say(raw, ONE, "raw@raw.example", "one") == 200
    with ThreadPoolExecutor(2) as pool:
        pool.submit(say, raw, TWO, "raw@raw.example", "two")
        server.journal.wait("stanza", 10, text=lambda t: ">two<" in t)
        pool.submit(say, raw, ONE, "raw@raw.example", "three")
        server.journal.wait("stanza", 10, text=lambda t: ">three<" in t)
    asked = [e.sender for e in server.journal.all("asked")]
    assert asked.count(TWO) == 2
    let_go(raw, "raw.example")
