"""The operator's command and the gateway's settings, by the real gateway: each
sub-command there and back, what-if, changes of two at once, tokens over HTTP,
and the import of what a pool exported."""

import json
import os
import re
import socket
import threading

import pytest

from lib.authority import TREE
from lib.settings_site import SettingsSite

pytestmark = pytest.mark.once

VECTORS = os.path.join(TREE, "tests", "vectors", "import")
CLIXML = [os.path.join(VECTORS, f"{n}.xml") for n in (
    "partners", "gateway", "access-edge", "policies", "users")]
JSON = [n.replace(".xml", ".json") for n in CLIXML]


@pytest.fixture(scope="module")
def site():
    with SettingsSite("command") as s:
        yield s


@pytest.fixture
def partner(site):
    """fabrikam.example, fresh."""
    site.said("partner", "new", "fabrikam.example", "--PartnerType",
              "Federated")
    yield "fabrikam.example"
    site.told("partner", "remove", "fabrikam.example", status=0)


def members(site, *argv):
    return site.json(*argv)["object"]


# --- there and back -----------------------------------------------------------

def test_a_partner_there_and_back(site):
    site.said("partner", "new", "--Domain", "Fabrikam.Example",
              "--AdditionalDomains", "it.fabrikam.example,hr.fabrikam.example",
              "--ConnectionLimit", "7", "--Description", "a <b> & c",
              "--EnableKeepAlive", "$false", "--PartnerType", "federated",
              "--ProxyFqdn", "XMPP.fabrikam.example", "--SaslNegotiation",
              "Optional", "--TlsNegotiation", "Optional",
              "--SupportDialbackNegotiation", "true", "--Formatting", "false")
    assert members(site, "partner", "get", "fabrikam.example") == {
        "Domain": "fabrikam.example", "ConnectionLimit": 7,
        "AdditionalDomains": ["hr.fabrikam.example", "it.fabrikam.example"],
        "Description": "a <b> & c", "EnableKeepAlive": False,
        "PartnerType": "Federated", "ProxyFqdn": "xmpp.fabrikam.example",
        "SaslNegotiation": "Optional", "TlsNegotiation": "Optional",
        "SupportDialbackNegotiation": True, "Formatting": False,
        "Provider": ""}
    said = site.said("partner", "set", "fabrikam.example",
                     "--AdditionalDomains",
                     "Add=www.fabrikam.example;Remove=hr.fabrikam.example",
                     "--ConnectionLimit", "")
    assert "ConnectionLimit: 7 -> 0" in said
    text = site.said("partner", "get", "fabrikam.example")
    assert re.search(r"^AdditionalDomains +: "
                     r"{it.fabrikam.example, www.fabrikam.example}$", text,
                     re.M)
    assert re.search(r"^EnableKeepAlive +: False$", text, re.M)
    table = site.said("partner", "get", "--Filter", "FABRI*.example")
    assert table.splitlines()[0].split()[0] == "DOMAIN"
    assert table.splitlines()[1].split()[0] == "fabrikam.example"
    assert site.said("partner", "get", "--Filter", "x*") == "no partners\n"
    site.said("partner", "remove", "fabrikam.example")
    assert site.told("partner", "get", "fabrikam.example", status=6)
    assert site.told("partner", "set", "fabrikam.example", "--Description",
                     "x", status=6)


def test_what_there_is_one_of_there_and_back(site):
    for command, member, value, default in (
            ("gateway-config", "ConnectionLimit", "1200", 1000),
            ("gateway-config", "EnableLoggingAllMessageBodies", "true", False),
            ("gateway-config", "KeepAliveInterval", "600", 300),
            ("access-edge", "AllowFederatedUsers", "$true", False),
            ("access-edge", "ArchivingDisclaimer", "Beware", "")):
        site.said(command, "set", f"--{member}", value)
        got = members(site, command, "get")[member]
        assert got != default and str(got).lower() == \
            value.lstrip("$").lower()
        site.said(command, "set", f"--{member}", "$Null")
        assert members(site, command, "get")[member] == default


