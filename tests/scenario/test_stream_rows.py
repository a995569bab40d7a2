"""What a partner's server may send on a stream, row by row, over the wire.

An edge alone: a gateway of the test's making is inside, so that what passes
the edge is seen as it passes; raw streams are outside.  edge-proxy/ROWS.md
tells which row of the specifications each test stands for.
"""

import itertools
import os
import re
import socket
import ssl
import subprocess
import time
import xml.etree.ElementTree as ET

import pytest

from lib.daemons import BIN
from lib.key_server import KeyServer, result, verdict
from lib.raw_partner import STANZAS, RawPartner, attribute
from lib.xmpp_peer import STARTTLS, STREAM, Ended, RawStream
from test_edge_alone import Place, config

PARTNER = "partner.example"
BOTH = "both.example"       # EXTERNAL or dialback, over TLS
PLAIN = "plain.example"     # dialback without TLS
SECOND = "b\u00fccher.example"      # also hosted
SECOND_ASCII = "xn--bcher-kva.example"
ANNA = "anna@contoso.example"
BO = "bo@partner.example/x"
NUMBERS = itertools.count(1)
MIB = 1 << 20
# A sanitizer keeps what was freed, by megabytes.
FLAT = 512 * MIB if "asan" in BIN else 24 * MIB


def settings(**more):
    text = config(**more)
    text["hosted"].append({"domain": SECOND_ASCII})
    text["partners"] += [
        {"Domain": BOTH, "TlsNegotiation": "Required",
         "SaslNegotiation": "Optional", "SupportDialbackNegotiation": True},
        {"Domain": PLAIN, "TlsNegotiation": "NotSupported",
         "SaslNegotiation": "NotSupported",
         "SupportDialbackNegotiation": True}]
    return text


class Wicket(Place):
    """The edge, the gateway inside, and whoever comes from outside."""

    def __init__(self):
        super().__init__()
        self.streams = []
        RawPartner.zones(self, PARTNER, 25)
        self.keys = KeyServer(self.run, PLAIN, self.run.address(40), 25269)
        self.dns.a(f"xmpp.{PLAIN}", self.keys.address)
        for domain in (PLAIN, BOTH):
            self.dns.zone(domain)
            self.dns.srv(domain, f"xmpp.{PLAIN}", self.keys.port)

    def start(self, **more):
        self.dns.start()
        self.edge.start()
        self.inside = self.gateway()
        self.inside.send("credit", result_seen=0, credit_seq=1000000,
                         credit_bytes=1 << 40)
        self.inside.send("config", json=settings(**more))
        assert self.inside.wait("confirm")["status"] == "ok"
        self.await_door(True)
        self.raw = RawPartner(self, PARTNER, 25).start()
        return self

    def stream(self, local=PARTNER, remote="contoso.example"):
        stream = RawStream(self.edge.address, self.edge.port, local, remote)
        self.streams.append(stream)
        return stream

    def secured(self, local=PARTNER, leaf=None):
        """Past TLS, with the certificate given; not yet authenticated."""
        stream = self.stream(local)
        stream.open()
        stream.starttls(self.public.certificate,
                        leaf or self.public.leaf(local))
        return stream

    def opened(self):
        return self.stream().authenticate(self.public.certificate,
                                          self.public.leaf(PARTNER))

    def hears(self, body, **match):
        """The message as it comes inside; it is taken."""
        frame = self.inside.wait("message", body=body, **match)
        self.inside.send("result", answers=frame["seq"], status="delivered",
                         proof="gateway")
        return frame

    def heard(self):
        """What came inside and nobody waited for."""
        return [f for f in self.inside.frames
                if f[0] in ("message", "presence", "iq")]

    def is_well(self):
        """Who keeps to the rules is served, and nothing else got in."""
        word = f"honest word {next(NUMBERS)}"
        stream = self.opened()
        stream.message(BO, ANNA, word)
        self.hears(word)
        stream.close()
        assert not self.heard()

    def memory(self):
        """Of the process that has the streams, in bytes."""
        pid = self.children()["streams"]
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) << 10

    def close(self):
        self.raw.stop()
        self.edge.stop(20)
        assert not self.edge.reports()


