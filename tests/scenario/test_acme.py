"""A certificate that real ACME clients get and renew from a real ACME server,
on its way into a running edge: each client calls our hook by itself, with what
it tells its hooks."""

import glob
import os
import stat
import subprocess
import sys

import pytest

from lib.authority import TREE
from lib.command import REPORT
from lib.daemons import SANITIZERS, binary
from lib.pebble import Pebble, tool
from lib.run import root

pytestmark = pytest.mark.once

HOOK = os.path.join(TREE, "deploy", "acme-hook")
DOMAIN = "contoso.example"


def shown(edge):
    """The certificate a partner meets, by STARTTLS, as OpenSSL prints it."""
    out = subprocess.run(
        ["openssl", "s_client", "-starttls", "xmpp-server", "-xmpphost",
         DOMAIN, "-connect", f"{edge.address}:{edge.port}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, timeout=20, check=False).stdout
    return out[out.index("-----BEGIN"):out.index("-----END")].split()


def first_of(path):
    with open(path, encoding="ascii") as f:
        text = f.read()
    return text[text.index("-----BEGIN"):text.index("-----END")].split()


@pytest.fixture(scope="module")
def pebble(hasty):
    return Pebble(hasty.run).start()


class Client:
    """What the three have in common: where they work, what the hook is
    told by way of its settings."""

    def __init__(self, site, pebble):
        self.site = site
        self.run = site.run
        self.pebble = pebble
        self.folder = self.run.folder(type(self).__name__)
        self.store = os.path.join(self.folder, "store")
        # As an administrator leaves it; none of it is in the environment.
        settings = self.run.write(os.path.join(self.folder, "settings"), f"""\
SALLYPORT={binary("sallyport")}
SALLYPORT_CERTS={self.store}
SALLYPORT_DOMAINS={DOMAIN}
SALLYPORT_GROUP={"nogroup" if root() else ""}
SALLYPORT_TRUST={pebble.root}
SALLYPORT_SOCKET={site.edge.control}
""")
        self.env = dict(os.environ, **SANITIZERS, SALLYPORT_SETTINGS=settings,
                        SSL_CERT_FILE=pebble.certificate,
                        REQUESTS_CA_BUNDLE=pebble.certificate,
                        CURL_CA_BUNDLE=pebble.certificate,
                        LEGO_CA_CERTIFICATES=pebble.certificate)
        for name in list(self.env):
            if name.startswith("SALLYPORT_") and \
                    name != "SALLYPORT_SETTINGS":
                del self.env[name]

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def call(self, *argv, status=0):
        done = subprocess.run(argv, env=self.env, cwd=self.folder,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True,
                              timeout=90, check=False)
        assert not REPORT.search(done.stdout), done.stdout
        assert done.returncode == status, done.stdout
        return done.stdout

    def close(self):
        pass


class Certbot(Client):
    def certbot(self, *argv):
        where = [f"--{kind}-dir={self.path(kind)}"
                 for kind in ("config", "work", "logs")]
        return self.call(tool("certbot"), *argv, *where, "--non-interactive",
                         "--server", self.pebble.directory)

    def first(self):
        self.certbot("certonly", "--standalone", "-d", DOMAIN,
                     "--http-01-address", self.pebble.challenged,
                     "--http-01-port", str(self.pebble.http), "--agree-tos",
                     "--register-unsafely-without-email", "--deploy-hook",
                     HOOK)

    def renew(self):
        # What the first call said is remembered, the hook included.
        self.certbot("renew", "--force-renewal", "--no-random-sleep-on-renew")

    def got(self):
        return self.path("config", "live", DOMAIN, "fullchain.pem")


class Lego(Client):
    def lego(self, *argv):
        return self.call(
            tool("lego"), "--server", self.pebble.directory, "--email",
            f"admin@{DOMAIN}", "--accept-tos", "--domains", DOMAIN, "--path",
            self.path("lego"), "--http", "--http.port",
            f"{self.pebble.challenged}:{self.pebble.http}", *argv)

    def first(self):
        self.lego("run", "--run-hook", HOOK)

    def renew(self):
        self.lego("renew", "--days", "9999", "--no-random-sleep",
                  "--renew-hook", HOOK)

    def got(self):
        return self.path("lego", "certificates", f"{DOMAIN}.crt")


class Dehydrated(Client):
    """Wants a web server for its challenges, and calls its hook on many
    occasions."""

    def __init__(self, site, pebble):
        super().__init__(site, pebble)
        web = os.path.join(self.folder, "web")
        self.known = os.path.join(web, ".well-known", "acme-challenge")
        os.makedirs(self.known)
        self.server = self.run.process("challenges", [
            sys.executable, "-m", "http.server", "--bind", pebble.challenged,
            "--directory", web, str(pebble.http)]).start()
        self.server.await_port(pebble.challenged, pebble.http)
        self.run.write(self.path("config"), f"""\
CA="{pebble.directory}"
BASEDIR="{self.folder}"
WELLKNOWN="{self.known}"
CHALLENGETYPE="http-01"
HOOK="{HOOK}"
""")

    def dehydrated(self, *argv):
        return self.call(tool("dehydrated"), "--config", self.path("config"),
                         *argv)

    def first(self):
        self.dehydrated("--register", "--accept-terms")
        self.dehydrated("--cron", "--domain", DOMAIN)

    def renew(self):
        self.dehydrated("--cron", "--domain", DOMAIN, "--force")

    def got(self):
        return self.path("certs", DOMAIN, "fullchain.pem")

    def close(self):
        self.server.stop()


@pytest.fixture
def edge(hasty):
    """Takes its certificate from wherever a test says, then from where it
    had it."""
    pair = hasty.edge.config["external"]["certificates"][0]
    before = dict(pair)

    def use(store):
        pair["certificate"] = f"{store}/current/certificate.pem"
        pair["key"] = f"{store}/current/key.pem"
        hasty.edge.restart()
        hasty.edge.await_open()
        return hasty.edge

    yield use
    pair.update(before)
    hasty.edge.restart()
    hasty.edge.await_open()


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.parametrize("kind", [Certbot, Lego, Dehydrated])
def test_a_client_brings_its_certificate_into_force(hasty, pebble, edge,
                                                    kind):
    client = kind(hasty, pebble)
    try:
        client.first()
        current = os.path.join(client.store, "current")
        key = os.path.join(current, "key.pem")
        assert os.path.islink(current)
        assert mode(key) == (0o640 if root() else 0o600)
        assert mode(os.path.join(current, "certificate.pem")) == 0o644
        daemon = edge(client.store)
        first = first_of(client.got())
        assert shown(daemon) == first
        pid = daemon.process.pid
        client.renew()
        second = first_of(client.got())
        assert second != first
        # By the edge that runs, which was told; certificate and key in one
        # step, since both were where the link points.
        assert shown(daemon) == second
        assert daemon.process.pid == pid and daemon.process.alive()
        assert first_of(os.path.join(current, "certificate.pem")) == second
        pairs = glob.glob(os.path.join(client.store, "pair.*"))
        assert len(pairs) == 2
        assert not os.path.exists(os.path.join(client.store, ".next"))
    finally:
        client.close()


def test_a_certificate_for_somebody_else_is_left_alone(hasty, pebble):
    """A client that keeps the web server's, too, calls for it as well."""
    client = Client(hasty, pebble)
    web = hasty.public.leaf("www.contoso.example")
    lineage = client.path("web")
    os.mkdir(lineage)
    hasty.run.copy(web.certificate, os.path.join(lineage, "fullchain.pem"))
    hasty.run.copy(web.key, os.path.join(lineage, "privkey.pem"))
    client.env["RENEWED_LINEAGE"] = lineage
    assert "left alone" in client.call(HOOK)
    assert not os.path.exists(client.store)
    del client.env["RENEWED_LINEAGE"]
    for occasion in ("deploy_challenge", "clean_challenge", "startup_hook",
                     "this_hookscript_is_broken__dehydrated_is_working_fine"):
        assert client.call(HOOK, occasion, DOMAIN) == ""
    client.call(HOOK, status=2)
    client.call(HOOK, "deploy_cert", DOMAIN, status=2)
