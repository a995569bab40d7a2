"""An edge by itself: its processes, and gateways of the test's making."""

import json
import os
import pwd
import signal
import socket
import ssl
import subprocess
import time

import pytest

from lib.authority import Authority
from lib.channel import Closed, dial, encode
from lib.daemons import Edge, binary
from lib.dns import Dns
from lib.run import Run

NODE = "gw1.contoso.example"


class Place:
    """A run with two authorities and one edge that obeys two gateways."""

    def __init__(self):
        self.run = Run("edge-alone")
        self.dns = Dns(self.run)
        self.public = Authority(self.run, "public")
        self.internal = Authority(self.run, "internal", eku="both")
        self.edge = Edge(self.run, self.public, self.internal, self.dns,
                         [self.public.leaf("contoso.example")],
                         gateways=("gw1", "gw2"))
        self.edge.config["grace_seconds"] = 1

    @property
    def inner(self):
        return self.edge.inner_address, self.edge.inner_port

    def dial(self, node=NODE, leaf=None, **more):
        leaf = leaf or self.internal.leaf(node)
        return dial(self.inner, node, leaf.certificate, leaf.key,
                    self.internal.certificate, **more)

    def gateway(self, node=NODE, epoch=1, store="s1", **more):
        """A gateway that has said hello and been welcomed."""
        peer = self.dial(node, **more)
        peer.hello("hello", store=store, epoch=epoch)
        peer.welcome = peer.wait("welcome")
        return peer

    def is_open(self):
        with socket.socket() as sock:
            sock.settimeout(2)
            return sock.connect_ex((self.edge.address, self.edge.port)) == 0

    def await_door(self, is_open, timeout=10):
        end = time.monotonic() + timeout
        while self.is_open() != is_open:
            assert time.monotonic() < end, f"the door is not open={is_open}"
            time.sleep(0.05)

    def children(self):
        """Pids of the other three processes, by their role."""
        listing = subprocess.run(
            ["ps", "--ppid", str(self.edge.process.pid), "-o", "pid=,args="],
            capture_output=True, text=True, check=True).stdout
        return {line.split()[-1]: int(line.split()[0])
                for line in listing.splitlines() if "--role" in line}


def config(counter=1, store="s1", domain="contoso.example", **settings):
    return {"generation": {"store": store, "counter": counter},
            "hosted": [{"domain": domain}],
            "partners": [{"Domain": "partner.example",
                          "PartnerType": "Federated"}],
            "settings": settings}


@pytest.fixture
def place():
    place = Place()
    try:
        place.edge.start()
        yield place
        place.edge.stop(20)
        assert not place.edge.reports()
    finally:
        place.run.close()


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def await_gone(*pids, timeout=15):
    end = time.monotonic() + timeout
    while any(alive(p) for p in pids):
        assert time.monotonic() < end, "a process is left"
        time.sleep(0.05)


def test_partners_are_let_in_while_a_gateway_has_configured_it(place):
    assert not place.is_open()
    gw = place.gateway()
    time.sleep(0.3)
    assert not place.is_open()
    gw.send("config", json=config())
    confirm = gw.wait("confirm")
    assert confirm["status"] == "ok"
    told = confirm["json"]
    told = json.loads(told) if isinstance(told, (str, bytes)) else told
    assert told["counter"] == 1 and told["fenced"] == []
    place.await_door(True)
    gw.close()
    time.sleep(0.4)
    assert place.is_open()
    place.await_door(False, 5)
    gw = place.gateway()
    place.await_door(True, 5)
    gw.send("drain")
    place.await_door(False, 2)


def test_a_configuration_that_is_wrong_is_refused(place):
    gw = place.gateway()
    gw.send("config", json={"generation": {"store": "s1", "counter": 1}})
    assert gw.wait("confirm")["status"] == "refused"
    gw.send("config", json=config(5))
    assert gw.wait("confirm")["status"] == "ok"
    gw.send("config", json=config(5, inward_window=7))
    refused = gw.wait("confirm")
    assert refused["status"] == "refused"
    assert "another content" in refused["reason"]
    gw.send("config", json=config(4))
    assert "older" in gw.wait("confirm")["reason"]


def test_the_higher_epoch_is_obeyed_and_the_other_told(place):
    one = place.gateway(epoch=4)
    one.send("config", json=config())
    assert one.wait("confirm")["status"] == "ok"
    two = place.gateway("gw2.contoso.example", epoch=9, store="s2")
    two.send("config", json=config(store="s2"))
    assert two.wait("confirm")["status"] == "ok"
    assert one.wait("confirm")["status"] == "fenced"
    seq = one.stanza("message", **{"from": "a@contoso.example"},
                     to="b@partner.example", kind="chat", id="m", body="x")
    result = one.wait("result", answers=seq)
    assert result["status"] == "failed"
    assert result["condition"] == "not-allowed"
    two.close()
    assert one.wait("confirm")["status"] == "ok"


