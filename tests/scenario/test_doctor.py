"""What the doctor says of hosts that are well and of hosts that are not; and
a renewed certificate on its way into a running edge."""

import json
import os
import ssl
import subprocess
import time

import pytest

from lib.authority import TREE
from lib.command import findings, sallyport_json
from lib.daemons import SANITIZERS, binary
from lib.run import Run

pytestmark = pytest.mark.once

HOOK = os.path.join(TREE, "deploy", "acme-hook")
COMPANY = "contoso.example"


def look(daemon, *more, status=0):
    config = os.path.join(daemon.run.state, daemon.name,
                          f"{daemon.name}.json")
    return sallyport_json("doctor", "--config", config, "--user", "root",
                          *more, status=status)


def test_an_edge_that_is_well(hasty):
    seen = look(hasty.edge)
    assert not findings(seen, "failure")
    well = {c for c, _ in findings(seen, "ok")}
    assert {"configuration", "daemon", "certificate", "ports",
            "channel"} <= well
    edge = hasty.edge
    assert ("ports", f"{edge.address}:{edge.port}: open") in \
        findings(seen, "ok")


def await_pool(gateway, timeout=20):
    end = time.monotonic() + timeout
    while not sallyport_json("--socket", gateway.control,
                             "status")["pool"]["reachable"]:
        assert time.monotonic() < end, "the pool is not reached"
        time.sleep(0.1)


def test_a_gateway_that_is_well(hasty):
    await_pool(hasty.gateway)
    seen = look(hasty.gateway)
    assert not findings(seen, "failure")
    assert {"configuration", "daemon", "certificate", "ports", "channel",
            "pool", "store"} <= {c for c, _ in findings(seen, "ok")}


@pytest.fixture
def lonely():
    """A configuration without a daemon."""
    with Run("lonely") as run:
        yield run


def write(run, config):
    return run.write("edge.json", json.dumps(config))


def test_nothing_runs_and_much_is_wrong(lonely, hasty):
    config = dict(hasty.edge.config, control=lonely.path("none.sock"))
    config["external"] = dict(config["external"], listen=["192.0.2.1:5269"])
    config["internal"] = dict(
        config["internal"], key=config["external"]["certificates"][0]["key"])
    path = write(lonely, config)
    seen = sallyport_json("doctor", "--config", path, "--user", "root",
                          "--domain", "absent.example", status=1)
    failed = findings(seen, "failure")
    assert {"configuration", "daemon", "certificate", "ports"} <= \
        {c for c, _ in failed}
    assert ("certificate", "no external certificate names absent.example") \
        in failed
    assert ("ports", "192.0.2.1:5269 is no address of this host") in failed
    assert all("next" in f for f in seen["findings"]
               if f["level"] == "failure" and f["check"] != "certificate")


def test_a_file_that_is_no_json(lonely):
    path = lonely.write("edge.json", "{")
    seen = sallyport_json("doctor", "--edge", "--config", path, status=1)
    assert findings(seen, "failure")[0][0] == "configuration"
    assert findings(seen, "skipped")[-1][0] == "rest"


# --- a renewed certificate -------------------------------------------------

def shown(edge, domain):
    """The certificate a partner meets, by STARTTLS."""
    out = subprocess.run(
        ["openssl", "s_client", "-starttls", "xmpp-server", "-xmpphost",
         domain, "-connect", f"{edge.address}:{edge.port}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, timeout=20).stdout
    begin = out.index("-----BEGIN CERTIFICATE-----")
    end = out.index("-----END CERTIFICATE-----")
    return ssl.PEM_cert_to_DER_cert(out[begin:end] +
                                    "-----END CERTIFICATE-----")


def der(path):
    with open(path, encoding="ascii") as f:
        return ssl.PEM_cert_to_DER_cert(f.read())


class Renewal:
    def __init__(self, site):
        self.site = site
        self.store = site.run.path("acme")

    def hook(self, leaf, status=0, **more):
        env = dict(os.environ, **SANITIZERS, SALLYPORT=binary("sallyport"),
                   SALLYPORT_CERTS=self.store, SALLYPORT_GROUP="",
                   SALLYPORT_DOMAINS=COMPANY,
                   SALLYPORT_TRUST=self.site.public.certificate,
                   SALLYPORT_SOCKET=self.site.edge.control)
        env.update(more)
        done = subprocess.run(
            [HOOK, "--certificate", leaf.certificate, "--key", leaf.key],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=60)
        assert done.returncode == status, done.stdout
        return done.stdout

    def in_force(self):
        return der(os.path.join(self.store, "current", "certificate.pem"))


def test_a_renewed_certificate_comes_into_force(hasty):
    edge, renewal = hasty.edge, Renewal(hasty)
    first = hasty.public.leaf("first", COMPANY)
    before = json.loads(json.dumps(edge.config))
    renewal.hook(first, SALLYPORT_SOCKET=hasty.run.path("none.sock"))
    pair = edge.config["external"]["certificates"][0]
    pair["certificate"] = f"{renewal.store}/current/certificate.pem"
    pair["key"] = f"{renewal.store}/current/key.pem"
    try:
        edge.restart()
        edge.await_open()
        assert shown(edge, COMPANY) == der(first.certificate)
        second = hasty.public.leaf("second", COMPANY)
        renewal.hook(second)
        assert shown(edge, COMPANY) == der(second.certificate)
        # Not acceptable: what was in force still is.
        for wrong in (hasty.public.leaf("wrong.example"),
                      hasty.public.leaf("late", COMPANY,
                                        extra=("--from", "2020-01-01"))):
            assert "not installed" in renewal.hook(wrong, status=1)
            assert renewal.in_force() == der(second.certificate)
        # The edge refuses: a configuration that cannot be loaded.
        path = os.path.join(hasty.run.state, edge.name, f"{edge.name}.json")
        with open(path, "r+", encoding="utf-8") as f:
            f.write("!")
        third = hasty.public.leaf("third", COMPANY)
        assert "refused" in renewal.hook(third, status=1)
        assert renewal.in_force() == der(second.certificate)
        assert shown(edge, COMPANY) == der(second.certificate)
    finally:
        edge.config = before
        edge.restart()
        edge.await_open()
    folders = [f for f in os.listdir(renewal.store) if f.startswith("pair.")]
    assert len(folders) == 2
