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

# Link, namespace at its end, address of the router, addresses at its end.
LINKS = [
    ("net", INTERNET, "203.0.113.1/24",
     ["203.0.113.20/24", "203.0.113.53/24", "203.0.113.99/24"]),
    ("out", PERIMETER, "172.16.1.1/24", ["172.16.1.10/24"]),
    ("in", PERIMETER, "172.16.2.1/24", ["172.16.2.10/24"]),
    ("lan", INTERNAL, "10.1.0.1/16",
     ["10.1.0.5/16", "10.1.0.10/16", "10.1.0.77/16"]),
]
ROUTES = {
    INTERNET: [["default", "via", "203.0.113.1"]],
    PERIMETER: [["default", "via", "172.16.1.1"],
                ["10.1.0.0/16", "via", "172.16.2.1"]],
    INTERNAL: [["default", "via", "10.1.0.1"]],
}

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
    s = socket.socket()
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

# Listens on ports, at every address, until it is ended.
LISTEN = """
import signal, socket, sys
held = []
for port in map(int, sys.argv[1:]):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("0.0.0.0", port))
    s.listen(500)
    held.append(s)
print("ready", flush=True)
signal.pause()
"""


class Networks:
    """The namespaces, from their making to their end."""

    def __init__(self, number):
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
        for space in (ROUTER, INTERNET, PERIMETER, INTERNAL):
            subprocess.run([tool("ip"), "netns", "add", self.name(space)],
                           check=True)
            self._ip(space, "link", "set", "lo", "up")
            # Our peers run as users of their own, on real ports.
            self._sysctl(space, "net.ipv4.ip_unprivileged_port_start=0")
        for link, space, gateway, addresses in LINKS:
            self._ip(ROUTER, "link", "add", link, "type", "veth", "peer",
                     "name", link, "netns", self.name(space))
            self._ip(ROUTER, "addr", "add", gateway, "dev", link)
            self._ip(ROUTER, "link", "set", link, "up")
            for address in addresses:
                self._ip(space, "addr", "add", address, "dev", link)
            self._ip(space, "link", "set", link, "up")
        for space, routes in ROUTES.items():
            for route in routes:
                self._ip(space, "route", "add", *route)
        self._ip(ROUTER, "route", "add", "198.51.100.0/24", "dev", "lo")
        self._sysctl(ROUTER, "net.ipv4.ip_forward=1")

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

    def connect(self, space, probes, patience=1.0):
        """What each of [(source, address, port)] meets, tried at once."""
        out = self.run(space, [sys.executable, "-c", CONNECT, str(patience)],
                       input=json.dumps(probes))
        return json.loads(out)

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

    HOSTS = {2: "203.0.113.53", 20: "203.0.113.20", 30: "172.16.1.10",
             31: "172.16.2.10", 40: "10.1.0.10", 50: "10.1.0.5"}
    PORTS = {20053: 53, 25269: 5269, 25222: 5222, 25061: 5061, 25060: 5060}
    SPACES = {"dns": INTERNET, "prosody": INTERNET, "edge1": PERIMETER,
              "kamailio": INTERNAL, "gw1": INTERNAL}

    def __init__(self, name):
        self.networks = None
        super().__init__(name)
        try:
            self.networks = Networks(self.number)
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
        """Somebody who answers on these ports, at every address there."""
        proc = NetProcess(self, f"listen-{space}",
                          [sys.executable, "-c", LISTEN, *map(str, ports)])
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