def test_a_stanza_without_a_way_is_answered(place):
    gw = place.gateway()
    gw.send("config", json=config())
    gw.wait("confirm")
    seq = gw.stanza("message", **{"from": "a@contoso.example"},
                    to="b@partner.example", kind="chat", id="m", body="x")
    result = gw.wait("result", answers=seq)
    assert result["condition"] == "remote-server-not-found"
    seq = gw.stanza("message", **{"from": "a@contoso.example"},
                    to="b@stranger.example", kind="chat", id="m", body="x")
    assert gw.wait("result", answers=seq)["condition"] == "not-allowed"


def test_a_newer_connection_takes_the_place_of_the_older(place):
    one = place.gateway(boot="b1")
    one.send("config", json=config())
    one.wait("confirm")
    two = place.gateway(boot="b1")
    assert one.closed.wait(10)
    assert place.is_open()
    two.send("config", json=config())
    assert two.wait("confirm")["status"] == "ok"


def refused(peer, words):
    """The edge has closed it, with a refuse frame that says so."""
    assert peer.closed.wait(8)
    kinds = dict(peer.frames)
    assert "refuse" in kinds, peer.frames
    assert words in kinds["refuse"]["reason"]


@pytest.mark.parametrize("first, words", [
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "garbage"),
    (encode("hello", frame_version=9, node=NODE), "version"),
    (encode("ping"), "no hello"),
    (encode("hello", version=1, boot="b"), "names no node"),
    (b"\x00\x03\xff\xff\x01\x01" + b"x" * 5000, "garbage"),
], ids=["http", "version", "ping", "nameless", "long"])
def test_a_first_frame_that_is_no_hello(place, first, words):
    gw = place.gateway()
    bad = place.dial()
    bad.send_raw(first)
    refused(bad, words)
    gw.send("config", json=config())
    assert gw.wait("confirm")["status"] == "ok"
    assert len(place.edge.log.lines("gateway-refused")) == 1


def test_silence_is_cut_off(place):
    bad = place.dial()
    begun = time.monotonic()
    assert bad.closed.wait(10)
    assert 3 < time.monotonic() - begun < 8


def test_who_is_not_the_gateway_he_names(place):
    other = place.dial(leaf=place.internal.leaf("gw2.contoso.example"))
    other.hello("hello", store="s", epoch=1)
    refused(other, "does not name the node")
    stranger = place.internal.leaf("someone.contoso.example")
    peer = place.dial(leaf=stranger)
    assert peer.closed.wait(8)
    assert place.edge.log.lines("names no gateway of the list")


def test_certificates_of_others_and_old_tls_get_nothing(place):
    outside = place.public.leaf("gw1.contoso.example")
    with pytest.raises((OSError, Closed, AssertionError)):
        place.gateway(leaf=outside)
    two = ssl.TLSVersion.TLSv1_2
    with pytest.raises((OSError, Closed, AssertionError)):
        place.gateway(versions=(two, two))
    raw = socket.create_connection(place.inner)
    raw.sendall(b"\x00" * 100)
    raw.settimeout(8)
    while raw.recv(1000):
        pass
    raw.close()
    gw = place.gateway()
    gw.send("config", json=config())
    assert gw.wait("confirm")["status"] == "ok"


@pytest.mark.torture
def test_a_child_that_dies_comes_back(place):
    gw = place.gateway()
    gw.send("config", json=config())
    gw.wait("confirm")
    before = place.children()
    assert set(before) == {"streams", "resolver", "fetcher"}
    mark = place.edge.log.mark()
    os.kill(before["resolver"], signal.SIGKILL)
    place.edge.log.wait("child-ready child=resolver", 10, mark)
    mark = place.edge.log.mark()
    os.kill(before["fetcher"], signal.SIGKILL)
    place.edge.log.wait("child-ready child=fetcher", 10, mark)
    now = place.children()
    assert now["streams"] == before["streams"]
    seq = gw.stanza("message", **{"from": "a@contoso.example"},
                    to="b@partner.example", kind="chat", id="m", body="x")
    assert gw.wait("result", answers=seq)["status"] == "failed"
    assert not gw.closed.is_set()
    mark = place.edge.log.mark()
    os.kill(now["streams"], signal.SIGKILL)
    assert gw.closed.wait(5)
    place.edge.log.wait("child-ready child=streams", 10, mark)
    place.edge.log.wait("child-ready child=resolver", 10, mark)
    gw = place.gateway()
    gw.send("config", json=config())
    gw.wait("confirm")
    place.await_door(True)


