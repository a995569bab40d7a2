"""The DNS plan, published by a real name server and seen from outside."""

import hashlib
import json
import ssl
import subprocess

import pytest

from lib.authority import Authority
from lib.command import findings, sallyport, sallyport_json
from lib.nsd import Nsd, tool
from lib.run import Run

pytestmark = pytest.mark.once

DOMAIN = "contoso.example"
PLAN = ("--domain", DOMAIN,
        "--edge", f"edge1.{DOMAIN}:10=192.0.2.10,2001:db8::10",
        "--edge", f"edge2.{DOMAIN}:20=198.51.100.10")


class Zones:
    def __init__(self, run):
        self.nsd = Nsd(run)
        authority = Authority(run, "ca")
        self.leaf = authority.leaf(DOMAIN)
        self.other = authority.leaf("other")
        plan = sallyport("dns", "plan", *PLAN, "--tlsa",
                         self.leaf.certificate)
        self.nsd.zone(DOMAIN, plan)
        # The same records in a zone whose signatures do not hold.
        self.nsd.zone("tampered.example",
                      plan.replace(DOMAIN, "tampered.example"))
        self.nsd.tamper("tampered.example", "10 10 5269", "10 10 5270")
        self.nsd.zone("odd.example", """\
_xmpp-server._tcp.odd.example. 60 IN SRV 10 10 5269 alias.odd.example.
_xmpp-server._tcp.odd.example. 60 IN SRV 20 10 5269 nowhere.odd.example.
_xmpp-server._tcp.odd.example. 60 IN SRV 30 10 5269 inside.odd.example.
alias.odd.example. 60 IN CNAME real.odd.example.
real.odd.example. 60 IN A 192.0.2.20
inside.odd.example. 60 IN A 10.1.2.3
_xmpp-server._tcp.none.odd.example. 60 IN SRV 0 0 0 .
bare.odd.example. 60 IN A 192.0.2.30
""", signed=False)
        with open(authority.certificate, encoding="ascii") as f:
            ca = f.read()
        with open(self.leaf.certificate, encoding="ascii") as f:
            self.chain = run.write("chain.pem", f.read() + ca)
        of_ca = hashlib.sha256(ssl.PEM_cert_to_DER_cert(ca)).hexdigest()
        self.nsd.zone("own.example", f"""\
_xmpp-server._tcp.own.example. 60 IN SRV 10 10 5269 xmpp.own.example.
xmpp.own.example. 60 IN A 192.0.2.40
_5269._tcp.xmpp.own.example. 60 IN TLSA 2 0 1 {of_ca}
""")
        self.nsd.start()

    def anchor(self, domain):
        return ("--trust-anchor", self.nsd.anchors[domain])

    def check(self, domain, *more, status=0, anchor=None):
        return sallyport_json("dns", "check", domain, "--server",
                              self.nsd.server,
                              *self.anchor(anchor or domain), *more,
                              status=status)


@pytest.fixture(scope="module")
def zones():
    with Run("dns-plan") as run:
        yield Zones(run)


def test_the_plan_is_found_secure(zones):
    seen = zones.check(DOMAIN, "--edge", f"edge1.{DOMAIN},edge2.{DOMAIN}",
                       "--certificate", zones.leaf.certificate)
    assert seen["verdict"] == "ok"
    domain, = seen["domains"]
    assert domain["dnssec"] == "secure"
    assert [(t["target"], t["priority"], t["addresses"], t["secure"])
            for t in domain["targets"]] == [
        (f"edge1.{DOMAIN}", 10, ["2001:db8::10", "192.0.2.10"], True),
        (f"edge2.{DOMAIN}", 20, ["198.51.100.10"], True)]
    assert ("tlsa", f"_5269._tcp.edge1.{DOMAIN}: 3 1 1 matches the "
            "certificate") in findings(seen, "ok")


