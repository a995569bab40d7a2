"""The three guides, followed word by word on Debian hosts that have nothing but
what their installer left, with systemd, in networks of their own.

Each line that a guide has its reader type is typed, in the guide's order, on
the host it is meant for; each file is written as it stands on the page.  What
the guides leave to others is done here: the router is there, the authorities
sign, the DNS publishes what it was asked to, a Lync administrator attaches the
gateway.  Then people write to each other.
"""

import json
import os
import re
import subprocess

import pytest

from lib.authority import TREE, Authority
from lib.command import REPORT
from lib.debian import DebianHost
from lib.dns import Dns
from lib.guide import Guide
from lib.kamailio import Kamailio
from lib.lync_client import LyncClient
from lib.netns import Layout, NetRun, ROUTER
from lib.nsd import Nsd
from lib.prosody import Prosody
from lib.run import StartFailed, root
from lib.xmpp_user import XmppUser

BASE = os.environ.get("SALLYPORT_BASE",
                      os.path.join(TREE, "build", "trial", "base"))
DEBS = os.path.join(TREE, "build", "deb")

ANNA, BO = "anna@contoso.example", "bo@partner.example"
OUTSIDE, EDGE, GATEWAY, FRONT_END = "outside", "edge", "gateway", "front-end"


class TrialLayout(Layout):
    """The addresses of the guides; the edge's host has two interfaces, and
    no firewall stands between the gateway's and the front end."""

    spaces = (ROUTER, OUTSIDE, EDGE, GATEWAY, FRONT_END)
    links = [
        ("net/eth0", OUTSIDE, ["198.51.100.1/24"],
         ["198.51.100.99/24", "198.51.100.20/24", "198.51.100.53/24",
          "198.51.100.54/24"]),
        ("out/eth0", EDGE, ["192.0.2.1/24"], ["192.0.2.10/24"]),
        ("in/eth1", EDGE, ["10.0.0.1/24"], ["10.0.0.10/24"]),
        ("gw/eth0", GATEWAY, [], ["10.1.0.5/16"]),
        ("fe/eth0", FRONT_END, [], ["10.1.0.10/16", "10.1.0.53/16"]),
    ]
    bridges = {"lan": (["gw", "fe"], ["10.1.0.1/16"])}
    routes = {
        OUTSIDE: [["default", "via", "198.51.100.1"]],
        EDGE: [["default", "via", "192.0.2.1"],
               ["10.1.0.0/16", "via", "10.0.0.1"]],
        GATEWAY: [["default", "via", "10.1.0.1"]],
        FRONT_END: [["default", "via", "10.1.0.1"]],
    }


class TrialRun(NetRun):
    layout = TrialLayout
    HOSTS = {2: "198.51.100.53", 3: "198.51.100.54", 20: "198.51.100.20",
             40: "10.1.0.10", 60: "10.1.0.53"}
    PORTS = {**NetRun.PORTS, 20153: 53}
    SPACES = {"dns": OUTSIDE, "nsd": OUTSIDE, "prosody": OUTSIDE,
              "dns-inside": FRONT_END, "kamailio": FRONT_END}