def test_children_end_with_the_keeper(place):
    children = place.children()
    place.edge.kill()
    await_gone(*children.values())
    place.edge.start()


def test_a_stop_in_order(place):
    gw = place.gateway()
    gw.send("config", json=config())
    gw.wait("confirm")
    children = place.children()
    begun = time.monotonic()
    os.kill(place.edge.process.pid, signal.SIGTERM)
    gw.wait("drain")
    await_gone(*children.values())
    assert time.monotonic() - begun < 12
    place.edge.process.stop(5)
    assert place.edge.log.lines("stopped status=0")
    place.edge.start()


def reload(place, want):
    mark = place.edge.log.mark()
    os.kill(place.edge.process.pid, signal.SIGHUP)
    return place.edge.log.wait(want, 10, mark)


def test_certificates_and_gateways_are_read_again(place):
    gw = place.gateway()
    gw.send("config", json=config())
    gw.wait("confirm")
    # A mistake changes nothing.
    place.edge.config["grace_seconds"] = -1
    place.edge.write()
    assert "grace_seconds" in reload(place, "reload-refused")
    # Another port and one gateway less: the other stays connected.
    place.edge.config["grace_seconds"] = 1
    place.edge.config["internal"]["gateways"] = [NODE]
    place.edge.port = place.run.port(place.edge.address, 25777)
    place.edge.config["external"]["listen"] = [
        f"{place.edge.address}:{place.edge.port}"]
    leaf = place.internal.leaf("edge1-new", place.edge.node)
    certificate, key = place.edge.files(leaf, "internal-new")
    place.edge.config["internal"]["certificate"] = certificate
    place.edge.config["internal"]["key"] = key
    two = place.gateway("gw2.contoso.example", store="s2")
    place.edge.write()
    reload(place, "in-force")
    assert two.closed.wait(5)
    assert not gw.closed.is_set()
    place.await_door(True)
    fresh = place.gateway(boot="b2")
    shown = fresh.sock.getpeercert(binary_form=True)
    with open(leaf.certificate, encoding="ascii") as f:
        assert shown == ssl.PEM_cert_to_DER_cert(f.read())
    with pytest.raises((OSError, Closed, AssertionError)):
        place.gateway("gw2.contoso.example", store="s2")


def test_an_address_that_is_taken_is_told_at_the_start():
    place = Place()
    try:
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((place.edge.address, place.edge.port))
            sock.listen()
            path = place.edge.write()
            done = subprocess.run(
                [binary("sallyport-edge"), "--config", path], timeout=30,
                capture_output=True, text=True)
        assert done.returncode == 1
        assert f"port {place.edge.port}: " in done.stderr
        assert "address already in use" in done.stderr
    finally:
        place.run.close()


def test_check_says_what_is_wrong():
    place = Place()
    try:
        def check(*argv):
            return subprocess.run([binary("sallyport-edge"), *argv],
                                  timeout=30, capture_output=True, text=True)
        path = place.edge.write()
        done = check("--config", path, "--check")
        assert (done.returncode, done.stdout) == (0, f"{path}: ok\n")
        place.edge.config["external"]["listen"] = ["192.0.2.1:70000"]
        path = place.edge.write()
        done = check("--config", path, "--check")
        assert done.returncode == 1
        assert done.stderr == (f"{path}: /external/listen/0: port 70000 is"
                               " above 65535\n")
        assert check().returncode == 2
        assert check("--role", "streams").returncode == 2
        assert check("--version").stdout.startswith("sallyport-edge ")
        assert check("--help").returncode == 0
    finally:
        place.run.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_becomes_the_user_of_the_file():
    place = Place()
    try:
        folder = place.run.folder("edge1")
        place.edge.config["user"] = "nobody"
        place.edge.config["external"]["trust"] = place.run.copy(
            place.public.certificate, f"{folder}/public.pem", mode=0o644)
        place.edge.config["internal"]["trust"] = place.run.copy(
            place.internal.certificate, f"{folder}/internal-ca.pem",
            mode=0o644)
        uid = pwd.getpwnam("nobody").pw_uid
        place.edge.write()
        for name in os.listdir(folder):
            os.chown(os.path.join(folder, name), uid, -1)
        up = folder
        while up != "/":
            os.chmod(up, os.stat(up).st_mode | 0o111)
            up = os.path.dirname(up)
        place.edge.start()
        pids = [place.edge.process.pid, *place.children().values()]
        assert len(pids) == 4
        for pid in pids:
            with open(f"/proc/{pid}/status", encoding="ascii") as f:
                status = dict(l.split(":\t", 1) for l in f if ":\t" in l)
            assert status["Uid"].split() == [str(uid)] * 4
            assert status["CapEff"].strip() == "0" * 16
        place.edge.stop(20)
        assert not place.edge.reports()
    finally:
        place.run.close()
