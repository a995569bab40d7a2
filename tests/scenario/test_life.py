"""Reload, drain, coming back, fencing: what an operator does and sees."""

import os
import signal
import socket
import ssl
import time

import pytest

from lib import control, settings
from lib.daemons import Gateway, partner
from lib.site import COMPANY, Site
from lib.xmpp_peer import STARTTLS, STREAM, Wire

from conftest import Started, employee, visitor

ANNA = "anna@contoso.example"
BO = "bo@partner.example"
BACK_S = 2      # a channel that broke is there again


@pytest.fixture(scope="module")
def lively():
    """A small site of our own, whose edge obeys a second gateway too."""
    site = Site("life", wide=False)
    site.edge.config["internal"]["gateways"].append(f"gw2.{COMPANY}")
    with Started(site) as site:
        yield site


@pytest.fixture
def anna(lively):
    yield from employee(lively, "anna")


@pytest.fixture
def bo(lively):
    yield from visitor(lively, BO)


def ask(daemon, *verb):
    return control.ask(daemon.control, *verb)


def until(daemon, verb, test, timeout=10):
    """The daemon's answer once the test holds for it."""
    end = time.monotonic() + timeout
    while True:
        try:
            answer = ask(daemon, verb)
            if test(answer):
                return answer
        except control.Refused as e:
            answer = e
        assert time.monotonic() < end, f"{verb} never came to it: {answer}"
        time.sleep(0.05)


def channel_works(answer):
    return any(e["up"] and e["configuration"] == "confirmed"
               for e in answer["edges"])


def streams(site):
    return sorted(s["id"] for s in ask(site.edge, "streams")["streams"])


def external_certificate(edge, to=COMPANY):
    """What a partner's server sees of the edge in a new handshake."""
    raw = socket.create_connection((edge.address, edge.port), timeout=5)
    wire = Wire(raw)
    wire.send(STREAM.format(local="partner.example", remote=to, more=""))
    wire.until("</stream:features>")
    wire.send(STARTTLS)
    wire.until("<proceed[^>]*>")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(raw, server_hostname=to) as tls:
        return tls.getpeercert(binary_form=True)


def sip_certificate(site):
    """What a front end sees of the gateway."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # The gateway asks for ours only after it has shown its own.
    leaf = site.internal.leaf(site.pool.name)
    context.load_cert_chain(leaf.certificate, leaf.key)
    raw = socket.create_connection((site.gateway.address, site.gateway.port),
                                   timeout=5)
    with context.wrap_socket(raw) as tls:
        return tls.getpeercert(binary_form=True)


def renew(authority, daemon, stem, name, extra=()):
    """Puts another certificate in the place of the daemon's own."""
    authority.leaves.pop(name, None)
    daemon.files(authority.leaf(name, extra=extra), stem)


# --- what an operator reads ----------------------------------------------


def test_status_tells_what_the_daemons_do(lively, anna, bo):
    anna.send(BO, "hello")
    bo.message(body="hello")
    edge = ask(lively.edge, "status")
    assert edge["daemon"] == "edge" and edge["node"] == lively.edge.node
    assert [p["name"] for p in edge["processes"]] == [
        "keeper", "streams", "resolver", "fetcher"]
    assert edge["doors"]["open"]
    gw1 = next(g for g in edge["gateways"] if g["node"].startswith("gw1."))
    assert gw1["up"] and gw1["domains"] == [COMPANY] and not gw1["fenced"]
    gw2 = next(g for g in edge["gateways"] if g["node"].startswith("gw2."))
    assert not gw2["up"] and "since_s" not in gw2
    gateway = ask(lively.gateway, "status")
    assert gateway["daemon"] == "gateway" and gateway["hosted"] == [COMPANY]
    assert channel_works(gateway) and gateway["pool"]["reachable"]
    assert gateway["conversations"] >= 1
    out = [s for s in ask(lively.edge, "streams")["streams"]
           if s["direction"] == "out"]
    assert out[0]["pairs"] == [[COMPANY, "partner.example"]]
    assert out[0]["auth"] == "external" and out[0]["stanzas_out"] >= 1


def test_the_same_for_people(lively):
    for daemon in (lively.edge, lively.gateway):
        for verb in ("status", "streams"):
            status, out, err = control.run("--socket", daemon.control, verb)
            assert (status, err) == (0, "") and out.strip()


def test_exit_statuses(lively):
    path = lively.gateway.control
    assert control.run("--socket", path, "dance")[0] == 2
    assert control.run("--socket", path, "log-level", "loud")[0] == 2
    assert control.run("--socket", path)[0] == 2
    assert control.run("--socket", "/nowhere", "status")[0] == 3
    assert control.run("--socket", path, "log-level", "a b", "info")[0] == 1


