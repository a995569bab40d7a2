"""Partners who come through a load balancer: the edge knows them by their own
addresses, and takes nobody's word for that but the load balancer's."""

import os
import signal
import socket
import struct

import pytest

from lib.haproxy import Haproxy
from lib.control import ask
from lib.site import COMPANY, Site
from lib.xmpp_peer import STREAM, RawStream

ANNA = f"anna@{COMPANY}"
BO = "bo@partner.example"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


@pytest.fixture(scope="module")
def place():
    """Prosody, which finds nothing but the load balancer."""
    from conftest import Started
    site = Site("proxy", wide=False)
    site.balancer = Haproxy(site.run, site.edge)
    site.dns.forget_srv(COMPANY)
    site.dns.srv(COMPANY, "balancer.contoso.example", site.balancer.port)
    site.dns.a("balancer.contoso.example", site.balancer.address)
    site.edge.config["external"]["proxy_protocol"] = [site.balancer.source]
    with Started(site) as site:
        site.balancer.start()
        yield site


@pytest.fixture
def anna(place):
    from conftest import employee
    yield from employee(place, "anna")


def header(source, port=4660, command=0x21):
    """A header of version 2 for that address."""
    if ":" in source:
        pack = socket.inet_pton(socket.AF_INET6, source)
        body = pack + socket.inet_pton(socket.AF_INET6, "2001:db8::2")
        family = 0x21
    else:
        body = socket.inet_aton(source) + socket.inet_aton("198.51.100.10")
        family = 0x11
    body += struct.pack("!HH", port, 5269)
    return SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


def dial(place, first, source=None):
    """To the edge itself, as the load balancer or from elsewhere."""
    stream = RawStream.__new__(RawStream)
    sock = socket.create_connection(
        (place.edge.address, place.edge.port), 10,
        source_address=(source or place.balancer.source, 0))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream.sock, stream.seen, stream.closed = sock, "", False
    stream.local, stream.remote = "partner.example", COMPANY
    if first:
        stream.send(first)
    return stream


def refused(place, first, reason, source=None):
    """Closed without a word, and one line tells why."""
    mark = place.edge.log.mark()
    stream = dial(place, first, source)
    assert stream.drain() == ""
    stream.close()
    place.edge.log.wait("proxy-refused ", 5, mark)
    lines = [l for l in place.edge.log.text(mark).splitlines()
             if "proxy-refused" in l or "stream-end" in l]
    assert len(lines) == 1 and reason in lines[0], lines


def test_prosody_through_haproxy_is_known_by_its_own_address(place, anna):
    bo = place.xmpp_user(BO)
    bo.send(ANNA, "through the balancer")
    anna.message(body="through the balancer", sender=BO)
    assert anna.send(BO, "and back").status == 200
    bo.message(body="and back")
    bo.logout()
    line = place.edge.log.lines("s2s_in stream-up .*partner.example")[0]
    assert " peer=127.0.0.1:" in line, line
    peers = [s["peer"] for s in ask(place.edge.control, "streams")["streams"]
             if s["direction"] == "in"]
    assert peers and all(p.startswith("127.0.0.1:") for p in peers)


@pytest.mark.once
def test_nobody_else_and_nothing_else_gets_in(place):
    stream = STREAM.format(local="partner.example", remote=COMPANY, more="")
    refused(place, stream, "no header of the PROXY protocol")
    refused(place, "PROXY TCP4 192.0.2.1 198.51.100.10 4660 5269\r\n",
            "version 1")
    refused(place, header("192.0.2.1")[:12] + b"\x22" + bytes(15),
            "unknown command")
    refused(place, header("192.0.2.1"), "not in external.proxy_protocol",
            source=place.run.address(90))
    mark = place.edge.log.mark()
    dial(place, header("192.0.2.1")[:20]).close()
    place.edge.log.wait("proxy-refused .*closed before", 5, mark)


@pytest.mark.once
@pytest.mark.parametrize("source, told", [
    ("192.0.2.77", "192.0.2.77:4660"), ("2001:db8::77", r"\[2001:db8::77\]"
                                                        ":4660")])
def test_the_address_of_the_header_is_the_peers(place, source, told):
    mark = place.edge.log.mark()
    whole = header(source)
    stream = dial(place, None)
    for i in range(len(whole)):     # in any pieces
        stream.send(whole[i:i + 1])
    assert "starttls" in stream.open()
    stream.close()
    place.edge.log.wait(f"s2s_in stream-end .*peer={told}", 5, mark)


@pytest.mark.once
def test_a_look_whether_we_live_is_answered_as_the_balancers(place):
    mark = place.edge.log.mark()
    stream = dial(place, SIGNATURE + b"\x20\0\0\0")
    assert "starttls" in stream.open()
    stream.close()
    place.edge.log.wait(
        f"s2s_in stream-end .*peer={place.balancer.source}:", 5, mark)


@pytest.mark.once
def test_the_share_of_one_address_is_that_of_the_real_one(place):
    mark = place.edge.log.mark()
    streams = [dial(place, header("192.0.2.200")) for _ in range(130)]
    line = place.edge.log.wait("stream-turned-away", 10, mark)
    assert "peer=192.0.2.200 " in line and "from one address" in line
    other = dial(place, header("192.0.2.201"))
    assert "starttls" in other.open()
    for stream in (*streams, other):
        stream.close()


@pytest.mark.once
def test_without_the_setting_partners_come_by_themselves(place):
    external = place.edge.config["external"]
    balancers = external.pop("proxy_protocol")
    for wanted in (None, balancers):
        if wanted:
            external["proxy_protocol"] = wanted
        place.edge.write()
        mark = place.edge.log.mark()
        os.kill(place.edge.process.pid, signal.SIGHUP)
        place.edge.log.wait("keeper reloaded ", 10, mark)
        stream = dial(place, None, source=place.run.address(90))
        if wanted is None:
            assert "starttls" in stream.open()
        else:
            assert stream.drain() == ""
        stream.close()
