"""dns check --connect: the servers themselves, as a partner meets them."""

import socket
import threading

import pytest

from lib.command import findings, sallyport_json
from lib.nsd import Nsd

pytestmark = pytest.mark.once

COMPANY = "contoso.example"
PARTNER = "partner.example"


def check(site, domain, *more, status=0):
    return sallyport_json("dns", "check", domain, "--server",
                          site.dns.server, "--connect", "--trust",
                          site.public.certificate, *more, status=status)


def texts(seen, level, what):
    return [text for c, text in findings(seen, level) if c == what]


def test_a_partners_server_answers(hasty):
    """The first two things a dialback needs."""
    seen = check(hasty, PARTNER, "--from", COMPANY)
    where = f"{hasty.prosody.address}:{hasty.prosody.s2s}"
    connected, = texts(seen, "ok", "connect")
    assert connected.startswith(f"{where}: answers as {PARTNER}, TLSv1.")
    assert texts(seen, "ok", "certificate") == [
        f"{where}: names {PARTNER} and is trusted"]


def test_our_own_edge_answers(hasty):
    """The other two: our name leads to us, and the port is open."""
    seen = check(hasty, COMPANY, "--edge", hasty.edge.node, "--from", PARTNER)
    assert texts(seen, "ok", "connect") and texts(seen, "ok", "certificate")


def test_an_authority_nobody_trusts_is_told(hasty):
    seen = check(hasty, PARTNER, "--trust", hasty.internal.certificate,
                 status=1)
    assert "not trusted here" in texts(seen, "failure", "certificate")[0]


def test_nobody_there_and_somebody_else_there(hasty):
    """A port that is closed, and one where something else answers."""
    run = hasty.run
    address = run.address(60)
    server = socket.create_server((address, run.port(address)))

    def talk():
        peer, _ = server.accept()
        peer.sendall(b"220 mail.contoso.example ESMTP\r\n")
        peer.recv(4096)
        peer.close()

    threading.Thread(target=talk, daemon=True).start()
    port = server.getsockname()[1]
    closed = run.port(address)
    nsd = Nsd(run, host=61)
    nsd.zone("odd.example", f"""\
_xmpp-server._tcp.odd.example. 60 IN SRV 1 1 {port} mail.odd.example.
_xmpp-server._tcp.odd.example. 60 IN SRV 2 1 {closed} mail.odd.example.
mail.odd.example. 60 IN A {address}
""", signed=False)
    nsd.start()
    seen = sallyport_json("dns", "check", "odd.example", "--server",
                          nsd.server, "--connect", status=1)
    server.close()
    assert texts(seen, "failure", "connect") == [
        f"{address}:{port}: what answers is no XMPP server",
        f"{address}:{closed}: connect: Connection refused"]