@pytest.fixture(scope="module")
def outside():
    place = Wicket()
    try:
        yield place.start()
        place.close()
    finally:
        place.run.close()


@pytest.fixture
def place(outside):
    yield outside
    while outside.streams:
        outside.streams.pop().close()
    outside.is_well()
    while outside.streams:
        outside.streams.pop().close()


def ended(stream, condition):
    """The edge has ended it with that stream error."""
    seen = stream.drain()
    assert f"<{condition} " in seen and seen.endswith("</stream:stream>"), seen


# --- the stream is opened ---------------------------------------------------

def test_the_header_is_answered(place):
    stream = place.stream()
    stream.send(STREAM.format(local=PARTNER, remote="contoso.example",
                              more="id='mine' "))
    header = stream.until(r"<stream:stream[^>]*>")[0]
    assert attribute(header, "from") == "contoso.example"
    assert attribute(header, "to") == PARTNER
    assert attribute(header, "version") == "1.0"
    assert attribute(header, "lang") == "en"
    # The partner's id is none of ours.
    assert re.fullmatch("[0-9a-f]{32}", attribute(header, "id"))


def test_stream_ids_show_no_pattern(place):
    ids = []
    for _ in range(1000):
        stream = place.stream()
        stream.send(STREAM.format(local=PARTNER, remote="contoso.example",
                                  more=""))
        ids.append(int(attribute(
            stream.until(r"<stream:stream[^>]*>")[0], "id"), 16))
        stream.close()
        place.streams.clear()
    assert len(set(ids)) == len(ids)
    # No step from one to the next comes twice, no bit prefers a side.
    assert len({b - a for a, b in zip(ids, ids[1:])}) == len(ids) - 1
    for bit in range(128):
        assert 400 < sum(i >> bit & 1 for i in ids) < 600, bit


@pytest.mark.parametrize("text", [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03echo-echo-echo",
    b"GET /echo-echo-echo HTTP/1.1\r\nHost: echo-echo-echo\r\n\r\n",
    b"EHLO echo-echo-echo\r\n",
    b"INVITE sip:echo-echo-echo@contoso.example SIP/2.0\r\n\r\n",
    b"<html lang='echo-echo-echo'>", b"<echo-echo-echo",
], ids=["tls", "http", "smtp", "sip", "html", "no-header"])
def test_another_protocol_is_cut_and_never_echoed(place, text):
    stream = place.stream()
    stream.send(text)
    if text.endswith(b"-echo"):
        stream.send(b" " * 9000)        # never closed, too long to be any
    assert "echo" not in stream.drain()


def test_prefixes_of_the_header_stay_outside(place):
    """Stanzas may have a prefix of their own for jabber:server, and use those
    that the header declares."""
    more = "xmlns:n='jabber:server' xmlns:extra='urn:example:extra' "
    stream = place.stream()
    stream.open(more)
    stream.starttls(place.public.certificate, place.public.leaf(PARTNER))
    stream.open(more)
    assert stream.external() == "success"
    stream.open(more)
    stream.send(f"<n:message from='{BO}' to='{ANNA}' type='chat'>"
                "<n:body>prefixed</n:body><extra:thing extra:a='b'/>"
                "</n:message>")
    frame = place.hears("prefixed")
    assert frame["to"] == ANNA and "extra" not in str(frame)


def test_who_is_slow_is_cut_whatever_he_drips():
    """Nothing at all, a byte now and then, and the same behind the features."""
    place = Wicket()
    try:
        place.start(stream_establishment_ms=2000)
        header = STREAM.format(local=PARTNER, remote="contoso.example",
                               more="")
        drips = {"silent": "", "header": header, "space": " " * 200}
        streams, begun = {}, time.monotonic()
        for name in drips:
            streams[name] = place.stream()
        streams["behind"] = place.stream()
        streams["behind"].send(header)
        drips["behind"] = " " * 200
        ends = {}
        for i in range(60):
            for name, stream in streams.items():
                if name in ends:
                    continue
                try:
                    stream.send(drips[name][i:i + 1])
                    stream.read(0.02)
                except TimeoutError:
                    pass
                except (Ended, OSError):
                    ends[name] = time.monotonic() - begun
            if len(ends) == len(streams):
                break
            time.sleep(0.02)
        assert len(ends) == len(streams), ends
        assert all(1.5 < t < 5 for t in ends.values()), ends
        assert "<connection-timeout " in streams["silent"].seen
        place.close()
    finally:
        place.run.close()


