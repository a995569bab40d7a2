"""Server dialback with Prosody: every way a partner's row may permit."""

import hashlib
import hmac
import time

import pytest

from lib import settings
from lib.daemons import Edge, partner
from lib.key_server import NS, KeyServer, result, verdict
from lib.site import Site
from lib.xmpp_peer import RawStream
from lib.xmpp_user import XmppUser

ANNA = "anna@contoso.example"

# What the partner's server is like, and what its row permits:
#   weak     a certificate nobody trusts; dialback over TLS
#   either   the same; EXTERNAL if it can be had
#   plain    no TLS at all
#   any      no TLS on its side; whatever can be had
#   half     good certificate, but it does not trust ours: EXTERNAL one way,
#            dialback the other
DOMAINS = {
    "weak": ("dialback", "TLS", "dialback", "TLS"),
    "either": ("dialback", "TLS", "dialback", "TLS"),
    "plain": ("dialback", "-", "dialback", "-"),
    "any": ("dialback", "-", "dialback", "-"),
    "half": ("external", "TLS", "dialback", "TLS"),
}


def rows():
    def row(name, tls, sasl):
        return partner(f"{name}.example", TlsNegotiation=tls,
                       SaslNegotiation=sasl, SupportDialbackNegotiation=True)
    return [row("weak", "Required", "NotSupported"),
            row("either", "Required", "Optional"),
            row("plain", "NotSupported", "NotSupported"),
            row("any", "Optional", "Optional"),
            row("half", "Required", "Optional")]


def add_hosts(site):
    prosody = site.prosody
    prosody.modules = ["dialback"]
    # Demands certificates of everybody but us.
    prosody.insecure_domains = ["contoso.example"]
    prosody.encryption = False

    def stranger(name, **more):
        prosody.host(f"{name}.example", site.internal.leaf(f"{name}.example"),
                     **more)

    stranger("weak")
    stranger("either", trust=site.internal)
    # It would ask for TLS even where none is offered.
    stranger("plain", options="s2s_allow_encryption = false")
    stranger("any", options="s2s_allow_encryption = false")
    prosody.host("half.example", trust=site.internal)
    for name in DOMAINS:
        domain = f"{name}.example"
        prosody.register("bo", domain)
        site.dns.zone(domain)
        site.dns.srv(domain, "xmpp.partner.example", prosody.s2s)


@pytest.fixture(scope="module")
def place():
    from conftest import Started
    site = Site("dialback", wide=False)
    site.gateway.config["partners"] += rows()
    add_hosts(site)
    raw_rows(site)
    with Started(site) as site:
        yield site


@pytest.fixture
def anna(place):
    from conftest import employee
    yield from employee(place, "anna")


@pytest.fixture
def bo(place, request):
    ca = place.public if request.param == "half" else place.internal
    user = XmppUser(place.run, f"bo@{request.param}.example",
                    place.prosody.address, place.prosody.c2s,
                    ca.certificate).login()
    yield user
    user.logout()


def stream_up(place, remote, direction):
    """How the newest stream with a domain authenticated, by the gateway's
    log: that is what an operator sees."""
    line = place.gateway.log.lines(
        f"stream-up .*direction={direction} .*remote={remote} ")[-1]
    words = dict(w.split("=", 1) for w in line.split() if "=" in w)
    return words["auth"], words["tls"][:3]


@pytest.mark.parametrize("bo", DOMAINS, indirect=True)
def test_messages_pass_both_ways(place, anna, bo):
    name = bo.jid.split("@")[1].split(".")[0]
    auth_in, tls_in, auth_out, tls_out = DOMAINS[name]
    theirs = place.prosody.log.text
    before = len(theirs())
    bo.send(ANNA, f"from {name}")
    anna.message(body=f"from {name}", sender=bo.jid)
    # Prosody's word, not ours.
    vouched = "verified dialback key... it is valid" in theirs()[before:]
    assert vouched == (auth_in == "dialback")
    before = len(theirs())
    assert anna.send(bo.jid, f"to {name}").status == 200
    bo.message(body=f"to {name}")
    assert "asking contoso.example if key" in theirs()[before:]
    assert f"connection contoso.example->{name}.example is now " \
        "authenticated" in theirs()[before:]
    assert stream_up(place, f"{name}.example", "in") == (auth_in, tls_in)
    assert stream_up(place, f"{name}.example", "out") == (auth_out, tls_out)


# --- what no honest server does --------------------------------------------

RAW = "raw.example"
STRICT = "strict.example"       # the same server, but TLS is required