def test_a_secret_goes_in_and_never_comes_out(site):
    path = site.run.write("passphrase", "a-passphrase-of-ours\n")
    assert "seen by everybody" in site.told(
        "gateway-config", "set", "--DialbackPassphrase",
        "a-passphrase-of-ours", status=2)
    site.said("gateway-config", "set", "--DialbackPassphrase", f"@{path}")
    everything = site.said("gateway-config", "get") + \
        site.said("gateway-config", "get", "--json") + \
        site.said("audit") + site.said("audit", "--all", "--json")
    assert "(set)" in everything and "a-passphrase-of-ours" not in everything
    site.said("gateway-config", "set", "--DialbackPassphrase", "")
    assert "(set)" not in site.said("gateway-config", "get")


def test_policies_sites_and_grants_there_and_back(site):
    site.said("site", "new", "Berlin", "--SipDomains", "contoso.example")
    site.said("policy", "new", "Site:Berlin", "--EnableFederationAccess",
              "true")
    site.said("policy", "new", "FedXmpp", "--EnableFederationAccess", "true",
              "--EnableXmppAccess", "true")
    site.said("policy", "set", "global", "--EnableOutsideAccess", "true")
    keys = [i["key"] for i in site.json("policy", "get")["items"]]
    assert keys == ["global", "site:berlin", "tag:fedxmpp"]
    site.said("policy", "grant", "sip:Anna@contoso.example", "--PolicyName",
              "FedXmpp")
    assert site.said("policy", "grants").splitlines()[1].split() == [
        "anna@contoso.example", "FedXmpp"]
    # What holds for her and for him, and why he may not.
    hers, his = (site.json("policy", "effective", f"{who}@contoso.example")
                 for who in ("Anna", "dora"))
    assert (hers["policy"], hers["scope"]) == ("tag:fedxmpp", "user")
    assert (his["policy"], his["scope"]) == ("site:berlin", "site")
    assert not his["rights"]["EnableXmppAccess"] and not his["xmpp"]
    assert "Missing" in site.said("policy", "effective",
                                  "dora@contoso.example")
    assert "SIP address" in site.told("policy", "effective", "nobody")
    assert "no policy" in site.told("policy", "grant", "bo@contoso.example",
                                    "--PolicyName", "Nothing")
    # Still granted, so it stays.
    site.told("policy", "remove", "FedXmpp")
    site.said("policy", "grant", "anna@contoso.example", "--PolicyName", "")
    assert site.said("policy", "grants") == "no grants\n"
    site.said("policy", "remove", "FedXmpp")
    site.said("policy", "remove", "global")
    assert not members(site, "policy", "get", "global")["EnableOutsideAccess"]
    site.said("policy", "remove", "site:Berlin")
    site.said("site", "remove", "Berlin")


def test_providers_and_licences_there_and_back(site):
    table = site.said("provider", "list")
    for name in ("America Online", "Windows Live", "Yahoo!", "Skype",
                 "Google Talk"):
        assert name in table
    def today(provider):
        line, = (l for l in site.said("provider", "list").splitlines()
                 if l.startswith(provider))
        return line.split("  ")[-1].strip()

    assert today("Skype") == "ended"
    site.said("provider", "set", "Skype", "--EndDate", "2099-12-31")
    assert today("Skype") == "in service"
    site.said("provider", "set", "Skype", "--Enabled", "false")
    assert today("Skype") == "disabled"
    assert members(site, "provider", "list", "Skype")["Enabled"] is False
    site.said("provider", "set", "Skype", "--Enabled", "")
    assert members(site, "provider", "list", "Skype")["Enabled"] is True
    site.said("licence", "new", "anna@contoso.example PIC USL", "--From",
              "2026-01-01", "--Until", "2026-12-31")
    assert members(site, "licence", "get", "anna@contoso.example PIC USL") \
        == {"From": "2026-01-01", "Until": "2026-12-31"}
    site.told("licence", "set", "anna@contoso.example PIC USL", "--Until",
              "2025-01-01")
    site.said("licence", "remove", "anna@contoso.example PIC USL")


# --- with care ----------------------------------------------------------------