# --- TLS --------------------------------------------------------------------

def proceeded(place):
    stream = place.stream()
    stream.open()
    stream.send(STARTTLS)
    stream.until(r"<proceed[^>]*/>")
    return stream


def test_a_handshake_that_fails_ends_without_a_word(place):
    stream = proceeded(place)
    stream.send(b"this is no handshake at all, not even by accident")
    data = b""
    stream.sock.settimeout(10)
    try:
        while (got := stream.sock.recv(4096)):
            data += got
    except ConnectionError:
        pass
    # At most TLS's own alert.
    assert b"stream" not in data and len(data) < 20, data


@pytest.mark.parametrize("version, ciphers", [
    ("TLSv1", "ALL:@SECLEVEL=0"), ("TLSv1_1", "ALL:@SECLEVEL=0"),
    ("TLSv1_2", "eNULL:@SECLEVEL=0"), ("TLSv1_2", "aNULL:@SECLEVEL=0"),
    ("TLSv1_2", "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:AES128-SHA"),
])
def test_tls_that_is_too_old_or_too_weak_is_refused(place, version, ciphers):
    stream = proceeded(place)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers(ciphers)
    number = getattr(ssl.TLSVersion, version)
    context.minimum_version = context.maximum_version = number
    stream.sock.settimeout(10)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(stream.sock)


def test_a_second_handshake_within_tls_1_2_is_refused(place):
    done = subprocess.run(
        ["openssl", "s_client", "-connect",
         f"{place.edge.address}:{place.edge.port}", "-starttls",
         "xmpp-server", "-xmpphost", "contoso.example", "-tls1_2"],
        input="R\n", text=True, timeout=30, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, check=False)
    assert "RENEGOTIATING" in done.stdout
    assert "no renegotiation" in done.stdout and done.returncode != 0


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_no_session_is_taken_up_again(place, version):
    """So no identity is, and there is nothing early data could belong to."""
    context = ssl.create_default_context(cafile=place.public.certificate)
    number = getattr(ssl.TLSVersion, version)
    context.minimum_version = context.maximum_version = number
    session = None
    for _ in range(2):
        stream = proceeded(place)
        stream.sock = context.wrap_socket(
            stream.sock, server_hostname="contoso.example", session=session)
        stream.send(" ")
        try:
            stream.read(0.2)
        except TimeoutError:
            pass
        session = stream.sock.session
        assert not stream.sock.session_reused
        assert session is None or not session.has_ticket


COMPRESS = ("<compress xmlns='http://jabber.org/protocol/compress'>"
            "<method>zlib</method></compress>")


@pytest.mark.parametrize("stage", ["plain", "secured", "open"])
def test_neither_compression_nor_a_second_direction_is_offered(place, stage):
    if stage == "plain":
        stream = place.stream()
    elif stage == "secured":
        stream = place.secured()
    else:
        stream = place.secured()
        stream.open()
        assert stream.external() == "success"
    features = stream.open()
    assert "compress" not in features and "bidi" not in features
    stream.send(COMPRESS)
    if stage == "open":     # it is nothing to him
        stream.send("<bidi xmlns='urn:xmpp:bidi'/>")
        stream.message(BO, ANNA, "uncompressed")
        place.hears("uncompressed")
    else:
        ended(stream, "unsupported-stanza-type")
    assert "compressed" not in stream.seen


# --- EXTERNAL ---------------------------------------------------------------

def test_who_is_not_offered_external_may_not_use_it(place):
    """His certificate is another's; dialback is open to him, EXTERNAL not."""
    stream = place.secured(BOTH, place.public.leaf("somebody-else.example"))
    features = stream.open()
    assert "EXTERNAL" not in features and "dialback" in features
    assert stream.external() == "not-authorized"
    stream.message(f"x@{BOTH}", ANNA, "let in by nobody")
    ended(stream, "not-authorized")


