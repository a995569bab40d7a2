"""Certificates: asked for, signed by the test authority, looked at."""

import os
import stat
import subprocess

import pytest

from lib.authority import TOOL, Authority
from lib.command import findings, sallyport, sallyport_json
from lib.run import Run

pytestmark = pytest.mark.once

DOMAIN = "contoso.example"


@pytest.fixture(scope="module")
def run():
    with Run("certs") as run:
        yield run


@pytest.fixture(scope="module")
def authority(run):
    return Authority(run, "ca")


def openssl(*argv):
    return subprocess.run(["openssl", *argv], check=True, text=True,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT).stdout


def sign(authority, request, certificate, days=90):
    """As an authority does that takes over what was asked for."""
    openssl("x509", "-req", "-in", request, "-CA", authority.certificate,
            "-CAkey", os.path.join(authority.folder, "ca.key"),
            "-copy_extensions", "copyall", "-days", str(days),
            "-out", certificate)
    return certificate


def check(leaf, authority, *more, purpose="external", status=0):
    return sallyport_json("certs", "check", leaf, "--for", purpose,
                          "--trust", authority.certificate, *more,
                          status=status)


@pytest.mark.parametrize("purpose,key_type,eku", [
    ("external", None, ["serverAuth"]),
    ("internal", "p384", ["serverAuth", "clientAuth"]),
    ("sip", None, ["serverAuth", "clientAuth"]),
    ("external", "rsa3072", ["serverAuth"]),
])
def test_a_request_becomes_a_good_certificate(run, authority, purpose,
                                              key_type, eku):
    stem = run.path(f"{purpose}-{key_type}")
    key, request = stem + ".key", stem + ".csr"
    more = ("--key-type", key_type) if key_type else ()
    names = f"{DOMAIN},corp.{DOMAIN}"
    sallyport("certs", "request", "--for", purpose, "--domain", names,
              "--key", key, "--out", request, *more)
    assert stat.S_IMODE(os.stat(key).st_mode) == 0o600
    assert "verify OK" in openssl("req", "-in", request, "-verify", "-noout")
    leaf = sign(authority, request, stem + ".pem")
    assert "OK" in openssl("verify", "-purpose", "sslserver", "-CAfile",
                           authority.certificate, leaf)
    seen = check(leaf, authority, "--domain", names, "--key", key,
                 purpose=purpose)
    assert seen["acceptable"] is True
    assert seen["names"] == [DOMAIN, f"corp.{DOMAIN}"]
    assert seen["eku"] == eku
    assert not findings(seen, "failure")


def test_nothing_is_written_over(run):
    key, out = run.path("once.key"), run.path("once.csr")
    argv = ("certs", "request", "--for", "external", "--domain", DOMAIN,
            "--key", key, "--out", out)
    sallyport(*argv)
    with open(key, encoding="ascii") as f:
        before = f.read()
    sallyport(*argv, status=1)
    os.unlink(out)
    sallyport(*argv, status=1)
    with open(key, encoding="ascii") as f:
        assert f.read() == before
    assert not os.path.exists(out)
    # The same key may be asked for again.
    sallyport(*argv, "--use-key")
    assert openssl("req", "-in", out, "-noout", "-pubkey") == \
        openssl("pkey", "-in", key, "-pubout")


def test_other_names_are_asked_for_with_a_warning(run, authority):
    stem = run.path("other-names")
    sallyport("certs", "request", "--for", "external", "--domain", DOMAIN,
              "--srv-name", "--xmpp-addr", "--key", stem + ".key", "--out",
              stem + ".csr")
    leaf = sign(authority, stem + ".csr", stem + ".pem")
    seen = check(leaf, authority, "--domain", DOMAIN)
    assert seen["names"] == [DOMAIN] * 3
    assert any("ejabberd 23.01" in text
               for _, text in findings(seen, "warning"))


# What is wrong with a certificate, how it is made so, what is said.
WRONG = [
    ("other-name", ("--dns", "fabrikam.example"), "names"),
    ("no-names", (), "names"),
    ("one-label-only", ("--dns", f"*.{DOMAIN}"), "names"),
    ("expired", ("--dns", DOMAIN, "--from", "2020-01-01"), "dates"),
    ("too-early", ("--dns", DOMAIN, "--from", "+2 days"), "dates"),
    ("client-only", ("--dns", DOMAIN, "--eku", "client"), "use"),
    ("self-signed", ("--dns", DOMAIN, "--self-signed"), "chain"),
]