def test_what_if_tells_and_does_nothing(site, partner):
    before = site.json("partner", "get", partner)
    said = site.said("partner", "set", partner, "--TlsNegotiation",
                     "NotSupported", "--SaslNegotiation", "NotSupported",
                     "--WhatIf")
    assert said.startswith(f"What if: partner {partner}: would be changed\n")
    assert "TlsNegotiation: Required -> NotSupported" in said
    site.said("partner", "remove", partner, "--WhatIf")
    assert "would be created" in site.said("partner", "new", "new.example",
                                           "--WhatIf")
    assert site.json("partner", "get", partner) == before
    assert site.told("partner", "get", "new.example", status=6)


def test_what_cannot_work_is_refused_and_what_is_unwise_is_told(site, partner):
    told = site.told("partner", "set", partner, "--TlsNegotiation",
                     "NotSupported", "--SupportDialbackNegotiation", "false")
    assert "/TlsNegotiation: SASL cannot run without TLS" in told
    told = site.told("partner", "set", partner, "--TlsNegotiation",
                     "Optional", status=0)
    assert "warning: " in told and "SASL needs TLS" in told
    # Both that are wrong are told, each in a line.
    told = site.told("gateway-config", "set",
                     "--SubscriptionRefreshInterval", "4000000000",
                     "--StreamEstablishmentTimeout", "0")
    assert re.search(r"^  /SubscriptionRefreshInterval: ", told, re.M)
    assert re.search(r"^  /StreamEstablishmentTimeout: ", told, re.M)


def test_two_administrators_do_not_overwrite_each_other(site, partner):
    seen = site.said("partner", "get", partner, "--json")
    version = str(json.loads(seen)["version"])
    path = site.run.write("seen.json", seen.replace("Federated",
                                                    "PublicVerified"))
    site.said("partner", "set", partner, "--Description", "by another")
    for argv in (("--Instance", path),
                 ("--Description", "mine", "--Version", version)):
        assert "nothing was done" in site.told(
            "partner", "set", partner, *argv, status=5)
    site.told("partner", "remove", partner, "--Version", version, status=5)
    assert site.told("partner", "new", partner, status=5)
    assert members(site, "partner", "get", partner)["Description"] == \
        "by another"
    site.said("partner", "set", "--Instance", path, "--Force")
    assert members(site, "partner", "get", partner)["PartnerType"] == \
        "PublicVerified"


def test_made_in_memory_first_and_set_then(site):
    item = site.said("partner", "new", "later.example", "--PartnerType",
                     "Federated", "--InMemory")
    assert site.told("partner", "get", "later.example", status=6)
    site.told("partner", "set", "--Instance", "-", status=0, stdin=item)
    assert members(site, "partner", "get", "later.example") == \
        json.loads(item)["object"]
    # Once more would write over it.
    site.told("partner", "set", "--Instance", "-", status=5, stdin=item)
    assert "nothing was done" in site.told(
        "partner", "remove", "later.example", "--Confirm", stdin="n\n")
    site.told("partner", "remove", "later.example", "--Confirm", status=0,
              stdin="y\n")


def test_the_audit_has_who_changed_what(site, partner):
    site.said("partner", "set", partner, "--Description", "traced")
    rows = site.json("audit", "--last", "1")["items"]
    assert [(r["kind"], r["key"], r["via"]) for r in rows] == \
        [("partner", partner, "socket")]
    said = site.said("audit", "--all", "--kind", "partner", "--key", partner)
    assert said.splitlines()[-1] == "  Description: traced"
    assert int(rows[0]["number"]) == int(
        re.findall(r"^(\d+) ", said, re.M)[-1])
    assert "none changed" in site.said("audit", "--verify")


# --- over HTTP ------------------------------------------------------------------

def test_a_token_over_loopback_http(site):
    path = site.run.path("token")
    site.said("token", "new", "--Name", "watcher", "--Rights", "read", "--out",
              path)
    assert os.stat(path).st_mode & 0o777 == 0o600
    there = ("--url", f"http://{site.http}", "--token-file", path)
    items = site.json("token", "list")["items"]
    (token,) = [i for i in items if i["object"]["Name"] == "watcher"]
    with open(path, encoding="ascii") as f:
        assert f.read().strip() not in json.dumps(items)
    assert not site.told("partner", "get", *there, status=0, plain=True)
    # May read, not write; is then ended.
    assert "read" in site.told("partner", "new", "x.example", *there,
                               status=4, plain=True)
    site.said("token", "remove", token["key"])
    assert "not known" in site.told("partner", "get", *there, status=4,
                                    plain=True)