def raw_rows(site):
    keys = KeyServer(site.run, RAW, site.run.address(40), 25269)
    for domain in (RAW, "more.example", STRICT):
        site.dns.zone(domain)
        site.dns.srv(domain, f"xmpp.{RAW}", keys.port)
    site.dns.a(f"xmpp.{RAW}", keys.address)
    site.gateway.config["partners"] += [
        partner(RAW, "more.example", TlsNegotiation="NotSupported",
                SaslNegotiation="NotSupported",
                SupportDialbackNegotiation=True),
        partner(STRICT, SaslNegotiation="Optional",
                SupportDialbackNegotiation=True)]
    site.keys = keys.start()


@pytest.fixture
def keys(place):
    place.keys.forget()
    return place.keys


@pytest.fixture
def dial(place):
    streams = []

    def open_stream(local=RAW):
        stream = RawStream(place.edge.address, place.edge.port, local,
                           "contoso.example")
        streams.append(stream)
        return stream

    yield open_stream
    for stream in streams:
        stream.close()


def outcome(stream, sender=RAW):
    """The edge's word about a pair: valid, invalid, or the condition."""
    found = stream.until(
        rf"<db:result [^>]*to='{sender}' type='(\w+)'(?:/>|><error "
        r"type='\w+'><([a-z-]+))")
    return found[2] or found[1]


def test_a_key_that_its_domain_vouches_for_lets_a_pair_in(keys, dial, anna):
    """The control of what follows."""
    stream = dial()
    features = stream.open()
    assert "urn:xmpp:features:dialback" in features and "<errors" in features
    assert "starttls" not in features
    stream.send(result(RAW, "contoso.example", "k3y"))
    assert outcome(stream) == "valid"
    assert keys.journal.all("asked")[-1].key == "k3y"
    stream.message(f"raw@{RAW}", ANNA, "vouched for")
    anna.message(body="vouched for", sender=f"raw@{RAW}")


def test_several_pairs_share_one_connection(keys, dial, anna):
    stream = dial()
    stream.open()
    stream.send(result(RAW, "contoso.example", "k1"))
    assert outcome(stream) == "valid"
    stream.message("raw@more.example", ANNA, "too early")
    assert "invalid-from" in stream.drain()
    stream = dial()
    stream.open()
    for domain in (RAW, "more.example"):
        stream.send(result(domain, "contoso.example", "k2"))
        assert outcome(stream, domain) == "valid"
    for domain in ("more.example", RAW):
        stream.message(f"raw@{domain}", ANNA, f"from {domain}")
        anna.message(body=f"from {domain}", sender=f"raw@{domain}")


def test_a_wrong_key_ends_the_stream(keys, dial, anna):
    keys.answer = lambda asked, wire: wire.send(
        verdict("invalid", asked["to"], asked["from"], asked["id"]))
    stream = dial()
    stream.open()
    stream.send(result(RAW, "contoso.example", "wrong"))
    assert outcome(stream) == "invalid"
    assert "</stream:stream>" in stream.drain()
    anna.journal.none("message", 0.3)


def test_a_forged_answer_of_the_authority_counts_for_nothing(
        keys, dial, anna):
    """Valid for another id, another pair, unasked; then the truth."""
    def forge(asked, wire):
        for sender, to, id in (
                (asked["to"], asked["from"], asked["id"] + "0"),
                (asked["to"], asked["from"], ""),
                ("more.example", asked["from"], asked["id"]),
                (asked["to"], "fabrikam.example", asked["id"])):
            wire.send(verdict("valid", sender, to, id))
        wire.send(f"<db:result {NS} from='{RAW}' to='contoso.example' "
                  "type='valid'/>")
        wire.send(verdict("invalid", asked["to"], asked["from"],
                          asked["id"]))
    keys.answer = forge
    stream = dial()
    stream.open()
    stream.send(result(RAW, "contoso.example", "forged"))
    assert outcome(stream) == "invalid"
    stream.drain()
    anna.journal.none("message", 0.3)


def test_an_answer_that_nobody_asked_for_authorises_nobody(
        keys, dial, anna):
    stream = dial()
    stream.open()
    for word in ("result", "verify"):
        stream.send(f"<db:{word} {NS} from='{RAW}' to='contoso.example' "
                    "id='1' type='valid'/>")
    stream.message(f"raw@{RAW}", ANNA, "never authorised")
    assert "not-authorized" in stream.drain()
    assert not keys.journal.all("asked")
    anna.journal.none("message", 0.3)