def test_behind_a_failed_external_dialback_is_judged_by_itself(place):
    """The certificate names the domain: the same judge says so."""
    stream = place.secured(BOTH)
    assert "EXTERNAL" in stream.open()
    assert stream.external("elsewhere.example") == "invalid-authzid"
    stream.send(result(BOTH, "contoso.example", "k3y"))
    stream.until(f"<db:result [^>]*to='{BOTH}' type='valid'/>")
    stream.message(f"x@{BOTH}", ANNA, "by the certificate")
    place.hears("by the certificate")


# --- dialback ---------------------------------------------------------------

@pytest.fixture
def keys(place):
    place.keys.forget()
    place.keys.start()
    yield place.keys
    place.keys.stop()


def test_a_key_is_not_verified_in_the_clear_where_tls_is_required(
        place, keys):
    """The authority speaks no TLS: it is asked for it, and for nothing
    else."""
    stream = place.secured(BOTH, place.public.leaf("somebody-else.example"))
    stream.open()
    stream.send(result(BOTH, "contoso.example", "k3y"))
    wire = keys.journal.wait("stream").wire
    end = time.monotonic() + 10
    while "<starttls " not in wire.seen:
        assert time.monotonic() < end, wire.seen
        time.sleep(0.02)
    wire.close()
    stream.until(rf"<db:result [^>]*to='{BOTH}' type='error'><error "
                 r"type='\w+'><remote-server-timeout")
    assert "db:verify" not in wire.seen and not keys.journal.all("asked")
    assert len(keys.journal.all("stream")) == 1


def test_an_answer_for_a_stream_that_is_gone_harms_nobody(place, keys):
    asked = []
    keys.answer = lambda a, wire: asked.append((a, wire))
    stream = place.stream(PLAIN)
    stream.open()
    stream.send(result(PLAIN, "contoso.example", "k3y"))
    keys.journal.wait("asked")
    stream.close()
    time.sleep(0.2)
    a, wire = asked.pop()
    try:
        wire.send(verdict("valid", a["to"], a["from"], a["id"]))
    except OSError:
        pass        # nobody waits for it
    stream = place.stream(PLAIN)
    stream.open()
    stream.message(f"x@{PLAIN}", ANNA, "on another's answer")
    ended(stream, "not-authorized")


@pytest.mark.parametrize("key", ["x" * 9000, "x" * MIB],
                         ids=["9000", "a-mebibyte"])
def test_a_key_without_end_is_cut(place, key):
    stream = place.stream(PLAIN)
    stream.open()
    try:
        stream.send("<db:verify xmlns:db='jabber:server:dialback' id='x' "
                    f"from='{PLAIN}' to='contoso.example'>{key}</db:verify>")
    except OSError:
        return
    assert "policy-violation" in stream.drain()


def test_a_pair_is_two_domains_and_no_others(place, keys):
    """Who may write to one company of ours may not write to the other."""
    stream = place.opened()
    stream.message(BO, f"anna@{SECOND}", "to the other company")
    ended(stream, "invalid-from")
    stream = place.stream(PLAIN, SECOND_ASCII)
    stream.open()
    stream.send(result(PLAIN, SECOND_ASCII, "k3y"))
    stream.until(rf"<db:result [^>]*to='{PLAIN}' type='valid'/>")
    stream.message(f"x@{PLAIN}", f"anna@{SECOND}", "by another spelling")
    assert place.hears("by another spelling")["to"].startswith("anna@")
    stream.message(f"x@{PLAIN}", ANNA, "to the first company")
    ended(stream, "invalid-from")


# --- addresses --------------------------------------------------------------

