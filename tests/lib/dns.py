"""unbound as the world's only name server: plain zones, nothing beyond."""

import os
import random
import shutil
import socket
import struct

from .run import StartFailed

SRV = 33


def program():
    found = shutil.which("unbound", path=os.environ["PATH"] + ":/usr/sbin")
    if found is None:
        raise StartFailed("unbound is not installed")
    return found


class Dns:
    def __init__(self, run, host=2, name="dns"):
        self.run = run
        self.name = name
        self.address = run.address(host)
        self.port = run.port(self.address, 20053)
        self.records = []
        self.zones = []
        self.clients = "127.0.0.0/8"
        self.authorities = {}       # zone: the address of who has it
        self.process = None

    @property
    def server(self):
        """The form libunbound takes: address@port."""
        return f"{self.address}@{self.port}"

    def zone(self, name):
        self.zones.append(name)

    def a(self, name, address):
        kind = "AAAA" if ":" in address else "A"
        self.records.append(f"{name}. 60 IN {kind} {address}")

    def srv(self, domain, target, port, priority=10, weight=10,
            service="_xmpp-server"):
        self.records.append(f"{service}._tcp.{domain}. 60 IN SRV "
                            f"{priority} {weight} {port} {target}.")

    def forget_srv(self, domain, service="_xmpp-server"):
        start = f"{service}._tcp.{domain}. "
        self.records = [r for r in self.records if not r.startswith(start)]

    def start(self):
        zones = "\n".join(f'    local-zone: "{z}." static'
                          for z in self.zones)
        data = "\n".join(f"    local-data: '{r}'" for r in self.records)
        elsewhere = "".join(
            f'stub-zone:\n    name: "{z}"\n    stub-addr: {a}\n'
            for z, a in self.authorities.items())
        open_zones = "\n".join(f'    local-zone: "{z}." transparent'
                               for z in self.authorities)
        folder = self.run.folder(self.name, "unbound")
        conf = self.run.write(f"{self.name}/unbound.conf", f"""\
server:
    interface: {self.address}
    port: {self.port}
    access-control: {self.clients} allow
    do-daemonize: no
    use-syslog: no
    logfile: ""
    log-queries: yes
    verbosity: 1
    username: ""
    chroot: ""
    directory: "{folder}"
    pidfile: ""
    num-threads: 1
    # Only the iterator: there is nothing to validate here.
    module-config: "iterator"
    local-zone: "." always_nxdomain
{zones}
{open_zones}
{data}
{elsewhere}
remote-control:
    control-enable: no
""", user="unbound")
        # A copy: Debian's AppArmor profile of /usr/sbin/unbound lets that
        # one read nothing of ours.
        copy = self.run.copy(program(), f"{self.name}/unbound", "unbound",
                             0o700)
        self.process = self.run.process(
            self.name, [copy, "-d", "-p", "-c", conf], user="unbound").start()
        self.process.await_port(self.address, self.port)
        return self

    def lookup_srv(self, domain, service="_xmpp-server", timeout=5):
        """Asks the server as anybody would: [(priority, weight, port,
        target)]."""
        name = f"{service}._tcp.{domain}"
        id = random.randrange(65536)
        query = struct.pack("!6H", id, 0x0100, 1, 0, 0, 0)
        for label in name.split("."):
            query += bytes([len(label)]) + label.encode()
        query += struct.pack("!xHH", SRV, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(timeout)
            sock.sendto(query, (self.address, self.port))
            reply = sock.recv(4096)
        got, _, _, answers = struct.unpack_from("!4H", reply)
        if got != id:
            raise StartFailed("an answer to another question")
        at = skip_name(reply, 12) + 4
        found = []
        for _ in range(answers):
            at = skip_name(reply, at)
            kind, _, _, size = struct.unpack_from("!HHIH", reply, at)
            at += 10
            if kind == SRV:
                priority, weight, port = struct.unpack_from("!3H", reply, at)
                found.append((priority, weight, port,
                              read_name(reply, at + 6)))
            at += size
        return sorted(found)


def skip_name(data, at):
    while data[at] and data[at] < 0xc0:
        at += data[at] + 1
    return at + (2 if data[at] else 1)


def read_name(data, at):
    labels = []
    while data[at]:
        if data[at] >= 0xc0:
            at = struct.unpack_from("!H", data, at)[0] & 0x3fff
            continue
        labels.append(data[at + 1:at + 1 + data[at]].decode())
        at += data[at] + 1
    return ".".join(labels)