class Place:
    """The world around the two hosts, and who does in it what."""

    def __init__(self, run):
        self.run = run
        self.public = Authority(run, "public")
        self.own = Authority(run, "own", eku="both")
        self.said = []      # (host, command, what it printed)
        self._outside()
        self._inside()
        self.hosts = {}
        self.edge = self.host(EDGE, "edge1", "198.51.100.53")
        self.gateway = self.host(GATEWAY, "gw1", "10.1.0.53")
        self.desk = self.host(FRONT_END, "desk1", "10.1.0.53")
        self.outside = self.host(OUTSIDE, "outside1", "198.51.100.53")

    def _outside(self):
        run = self.run
        self.dns = Dns(run)
        self.dns.clients = "0.0.0.0/0"
        self.nsd = Nsd(run)
        self.prosody = Prosody(run, self.dns, self.public)
        self.prosody.host("partner.example")
        self.prosody.register("bo", "partner.example")
        self.nsd.zone("partner.example", """\
_xmpp-server._tcp.partner.example. 60 IN SRV 0 0 5269 xmpp.partner.example.
xmpp.partner.example. 60 IN A 198.51.100.20
""", signed=False)
        for zone in ("contoso.example", "partner.example"):
            self.dns.authorities[zone] = self.nsd.address
        self.dns.start()
        self.prosody.start()

    def _inside(self):
        self.dns_inside = Dns(self.run, 60, "dns-inside")
        self.dns_inside.clients = "10.0.0.0/8"
        self.pool = Kamailio(self.run, self.own, users=("anna",))

    def host(self, space, name, resolver):
        host = DebianHost(self.run, space, name, BASE)
        host.write("/etc/resolv.conf", f"nameserver {resolver}\n")
        host.copy(self.public.certificate,
                  "/usr/local/share/ca-certificates/public.crt")
        for deb in sorted(os.listdir(DEBS)):
            host.copy(os.path.join(DEBS, deb), f"/root/{deb}")
        host.boot()
        # The public authority, as everybody's system has it.
        host.shell("update-ca-certificates")
        self.hosts[name] = host
        return host

    # --- what others do ---------------------------------------------------

    def publish(self, zone):
        """The external DNS takes over what `dns plan` printed."""
        self.nsd.zone("contoso.example", zone, signed=False)
        self.nsd.start()

    def publish_inside(self, records):
        for line in records.splitlines():
            name, _, address = line.split()
            self.dns_inside.a(name.rstrip("."), address)
        self.dns_inside.zone("contoso.example")
        self.dns_inside.start()

    def sign(self, host, request, authority):
        """An authority answers a request that was carried to it."""
        folder = "/etc/sallyport"
        stem = request.removesuffix(".csr")
        at = self.run.write(f"{host.name}-{request}",
                            host.read(f"{folder}/{request}"))
        out = self.run.path(f"{host.name}-{stem}.pem")
        more = self.run.write("revocation.cnf", "crlDistributionPoints="
                              "URI:http://ca.contoso.example/crl\n")
        self.run.command(
            ["openssl", "x509", "-req", "-in", at, "-CA",
             authority.certificate, "-CAkey",
             os.path.join(authority.folder, "ca.key"), "-copy_extensions",
             "copyall", "-extfile", more, "-days", "90", "-out", out])
        host.copy(out, f"{folder}/{stem}.pem")

    def carry(self, name, source, *targets):
        text = source.read(os.path.join("/root", name))
        for host in targets:
            host.write(os.path.join("/root", name), text)

    def on_router(self, command):
        """The router is a Linux of its own; the file was carried to it."""
        self.run.write("site.nft", self.desk.read("/root/site.nft"))
        return self.run.networks.run(ROUTER, command.split(),
                                     cwd=self.run.state)

    # --- what the reader does -----------------------------------------------

    def type(self, host, block, status=0):
        """A block of commands; status is that of the last."""
        commands = list(block.commands())
        out = ""
        for i, command in enumerate(commands):
            last = i == len(commands) - 1
            out = host.shell(command, status if last else 0, answer="y\n")
            self.said.append((host.name, command, out))
            assert not REPORT.search(out), out
        return out

    def file(self, host, block):
        host.write(os.path.join(host.folder, block.path), block.text + "\n")


class Reader:
    """Takes the blocks of a guide one after the other, none left out."""

    def __init__(self, place, name):
        self.place = place
        self.blocks = list(Guide(name).blocks)

    def next(self, kind, begins=""):
        block = self.blocks.pop(0)
        assert block.kind == kind and begins in block.text, block.text
        return block

    def type(self, host, begins, status=0):
        return self.place.type(host, self.next("commands", begins), status)

    def file(self, host):
        self.place.file(host, self.next("file"))