@pytest.mark.parametrize("attributes", [
    f"to='{ANNA}'", f"from='{BO}'", f"from='' to='{ANNA}'",
    f"from='{BO}' to=''", f"from='@' to='{ANNA}'", f"from='a@' to='{ANNA}'",
    f"from='a@@{PARTNER}' to='{ANNA}'", f"from='{PARTNER}/' to='{ANNA}'",
    f"from='{BO}' to='contoso.example/'", f"from='{BO}' to='@'",
    f"from='{'a' * 1024}@{PARTNER}' to='{ANNA}'",
    f"from='{BO}' to='{ANNA}/{'a' * 1024}'",
    f"from='a b@{PARTNER}' to='{ANNA}'",
    f"from='\u2163&#x202e;@{PARTNER}' to='{ANNA}'",
    f"from='{BO}' to='a&quot;b@contoso.example'",
])
def test_an_address_that_is_none_ends_the_stream(place, attributes):
    stream = place.opened()
    stream.send(f"<message {attributes}><body>astray</body></message>")
    ended(stream, "improper-addressing")


@pytest.mark.parametrize("to", [
    "anna@CONTOSO.example", "anna@contoso.example.", "ANNA@contoso.EXAMPLE.",
    "anna@contoso\u3002example", "\uff41nna@contoso.example",
])
def test_one_address_in_other_spellings(place, to):
    stream = place.opened()
    stream.message(BO, to, f"spelled {to}")
    assert place.hears(f"spelled {to}")["to"] == ANNA


def test_an_address_is_split_at_its_slash_first(place):
    stream = place.opened()
    stream.message(BO, "elsewhere.example/b@contoso.example", "relayed")
    ended(stream, "host-unknown")


PING = "<ping xmlns='urn:xmpp:ping'/>"
QUIET = None


@pytest.mark.parametrize("to", [ANNA, "contoso.example"],
                         ids=["user", "domain"])
@pytest.mark.parametrize("attributes, payload, condition", [
    ("type='result'", "", QUIET), ("type='error'", "", QUIET),
    ("type='error'", f"<error type='cancel'><gone xmlns='{STANZAS}'/></error>",
     QUIET),
    ("type='got'", PING, "bad-request"), ("", PING, "bad-request"),
    ("type='get'", "", "bad-request"),
    ("type='get'", PING + "<two xmlns='u'/>", "bad-request"),
    ("type='set'", "<unheard xmlns='of'/>", "service-unavailable"),
])
def test_a_request_is_answered_once_or_not_at_all(
        place, to, attributes, payload, condition):
    id = f"q{next(NUMBERS)}"
    stream = place.opened()
    stream.send(f"<iq {attributes} id='{id}' from='{BO}' to='{to}'>{payload}"
                f"</iq><iq type='get' id='{id}-last' from='{BO}' "
                f"to='contoso.example'>{PING}</iq>")
    journal = place.raw.server.journal
    # What comes behind it is answered behind it.
    journal.wait("stanza", text=lambda t: f"id='{id}-last'" in t)
    answers = [e.text for e in journal.all(
        "stanza", text=lambda t: f"id='{id}'" in t)]
    if condition is QUIET:
        assert answers == []
        return
    answer, = answers
    assert attribute(answer, "type") == "error"
    assert attribute(answer, "from") == to
    assert attribute(answer, "to") == BO
    assert f"<{condition} " in answer


@pytest.mark.parametrize("text", [
    f"<message type='error' from='{BO}' to='nobody@contoso.example' id='e'>"
    f"<error type='cancel'><gone xmlns='{STANZAS}'/></error></message>",
    f"<presence type='error' from='{BO}' to='nobody@contoso.example'>"
    f"<error type='cancel'><gone xmlns='{STANZAS}'/></error></presence>",
], ids=["message", "presence"])
def test_an_error_is_answered_by_no_error(place, text):
    """Whatever becomes of it inside."""
    journal = place.raw.server.journal
    journal.settle()
    stream = place.opened()
    stream.send(text)
    try:
        kind = text[1:text.index(" ")]
        frame = place.inside.wait(kind, timeout=0.5)
        place.inside.send("result", answers=frame["seq"], status="failed",
                          condition="item-not-found")
    except AssertionError:
        pass        # it ends at the edge: as good
    journal.none("stanza", 0.5, text=lambda t: "type='error'" in t)


