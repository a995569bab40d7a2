"""Sites as they are planned: several edges, found by DNS or behind a load
balancer; several domains; a gateway that the pool knows by another name."""

import asyncio
import itertools
import os
import ssl
import subprocess
import time

import pytest

from lib.command import sallyport, sallyport_json
from lib.daemons import Edge, binary
from lib.relay import Relay
from lib.site import COMPANY, Site

pytestmark = pytest.mark.once

ANNA, BO = f"anna@{COMPANY}", "bo@partner.example"
OTHER = "fabrikam.example"


class TwoEdges(Site):
    """The gateway calls each by itself; partners find the first, then the
    second."""

    def zones(self):
        self.edge2 = Edge(self.run, self.public, self.internal, self.dns,
                          [self.public.leaf(COMPANY)], host=32, node="edge2")
        self.gateway.config["edges"].append({
            "name": self.edge2.node,
            "address": f"{self.edge2.inner_address}:{self.edge2.inner_port}"})
        super().zones()
        self.found()

    def found(self):
        self.dns.srv(COMPANY, self.edge2.node, self.edge2.port, priority=20)
        self.dns.a(self.edge2.node, self.edge2.address)

    def start(self):
        self.edge2.start()
        super().start()
        self.edge2.await_open()
        return self

    def reports(self):
        return super().reports() + self.edge2.reports()


class Balancer(Relay):
    """A load balancer: one address, whoever of the targets answers."""

    def __init__(self, run, host, targets):
        super().__init__(run, host, targets[0])
        self.targets = itertools.cycle(targets)
        self.count = len(targets)

    async def _serve(self, reader, writer):
        for _ in range(self.count):
            self.target = next(self.targets)
            try:
                _, trial = await asyncio.open_connection(*self.target)
            except OSError:
                continue
            trial.close()
            break
        await super()._serve(reader, writer)


class BehindBalancer(TwoEdges):
    def found(self):
        self.balancer = Balancer(self.run, 34, [
            (e.address, e.port) for e in (self.edge, self.edge2)]).start()
        self.dns.forget_srv(COMPANY)
        self.dns.srv(COMPANY, f"xmpp.{COMPANY}", self.balancer.port)
        self.dns.a(f"xmpp.{COMPANY}", self.balancer.address)


def running(kind, **more):
    from conftest import Started
    return Started(kind("edges", wide=False, **more))


@pytest.fixture
def pair():
    with running(TwoEdges) as site:
        yield site


@pytest.fixture
def balanced():
    with running(BehindBalancer) as site:
        yield site


def channels(site):
    """{edge: whether its own channel is up}, as the gateway has it."""
    status = sallyport_json("--socket", site.gateway.control, "status")
    return {e["name"].split(".")[0]: e["up"] for e in status["edges"]}


def await_channels(site, want, patience=20):
    end = time.monotonic() + patience
    while channels(site) != want:
        assert time.monotonic() < end, (channels(site), want)
        time.sleep(0.1)


def chat(bo, anna, text, patience=30):
    """Each way, whatever edge it takes; the first try after an edge died may
    be told to its sender."""
    end = time.monotonic() + patience
    while anna.send(BO, text).status != 200:
        assert time.monotonic() < end, "nothing gets out"
        time.sleep(0.2)
    bo.message(body=text, timeout=patience)
    bo.send(ANNA, f"re: {text}")
    anna.message(body=f"re: {text}", timeout=patience)


def carried(edge, mark):
    """Whether the partner and this edge met since then."""
    return "partner.example" in edge.log.text()[mark:]


def people(site):
    return site.xmpp_user(BO), site.lync_user("anna")


def test_one_edge_dies_and_the_other_carries_on(pair):
    await_channels(pair, {"edge1": True, "edge2": True})
    bo, anna = people(pair)
    chat(bo, anna, "with two edges")
    pair.edge.kill()
    await_channels(pair, {"edge1": False, "edge2": True})
    mark = pair.edge2.log.mark()
    chat(bo, anna, "with the second alone")
    assert carried(pair.edge2, mark)
    pair.edge.start()
    await_channels(pair, {"edge1": True, "edge2": True})
    pair.edge.await_open()
    pair.edge2.kill()
    await_channels(pair, {"edge1": True, "edge2": False})
    mark = pair.edge.log.mark()
    chat(bo, anna, "with the first alone")
    assert carried(pair.edge, mark)


def test_a_site_is_moved_by_hand_and_back(pair):
    """As the perimeter's guide has it: the new one is published, the old one
    drained."""
    await_channels(pair, {"edge1": True, "edge2": True})
    bo, anna = people(pair)
    chat(bo, anna, "here")
    for old, new in ((pair.edge, pair.edge2), (pair.edge2, pair.edge)):
        sallyport("--socket", old.control, "drain")
        assert old.process.popen.wait(30) == 0
        mark = new.log.mark()
        chat(bo, anna, f"at {new.node}")
        assert carried(new, mark)
        old.start()
        await_channels(pair, {"edge1": True, "edge2": True})
        old.await_open()


