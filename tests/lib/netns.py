"""A company in network namespaces: internet, perimeter and internal network,
with a router between them that has a firewall.  Needs root.

            internet                                  198.51.100.10 is the
  203.0.113.20 .53 .99                                edge, seen from here
        203.0.113.1
            router ---- 172.16.1.1 ---- 172.16.1.10   perimeter, outer side
                   ---- 172.16.2.1 ---- 172.16.2.10   perimeter, inner side
        10.1.0.1
  10.1.0.5 .10 .77
            internal

The same hosts have IPv6 addresses, which nobody translates: 2001:db8:f::/64
in the internet, 2001:db8:a::/64 and 2001:db8:b::/64 in the perimeter,
2001:db8:c::/64 inside.

A run's processes are started in the namespace that its table names; actors of
the test itself enter one for as long as it takes to connect.
"""

import ctypes
import glob
import json
import os
import shutil
import subprocess
import sys

from .run import Process, Run, StartFailed

FOLDER = "/run/netns"
CLONE_NEWNET = 0x40000000

ROUTER, INTERNET, PERIMETER, INTERNAL = "router", "net", "dmz", "lan"


class Layout:
    """Which networks there are; others than these are subclasses."""

    spaces = (ROUTER, INTERNET, PERIMETER, INTERNAL)
    # Link (and its name at the other end), namespace there, addresses of the
    # router, addresses there.
    links = [
        ("net", INTERNET, ["203.0.113.1/24", "2001:db8:f::1/64"],
         ["203.0.113.20/24", "203.0.113.53/24", "203.0.113.99/24",
          "2001:db8:f::20/64", "2001:db8:f::53/64", "2001:db8:f::99/64"]),
        ("out", PERIMETER, ["172.16.1.1/24", "2001:db8:a::1/64"],
         ["172.16.1.10/24", "2001:db8:a::10/64"]),
        ("in", PERIMETER, ["172.16.2.1/24", "2001:db8:b::1/64"],
         ["172.16.2.10/24", "2001:db8:b::10/64"]),
        ("lan", INTERNAL, ["10.1.0.1/16", "2001:db8:c::1/64"],
         ["10.1.0.5/16", "10.1.0.10/16", "10.1.0.77/16",
          "2001:db8:c::5/64", "2001:db8:c::10/64", "2001:db8:c::77/64"]),
    ]
    # Links of the router that are one network, and its addresses there.
    bridges = {}
    routes = {
        ROUTER: [["198.51.100.0/24", "dev", "lo"]],
        INTERNET: [["default", "via", "203.0.113.1"],
                   ["default", "via", "2001:db8:f::1"]],
        PERIMETER: [["default", "via", "172.16.1.1"],
                    ["10.1.0.0/16", "via", "172.16.2.1"],
                    ["default", "via", "2001:db8:a::1"],
                    ["2001:db8:c::/64", "via", "2001:db8:b::1"]],
        INTERNAL: [["default", "via", "10.1.0.1"],
                   ["default", "via", "2001:db8:c::1"]],
    }


def only6(items):
    """Of addresses, or of routes in words."""
    return [i for i in items if ":" in "".join(i)]


class Layout6(Layout):
    """Internet and perimeter without IPv4: what goes wrong by IPv6 cannot go
    right by other means.  The pool, inside, has both."""

    links = [(link, space, gateways, addresses) if space == INTERNAL else
             (link, space, only6(gateways), only6(addresses))
             for link, space, gateways, addresses in Layout.links]
    routes = {space: routes if space == INTERNAL else only6(routes)
              for space, routes in Layout.routes.items()}


TOOLS = ("ip", "nft", "iptables-restore", "ip6tables-restore", "nsenter")


def tool(name):
    """A missing program is a failure, not a reason to leave a test out."""
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if found is None:
        raise StartFailed(f"{name} is not installed; deploy/install-deps "
                          "check brings it")
    return found


