"""Third programs on the port that is for gateways.

Some get no further than the handshake; one holds the certificate of a second,
listed gateway and breaks the rules of the channel.  Each ends with one line
that names it and says why; the gateway that keeps the rules, and the people
behind it, notice nothing.
"""

import re
import socket
import ssl

import pytest

from lib.channel import Closed, dial, encode
from lib.site import Site

ANNA = "anna@contoso.example"
BO = "bo@partner.example"
GATEWAY = "gw2.contoso.example"
ENDED = " gateway-(?:refused|lost) "


@pytest.fixture(scope="module")
def place():
    from conftest import Started
    site = Site("inner", wide=False)
    site.edge.config["internal"]["gateways"].append(GATEWAY)
    with Started(site) as site:
        yield site


@pytest.fixture
def bo(place):
    from conftest import visitor
    yield from visitor(place, BO)


@pytest.fixture
def anna(place):
    from conftest import employee
    yield from employee(place, "anna")


@pytest.fixture(autouse=True)
def undisturbed(place, bo, anna):
    """Around each test the same chat, over the same channel and stream; and
    what the intruder has opened is closed again."""
    def chat(text):
        bo.send(ANNA, text)
        anna.message(body=text, sender=BO)
        assert anna.send(BO, text).status == 200
        bo.message(body=text)

    chat("before")
    marks = place.gateway.log.mark(), place.edge.log.mark()
    handles = place.edge.handles()
    yield
    chat("after")
    assert len(anna.journal.all("invite")) == 1
    assert " down " not in place.gateway.log.text()[marks[0]:]
    assert "gateway-up" not in "".join(
        l for l in place.edge.log.text()[marks[1]:].splitlines()
        if GATEWAY not in l)
    place.edge.await_handles(handles)


def inner(place):
    return place.edge.inner_address, place.edge.inner_port


def intruder(place, node=GATEWAY, leaf=None, **more):
    leaf = leaf or place.internal.leaf(node)
    return dial(inner(place), node, leaf.certificate, leaf.key,
                place.internal.certificate, **more)


def welcomed(place):
    peer = intruder(place)
    peer.hello("hello", store="s2", epoch=1)
    peer.credit = peer.wait("welcome")["credit-seq"]
    return peer


def ended(place, mark, *words):
    """One line tells of the end, and has all the words."""
    line = place.edge.log.wait(ENDED, 10, mark)
    for word in words:
        assert word in line, line
    text = place.edge.log.text(mark)
    assert len(re.findall(ENDED, text)) == 1
    assert " error " not in text


@pytest.mark.parametrize("data", [
    b"\x00" * 100, b"GET / HTTP/1.1\r\nHost: edge1\r\n\r\n",
    encode("hello", version=1, node=GATEWAY)
], ids=["zeros", "http", "plain"])
def test_what_does_not_speak_tls_is_cut_off(place, data):
    mark = place.edge.log.mark()
    with socket.create_connection(inner(place)) as sock:
        name = "%s:%d" % sock.getsockname()
        sock.sendall(data)
        sock.settimeout(8)
        try:
            while sock.recv(1000):
                pass
        except ConnectionError:
            pass
        ended(place, mark, name, "reason=")


@pytest.mark.parametrize("who, why", [
    ("nobody", "certificate"), ("stranger", "certificate"),
    ("outside", "certificate"), ("expired", "expired"),
    ("self-signed", "self"), ("unlisted", "names no gateway of the list"),
    ("old-tls", "reason="),
])
def test_who_shows_no_certificate_of_a_gateway_is_sent_away(place, who, why):
    leaf, more = None, {}
    if who == "nobody":
        pass
    elif who == "stranger":
        leaf = place.public.leaf("gw2-outside", GATEWAY, eku="both")
    elif who == "outside":
        leaf = place.public.leaf("contoso.example")
    elif who == "expired":
        leaf = place.internal.leaf("gw2-old", GATEWAY,
                                   extra=("--from", "2020-01-01"))
    elif who == "self-signed":
        leaf = place.internal.leaf("gw2-self", GATEWAY,
                                   extra=("--self-signed",))
    elif who == "unlisted":
        leaf = place.internal.leaf("someone.contoso.example")
    elif who == "old-tls":
        more["versions"] = (ssl.TLSVersion.TLSv1_2,) * 2
    mark = place.edge.log.mark()
    try:
        if who == "nobody":
            raw = socket.create_connection(inner(place), timeout=8)
            context = ssl.create_default_context(
                cafile=place.internal.certificate)
            with context.wrap_socket(raw, server_hostname=place.edge.node) \
                    as sock:
                assert sock.recv(1000) == b""
        else:
            peer = intruder(place, leaf=leaf, **more)
            assert peer.closed.wait(8)
            assert not [k for k, _ in peer.frames if k == "welcome"]
            peer.close()
    except OSError:
        pass            # refused in the handshake: as good
    ended(place, mark, why)