@pytest.mark.parametrize("name,how,what", WRONG, ids=[w[0] for w in WRONG])
def test_what_is_wrong_is_told(authority, name, how, what):
    authority.run.command([TOOL, "leaf", authority.folder, name, *how])
    leaf = os.path.join(authority.folder, f"{name}.pem")
    seen = check(leaf, authority, "--domain", DOMAIN, status=1)
    assert seen["acceptable"] is False
    assert {c for c, _ in findings(seen, "failure")} == {what, "acceptable"}


@pytest.mark.parametrize("name,start,more,told", [
    ("fresh", "1 hour ago", (), False),
    ("fresh", "1 hour ago", ("--days", "30"), True),
    ("ending", "25 days ago", (), True),
    ("ending", "25 days ago", ("--days", "2"), False),
])
def test_the_end_is_told_in_time(authority, name, start, more, told):
    """Certificates of 30 days; a third of that is left when it is time."""
    authority.run.command([TOOL, "leaf", authority.folder, name, "--dns",
                           DOMAIN, "--days", "30", "--from", start])
    leaf = os.path.join(authority.folder, f"{name}.pem")
    seen = check(leaf, authority, "--domain", DOMAIN, *more)
    assert [c for c, _ in findings(seen, "warning")] == ["dates"] * told


def test_a_weak_key_is_refused(run, authority):
    stem = run.path("weak")
    openssl("req", "-x509", "-newkey", "rsa:1024", "-nodes", "-sha1",
            "-subj", f"/CN={DOMAIN}", "-addext",
            f"subjectAltName=DNS:{DOMAIN}", "-keyout", stem + ".key", "-out",
            stem + ".pem")
    seen = check(stem + ".pem", authority, "--domain", DOMAIN, status=1)
    assert {"key", "signature"} <= {c for c, _ in findings(seen, "failure")}


def test_the_key_of_another_is_told(authority):
    one, other = authority.leaf(DOMAIN), authority.leaf("other")
    seen = check(one.certificate, authority, "--domain", DOMAIN, "--key",
                 other.key, status=1)
    assert ("key-file", f"{other.key} does not belong to the certificate") \
        in findings(seen, "failure")


def test_a_key_that_everybody_may_read_is_told(run, authority):
    leaf = authority.leaf(DOMAIN)
    key = run.copy(leaf.key, "open.key", mode=0o644)
    seen = check(leaf.certificate, authority, "--domain", DOMAIN, "--key",
                 key, status=1)
    assert [text for c, text in findings(seen, "failure")
            if c == "key-file"] == [f"{key}: everybody on this host may read "
                                    "it"]


def test_a_revoked_certificate_is_refused(run, authority):
    leaf = authority.leaf(DOMAIN)
    index, conf = run.path("index"), run.path("crl.cnf")
    run.write("index", "")
    run.write("crl.cnf", f"[ca]\ndefault_ca=x\n[x]\ndatabase={index}\n"
              "default_md=sha256\ndefault_crl_days=1\n")
    signer = ("-config", conf, "-keyfile",
              os.path.join(authority.folder, "ca.key"), "-cert",
              authority.certificate)
    empty, full = run.path("empty.crl"), run.path("full.crl")
    openssl("ca", *signer, "-gencrl", "-out", empty)
    openssl("ca", *signer, "-revoke", leaf.certificate)
    openssl("ca", *signer, "-gencrl", "-out", full)
    seen = check(leaf.certificate, authority, "--domain", DOMAIN, "--crl",
                 empty)
    assert seen["acceptable"] is True
    seen = check(leaf.certificate, authority, "--domain", DOMAIN, "--crl",
                 full, status=1)
    assert ("chain", "certificate revoked") in findings(seen, "failure")


def test_toward_the_pool_more_is_wanted(authority):
    """A CRL point and client authentication are what Lync asks for."""
    leaf = authority.leaf("gw1." + DOMAIN, eku="server")
    seen = check(leaf.certificate, authority, "--domain", "gw1." + DOMAIN,
                 purpose="sip")
    assert {"use", "revocation"} <= {c for c, _ in findings(seen, "warning")}


def test_what_is_no_certificate_is_told(run):
    path = run.write("nothing.pem", "nothing\n")
    seen = sallyport_json("certs", "check", path, "--for", "external",
                          status=1)
    assert findings(seen, "failure") == [
        ("file", f"{path}: no certificate in PEM form")]