# Connects to everything at once: [[source or "", address, port], ...] in,
# one word for each out.
CONNECT = """
import errno, json, select, socket, sys, time
probes, patience = json.load(sys.stdin), float(sys.argv[1])
out, waiting = ["filtered"] * len(probes), {}
poll = select.poll()
WORDS = {0: "open", errno.ECONNREFUSED: "closed"}
for i, (source, address, port) in enumerate(probes):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    s.setblocking(False)
    if source:
        s.bind((source, 0))
    error = s.connect_ex((address, port))
    if error == errno.EINPROGRESS:
        waiting[s.fileno()] = (i, s)
        poll.register(s, select.POLLOUT)
    else:
        out[i] = WORDS.get(error, "filtered")
        s.close()
end = time.monotonic() + patience
while waiting and time.monotonic() < end:
    for fd, _ in poll.poll(max(1, (end - time.monotonic()) * 1000)):
        i, s = waiting.pop(fd)
        error = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        out[i] = WORDS.get(error, "filtered")
        poll.unregister(fd)
        s.close()
json.dump(out, sys.stdout)
"""

# The same with datagrams that are to be echoed.
SEND = """
import json, select, socket, sys, time
probes, patience = json.load(sys.stdin), float(sys.argv[1])
out, waiting = ["filtered"] * len(probes), {}
poll = select.poll()
for i, (source, address, port) in enumerate(probes):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                      socket.SOCK_DGRAM)
    s.setblocking(False)
    if source:
        s.bind((source, 0))
    s.connect((address, port))
    try:
        s.send(b"probe %d" % i)
    except OSError:
        s.close()
        continue
    waiting[s.fileno()] = (i, s)
    poll.register(s, select.POLLIN)
end = time.monotonic() + patience
while waiting and time.monotonic() < end:
    for fd, _ in poll.poll(max(1, (end - time.monotonic()) * 1000)):
        i, s = waiting.pop(fd)
        try:
            out[i] = "open" if s.recv(64) == b"probe %d" % i else "wrong"
        except ConnectionRefusedError:
            out[i] = "closed"
        poll.unregister(fd)
        s.close()
json.dump(out, sys.stdout)
"""

# Listens on ports, at each address, until it is ended; echoes datagrams and
# prints where each came from and went to.
LISTEN = """
import json, select, socket, sys
addresses, ports = json.loads(sys.argv[1])
held, poll = {}, select.poll()
for address in addresses:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for port in ports:
        s = socket.socket(family)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, port))
        s.listen(500)
        held[s.fileno()] = s, None
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.bind((address, port))
        held[s.fileno()] = s, (address, port)
        poll.register(s, select.POLLIN)
print("ready", flush=True)
while True:
    for fd, _ in poll.poll():
        s, (address, port) = held[fd]
        data, peer = s.recvfrom(64)
        print("udp", peer[0], address, port, flush=True)
        s.sendto(data, peer)
"""

# One packet to each port, by TCP and by UDP, and one of each protocol that
# has no ports; nobody waits for an answer.
SWEEP = """
import json, socket, sys
source, address, ports, protocols = json.load(sys.stdin)
family = socket.AF_INET6 if ":" in address else socket.AF_INET
AT_ONCE = b"\\1\\0\\0\\0\\0\\0\\0\\0"

def datagram(s, port):
    while True:
        try:
            return s.sendto(b"sweep", (address, port))
        except (BlockingIOError, ConnectionRefusedError):
            pass        # no room, or how the last one was answered

def attempt(port):
    with socket.socket(family) as s:
        s.setblocking(False)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        s.bind((source, 0))
        s.connect_ex((address, port))

def raw(protocol):
    # An echo request, where it is one of the ICMPs.
    body = bytes([128 if family == socket.AF_INET6 else 8]) + bytes(7)
    body = body[:2] + (0xffff - (body[0] << 8)).to_bytes(2, "big") + body[4:]
    with socket.socket(family, socket.SOCK_RAW, protocol) as s:
        s.bind((source, 0))
        s.sendto(body, (address, 0))

with socket.socket(family, socket.SOCK_DGRAM) as udp:
    udp.bind((source, 0))
    udp.setblocking(False)
    for port in ports:
        datagram(udp, port)
        attempt(port)
for protocol in protocols:
    raw(protocol)
"""

