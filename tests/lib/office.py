"""Where administrators of a gateway sit: at its Unix socket and, with tokens, at
an address of loopback."""

import socket
from types import SimpleNamespace

from .admin_api import Api
from .authority import Authority
from .daemons import Gateway
from .run import endpoint


class Desk:
    """At a gateway that has not been started yet."""

    def __init__(self, run, gateway):
        self.run, self.gateway = run, gateway
        self.address = endpoint(gateway.address,
                                run.port(gateway.address, 28480))
        gateway.config["admin"] = {"socket": run.path("gw1", "admin.sock"),
                                   "listen": [self.address]}
        self.seen = set()

    @property
    def socket(self):
        return self.gateway.config["admin"]["socket"]

    @property
    def port(self):
        """As Python's sockets want it."""
        host, port = self.address.rsplit(":", 1)
        return host, int(port)

    def api(self, **more):
        return Api(self.socket, seen=self.seen, **more)

    def tcp(self, token=None, **more):
        return Api(address=self.address, token=token, seen=self.seen, **more)

    def token(self, **members):
        with self.api() as api:
            answer = api.post("/v1/tokens", members)
            assert answer.status == 201, answer.text
            return answer.json["token"]

    def connect(self, unix=False, timeout=5):
        """For bytes that no client would send."""
        s = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        s.settimeout(timeout)
        s.connect(self.socket if unix else self.port)
        return s


class Office(Desk):
    """With a gateway by itself: its edge and its pool are away."""

    def __init__(self, run):
        away = run.address(99)
        edge = SimpleNamespace(node="edge1.contoso.example",
                               inner_address=away, inner_port=23456)
        front_end = SimpleNamespace(name="fe1.contoso.example", address=away,
                                    port=5061)
        super().__init__(run, Gateway(run, Authority(run, "internal"), [edge],
                                      [front_end]))
        self.start()

    def start(self):
        self.gateway.start()
        self.gateway.process.await_port(*self.port)