def test_behind_a_load_balancer_the_certificate_tells_who_it_is(balanced):
    """Partners see one address that is no edge's, and no edge's name."""
    await_channels(balanced, {"edge1": True, "edge2": True})
    bo, anna = people(balanced)
    chat(bo, anna, "through the balancer")
    assert "Accepting SASL EXTERNAL identity from contoso.example" in \
        balanced.prosody.log.text()
    balanced.edge.kill()
    balanced.balancer.cut()
    await_channels(balanced, {"edge1": False, "edge2": True})
    chat(bo, anna, "and through what is left behind it")


# --- certificates ----------------------------------------------------------


def shown(edge, domain, *sni):
    """The names in what a partner is shown that asks for this domain."""
    out = subprocess.run(
        ["openssl", "s_client", "-starttls", "xmpp-server", "-xmpphost",
         domain, *sni, "-connect", f"{edge.address}:{edge.port}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, timeout=20, check=False).stdout
    begin = out.index("-----BEGIN CERTIFICATE-----")
    end = out.index("-----END CERTIFICATE-----")
    return ssl.PEM_cert_to_DER_cert(out[begin:end] +
                                    "-----END CERTIFICATE-----")


def der(leaf):
    with open(leaf.certificate, encoding="ascii") as f:
        return ssl.PEM_cert_to_DER_cert(f.read())


@pytest.mark.parametrize("one", [True, False],
                         ids=["one-for-all", "one-per-domain"])
def test_each_domain_is_shown_a_certificate_of_its_own(one):
    site = Site("domains", wide=False)
    leaves = {d: site.public.leaf("both", COMPANY, OTHER) if one else
              site.public.leaf(d) for d in (COMPANY, OTHER)}
    pairs = []
    for i, leaf in enumerate(dict.fromkeys(leaves.values())):
        certificate, key = site.edge.files(leaf, f"domain-{i}")
        pairs.append({"certificate": certificate, "key": key})
    site.edge.config["external"]["certificates"] = pairs
    site.gateway.config["hosted"].append({"Domain": OTHER})
    from conftest import Started
    with Started(site):
        for domain, leaf in leaves.items():
            # By the stream's "to" alone, and with SNI.
            assert shown(site.edge, domain, "-noservername") == der(leaf)
            assert shown(site.edge, domain, "-servername", domain) == \
                der(leaf)


def test_the_certificates_of_the_two_sides_are_two(balanced):
    """What is shown outside is not what is shown to the gateway, and neither
    is taken for the other."""
    edge = balanced.edge
    out = subprocess.run(
        ["openssl", "s_client", "-connect",
         f"{edge.inner_address}:{edge.inner_port}", "-CAfile",
         balanced.public.certificate],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=20, check=False).stdout
    assert "verify error" in out and "contoso.example" in out
    assert shown(edge, COMPANY) == der(balanced.public.leaf(COMPANY))


# --- the pool's view ---------------------------------------------------------


APPLICATION = f"xmppgw.{COMPANY}"


@pytest.fixture
def application():
    """The trusted application pool has another name than its computer; the
    certificate was asked for by our own request and has both."""
    site = Site("application", wide=False)
    stem = os.path.join(site.run.folder("asked"), "sip")
    sallyport("certs", "request", "--for", "sip", "--domain",
              f"{APPLICATION},{site.gateway.node}", "--key", stem + ".key",
              "--out", stem + ".csr")
    ca = site.internal
    site.run.command(
        ["openssl", "x509", "-req", "-in", stem + ".csr", "-CA",
         ca.certificate, "-CAkey", os.path.join(ca.folder, "ca.key"),
         "-copy_extensions", "copyall", "-days", "30", "-out", stem + ".pem"])
    site.gateway.config["sip"].update(
        fqdn=APPLICATION, certificate=stem + ".pem", key=stem + ".key")
    site.pool.gateway = APPLICATION
    with_certificate = sallyport_json(
        "certs", "check", stem + ".pem", "--for", "sip", "--domain",
        f"{APPLICATION},{site.gateway.node}", "--key", stem + ".key",
        "--trust", ca.certificate)
    assert with_certificate["acceptable"] is True
    return site


def test_a_pool_that_knows_the_gateway_by_its_pool_name_takes_it(application):
    from conftest import Started
    with Started(application) as site:
        bo, anna = people(site)
        chat(bo, anna, "as an application of the pool")
        assert site.pool.log.lines("gateway=1")


def test_a_certificate_without_the_pool_name_is_refused_at_once(application):
    site = application
    leaf = site.internal.leaf("gw1-alone", site.gateway.node)
    certificate, key = site.gateway.files(leaf, "alone")
    site.gateway.config["sip"].update(certificate=certificate, key=key)
    try:
        done = subprocess.run(
            [binary("sallyport-gateway"), "--config", site.gateway.write(),
             "--check"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=20, check=False)
        assert done.returncode == 1
        assert f"does not name {APPLICATION}" in done.stdout
    finally:
        site.close()


def test_a_pool_that_knows_another_gateway_does_not_take_it(application):
    """Who is trusted is told by the certificate, by no address."""
    from conftest import Started
    application.pool.gateway = f"another.{COMPANY}"
    with Started(application) as site:
        bo, anna = people(site)
        bo.send(ANNA, "from nobody they know")
        assert bo.error(timeout=60).condition
        assert not anna.journal.all("message")