# Sees every packet that comes in on a link and counts those of a source by
# protocol, and by port where there are ports; tells when its input ends.
WATCH = """
import json, select, socket, sys
link, sources = sys.argv[1], json.loads(sys.argv[2])
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
s.bind((link, 0))
SO_RCVBUFFORCE = 33
s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
s.setblocking(False)
seen = {}
wanted = set()
for text in sources:
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    wanted.add(socket.inet_pton(family, text))
print("ready", flush=True)
def take():
    while True:
        try:
            data, (_, _, kind, *_) = s.recvfrom(128)
        except BlockingIOError:
            return
        if kind == socket.PACKET_OUTGOING:
            continue
        if data[0] >> 4 == 4:
            source, protocol, at = data[12:16], data[9], (data[0] & 15) * 4
        elif data[0] >> 4 == 6:
            source, protocol, at = data[8:24], data[6], 40
        else:
            continue
        if source in wanted:
            port = int.from_bytes(data[at + 2:at + 4], "big")
            if protocol not in (6, 17):
                port = 0
            seen.setdefault(protocol, set()).add(port)
while True:
    ready, _, _ = select.select([s, sys.stdin], [], [])
    take()
    if sys.stdin in ready:
        break
json.dump({k: sorted(v) for k, v in seen.items()}, sys.stdout)
"""


class Networks:
    """The namespaces, from their making to their end."""

    def __init__(self, number, layout=Layout):
        self.layout = layout
        self.prefix = f"sallyport-{number}-"
        self.clear()
        try:
            self._make()
        except BaseException:
            self.clear()
            raise

    def name(self, space):
        return self.prefix + space

    def path(self, space):
        return os.path.join(FOLDER, self.name(space))

    def clear(self):
        """Also what a killed run of the same number left behind."""
        for path in glob.glob(os.path.join(FOLDER, self.prefix + "*")):
            subprocess.run([tool("ip"), "netns", "del",
                            os.path.basename(path)], check=True)

    def _ip(self, space, *args):
        self.run(space, [tool("ip"), *args])

    def _make(self):
        layout = self.layout
        for space in layout.spaces:
            subprocess.run([tool("ip"), "netns", "add", self.name(space)],
                           check=True)
            self._ip(space, "link", "set", "lo", "up")
            # Our peers run as users of their own, on real ports.
            self._sysctl(space, "net.ipv4.ip_unprivileged_port_start=0")
            self._sysctl(space, "net.ipv6.conf.all.disable_ipv6=0")
            # Nobody here has the same address: use them at once.
            self._sysctl(space, "net.ipv6.conf.default.accept_dad=0")
        for names, space, gateways, addresses in layout.links:
            link, _, end = names.partition("/")
            end = end or link
            self._ip(ROUTER, "link", "add", link, "type", "veth", "peer",
                     "name", end, "netns", self.name(space))
            self._address(ROUTER, link, gateways)
            self._address(space, end, addresses)
        # A switch has no firewall: the router's is for what it routes.
        for kind in ("iptables", "ip6tables"):
            if os.path.exists(f"/proc/sys/net/bridge/bridge-nf-call-{kind}"):
                self._sysctl(ROUTER, f"net.bridge.bridge-nf-call-{kind}=0")
        for bridge, (ends, addresses) in layout.bridges.items():
            self._ip(ROUTER, "link", "add", bridge, "type", "bridge")
            for link in ends:
                self._ip(ROUTER, "link", "set", link, "master", bridge)
            self._address(ROUTER, bridge, addresses)
        for space, routes in layout.routes.items():
            for route in routes:
                self._ip(space, *(["-6"] if ":" in " ".join(route) else []),
                         "route", "add", *route)
        self._sysctl(ROUTER, "net.ipv4.ip_forward=1")
        self._sysctl(ROUTER, "net.ipv6.conf.all.forwarding=1")

    def _address(self, space, link, addresses):
        life = "forever"
        for address in addresses:
            more = []
            if ":" in address:
                # The first is whence one calls, as it is with IPv4.
                more = ["nodad", "preferred_lft", life]
                life = "0"
            self._ip(space, "addr", "add", address, "dev", link, *more)
        self._ip(space, "link", "set", link, "up")

    def _sysctl(self, space, setting):
        key, value = setting.split("=")
        self.run(space, ["sh", "-c", 'echo "$1" >"$0"',
                         "/proc/sys/" + key.replace(".", "/"), value])

    def run(self, space, argv, **more):
        done = subprocess.run(
            [tool("nsenter"), f"--net={self.path(space)}", "--", *argv],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=60, **more)
        if done.returncode != 0:
            raise StartFailed(f"{' '.join(argv)}: status {done.returncode}\n"
                              f"{done.stdout}{done.stderr}")
        return done.stdout

    def connect(self, space, probes, patience=1.5, how=CONNECT):
        """What each of [(source, address, port)] meets, tried at once."""
        out = self.run(space, [sys.executable, "-c", how, str(patience)],
                       input=json.dumps(probes))
        return json.loads(out)

    def addresses(self, space):
        return [a.split("/")[0] for _, at, _, there in self.layout.links
                if at == space for a in there]

    def sweep(self, space, source, address, ports, protocols):
        """A packet to each of these ports and of each protocol."""
        self.run(space, [sys.executable, "-c", SWEEP],
                 input=json.dumps([source, address, ports, protocols]))

    def watch(self, space, link, sources):
        """Sees what comes in there from these sources; what it is ended
        with, the returned function, tells {protocol: ports}."""
        proc = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", tool("nsenter"),
             f"--net={self.path(space)}", "--", sys.executable, "-c", WATCH,
             link, json.dumps(sources)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        if proc.stdout.readline() != "ready\n":
            raise StartFailed(f"nobody watches {link}")

        def end():
            out, _ = proc.communicate("", timeout=30)
            return {int(k): v for k, v in json.loads(out).items()}
        return end

    def load(self, rules):
        self.run(ROUTER, [tool("nft"), "-f", "-"], input=rules)

    def unload(self):
        self.run(ROUTER, [tool("nft"), "flush", "ruleset"])