def test_nothing_passes_while_the_authority_thinks(keys, dial, anna):
    keys.answer = lambda asked, wire: None
    stream = dial()
    stream.open()
    stream.send(result(RAW, "contoso.example", "pending"))
    stream.message(f"raw@{RAW}", ANNA, "too early")
    assert "not-authorized" in stream.drain()
    anna.journal.none("message", 0.3)


def test_dialback_in_the_clear_where_tls_is_required(keys, dial):
    stream = dial(STRICT)
    features = stream.open()
    assert "required" in features and "dialback" not in features
    stream.send(result(STRICT, "contoso.example", "k"))
    assert outcome(stream, STRICT) == "policy-violation"
    assert not keys.journal.all("stream")


def test_a_stranger_and_a_domain_that_is_not_ours_are_refused(keys, dial):
    stream = dial()
    stream.open()
    stream.send(result("nobody.example", "contoso.example", "k"))
    assert outcome(stream, "nobody.example") == "forbidden"
    stream.send(result(RAW, "fabrikam.example", "k"))
    assert outcome(stream) == "item-not-found"
    stream.send(result(RAW, "contoso.example", "k"))
    assert outcome(stream) == "valid"


def test_a_key_that_is_not_ours_is_called_invalid(dial):
    stream = dial()
    stream.open()
    stream.send(f"<db:verify {NS} from='{RAW}' to='contoso.example' id='x'>"
                + "0" * 64 + "</db:verify>")
    stream.until(r"<db:verify [^>]*from='contoso.example' [^>]*id='x' "
                 "type='invalid'/>")
    stream.send(f"<db:verify {NS} from='{RAW}' to='fabrikam.example' id='y'>"
                "k</db:verify>")
    stream.until(r"<db:verify [^>]*id='y' type='error'><error "
                 "type='cancel'><item-not-found")


def test_an_authority_that_is_not_there_costs_a_pair_only(keys, dial):
    keys.stop()
    try:
        stream = dial()
        stream.open()
        stream.send(result(RAW, "contoso.example", "k"))
        assert outcome(stream).startswith("remote-server-")
    finally:
        keys.start()
    stream.send(result(RAW, "contoso.example", "k"))
    assert outcome(stream) == "valid"


# --- secrets ---------------------------------------------------------------

def secret(site, text):
    return site.run.write("secret", text)


def test_a_new_secret_is_used_when_every_edge_knows_it():
    """A key made with the secret of before is still vouched for, by either
    edge: a partner asks whichever he finds."""
    from conftest import Started
    site = Site("secret", wide=False)
    site.gateway.config["dialback_secret_file"] = secret(site, "one " * 5)
    raw_rows(site)
    edge2 = Edge(site.run, site.public, site.internal, site.dns,
                 [site.public.leaf("contoso.example")], host=32,
                 node="edge2")
    edges = (site.edge, edge2)
    site.gateway.config["edges"].append({
        "name": edge2.node,
        "address": f"{edge2.inner_address}:{edge2.inner_port}"})
    with Started(site):
        log = site.gateway.log
        log.wait(f"config-confirmed edge={site.edge.node} counter=1")
        assert key_is_good(site.edge, "one " * 5)
        assert not key_is_good(site.edge, "two " * 5)
        settings.set_config(site.gateway, DialbackPassphrase="two " * 5)
        log.wait(f"config-confirmed edge={site.edge.node} counter=2")
        time.sleep(0.5)
        assert "dialback-secret-used" not in log.text()
        edge2.start()
        log.wait("dialback-secret-used")
        for edge in edges:
            log.wait(f"config-confirmed edge={edge.node} counter=3")
        edge2.await_open()
        for edge in edges:
            assert key_is_good(edge, "one " * 5)
            assert key_is_good(edge, "two " * 5)
            assert not key_is_good(edge, "six " * 5)
    assert not edge2.reports()


def key_is_good(edge, text):
    """What the edge says about a key that was made with that secret."""
    # XEP-0185, with the secret as the gateway hands it out: in hex.
    hmac_key = hashlib.sha256(text.strip("\n").encode().hex().encode())
    key = hmac.new(hmac_key.hexdigest().encode(),
                   f"{RAW} contoso.example x".encode(), "sha256").hexdigest()
    stream = RawStream(edge.address, edge.port, RAW, "contoso.example")
    try:
        stream.open()
        stream.send(f"<db:verify {NS} from='{RAW}' to='contoso.example' "
                    f"id='x'>{key}</db:verify>")
        return stream.until("id='x' type='(valid|invalid)'")[1] == "valid"
    finally:
        stream.close()