@pytest.mark.parametrize("hello, why", [
    (dict(node="gw1.contoso.example"), "does not name the node"),
    (dict(node="gw3.contoso.example"), "not on the list"),
    (dict(version=0), "version"),
    (dict(send_base=0), "send-base"),
    (dict(result_seen=7), "result-seen"),
    (dict(boot=b""), "boot"),
], ids=["honest-gateway", "nobody", "version", "base", "seen", "boot"])
def test_a_hello_that_is_not_acceptable_is_refused(place, hello, why):
    mark = place.edge.log.mark()
    peer = intruder(place)
    peer.hello("hello", store="s2", epoch=99, **hello)
    reason = refusal(peer)
    peer.close()
    ended(place, mark, why)
    assert why in reason


def refusal(peer):
    """The reason that it is given; then the connection is closed."""
    assert peer.closed.wait(8)
    kinds = dict(peer.frames)
    assert "refuse" in kinds, peer.frames
    return kinds["refuse"]["reason"]


STANZA = {"from": "a@contoso.example", "to": "b@partner.example",
          "kind": "chat", "id": "m", "body": "x"}

VIOLATIONS = {
    "hello-again": lambda p: p.hello("hello", store="s2", epoch=1),
    "welcome": lambda p: p.hello("welcome"),
    "stream-frame": lambda p: p.send("stream", json={"id": "x"}),
    "confirm-frame": lambda p: p.send("confirm", status="ok"),
    "number-back": lambda p: (p.send("message", seq=5, **STANZA),
                              p.send("message", seq=3, **STANZA)),
    "number-zero": lambda p: p.send("message", seq=0, **STANZA),
    "no-number": lambda p: p.send("message", **STANZA),
    "beyond-credit": lambda p: p.send("message", seq=p.credit + 1, **STANZA),
    "result-unasked": lambda p: p.send("result", answers=7,
                                       status="delivered"),
    "result-nameless": lambda p: p.send("result", status="delivered"),
    "result-empty": lambda p: p.send("result", answers=1),
    "seen-too-much": lambda p: (p.send("message", seq=1, **STANZA),
                                p.send("pong", result_seen=1 << 40)),
    "unknown-type": lambda p: p.send(200),
    "other-version": lambda p: p.send("ping", frame_version=2),
    "oversized": lambda p: p.send_raw(b"\x00\x04\x00\x00" + b"\x01\x41"),
    "no-length": lambda p: p.send_raw(b"\x00\x00\x00\x00"),
    "cut-field": lambda p: p.send_raw(b"\x00\x00\x00\x05\x01\x41\x00\x04\x00"),
    "field-form": lambda p: p.send("message", seq=1, **dict(
        STANZA, body=b"\xff\xfe")),
    "field-twice": lambda p: p.send("message", seq=1, **dict(
        STANZA, body=["one", "two"])),
    "http": lambda p: p.send_raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_who_breaks_the_rules_of_the_channel_is_refused(place, name):
    peer = welcomed(place)
    mark = place.edge.log.mark()
    try:
        VIOLATIONS[name](peer)
    except Closed:
        pass
    assert refusal(peer)
    peer.close()
    ended(place, mark, GATEWAY, "reason=")


def test_who_claims_the_domain_with_less_right_gets_nothing(place):
    """A lower epoch: fenced; what it sends for the domain is not allowed."""
    peer = welcomed(place)
    place.dns.zone("stranger.example")
    peer.send("config", json={
        "generation": {"store": "s2", "counter": 1},
        "hosted": [{"domain": "contoso.example"}],
        "partners": [{"Domain": "partner.example",
                      "PartnerType": "Federated"}], "settings": {}})
    assert peer.wait("confirm")["status"] == "fenced"
    seq = peer.stanza("message", **dict(STANZA, to=BO, body="a forged word"))
    result = peer.wait("result", answers=seq)
    assert (result["status"], result["condition"]) == ("failed",
                                                       "not-allowed")
    peer.close()
    assert peer.closed.wait(5)