def test_why_a_partner_is_not_reached(site):
    """The certificate is another's; the target is closed."""
    anna = site.lync_user("anna")
    try:
        anna.refused("mallory@impostor.example", "hello")
        anna.refused("bo@closed.example", "hello")
        for daemon in (site.edge, site.gateway):
            failures = {f["remote"]: f for f in ask(daemon, "status")[
                "failures"] if f["direction"] == "out"}
            assert "somebody-else.example" in failures[
                "impostor.example"]["reason"]
            assert "refused" in failures["closed.example"]["reason"]
        waiting = {w["remote"]: w for w in ask(site.edge, "status")[
            "backoff"]}
        assert waiting["closed.example"]["next_s"] > 0
        assert waiting["closed.example"]["reason"]
    finally:
        anna.logout()
        anna.close()


# --- reload ----------------------------------------------------------------


def test_a_reload_drops_no_connection(lively, anna, bo):
    """New certificates on every side and another log level, while two chat."""
    anna.send(BO, "before")
    bo.message(body="before")
    bo.send(ANNA, "before too")
    anna.message(body="before too")
    dialog = anna.current[BO].call_id
    open_streams = streams(lively)
    outside, inside = (external_certificate(lively.edge),
                       sip_certificate(lively))
    up = ask(lively.gateway, "status")["edges"][0]["since_s"]
    marks = [d.log.mark() for d in (lively.edge, lively.gateway)]

    renew(lively.public, lively.edge, "external-0", COMPANY,
          extra=("--srv", COMPANY))
    renew(lively.internal, lively.edge, "internal", lively.edge.node)
    renew(lively.internal, lively.gateway, "channel", lively.gateway.node)
    renew(lively.internal, lively.gateway, "sip", lively.gateway.node)
    for daemon in (lively.edge, lively.gateway):
        daemon.config["log"] = {"level": "info"}
        daemon.write()
        assert ask(daemon, "reload")["restart"] == []

    anna.send(BO, "after")
    bo.message(body="after")
    bo.send(ANNA, "after too")
    anna.message(body="after too")
    assert anna.current[BO].call_id == dialog
    assert streams(lively) == open_streams
    assert ask(lively.gateway, "status")["edges"][0]["since_s"] >= up
    assert external_certificate(lively.edge) != outside
    assert sip_certificate(lively) != inside
    for daemon, mark in zip((lively.edge, lively.gateway), marks):
        after = daemon.log.text(mark)
        assert " debug " not in after[after.index("reloaded") + 400:]
        daemon.config["log"] = {"level": "debug"}
        daemon.write()
        os.kill(daemon.process.pid, signal.SIGHUP)      # the other way
        daemon.log.wait(" reloaded ", mark=mark + len(after))


def test_a_mistake_is_refused_in_its_words_and_nothing_changes(lively, anna,
                                                               bo):
    for daemon, words in ((lively.edge, "/internal/gateways"),
                          (lively.gateway, "/users")):
        good = dict(daemon.config)
        if daemon is lively.edge:
            daemon.config["internal"] = dict(good["internal"], gateways=7)
        else:
            daemon.config["users"] = "anna"
        daemon.write()
        mark = daemon.log.mark()
        with pytest.raises(control.Refused) as refused:
            ask(daemon, "reload")
        assert refused.value.status == 1 and words in refused.value.words
        assert words in daemon.log.wait("reload-refused", mark=mark)
        daemon.config.clear()
        daemon.config.update(good)
        # A key that fits no certificate.
        stem = "external-0" if daemon is lively.edge else "sip"
        key = os.path.join(lively.run.path(daemon.name), f"{stem}.key")
        with open(key, encoding="ascii") as f:
            kept = f.read()
        with open(lively.internal.leaf("stray.example").key,
                  encoding="ascii") as f:
            stray = f.read()
        daemon.write()
        try:
            with open(key, "w", encoding="ascii") as f:
                f.write(stray)
            with pytest.raises(control.Refused) as refused:
                ask(daemon, "reload")
            assert "does not match" in refused.value.words
        finally:
            with open(key, "w", encoding="ascii") as f:
                f.write(kept)
        assert ask(daemon, "reload")["restart"] == []
    anna.send(BO, "still here")
    bo.message(body="still here")


def test_what_needs_a_restart_is_named(lively):
    for daemon, member in ((lively.edge, "node"), (lively.gateway, "store")):
        good = daemon.config[member]
        daemon.config[member] = good + ".elsewhere"
        daemon.write()
        mark = daemon.log.mark()
        try:
            assert ask(daemon, "reload")["restart"] == [member]
            daemon.log.wait(f"restart-needed.*member={member}", mark=mark)
        finally:
            daemon.config[member] = good
            daemon.write()
        assert ask(daemon, "reload")["restart"] == []


