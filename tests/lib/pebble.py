"""Pebble, the test server of the people of Let's Encrypt, as an ACME authority
for every name; its challenges come to one address of ours."""

import json
import shutil
import ssl
import time
import urllib.error
import urllib.request

from .run import StartFailed


def tool(name):
    found = shutil.which(name)
    if found is None:
        raise StartFailed(f"{name} is not installed")
    return found


class Pebble:
    def __init__(self, run, host=70, challenged=71):
        self.run = run
        self.address = run.address(host)
        self.port = run.port(self.address)
        self.management = run.port(self.address)
        self.dns = run.port(self.address)
        # Whom a challenge by HTTP reaches.
        self.challenged = run.address(challenged)
        self.http = run.port(self.challenged)
        self.folder = run.folder("pebble")
        # What its HTTPS shows, and who trusts it.
        self.certificate = run.path("pebble", "api.pem")
        self.root = run.path("pebble", "root.pem")

    @property
    def directory(self):
        return f"https://{self.address}:{self.port}/dir"

    def start(self):
        run = self.run
        key = run.path("pebble", "api.key")
        run.command(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                     "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                     "-subj", "/CN=pebble", "-addext",
                     f"subjectAltName=IP:{self.address}", "-keyout", key,
                     "-out", self.certificate])
        names = f"{self.address}:{self.dns}"
        run.process("challtestsrv", [
            tool("pebble-challtestsrv"), "-dns01", names, "-defaultIPv4",
            self.challenged, "-defaultIPv6", "", "-http01", "", "-https01",
            "", "-tlsalpn01", "", "-management",
            f"{self.address}:{run.port(self.address)}"]).start()
        conf = run.write("pebble/pebble.json", json.dumps({"pebble": {
            "listenAddress": f"{self.address}:{self.port}",
            "managementListenAddress": f"{self.address}:{self.management}",
            "certificate": self.certificate, "privateKey": key,
            "httpPort": self.http, "tlsPort": self.http}}))
        self.process = run.process(
            "pebble", [tool("pebble"), "-config", conf, "-dnsserver", names],
            env={"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"})
        self.process.start()
        for port in (self.port, self.management):
            self.process.await_port(self.address, port)
        run.write("pebble/root.pem", self._fetch_root(), mode=0o644)
        return self

    def _fetch_root(self):
        context = ssl.create_default_context(cafile=self.certificate)
        url = f"https://{self.address}:{self.management}/roots/0"
        end = time.monotonic() + 10
        while True:
            try:
                with urllib.request.urlopen(url, context=context,
                                            timeout=5) as answer:
                    return answer.read().decode()
            except urllib.error.URLError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
