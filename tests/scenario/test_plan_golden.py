"""What the planners print, held against files that people have read.

For a change on purpose: GOLDEN=write make scenario TESTS="-k golden", then
read the difference.
"""

import os

import pytest

from lib.authority import TREE
from lib.command import sallyport

pytestmark = pytest.mark.once

FOLDER = os.path.join(TREE, "tests", "golden", "plans")
TWO_EDGES = ("--domain", "contoso.example,fabrikam.example",
             "--edge", "edge1.contoso.example:10=192.0.2.10,2001:db8::10",
             "--edge", "edge2.dmz.example:20:5=198.51.100.10")
POOL = ("--gateway", "xmppgw.contoso.example", "--partners",
        "partner.example,b.example")
ATTACH = (*POOL, "--pool", "pool.contoso.example")
HOSTS = ("--domain", "contoso.example,fabrikam.example", "--edge",
         "edge1.contoso.example,edge2.contoso.example", "--gateway",
         "gw1.contoso.example,gw2.contoso.example", "--sip-name",
         "xmppgw.contoso.example")

CASES = {
    "dns.zone": ("dns", "plan", *TWO_EDGES, "--direct-tls", "5270"),
    "dns.ps1": ("dns", "plan", *TWO_EDGES, "--format", "powershell",
                "--tlsa", os.path.join(FOLDER, "certificate.pem")),
    "dns.json": ("dns", "plan", *TWO_EDGES, "--format", "json", "--port",
                 "15269", "--zone", "example"),
    "pool-attach.ps1": ("pool", "script", *ATTACH, "--site", "1"),
    "pool-attach-nodes.ps1": (
        "pool", "script", *ATTACH, "--site", "Zürich 'Nord'; exit",
        "--node", "gw1.contoso.example,gw2.contoso.example", "--children",
        "--registrar-routes", "--port", "5071", "--application", "xmpp"),
    "pool-remove.ps1": ("pool", "script", *POOL, "--remove"),
    "certs-per-host.txt": ("certs", "plan", *HOSTS),
    "certs-per-domain.txt": ("certs", "plan", *HOSTS, "--one-per-domain"),
}


@pytest.mark.parametrize("name", CASES)
def test_golden_plan(name):
    path = os.path.join(FOLDER, name)
    printed = sallyport(*CASES[name])
    if os.environ.get("GOLDEN") == "write":
        with open(path, "w", encoding="utf-8") as f:
            f.write(printed)
    with open(path, encoding="utf-8") as f:
        assert printed == f.read()


def test_scripts_are_ascii():
    for name in CASES:
        if name.endswith(".ps1"):
            with open(os.path.join(FOLDER, name), "rb") as f:
                assert max(f.read()) < 0x80


def test_one_partners_route_goes_and_the_gateway_stays():
    argv = ("pool", "script", "--gateway", "gw1.contoso.example",
            "--partners", "partner.example", "--remove")
    whole, routes = sallyport(*argv), sallyport(*argv, "--routes")
    assert "Remove-CsTrustedApplicationPool" in whole
    assert "Remove-CsTrusted" not in routes
    assert "Remove=$route" in whole and "Remove=$route" in routes


WRONG = [
    ("dns",),
    ("dns", "plan"),
    ("dns", "plan", "--domain", "contoso.example"),
    ("dns", "plan", "--domain", "a b", "--edge", "e.example.net=192.0.2.1"),
    ("dns", "plan", "--domain", "contoso.example", "--edge", "edge1"),
    ("dns", "plan", "--domain", "contoso.example", "--edge",
     "e.example.net=192.0.2.1", "--format", "bind"),
    ("dns", "plan", "--domain", "contoso.example", "--edge",
     "e.example.net=192.0.2.1", "--ttl", "-1"),
    ("dns", "check"),
    ("dns", "check", "contoso.example", "--bogus"),
    ("certs", "plan", "--domain", "contoso.example"),
    ("certs", "request", "--for", "external"),
    ("certs", "check", "a.pem"),
    ("certs", "check", "a.pem", "--for", "everything"),
    ("pool", "script", "--gateway", "gw1.contoso.example"),
    ("pool", "script", *ATTACH),
    ("pool", "script", *ATTACH, "--site", "1", "--routes"),
    ("pool", "script", *ATTACH, "--site", "a\nb"),
    ("pool", "script", *ATTACH, "--site", "1", "--application", "a b"),
    ("pool", "script", *ATTACH, "--site", "1", "--node",
     "gw1.contoso.example,xmppgw.contoso.example"),
    ("doctor", "--config", "/nonexistent.json"),
    ("doctor", "more"),
]


@pytest.mark.parametrize("argv", WRONG, ids=" ".join)
def test_wrong_usage_is_told(argv):
    assert sallyport(*argv, status=2) == ""


@pytest.mark.parametrize("argv", [
    ("dns", "plan"), ("dns", "check"), ("certs", "plan"),
    ("certs", "request"), ("certs", "check"), ("pool", "script"),
    ("doctor",)], ids=" ".join)
def test_help_has_an_example_and_fits(argv):
    text = sallyport(*argv, "--help")
    assert "sallyport " + " ".join(argv) in text
    assert "exit status" in text
    assert all(len(line) <= 80 for line in text.splitlines())