def test_users_and_partners_change_without_a_restart(lively, anna, bo):
    generation = ask(lively.gateway, "status")["generation"]
    anna.send(BO, "hello")
    bo.message(body="hello")
    settings.ungrant(lively.gateway, ANNA)
    try:
        assert anna.refused(BO, "not any more").status in (403, 404, 480)
        settings.grant(lively.gateway, ANNA)
        told = settings.put_partner(lively.gateway, **partner("new.example"))
        assert told["generation"] == {"counter": generation + 1,
                                      "confirmed": [lively.edge.node],
                                      "waiting": []}
        assert any(g.get("generation") == generation + 1
                   for g in ask(lively.edge, "status")["gateways"])
        anna.send(BO, "again")
        bo.message(body="again")
    finally:
        settings.grant(lively.gateway, ANNA)
        settings.drop_partner(lively.gateway, "new.example")


def test_log_levels_reach_all_processes(lively, anna, bo):
    ask(lively.edge, "log-level", "error")
    try:
        mark = lively.edge.log.mark()
        anna.send(BO, "in silence")
        bo.message(body="in silence")
        assert " debug " not in lively.edge.log.text(mark)
        ask(lively.edge, "log-level", "keeper", "debug")
        ask(lively.edge, "log-level", "s2s_in", "debug")
        mark = lively.edge.log.mark()
        external_certificate(lively.edge)
        lively.edge.log.wait(" debug streams/s2s_in ", mark=mark)
        assert " info streams/edge " not in lively.edge.log.text(mark)
    finally:
        ask(lively.edge, "reload")


@pytest.mark.parametrize("given, level", [
    ("Fatal", "error"), ("ERROR", "error"), ("Warning", "warn"),
    ("Info", "info"), ("verbose", "debug"), ("All", "debug")])
def test_levels_may_be_called_as_in_the_centralized_logging_service(
        lively, given, level):
    path = lively.gateway.control
    try:
        status, said, _ = control.run("--socket", path, "log-level",
                                      "sip_ua", given)
        assert (status, said) == (0, f"sip_ua: {level}\n")
    finally:
        ask(lively.gateway, "reload")


# --- the service manager -----------------------------------------------------


class Manager:
    """The notify socket of a daemon under a service manager."""

    def __init__(self, run, daemon, watchdog_s=0):
        path = run.path(f"{daemon.name}-notify.sock")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(path)
        self.env = daemon.process.env
        self.env["NOTIFY_SOCKET"] = path
        if watchdog_s:
            self.env["WATCHDOG_USEC"] = str(int(watchdog_s * 1e6))
        self.seen = []

    def wait(self, word, timeout=10):
        end = time.monotonic() + timeout
        while True:
            for i, text in enumerate(self.seen):
                if text.startswith(word):
                    del self.seen[:i + 1]
                    return text
            left = end - time.monotonic()
            assert left > 0, f"no {word}; seen {self.seen}"
            self.sock.settimeout(left)
            try:
                self.seen.append(self.sock.recv(4096).decode())
            except TimeoutError:
                pass

    def silent(self, word, seconds):
        """Whether the word is not said in that time."""
        self.forget()
        try:
            self.wait(word, seconds)
        except AssertionError:
            return True
        return False

    def forget(self):
        self.sock.settimeout(0)
        try:
            while True:
                self.sock.recv(4096)
        except BlockingIOError:
            self.seen.clear()

    def close(self):
        self.sock.close()
        for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC"):
            self.env.pop(name, None)


@pytest.mark.parametrize("which", ["edge", "gateway"])
def test_the_service_manager_is_told(lively, which):
    daemon = getattr(lively, which)
    daemon.stop()
    manager = Manager(lively.run, daemon, watchdog_s=2)
    try:
        daemon.start()
        manager.wait("READY=1")
        manager.wait("WATCHDOG=1")
        ask(daemon, "reload")
        assert "MONOTONIC_USEC=" in manager.wait("RELOADING=1")
        manager.wait("READY=1")
        if which == "edge":
            # One process that hangs, and nobody vouches for the daemon.
            hung = next(p["pid"] for p in ask(daemon, "status")["processes"]
                        if p["name"] == "resolver")
            os.kill(hung, signal.SIGSTOP)
            try:
                time.sleep(1)
                assert manager.silent("WATCHDOG=1", 2)
            finally:
                os.kill(hung, signal.SIGCONT)
            manager.wait("WATCHDOG=1")
        else:
            manager.wait("STATUS=running")
        daemon.stop()
        manager.wait("STOPPING=1")
    finally:
        manager.close()
        daemon.start()
        until(lively.gateway, "status", channel_works)


# --- drain -------------------------------------------------------------------


