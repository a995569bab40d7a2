"""Our two daemons: their files, their start, their end.

SALLYPORT_BIN names the folder of the binaries (default build/bin), so the
same scenarios run against the plain and the sanitized build.
"""

import json
import os
import re
import time

from .authority import TREE
from .run import StartFailed, endpoint

BIN = os.environ.get("SALLYPORT_BIN", os.path.join(TREE, "build", "bin"))

# A daemon under a sanitizer dies with a report that the log collects.
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}
REPORT = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|"
                    r"Assertion .* failed")


# Lines of these levels bear the number of their event (common/events.h).
BARE = re.compile(r"^\S+Z (?:error|warn|info) (?!.* event_id=\d+$)")


def binary(name):
    path = os.path.join(os.path.abspath(BIN), name)
    if not os.access(path, os.X_OK):
        raise StartFailed(f"{path} is not there; run make first")
    return path


class Daemon:
    program = None

    def __init__(self, run, name):
        self.run = run
        self.name = name
        self.config = {}
        self.process = run.process(name, [])
        self.process.env.update(SANITIZERS)
        self.control = run.path(name, "control.sock")
        self.before = []            # what starts it in another way

    def files(self, leaf, stem):
        """The daemon's own copies of a certificate and its key."""
        folder = self.run.folder(self.name)
        copy = self.run.copy
        return (copy(leaf.certificate, os.path.join(folder, f"{stem}.pem")),
                copy(leaf.key, os.path.join(folder, f"{stem}.key")))

    def write(self):
        self.run.folder(self.name)
        return self.run.write(f"{self.name}/{self.name}.json",
                              json.dumps(self.config, indent=2) + "\n")

    def start(self):
        path = self.write()
        self.process.argv = [*self.before, binary(self.program), "--config",
                             path]
        self.process.start()
        self.await_ready()
        return self

    def stop(self, patience=10):
        status = self.process.stop(patience)
        bare = [l for l in self.log.text().splitlines() if BARE.match(l)]
        assert not bare, f"events without a number: {bare[:5]}"
        return status

    def kill(self):
        self.process.kill()

    def restart(self):
        self.stop()
        return self.start()

    @property
    def log(self):
        return self.process.log

    def pids(self):
        """The program and its children."""
        pids = [self.process.pid]
        for pid in pids:
            with open(f"/proc/{pid}/task/{pid}/children",
                      encoding="ascii") as f:
                pids += f.read().split()
        return pids

    def handles(self):
        """Open descriptors of them all."""
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.pids())

    def await_handles(self, count, timeout=5):
        """Until that many are open: none was leaked, none closed twice."""
        end = time.monotonic() + timeout
        while self.handles() != count:
            assert time.monotonic() < end, \
                f"{self.name}: {self.handles()} handles, before {count}"
            time.sleep(0.05)

    def reports(self):
        """Lines of a sanitizer or a failed assertion; should be none."""
        return [l for l in self.log.text().splitlines() if REPORT.search(l)]


class Edge(Daemon):
    program = "sallyport-edge"

    def __init__(self, run, public, internal, dns, leaves, host=30,
                 node="edge1", gateways=("gw1",), company="contoso.example"):
        super().__init__(run, node)
        self.node = f"{node}.{company}"
        self.address = run.address(host)
        self.inner_address = run.address(host + 1)
        self.port = run.port(self.address, 25269)
        self.inner_port = run.port(self.inner_address, 23456)
        inner = self.files(internal.leaf(self.node), "internal")
        certificates = []
        for i, leaf in enumerate(leaves):
            cert, key = self.files(leaf, f"external-{i}")
            certificates.append({"certificate": cert, "key": key})
        self.config = {
            "node": self.node,
            "control": self.control,
            "external": {
                "listen": [endpoint(self.address, self.port)],
                "outgoing": [self.address],
                "certificates": certificates,
                "trust": public.certificate,
            },
            "internal": {
                "listen": [endpoint(self.inner_address, self.inner_port)],
                "certificate": inner[0], "key": inner[1],
                "trust": internal.certificate,
                "gateways": [f"{g}.{company}" for g in gateways],
            },
            "resolver": {"servers": [dns.server]},
            "grace_seconds": 30,
            "log": {"level": "debug"},
        }

    def direct(self, preferred=25270):
        """One more address for partners, with TLS at once; its port."""
        port = self.run.port(self.address, preferred)
        self.config["external"]["direct_listen"] = [
            endpoint(self.address, port)]
        return port

    def await_ready(self):
        """The inner door is open at once; the outer one waits for a
        gateway."""
        self.process.await_port(self.inner_address, self.inner_port)

    def await_open(self, timeout=20):
        self.process.await_port(self.address, self.port, timeout)


class Gateway(Daemon):
    program = "sallyport-gateway"

    def __init__(self, run, internal, edges, front_ends, host=50, node="gw1",
                 domains=("contoso.example",), partners=(), users=(),
                 company="contoso.example", pool="pool.contoso.example"):
        super().__init__(run, node)
        self.node = f"{node}.{company}"
        self.address = run.address(host)
        self.port = run.port(self.address, 25061)
        leaf = internal.leaf(self.node)
        channel = self.files(leaf, "channel")
        sip = self.files(leaf, "sip")
        self.config = {
            "node": self.node,
            "edges": [{"name": e.node,
                       "address": endpoint(e.inner_address, e.inner_port)}
                      for e in edges],
            "channel": {"certificate": channel[0], "key": channel[1],
                        "trust": internal.certificate},
            "sip": {
                "listen": [endpoint(self.address, self.port)],
                "fqdn": self.node,
                "certificate": sip[0], "key": sip[1],
                "trust": internal.certificate,
                "pool": {
                    "name": pool,
                    "front_ends": [
                        {"name": f.name, "address": endpoint(f.address, f.port)}
                        for f in front_ends],
                },
            },
            "control": self.control,
            "admin": {"socket": run.path(self.name, "admin.sock")},
            "store": run.path(self.name, "gateway.db"),
            "hosted": [{"Domain": d} for d in domains],
            "partners": list(partners),
            "users": list(users),
            "log": {"level": "debug"},
        }

    def await_ready(self):
        """The control socket is what it opens last."""
        self.process.await_port(self.address, self.port)
        end = time.monotonic() + 10
        while "control" in self.config and time.monotonic() < end and \
                not os.path.exists(self.config["control"]):
            time.sleep(0.01)


def partner(domain, *additional, **more):
    """A row of the partner table, with the cmdlets' names."""
    return {"Domain": domain, "AdditionalDomains": list(additional),
            "PartnerType": "Federated", "TlsNegotiation": "Required",
            "SaslNegotiation": "Required",
            "SupportDialbackNegotiation": False, **more}