def test_dig_sees_the_same(zones):
    answer = subprocess.run(
        [tool("dig"), f"@{zones.nsd.address}", "-p", str(zones.nsd.port),
         "+short", "SRV", f"_xmpp-server._tcp.{DOMAIN}"],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    assert sorted(answer.split("\n")[:-1]) == [
        f"10 10 5269 edge1.{DOMAIN}.", f"20 10 5269 edge2.{DOMAIN}."]


def test_a_zone_that_was_tampered_with_is_bogus(zones):
    seen = zones.check("tampered.example", status=1)
    assert seen["domains"][0]["dnssec"] == "failed"
    (check, text), = findings(seen, "failure")
    assert check == "dnssec" and "bogus" in text


def test_another_certificate_does_not_match(zones):
    seen = zones.check(DOMAIN, "--certificate", zones.other.certificate,
                       status=1)
    assert {c for c, _ in findings(seen, "failure")} == {"tlsa"}


def test_records_of_an_authority_are_compared_with_the_issuers(zones):
    name = "_5269._tcp.xmpp.own.example"
    seen = zones.check("own.example", "--certificate", zones.chain)
    assert ("tlsa", f"{name}: 2 0 1 matches the certificate") in \
        findings(seen, "ok")
    seen = zones.check("own.example", "--certificate",
                       zones.leaf.certificate)
    assert ("tlsa", f"{name}: 1 usable records; those of an authority were "
            "not compared") in findings(seen, "note")


@pytest.mark.parametrize("node", ["edge1", "elsewhere"])
def test_the_doctor_compares_what_his_edge_shows(zones, node):
    """And no other edge's records with it."""
    run = zones.nsd.run
    config = {"node": f"{node}.{DOMAIN}", "external": {"certificates": [
        {"certificate": zones.other.certificate, "key": zones.other.key}]},
        "resolver": {"servers": [zones.nsd.server], "trust_anchors":
                     [zones.nsd.anchors[DOMAIN]]}}
    path = run.write("doctor.json", json.dumps(config))
    seen = sallyport_json("doctor", "--config", path, "--user", "root",
                          "--domain", DOMAIN, status=1)
    told = [t for c, t in findings(seen, "failure") if "TLSA" in t or
            "no record matches" in t]
    assert len(told) == (node == "edge1"), seen
    assert all(f"_5269._tcp.edge1.{DOMAIN}" in t for t in told)


def test_a_target_that_is_not_ours_is_told(zones):
    """What dialback stumbles over."""
    seen = zones.check(DOMAIN, "--edge", f"edge1.{DOMAIN}", status=1)
    assert [c for c, _ in findings(seen, "failure")] == ["target"]


def test_odd_targets_are_told(zones):
    seen = zones.check("odd.example", status=1, anchor=DOMAIN)
    assert seen["domains"][0]["dnssec"] == "insecure"
    assert findings(seen, "failure") == [
        ("address", "nowhere.odd.example has no address")]
    warnings = [text for _, text in findings(seen, "warning")]
    assert any("alias (CNAME) of real.odd.example" in w for w in warnings)
    assert any("inside.odd.example is 10.1.2.3" in w for w in warnings)


def test_a_service_that_is_declared_absent(zones):
    seen = zones.check("none.odd.example", status=1, anchor=DOMAIN)
    assert "there is no XMPP here" in findings(seen, "failure")[0][1]


def test_without_srv_the_domain_itself_is_tried(zones):
    seen = zones.check("bare.odd.example", anchor=DOMAIN)
    assert seen["verdict"] == "warnings"
    target, = seen["domains"][0]["targets"]
    assert (target["target"], target["port"]) == ("bare.odd.example", 5269)


def test_a_dead_server_is_told(zones):
    run = zones.nsd.run
    dead = f"{run.address(9)}@{run.port(run.address(9))}"
    seen = sallyport_json("dns", "check", DOMAIN, "--server", dead, status=1)
    assert seen["domains"][0]["dnssec"] == "failed"