def plan_the_firewalls(place):
    guide = Reader(place, "GUIDE-firewall.md")
    desk = place.desk
    guide.type(desk, "apt install")
    guide.file(desk)
    guide.type(desk, "--format request")
    request = desk.read("/root/request.txt")
    assert "23456" in request and "<svg" in desk.read("/root/site.svg")
    guide.type(desk, "--format nftables")
    for command in guide.next("commands", "nft -f").commands():
        place.on_router(command)
    guide.type(desk, "--format firewalld")
    place.carry("hosts.sh", desk, place.edge, place.gateway)
    place.carry("site.json", desk, place.edge, place.gateway, place.outside)
    guide.type(place.edge, "hosts.sh edge1")
    guide.type(place.gateway, "hosts.sh gw1")
    return guide


def set_up_the_edge(place):
    guide, edge = Reader(place, "GUIDE-perimeter.md"), place.edge
    guide.type(edge, "apt install")
    assert "23456" in guide.type(edge, "sallyport ports")
    place.publish(guide.type(edge, "dns plan"))
    guide.type(edge, "dns check")
    guide.type(edge, "certs plan")
    guide.type(edge, "certs request")
    place.sign(edge, "xmpp.csr", place.public)
    place.sign(edge, "internal.csr", place.own)
    edge.copy(place.own.certificate, "/etc/sallyport/internal-ca.pem")
    for certificate in ("xmpp.csr", "internal.csr"):
        assert certificate in edge.shell("ls")
    guide.type(edge, "certs check")
    guide.file(edge)
    assert "edge.json: ok" in guide.type(edge, "--check")
    said = guide.type(edge, "systemctl enable", status=1)
    # The guide says which two.
    assert sorted(failures(place.edge, "--domain contoso.example")) == [
        "channel", "ports"], said
    return guide


def set_up_the_gateway(place):
    guide, gateway = Reader(place, "GUIDE-front-end.md"), place.gateway
    guide.type(gateway, "apt install")
    place.publish_inside(guide.next("records").text)
    guide.type(gateway, "certs plan")
    guide.type(gateway, "certs request")
    for request in ("internal.csr", "sip.csr"):
        place.sign(gateway, request, place.own)
    for trust in ("internal-ca.pem", "enterprise-ca.pem"):
        gateway.copy(place.own.certificate, f"/etc/sallyport/{trust}")
    guide.type(gateway, "certs check")
    guide.file(gateway)
    assert "gateway.json: ok" in guide.type(gateway, "--check")
    guide.type(gateway, "systemctl enable")
    assert "in force on edge1" in guide.type(gateway, "access-edge set")
    guide.type(gateway, "pool script")
    script = gateway.read("/etc/sallyport/attach.ps1")
    assert "New-CsStaticRoute" in script and "partner.example" in script
    # The pool that knows the gateway stands for one that ran the script.
    place.pool.start("10.1.0.5", 5061)
    # The minute that the guide speaks of.
    gateway.shell("for i in $(seq 60); do sallyport doctor >/dev/null && "
                  "break; sleep 1; done")
    guide.type(gateway, "sallyport doctor")
    return guide


def findings(host, more=""):
    out = host.shell(f"sallyport --json doctor {more} || true")
    return json.loads(out)["findings"]


# What no guide can help: only the machine itself may set its clock, and the
# guides' addresses are those that are kept for examples.
KNOWN = (r"^not synchronised", r" is 192\.0\.2\.10, which the internet cannot")


def complaints(host):
    return [(f["check"], f["text"]) for f in findings(host)
            if f["level"] in ("failure", "warning") and
            not any(re.search(k, f["text"]) for k in KNOWN)]


def failures(host, more=""):
    return [f["check"] for f in findings(host, more)
            if f["level"] == "failure"]


@pytest.fixture(scope="module")
def place():
    if not root():
        raise StartFailed("the trial needs root")
    run = TrialRun("trial")
    try:
        yield Place(run)
    finally:
        problems = run.close()
    assert not problems, "\n".join(problems)