def test_what_is_echoed_is_escaped(place):
    id = """q'"<&>]]>"""
    stream = place.opened()
    stream.send(f"<iq type='set' from=\"{BO}'&lt;\" to='contoso.example' "
                "id='q&apos;&quot;&lt;&amp;&gt;]]&gt;'>"
                "<unheard xmlns='of'/></iq>")
    answer = place.raw.server.journal.wait(
        "stanza", text=lambda t: "service-unavailable" in t
        and "id='q&apos;" in t).text
    root = ET.fromstring(answer)
    assert root.get("id") == id
    assert root.get("to") == BO + "'<"


def test_ten_thousand_in_order(place):
    stream = place.opened()
    stream.sock.settimeout(60)
    for n in range(0, 10000, 100):
        stream.send("".join(
            f"<message from='{BO}' to='{ANNA}' type='chat'>"
            f"<body>{i}</body></message>" for i in range(n, n + 100)))
        for i in range(n, n + 100):
            frame = place.inside.wait("message", timeout=30)
            assert frame["body"] == str(i)
            place.inside.send("result", answers=frame["seq"],
                              status="delivered", proof="gateway")


# --- too many ---------------------------------------------------------------

def is_served(stream):
    """The features come, or the word that there are too many."""
    stream.send(STREAM.format(local=PARTNER, remote="contoso.example",
                              more=""))
    return stream.until(r"</stream:features>|too many from one address"
                        )[0] == "</stream:features>"


def test_one_address_does_not_take_every_place(place):
    """Who comes from another is served meanwhile."""
    handles = place.edge.handles()
    served = [is_served(place.stream()) for _ in range(120)]
    assert served == [True] * 64 + [False] * 56
    other = place.stream()
    other.sock.close()
    other.sock = socket.create_connection(
        (place.edge.address, place.edge.port), 10,
        source_address=(place.run.address(99), 0))
    assert is_served(other)
    while place.streams:
        place.streams.pop().close()
    end = time.monotonic() + 10
    while place.edge.handles() > handles:
        assert time.monotonic() < end, "streams are left"
        time.sleep(0.05)


def test_without_descriptors_nobody_new_and_nobody_lost(place):
    """Who is in stays; who comes waits or is turned away; then all is well."""
    kept = place.opened()
    pid = place.children()["streams"]
    limit = subprocess.run(
        ["prlimit", "--noheadings", "--raw", "-o", "SOFT", "--nofile",
         "--pid", str(pid)], text=True, capture_output=True, check=True).stdout
    used = len(os.listdir(f"/proc/{pid}/fd"))
    subprocess.run(["prlimit", f"--nofile={used + 5}:", "--pid", str(pid)],
                   check=True)
    served = 0
    try:
        for _ in range(30):
            try:
                stream = place.stream()
                stream.send(STREAM.format(
                    local=PARTNER, remote="contoso.example", more=""))
                stream.read(0.1)
                served += 1
            except (Ended, OSError):
                pass
        assert served <= 6
        kept.message(BO, ANNA, "meanwhile")
        place.hears("meanwhile")
    finally:
        subprocess.run(["prlimit", f"--nofile={limit.strip()}:", "--pid",
                        str(pid)], check=True)
    while place.streams:
        place.streams.pop().close()
    place.await_door(True)
    assert place.children()["streams"] == pid
    # Without the sandbox libuv has a descriptor of its own in reserve.
    if "asan" not in BIN:
        assert place.edge.log.lines("doors-closed.*no descriptor is left")


# --- XML --------------------------------------------------------------------

def pieces(name):
    """What must be cut: text before, one piece, how often at most."""
    return {
        "depth": ("", "<a>" * 1000, 1000),
        "attribute": ("<message a='", "x" * 65536, 1600),
        "attributes": ("<message", "".join(
            f" a{i}=''" for i in range(100000)), 1),
        "namespaces": ("<message", "".join(
            f" xmlns:a{i}='u{i}'" for i in range(100000)), 1),
        "children": ("<message>", "<a/>" * 10000, 100),
        "name": ("<", "n" * 65536, 100),
    }[name]


@pytest.mark.parametrize("name", ["depth", "attribute", "attributes",
                                  "namespaces", "children", "name"])