class NetProcess(Process):
    """A process in one of the namespaces."""

    space = None

    def command(self):
        return [tool("nsenter"), f"--net={self.run.networks.path(self.space)}",
                "--", *super().command()]


class NetRun(Run):
    """A run whose addresses and ports are the real ones, since namespaces
    keep them to themselves."""

    layout = Layout
    HOSTS = {2: "203.0.113.53", 20: "203.0.113.20", 30: "172.16.1.10",
             31: "172.16.2.10", 40: "10.1.0.10", 50: "10.1.0.5"}
    PORTS = {20053: 53, 25269: 5269, 25222: 5222, 25061: 5061, 25060: 5060}
    SPACES = {"dns": INTERNET, "prosody": INTERNET, "edge1": PERIMETER,
              "kamailio": INTERNAL, "gw1": INTERNAL}

    def __init__(self, name):
        self.networks = None
        super().__init__(name)
        try:
            self.networks = Networks(self.number, self.layout)
        except BaseException:
            self.close()
            raise

    def address(self, host):
        if self.networks is None:
            return super().address(host)
        return self.HOSTS[host]

    def port(self, address, preferred=None):
        return self.PORTS.get(preferred, preferred)

    def process(self, name, argv, **more):
        proc = NetProcess(self, name, argv, **more)
        proc.space = self.SPACES[name]
        self.processes.append(proc)
        return proc

    def listen(self, space, ports):
        """Somebody who answers on these ports, at every address there, by
        TCP and by UDP."""
        where = [self.networks.addresses(space), list(ports)]
        proc = NetProcess(self, f"listen-{space}", [
            sys.executable, "-c", LISTEN, json.dumps(where)])
        proc.space = space
        self.processes.append(proc)
        mark = proc.log.mark()
        proc.start()
        proc.log.wait("^ready", mark=mark, alive=proc.alive)
        return proc

    def enter(self, space):
        """From here on the actors' sockets are made in that namespace."""
        self.wait(self._enter(space), 10)

    async def _enter(self, space):
        libc = ctypes.CDLL(None, use_errno=True)
        with open(self.networks.path(space), "rb") as f:
            if libc.setns(f.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    def close(self):
        problems = super().close()
        if self.networks is not None:
            self.networks.clear()
        return problems


class NetRun6(NetRun):
    """What crosses a firewall does so by IPv6, there being nothing else."""

    layout = Layout6
    HOSTS = {**NetRun.HOSTS, 2: "2001:db8:f::53", 20: "2001:db8:f::20",
             30: "2001:db8:a::10", 31: "2001:db8:b::10"}