@pytest.fixture(scope="module")
def guides(place):
    """All three, up to where something must be moved or taken back."""
    firewall = plan_the_firewalls(place)
    perimeter = set_up_the_edge(place)
    front_end = set_up_the_gateway(place)
    return perimeter, front_end, firewall


def test_the_guides_lead_to_a_federation(place, guides):
    perimeter, front_end, firewall = guides
    front_end.type(place.gateway, "sallyport status")
    perimeter.type(place.edge, "sallyport doctor")
    assert complaints(place.edge) == complaints(place.gateway) == []
    said = perimeter.type(place.outside, "--connect")
    assert "FAIL" not in said.upper()
    # On each host.
    block = firewall.next("commands", "verify")
    for host in (place.edge, place.gateway):
        host.folder = "/root"
        place.type(host, block)
    firewall.type(place.outside, "--from internet")
    assert not firewall.blocks


def test_messages_pass(place, guides):
    run = place.run
    run.enter(OUTSIDE)
    bo = XmppUser(run, BO, "198.51.100.20", place.prosody.c2s,
                  place.public.certificate).login()
    run.enter(FRONT_END)
    anna = LyncClient(run, ANNA, place.pool.address, place.pool.port,
                      place.own.certificate, "Anna").login()
    bo.send(ANNA, "By the book.")
    assert anna.message(body="By the book.").sender == BO
    assert anna.send(BO, "To the letter.").status == 200
    bo.message(body="To the letter.")
    streams = place.edge.shell("sallyport streams")
    assert streams.count("partner.example") >= 2, streams


def test_the_services_are_confined_and_come_back(place, guides):
    for host, unit in ((place.edge, "sallyport-edge"),
                       (place.gateway, "sallyport-gateway")):
        assert host.shell(f"systemctl is-enabled {unit}").strip() == "enabled"
        host.shell(f"systemd-analyze verify --man=no {unit}.service")
        said = host.shell(f"systemd-analyze security --no-pager {unit}")
        level = float(re.search(r"exposure level for \S+: ([0-9.]+)",
                                said)[1])
        assert level < 2.5, said
        # What `systemctl reload` runs is there.
        host.shell(f"systemctl reload {unit}")
        pid = host.shell(f"systemctl show -P MainPID {unit}").strip()
        assert host.shell(f"stat -c %U /proc/{pid}").strip() == \
            "sallyport"
        status = host.read(f"/proc/{pid}/status")
        assert re.search(r"^CapEff:\t0+$", status, re.M)
        assert re.search(r"^NoNewPrivs:\t1$", status, re.M)
        host.shell(f"kill -SEGV {pid}")
        host.shell("for i in $(seq 100); do "
                   f"[ $(systemctl show -P MainPID {unit}) = {pid} ] || "
                   f"! systemctl -q is-active {unit} || break; "
                   "sleep 0.1; done; "
                   f"systemctl -q is-active {unit}")
        assert host.shell(f"systemctl show -P NRestarts {unit}"
                          ).strip() == "1"


def test_a_test_message_is_sent_by_its_service(place, guides):
    """Confined as its unit says, as the gateway's user, by its socket."""
    gateway, unit = place.gateway, "sallyport-test-im"

    def receiver(name):
        gateway.shell("sed -i -e s/^SENDER=.*/SENDER=anna@contoso.example/ "
                      f"-e s/^RECEIVER=.*/RECEIVER={name}@partner.example/ "
                      f"/etc/default/{unit}")

    # Nothing is sent unasked.
    assert gateway.shell(f"systemctl is-enabled {unit}.timer",
                         1).strip() == "disabled"
    said = gateway.shell(f"systemd-analyze security --no-pager {unit}")
    assert float(re.search(r"exposure level for \S+: ([0-9.]+)",
                           said)[1]) < 2.5, said
    receiver("nobody")
    gateway.shell(f"systemctl start {unit}.service", 1)
    assert gateway.shell(f"systemctl show -P ExecMainStatus {unit}"
                         ).strip() == "1"
    assert f"{unit}.service" in gateway.shell("systemctl --failed --plain")
    assert "Result        : Failure" in gateway.shell(
        f"journalctl -u {unit} -o cat")
    receiver("bo")
    gateway.shell(f"systemctl start {unit}.service")
    assert gateway.shell("systemctl --failed --no-legend") == ""
    assert "Result        : Success" in gateway.shell(
        f"journalctl -u {unit} -o cat")
    gateway.shell(f"systemctl enable --now {unit}.timer")
    assert unit in gateway.shell("systemctl list-timers --no-pager")
    gateway.shell(f"systemctl disable --now {unit}.timer")