def test_what_has_no_end_is_cut_and_leaves_nothing(place, name):
    before, piece, count = pieces(name)
    stream = place.opened()
    memory, begun = place.memory(), time.monotonic()
    try:
        stream.send(before)
        for _ in range(count):
            stream.send(piece)
    except OSError:
        pass        # cut while we wrote
    try:
        assert "policy-violation" in stream.drain()
    except OSError:
        pass
    assert place.memory() - memory < FLAT
    assert time.monotonic() - begun < 10


def test_white_space_costs_no_memory(place):
    stream = place.opened()
    memory = place.memory()
    stream.sock.settimeout(60)
    for _ in range(64):
        stream.send(b" " * MIB)
    stream.message(BO, ANNA, "behind much space")
    place.hears("behind much space")
    assert place.memory() - memory < FLAT


def test_half_a_stanza_is_none(place):
    stream = place.opened()
    stream.send(f"<message from='{BO}' to='{ANNA}'><body>half</body>")
    stream.close()
    stream = place.opened()
    stream.send(f"<message from='{BO}' to='{ANNA}'><body>half</body>"
                "</stream:stream>")
    ended(stream, "not-well-formed")


def test_byte_by_byte_it_is_the_same(place):
    stream = place.opened()
    text = (f"<message from='{BO}' to='{ANNA}' type='chat'><body>&lt;&#65;"
            "<![CDATA[&]]>\u00e9\U0001f600</body></message>").encode()
    for i in range(len(text) - 1):
        stream.send(text[i:i + 1])
    time.sleep(0.1)
    assert not place.heard()
    stream.send(text[-1:])      # and at once with the last
    place.hears("<A&\u00e9\U0001f600")


def test_space_within_the_negotiation_is_skipped(place):
    stream = place.stream()
    stream.open()
    stream.send(" \r\n")
    stream.starttls(place.public.certificate, place.public.leaf(PARTNER))
    stream.open()
    stream.send("\n ")
    assert stream.external() == "success"
    stream.send(" ")
    stream.open()
    stream.message(BO, ANNA, "in spite of the space")
    place.hears("in spite of the space")


@pytest.mark.parametrize("text", [
    "<!DOCTYPE a SYSTEM 'http://127.0.0.1/x'><a/>",
    "<!DOCTYPE a [<!ENTITY % b SYSTEM 'http://127.0.0.1/x'> %b;]><a/>",
    "<!DOCTYPE a [<!ENTITY b 'bbbb'>" + "".join(
        f"<!ENTITY {c}{c} '{'&b;' * 99}'>" for c in "cdef") + "]><a>&ff;</a>",
], ids=["external", "parameter", "many"])
def test_a_document_type_ends_the_stream_before_it_is_read(place, text):
    memory = place.memory()
    stream = place.stream()
    stream.send(text)
    ended(stream, "restricted-xml")
    assert place.memory() - memory < FLAT


@pytest.mark.parametrize("text, condition", [
    # Within a stream it is no document type, but a fault.
    ("<!DOCTYPE a SYSTEM 'http://127.0.0.1/x'>", "not-well-formed"),
    ("<!-- x -->", "restricted-xml"), ("<?x y?>", "restricted-xml"),
    ("<?xml version='1.0'?>", "not-well-formed"),
    ("<message>&nbsp;", "restricted-xml"),
    (b"<message>\xc3(", "not-well-formed"),
    (b"<message a='\xed\xa0\x80'", "not-well-formed"),
    ("<a xmlns='u&#1;v'/>", "not-well-formed"),
    ("words", "bad-format"),
    (f"<foo from='{BO}' to='{ANNA}'/>", "unsupported-stanza-type"),
])
def test_restricted_xml_has_the_condition_of_its_fault(
        place, text, condition):
    stream = place.opened()
    stream.send(text)
    ended(stream, condition)


def test_a_limit_below_the_standards_is_refused(place):
    """RFC 6120 13.12: 10 000 bytes at least."""
    two = place.gateway("gw2.contoso.example", epoch=1, store="s2")
    two.send("config", json=dict(
        config(store="s2", stanza_max=9999),
        hosted=[{"domain": "third.example"}]))
    confirm = two.wait("confirm")
    assert confirm["status"] == "refused" and "10000" in confirm["reason"]
    two.close()