@pytest.mark.parametrize("argv, words", [
    (("--url", "http://192.0.2.1:1"), "in the clear"),
    (("--url", "http://127.0.0.1.example:1"), "in the clear"),
    (("--url", "https://a:b@gw1.contoso.example"), "no name or password"),
    (("--url", "ftp://127.0.0.1"), "not of the form"),
    (("--url", "http://127.0.0.1:1"), "needs --token-file"),
    (("--url", "http://127.0.0.1:1", "--token-file", "OPEN"), "chmod 600"),
    (("--url", "http://127.0.0.1:1", "--token-file", "/nowhere"),
     "No such file"),
    (("--url", "http://127.0.0.1:1", "--socket", "/s"), "goes without"),
    (("--token-file", "OPEN"), "alone"),
    (("--config", "/nowhere.json"), "/nowhere.json"),
])
def test_where_a_token_may_not_go(site, argv, words):
    path = site.run.write("open.token", "spt-000000000000-0\n")
    os.chmod(path, 0o644)
    argv = [path if a == "OPEN" else a for a in argv]
    assert words in site.told("partner", "get", *argv, status=2, plain=True)


def test_nobody_there(site):
    assert "does sallyport-gateway run" in site.told(
        "partner", "get", "--socket", "/nowhere.sock", status=3, plain=True)
    config = os.path.join(site.run.folder("gw1"), "gw1.json")
    assert not site.told("partner", "get", "--config", config, status=0,
                         plain=True)