def test_the_zone_of_firewalld_holds_what_was_planned(place, guides):
    edge, gateway = place.edge, place.gateway
    listed = edge.shell("firewall-cmd --zone=sallyport --list-all")
    assert re.search(r"target: DROP", listed)
    assert re.search(r"interfaces: eth0 eth1", listed)
    assert listed.count("rule family") == 2
    rules = edge.shell("nft list ruleset")
    assert re.search(r"daddr 10\.0\.0\.10 ip saddr 10\.1\.0\.5 tcp dport "
                     r"23456 accept", rules), rules
    assert re.search(r"daddr 192\.0\.2\.10 tcp dport 5269 accept", rules)
    rules = gateway.shell("nft list ruleset")
    assert re.search(r"daddr 10\.1\.0\.5 ip saddr 10\.1\.0\.10 tcp dport "
                     r"5061 accept", rules), rules


def probe(place, space, target, ports):
    flows = [("", target, port) for port in ports]
    return dict(zip(ports, place.run.networks.connect(space, flows)))


def test_the_hosts_own_firewalls_hold_without_the_router(place, guides):
    """They are the second line: the router lets everything pass here."""
    ports = [22, 53, 443, 5061, 5269, 5222, 23456]
    networks = place.run.networks
    networks.unload()
    try:
        for target in ("192.0.2.10", "10.0.0.10"):
            seen = probe(place, OUTSIDE, target, ports)
            open_ports = [p for p in ports if seen[p] != "filtered"]
            assert open_ports == ([5269] if target == "192.0.2.10" else [])
        # The front end is next to the gateway, and is not the gateway.
        seen = probe(place, FRONT_END, "10.1.0.5", ports)
        assert {p for p in ports if seen[p] != "filtered"} == {5061}
        seen = probe(place, FRONT_END, "10.0.0.10", ports)
        assert set(seen.values()) == {"filtered"}
        seen = probe(place, GATEWAY, "10.0.0.10", ports)
        assert {p for p in ports if seen[p] != "filtered"} == {23456}
        seen = probe(place, EDGE, "10.1.0.5", ports)
        assert set(seen.values()) == {"filtered"}
    finally:
        place.on_router("nft -f site.nft")


def test_it_is_taken_back(place, guides):
    perimeter, front_end, _ = guides
    gateway, edge = place.gateway, place.edge
    gateway.folder = "/etc/sallyport"
    front_end.type(gateway, "--remove")
    assert "Remove-CsTrustedApplication" in \
        gateway.read("/etc/sallyport/remove.ps1")
    front_end.type(gateway, "systemctl disable")
    assert not front_end.blocks
    perimeter.type(edge, "sallyport drain")
    assert not perimeter.blocks
    for host, unit in ((edge, "sallyport-edge"),
                       (gateway, "sallyport-gateway")):
        host.shell("for i in $(seq 100); do "
                   f"[ $(systemctl show -P ActiveState {unit}) != "
                   "deactivating ] && ! systemctl -q is-active "
                   f"{unit} && break; sleep 0.1; done")
        assert set(host.shell("systemctl show -P ActiveState,Result "
                              f"{unit}").split()) == {"inactive", "success"}
    for host in (edge, gateway):
        host.shell("apt purge -y 'sallyport*'")
        assert host.shell("systemctl --failed --no-legend") == ""


