"""The reverse proxy of the manual, with a real nginx: who comes from elsewhere
comes through it, and has what he has at the gateway's own host."""

import http.client
import json
import socket
import ssl
import time

import pytest

from lib.authority import Authority
from lib.command import sallyport
from lib.nginx import Nginx
from lib.office import Office
from lib.run import Run

pytestmark = pytest.mark.once

class Elsewhere:
    """A colleague's computer."""

    def __init__(self, run):
        self.run = run
        self.office = Office(run)
        self.public = Authority(run, "public")
        self.people = Authority(run, "administrators")
        server = self.public.leaf("localhost")
        self.mine = self.people.leaf("helpdesk.contoso.example", eku="client")
        self.nginx = Nginx(run, {
            "/etc/nginx/gw1.pem": server.certificate,
            "/etc/nginx/gw1.key": server.key,
            "/etc/nginx/administrators-ca.pem": self.people.certificate,
            "http://127.0.0.1:8480": f"http://{self.office.address}",
        }).start()

    def file(self, token):
        return self.run.write("helpdesk.token", token + "\n")

    def options(self, token, *more):
        return ("--url", self.nginx.url, "--trust", self.public.certificate,
                "--token-file", self.file(token), *more)

    @property
    def shown(self):
        return ("--client-certificate", self.mine.certificate,
                "--client-key", self.mine.key)

    def connect(self, certificate=True):
        context = ssl.create_default_context(cafile=self.public.certificate)
        if certificate:
            context.load_cert_chain(self.mine.certificate, self.mine.key)
        s = socket.create_connection(
            (self.nginx.address, self.nginx.port), timeout=10)
        return context.wrap_socket(s, server_hostname="localhost")

    def exchange(self, data):
        said = b""
        with self.connect() as s:
            s.sendall(data)
            s.settimeout(2)
            try:
                while block := s.recv(65536):
                    said += block
            except TimeoutError:
                pass
        return said


@pytest.fixture(scope="module")
def place():
    with Run("proxy") as run:
        place = Elsewhere(run)
        yield place
        place.nginx.stop()
        assert place.office.gateway.stop() == 0
        assert not place.office.gateway.reports()


@pytest.fixture
def token(place):
    return place.office.token(Name="helpdesk", Rights="write")


def ask(method, path, token, *lines):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost",
                        f"Authorization: Bearer {token}", *lines, "", ""]
                       ).encode()


def test_the_command_works_through_it(place, token):
    """As the manual has it: with a token and a certificate."""
    options = place.options(token, *place.shown)
    sallyport("partner", "new", "proxied.example", *options)
    assert "proxied.example" in sallyport("partner", "get", *options)
    assert "helpdesk (token " in sallyport("audit", *options)
    sallyport("partner", "remove", "proxied.example", *options)
    both = place.run.write("both.pem", open(
        place.mine.certificate, encoding="ascii").read() + open(
            place.mine.key, encoding="ascii").read())
    sallyport("partner", "get", *place.options(token),
              "--client-certificate", both)


def test_who_shows_no_certificate_or_no_token_gets_nothing(place, token):
    sallyport("partner", "get", *place.options(token), status=1)
    wrong = token[:-4] + ("0000" if token[-4:] != "0000" else "1111")
    sallyport("partner", "get", *place.options(wrong, *place.shown),
              status=4)
    stranger = Authority(place.run, "strangers").leaf("x", eku="client")
    sallyport("partner", "get", *place.options(
        token, "--client-certificate", stranger.certificate, "--client-key",
        stranger.key), status=1)
    # What goes with a URL alone, and what does not go alone.
    sallyport("partner", "get", *place.shown, status=2)
    sallyport("partner", "get", *place.options(token), *place.shown[2:],
              status=2)


def test_events_come_at_once_and_long_bodies_pass(place, token):
    with place.connect() as s:
        s.sendall(ask("GET", "/v1/events", token))
        stream = s.makefile("rb")
        while stream.readline().strip() != b"event: ready":
            pass
        with place.office.api() as api:
            begun = time.monotonic()
            api.put("/v1/partners/soon.example", {"Domain": "soon.example"})
            while b"soon.example" not in stream.readline():
                pass
        assert time.monotonic() - begun < 2
    changes = [{"kind": "partner", "key": f"p{i}.example", "method": "PUT",
                "object": {"Domain": f"p{i}.example",
                           "Description": "d" * 3000}} for i in range(1000)]
    body = json.dumps({"changes": changes}).encode()
    assert len(body) > 2 << 20      # above nginx's own limit
    said = place.exchange(ask(
        "POST", "/v1/batch", token, "Content-Type: application/json",
        f"Content-Length: {len(body)}") + body)
    assert said.startswith(b"HTTP/1.1 200 "), said[:200]
    with place.connect() as s:
        s.sendall(ask("GET", "/v1/partners", token,
                      "Accept: application/x-ndjson"))
        answer = http.client.HTTPResponse(s)
        answer.begin()
        assert answer.read().count(b"\n") == 1001


def test_it_hides_no_second_request_and_no_foreign_page(place, token):
    """What the two could read differently comes to nothing between them."""
    with place.office.api() as api:
        api.put("/v1/partners/victim.example", {"Domain": "victim.example"})
        hidden = ask("DELETE", "/v1/partners/victim.example", token)
        for lines in (
                ("Content-Length: 5", "Transfer-Encoding: chunked"),
                ("Transfer-Encoding: xchunked",),
                ("Transfer-Encoding: chunked, identity",),
                ("Transfer-Encoding : chunked",),
                (f"Content-Length: {5 + len(hidden)}",),
                ("Content-Length: +5",)):
            said = place.exchange(ask(
                "PATCH", "/v1/partners/none.example", token,
                "Content-Type: application/json", "Connection: close",
                *lines) + b"0\r\n\r\n" + hidden)
            assert said.count(b"HTTP/1.1 ") <= 1, (lines, said)
            assert b"HTTP/1.1 2" not in said, (lines, said)
            assert api.get("/v1/partners/victim.example").status == 200
    said = place.exchange(ask("GET", "/v1/status", token,
                              "Sec-Fetch-Site: cross-site"))
    assert said.startswith(b"HTTP/1.1 403 ")
