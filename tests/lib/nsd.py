"""nsd as the authority for signed zones."""

import glob
import os
import shutil

from .run import StartFailed

SYSTEM = os.environ["PATH"] + ":/usr/sbin"


def tool(name):
    found = shutil.which(name, path=SYSTEM)
    if found is None:
        raise StartFailed(f"{name} is not installed")
    return found


class Nsd:
    """Zones are texts; a signed one gets a key of its own and an anchor."""

    def __init__(self, run, host=3):
        self.run = run
        self.address = run.address(host)
        self.port = run.port(self.address, 20153)
        self.folder = run.folder("nsd")
        self.zones = {}
        self.anchors = {}
        self.process = None

    @property
    def server(self):
        return f"{self.address}@{self.port}"

    def path(self, name):
        return os.path.join(self.folder, name)

    def zone(self, name, records, signed=True):
        head = (f"{name}. 60 IN SOA ns.{name}. admin.{name}. "
                "1 3600 600 86400 60\n"
                f"{name}. 60 IN NS ns.{name}.\n"
                f"ns.{name}. 60 IN A {self.address}\n")
        path = self.run.write(f"nsd/{name}.zone", head + records)
        if signed:
            path = self.sign(name, path)
        self.zones[name] = path

    def sign(self, name, path):
        self.run.command([tool("ldns-keygen"), "-k", "-a", "ECDSAP256SHA256",
                          name], cwd=self.folder)
        key, = glob.glob(self.path(f"K{name}.+*.key"))
        self.anchors[name] = key
        self.run.command([tool("ldns-signzone"), "-f", path + ".signed", path,
                          key[:-len(".key")]], cwd=self.folder)
        return path + ".signed"

    def tamper(self, name, old, new):
        """Changes what was signed, behind the signatures' back."""
        with open(self.zones[name], encoding="ascii") as f:
            text = f.read()
        assert old in text
        self.run.write(self.zones[name], text.replace(old, new))

    def start(self):
        zones = "".join(f'zone:\n    name: "{name}"\n    zonefile: "{path}"\n'
                        for name, path in self.zones.items())
        conf = self.run.write("nsd/nsd.conf", f"""\
server:
    ip-address: {self.address}
    port: {self.port}
    username: ""
    chroot: ""
    zonesdir: "{self.folder}"
    database: ""
    zonelistfile: "{self.path('zone.list')}"
    xfrdfile: ""
    xfrdir: "{self.folder}"
    pidfile: ""
    server-count: 1
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
remote-control:
    control-enable: no
{zones}""")
        self.process = self.run.process(
            "nsd", [tool("nsd"), "-d", "-c", conf]).start()
        self.process.await_port(self.address, self.port)
        return self