class Broken:
    """Somebody at the socket who is no gateway: each connection is given the
    bytes, whatever it asks, and hung up on."""

    def __init__(self, folder, answer):
        self.path = os.path.join(folder, "broken.sock")
        self.answer = answer
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client:
                client.recv(65536)
                client.sendall(self.answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def http(status, body):
    return (f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            f"{body}").encode()


@pytest.mark.parametrize("answer, status, words", [
    (b"", 3, "Empty reply"),
    (b"SIP/2.0 200 OK\r\n\r\n", 3, "broken.sock: "),
    (http(200, "{}")[:-1], 3, "broken.sock: "),
    (http(200, "{"), 3, "not understood"),
    (http(200, "[" * 100000), 3, "not understood"),
    (http(302, ""), 1, "HTTP 302"),
    (http(500, ""), 1, "HTTP 500"),
    (http(422, '{"error": {"text": "a\\u001b[31mb", "problems": 7}}'), 1,
     "a?[31mb"),
    (http(401, "null"), 4, "not known"),
    (http(503, '{"error": {"text": "later"}}'), 1, "later"),
    # A list without an end is left, and what is no item harms nobody.
    (http(200, '{"items": [], "next": "x"}'), 0, ""),
    (http(200, '{"items": [7, {"key": []}, {"object": []}]}'), 0, ""),
    (http(200, '{"items": 7}'), 0, ""),
], ids=range(13))
def test_an_answer_that_is_none_is_told(tmp_path, site, answer, status, words):
    with Broken(tmp_path, answer) as broken:
        told = site.told("partner", "get", "--socket", broken.path,
                         status=status, plain=True)
        assert words in told and "\x1b" not in told
        site.told("partner", "get", "--list", "--socket", broken.path,
                  status=status, plain=True)


@pytest.mark.parametrize("body", [
    '{"key": "a"}\n{"key": "b"}', '{"key": "a"}\n{"key', "x\n", "\n",
    '{"key": "\x1b[31m"}\n', '[1]\n', '{"key": "\x7f"}\n'], ids=range(7))
def test_lines_that_are_none_are_told(tmp_path, site, body):
    with Broken(tmp_path, http(200, body)) as broken:
        assert "not understood" in site.told(
            "partner", "get", "--json", "--socket", broken.path, status=3,
            plain=True)


def test_lines_that_break_off_are_told(tmp_path, site):
    whole = http(200, '{"key": "a"}\n{"key": "b"}\n')
    with Broken(tmp_path, whole[:-14]) as broken:
        site.told("partner", "get", "--json", "--socket", broken.path,
                  status=3, plain=True)


# --- import ----------------------------------------------------------------------

@pytest.fixture(scope="module")
def empty():
    with SettingsSite("import") as s:
        yield s


def test_an_import_shows_asks_does_and_has_nothing_left(empty):
    shown = empty.said("import", *CLIXML, "--WhatIf")
    assert "partner fabrikam.example: new\n  Domain" in shown
    assert "  StreamInactivityTimeout: 600 -> 900" in shown
    assert shown.splitlines()[-1] == "9 new, 2 changed, 1 as they are"
    assert empty.json("partner", "get")["items"] == []
    told = empty.told("import", *CLIXML, stdin="n\n")
    assert "nothing was done" in told and "DialbackPassphrase" in told
    assert empty.json("partner", "get")["items"] == []
    empty.said("import", *CLIXML, "--yes")
    got = {i["key"]: i["object"] for i in empty.json("partner", "get")["items"]}
    with open(os.path.join(VECTORS, "expected.json"), encoding="utf-8") as f:
        expected = json.load(f)
    for key, object in expected["partners"].items():
        assert object.items() <= got[key.partition(" ")[2]].items()
    grants = {i["key"]: i["object"]["PolicyName"]
              for i in empty.json("policy", "grants")["items"]}
    assert grants == {"anna@contoso.example": "FedXmpp",
                      "carl@contoso.example": "FedXmpp",
                      "olaf@contoso.example": "NoXmpp"}
    for files in (CLIXML, JSON):
        assert empty.said("import", *files).splitlines() == \
            ["0 new, 0 changed, 12 as they are"]
    again = empty.json("import", *JSON, "--yes")
    assert again["changes"] == [] and not again["done"]


def test_only_what_differs_is_imported(empty):
    empty.said("import", *CLIXML, "--yes")
    empty.said("partner", "set", "gmail.example", "--Description", "kept",
               "--ConnectionLimit", "5")
    empty.said("partner", "new", "ours.example")
    assert empty.said("import", *JSON, "--kind", "partner", "--yes") \
        .splitlines()[:3] == ["partner gmail.example: changed",
                              "  ConnectionLimit: 5 -> 20",
                              "0 new, 1 changed, 2 as they are, "
                              "9 not asked for"]
    assert members(empty, "partner", "get", "gmail.example")["Description"] \
        == "kept"
    assert members(empty, "partner", "get", "ours.example")
    empty.said("partner", "remove", "fabrikam.example")
    empty.said("partner", "remove", "gmail.example")
    empty.said("import", CLIXML[0], "--Filter", "fab*", "--yes")
    assert [i["key"] for i in empty.json("partner", "get")["items"]] == [
        "fabrikam.example", "ours.example", "xn--bcher-kva.example"]


def test_an_import_is_done_whole_or_not_at_all(empty):
    rows = [{"Domain": "good.example", "TlsNegotiation": "Required",
             "SaslNegotiation": "Required"},
            {"Domain": "bad.example", "TlsNegotiation": 2,
             "SaslNegotiation": 0, "SupportDialbackNegotiation": False}]
    path = empty.run.write("mixed.json", json.dumps(rows))
    told = empty.told("import", path, "--yes")
    assert "SASL cannot run without TLS" in told
    assert "numbers were taken for names" in told
    assert empty.told("partner", "get", "good.example", status=6)
    # The file itself: every place is told, and nothing is asked of anybody.
    rows[1]["TlsNegotiation"] = "Never"
    rows[0]["ConnectionLimit"] = -1
    path = empty.run.write("wrong.json", json.dumps(rows))
    told = empty.told("import", path, "--yes", "--socket", "/nowhere",
                      plain=True)
    assert f"{path}: object 1: ConnectionLimit: " in told
    assert f"{path}: object 2: TlsNegotiation: \"Never\" is none of" in told
    with open(CLIXML[1], encoding="utf-8") as f:
        text = f.read().replace(">900<", ">soon<")
    path = empty.run.write("wrong.xml", text)
    assert f"{path}:16: \"soon\" is no number" in empty.told("import", path)