def test_a_drained_edge_says_goodbye_and_ends(lively, anna, bo):
    anna.send(BO, "before")
    bo.message(body="before")
    mark = lively.gateway.log.mark()
    here = lively.edge.log.mark()
    ask(lively.edge, "drain")
    try:
        assert lively.edge.process.popen.wait(15) == 0
        lively.gateway.log.wait(" draining ", mark=mark)
        assert "drain-cut-short" not in lively.edge.log.text(here)
    finally:
        lively.edge.start()
    until(lively.gateway, "status", channel_works)
    lively.edge.await_open()
    anna.send(BO, "after")
    bo.message(body="after")


def test_a_drained_gateway_lets_the_edge_close_its_doors_at_once(
        lively, anna, bo):
    anna.send(BO, "before")
    bo.message(body="before")
    mark = lively.edge.log.mark()
    ask(lively.gateway, "drain")
    try:
        assert lively.gateway.process.popen.wait(15) == 0
        lively.edge.log.wait("gateway-drains", mark=mark)
        lively.edge.log.wait("doors-closed", mark=mark, timeout=2)
        why = ask(lively.edge, "status")["doors"]["why"]
        assert why.startswith("no gateway")
    finally:
        lively.gateway.start()
    lively.edge.await_open()
    until(lively.gateway, "status", channel_works)
    anna.send(BO, "after")
    bo.message(body="after")


# --- coming back ---------------------------------------------------------------


@pytest.mark.torture
@pytest.mark.parametrize("which", ["edge", "gateway"])
def test_a_killed_daemon_has_its_channel_back_in_seconds(lively, anna, bo,
                                                         which):
    daemon = getattr(lively, which)
    daemon.kill()
    daemon.start()
    start = time.monotonic()
    until(lively.gateway, "status", channel_works)
    assert time.monotonic() - start < BACK_S
    until(lively.gateway, "status", lambda a: a["pool"]["reachable"])
    lively.edge.await_open()
    id = bo.send(ANNA, "are you there")
    anna.message(body="are you there")
    assert not bo.journal.all("error", id=id)
    anna.send(BO, "yes")
    bo.message(body="yes")


@pytest.mark.torture
def test_the_channel_is_back_after_a_long_absence_too(lively):
    """The pause between attempts has grown meanwhile."""
    lively.edge.kill()
    time.sleep(4)
    lively.edge.start()
    start = time.monotonic()
    until(lively.gateway, "status", channel_works)
    assert time.monotonic() - start < BACK_S
    lively.edge.await_open()


@pytest.mark.torture
def test_a_child_that_dies_comes_back_and_serves_the_operator(lively):
    pids = {p["name"]: p["pid"]
            for p in ask(lively.edge, "status")["processes"]}
    os.kill(pids["streams"], signal.SIGKILL)
    until(lively.gateway, "status", lambda a: not channel_works(a))
    until(lively.gateway, "status", channel_works)
    answer = until(lively.edge, "status", lambda a: any(
        p["name"] == "streams" and p["restarts"] >= 1
        for p in a["processes"]))
    assert {p["name"]: p["pid"] for p in answer["processes"]}[
        "keeper"] == pids["keeper"]
    lively.edge.await_open()


# --- two gateways for one domain ---------------------------------------------


def test_of_two_gateways_the_higher_epoch_is_obeyed_and_both_are_told(lively):
    second = Gateway(lively.run, lively.internal, [lively.edge],
                     [lively.pool], host=60, node="gw2",
                     partners=lively.partners(), users=[ANNA])
    first_epoch = ask(lively.gateway, "status")["epoch"]
    mark = lively.gateway.log.mark()
    here = lively.edge.log.mark()
    try:
        # As many starts as the first one had, and one more.
        for _ in range(first_epoch):
            second.start()
            second.stop()
        second.start()
        told = until(lively.gateway, "status",
                     lambda a: a["edges"][0]["fenced"] == [COMPANY])
        assert told["edges"][0]["configuration"] == "confirmed"
        lively.gateway.log.wait("fenced.*domain=contoso.example", mark=mark)
        second.log.wait("gateway-fenced")
        lively.edge.log.wait("gateway-fenced.*gw1.contoso.example", mark=here)
        mine = until(second, "status", channel_works)
        assert mine["edges"][0]["fenced"] == []
        gateways = {g["node"]: g for g in ask(lively.edge, "status")[
            "gateways"]}
        assert gateways[f"gw1.{COMPANY}"]["fenced"] == [COMPANY]
        assert gateways[f"gw2.{COMPANY}"]["domains"] == [COMPANY]
        assert "FENCED" in control.run("--socket", lively.gateway.control,
                                       "status")[1]
    finally:
        second.stop()
    # The one that is gone for good leaves the domain to the other.
    lively.edge.config["internal"]["gateways"].remove(f"gw2.{COMPANY}")
    lively.edge.write()
    ask(lively.edge, "reload")
    until(lively.gateway, "status",
          lambda a: channel_works(a) and not a["edges"][0]["fenced"])
