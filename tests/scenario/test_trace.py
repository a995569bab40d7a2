"""What passes, watched as it passes: on both halves, by those who may."""

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import time

import pytest

from lib.admin_api import Api
from lib.daemons import REPORT, SANITIZERS, binary
from lib.lync_client import Refused
from lib.settings_site import SettingsSite
from lib.trace import Trace, in_order

ANNA = "anna@contoso.example"
CARL = "carl@contoso.example"
OLAF = "olaf@contoso.example"
BO = "bo@partner.example"
WORD = "Gooseberry"             # what somebody said, and nobody shall see


@pytest.fixture
def api(site):
    with Api(site.gateway.config["admin"]["socket"]) as api:
        yield api
    all_have_gone(site)


def all_have_gone(site):
    """A seat is free a moment after who sat there has gone."""
    def count(event):
        return site.gateway.log.text().count(f" {event} ")

    end = time.monotonic() + 10
    while count("trace-began") != count("trace-ended"):
        assert time.monotonic() < end
        time.sleep(0.1)


def chat(bo, anna, text=WORD):
    """A message each way."""
    bo.send(anna.user, f"{text} one")
    anna.message(body=f"{text} one")
    anna.send(BO, f"{text} two")
    bo.message(body=f"{text} two")


def await_both(trace):
    """Until the results of such a chat have been told."""
    trace.wait("frame", type="result", of="message", direction="outward")
    trace.wait("frame", type="result", of="message", direction="inward")
    trace.wait("sip", direction="inward", status=200)


# --- a ladder --------------------------------------------------------------------

def test_a_message_each_way_is_seen_on_both_halves_in_order(api, bo, anna):
    with Trace(api, user=ANNA) as trace:
        chat(bo, anna)
        await_both(trace)
        steps = trace.steps()
        assert in_order(steps, [
            ("stanza", "inward", "message"), ("frame", "inward", "message"),
            ("sip", "inward", "INVITE"), ("sip", "outward", "200 INVITE"),
            ("sip", "inward", "ACK"), ("sip", "inward", "MESSAGE"),
            ("sip", "outward", "200 MESSAGE"),
            ("frame", "outward", "delivered message")]), steps
        assert in_order(steps, [
            ("sip", "outward", "MESSAGE"), ("frame", "outward", "message"),
            ("stanza", "outward", "message"),
            ("frame", "inward", "delivered message"),
            ("sip", "inward", "200 MESSAGE")]), steps
        first = trace.all("stanza", name="message", direction="inward")[0]
        assert first["from"].split("/")[0] == BO and first["to"] == ANNA
        assert first["edge"] == "edge1.contoso.example"
        assert abs(first["edge_at_ms"] - first["at_ms"]) < 2000
        frame = trace.all("frame", type="message", direction="inward")[0]
        assert frame["fields"]["id"] == first["id"]
        [result] = trace.all("frame", type="result", direction="outward",
                             of="message", seq=frame["seq"])
        assert (result["status"], result["proof"]) == ("delivered", "gateway")
        proven = trace.all("frame", type="result", direction="inward")
        assert {r["proof"] for r in proven} == {"ping"}
        told = trace.text()
    assert WORD not in told
    # Names that people gave themselves are theirs.
    assert '"Anna' not in told and "Anna <" not in told
    assert "[14 bytes" in told


def test_bodies_are_shown_by_each_half_whose_switch_is_on(site, api, bo,
                                                          anna):
    def watch():
        with Trace(api, user=ANNA, contact=BO) as trace:
            chat(bo, anna)
            await_both(trace)
            return trace.ready["bodies"], {
                event: f"{WORD} one" in text and f"{WORD} two" in text
                for event in ("sip", "frame", "stanza")
                for text in [json.dumps(trace.all(event))]}

    nothing = {"sip": False, "frame": False, "stanza": False}
    assert watch() == (False, nothing)
    with switched(api, True):
        # What the edge shows is a matter of its own file as well.
        assert watch() == (True, {**nothing, "sip": True, "frame": True})
        with bodies_of_edge(site):
            assert watch()[1] == {"sip": True, "frame": True, "stanza": True}
            # Switched off while somebody looks on.
            with Trace(api, user=ANNA) as trace:
                chat(bo, anna)
                await_both(trace)
                assert WORD in json.dumps(trace.all("stanza"))
                with switched(api, False):
                    assert not trace.wait("bodies")["bodies"]
                    trace.forget()
                    chat(bo, anna)
                    await_both(trace)
                    assert WORD not in trace.text()
    assert watch() == (False, nothing)


@contextlib.contextmanager
def switched(api, on):
    target, name = "/v1/gateway-config", "EnableLoggingAllMessageBodies"
    before = api.get(target).json["object"][name]
    assert api.patch(target, {name: on}).status == 200
    try:
        yield
    finally:
        assert api.patch(target, {name: before}).status == 200


@contextlib.contextmanager
def bodies_of_edge(site):
    def reload(on):
        site.edge.config["log"]["bodies"] = on
        site.edge.write()
        mark = site.edge.log.mark()
        os.kill(site.edge.process.pid, signal.SIGHUP)
        site.edge.log.wait("keeper reloaded ", 10, mark)

    reload(True)
    try:
        yield
    finally:
        reload(False)


# --- whose -----------------------------------------------------------------------

def test_each_is_told_of_those_he_asked_for_and_nobody_else(api, bo, anna,
                                                            carl, cleo):
    with Trace(api, user=ANNA) as hers, \
            Trace(api, user="sip:ANNA@contoso.example", contact=BO) as both, \
            Trace(api, partner="PARTNER.example") as partners, \
            Trace(api, user=CARL, partner="nostore.example") as neither:
        assert both.ready["user"] == ANNA
        # The first domain of a partner stands for all of his.
        assert "second.example" in partners.ready["partner"]
        chat(bo, carl)
        partners.wait("frame", type="result", direction="inward")
        cleo.send(ANNA, "it is me")
        anna.message(body="it is me")
        hers.wait("frame", type="result", direction="outward")
        chat(bo, anna)
        for one in hers, both, partners:
            await_both(one)
        assert CARL in partners.text() and ANNA in partners.text()
        assert CARL not in hers.text() and "cleo@" in hers.text()
        assert CARL not in both.text() and "cleo@" not in both.text()
        assert not neither.told
        assert in_order(both.steps(), [("stanza", "inward", "message"),
                                       ("sip", "inward", "INVITE")])


def test_what_is_refused_is_seen_as_far_as_it_gets(site, api, bo, anna, olaf):
    with Trace(api, user=OLAF) as trace:
        # She may not: it ends at the gateway.
        bo.send(OLAF, WORD)
        bo.error()
        trace.wait("stanza", direction="outward", type="error")
        assert in_order(trace.steps(), [
            ("stanza", "inward", "message"), ("frame", "inward", "message"),
            ("frame", "outward", "failed message"),
            ("stanza", "outward", "message")]), trace.steps()
        assert not trace.all("sip")
        [bounce] = trace.all("stanza", type="error")
        [failed] = trace.all("frame", status="failed")
        assert bounce["condition"] == failed["condition"]
        # The other way the gateway refuses before an edge hears of it.
        trace.forget()
        with pytest.raises(Refused):
            olaf.send(BO, WORD)
        refusal = trace.wait("sip", direction="inward", status=403)
        assert refusal["diagnostics"] >= 61000
        assert not trace.all("frame") and not trace.all("stanza")
    with Trace(api, partner="stranger.example") as trace:
        anna.refused("eve@stranger.example", WORD)
        trace.wait("sip", direction="inward", status=404)
        assert not trace.all("frame")
    # Nobody is there: the partner's server says so, and the edge could tell.
    with Trace(api, contact="nobody@partner.example") as trace:
        anna.refused("nobody@partner.example", WORD)
        trace.wait("sip", direction="inward", status=480)
        steps = trace.steps()
        assert in_order(steps, [("frame", "outward", "message"),
                                ("stanza", "outward", "message"),
                                ("stanza", "inward", "message"),
                                ("frame", "inward", "message"),
                                ("sip", "inward", "480 MESSAGE")]), steps
        assert WORD not in trace.text()


def test_a_partner_who_cannot_be_reached_is_seen_to_fail(api, anna):
    with Trace(api, partner="closed.example") as trace:
        anna.refused("bo@closed.example", WORD)
        failed = trace.wait("frame", type="result", status="failed")
        assert failed["condition"].startswith("remote-server")
        assert "failed" in trace.wait("stream")["text"]


def test_a_partner_who_is_not_listed_is_seen_to_knock(site, api):
    eve = site.xmpp_user("eve@stranger.example")
    try:
        with Trace(api, partner="stranger.example") as trace:
            eve.send(ANNA, WORD)
            eve.error(timeout=30)
            refused = trace.wait("stream", direction="inward")
            assert refused["from"] == "stranger.example"
            assert "not a permitted partner (policy-violation)" in refused[
                "text"]
            assert not trace.all("frame") and not trace.all("sip")
            assert WORD not in trace.text()
    finally:
        eve.logout()


# --- what is broken ----------------------------------------------------------------

@pytest.mark.once
def test_sip_that_cannot_be_read_is_shown_without_its_words(rude, front_end):
    raw = (f"MESSAGE sip:{BO} SIP/2.0\r\n"
           "Via: SIP/2.0/TLS 10.0.0.1:5061;branch=z9hG4bKx\r\n"
           f"From: \"{WORD}\" <sip:{ANNA}>;tag=1\r\n"
           f"To: <sip:{BO}>\r\nCall-ID: torn\r\nCSeq: 1 MESSAGE\r\n"
           f"Subject: {WORD}\r\n {WORD}\r\nX-{WORD[:2]}: {WORD}\r\n"
           f"Max-Forwards: many {WORD}\r\n"
           f"Content-Type: text/plain; msgr={WORD}\r\n"
           f"Content-Length: {len(WORD)}\r\n\r\n{WORD}").encode()
    with Api(rude.gateway.config["admin"]["socket"]) as api, \
            Trace(api, user=ANNA) as trace:
        conn = front_end.connect(rude.gateway)
        front_end.write(conn, raw)
        torn = trace.wait("sip", call_id="torn", direction="outward")
        assert torn["method"] == "MESSAGE" and torn["peer"] == front_end.name
        assert f"[{len(WORD)} bytes of text/plain]" in torn["text"]
        # A first message in headers is one, too.
        invite = front_end.invite(conn, ANNA, BO, text=WORD)
        front_end.write(conn, invite)
        seen = trace.wait("sip", method="INVITE")
        assert "ms-text-format: text/plain;charset=UTF-8;ms-body=[" in \
            seen["text"]
        for coded in re.findall(r"ms-body=(\S+)", invite.bytes().decode()):
            assert coded[:40] not in trace.text()
        assert WORD not in trace.text()
        front_end.drop(conn)


# --- those who watch -----------------------------------------------------------------

@pytest.mark.once
@pytest.mark.parametrize("query, words", [
    ("", "is needed"), ("seconds=9", "is needed"),
    ("user=", "no address"), ("user=contoso.example", "is a domain"),
    ("user=anna@contoso.example/desk", "resource"),
    ("user=a%40b%40contoso.example", "no address"),
    ("user=sip:@contoso.example", "no address"),
    ("contact=%F0%9F%98%80@", "no address"),
    ("contact=bo@partner..example", "no address"),
    ("partner=bo@partner.example", "no domain"), ("partner=", "no domain"),
    ("partner=" + "x" * 300, "no domain"), ("partner=a%20b", "no domain"),
    *[(f"user=a@b.example&seconds={s}", "1 to 86400")
      for s in ("0", "-1", "86401", "1e3", "", "%201", "9" * 30, "0x10")]])
def test_a_misspelt_wish_is_told_so(api, query, words):
    answer = api.get(f"/v1/trace?{query}")
    assert answer.status == 422 and words in answer.json["error"]["text"]


@pytest.mark.once
@pytest.mark.parametrize("query", ["who=anna", "user=a@b.c&user=a@b.c",
                                   "user=%00", "user=%ff@b.c", "user=%0a"])
def test_a_malformed_wish_is_told_so(api, query):
    assert api.get(f"/v1/trace?{query}").status == 400


@pytest.mark.once
def test_eight_may_watch_and_an_edge_follows_sixteen(site, api):
    with contextlib.ExitStack() as all_of_them:
        for i in range(8):
            all_of_them.enter_context(
                Trace(api, user=f"user{i}@contoso.example", seconds=60))
        answer = api.get(f"/v1/trace?user={ANNA}")
        assert answer.status == 503 and "8 watch" in answer.json["error"][
            "text"]
    all_have_gone(site)
    # A partner of many domains takes the place of many.
    rows = [f"d{i}.many.example" for i in range(15)]
    assert api.put("/v1/partners/many.example", {
        "Domain": "many.example", "AdditionalDomains": rows}).status == 201
    try:
        with Trace(api, partner="many.example") as trace:
            assert len(trace.ready["partner"]) == 16
            with Trace(api, partner=rows[3]):
                pass                    # it is followed already
            answer = api.get(f"/v1/trace?user={ANNA}")
            assert answer.status == 503 and "16" in answer.json["error"][
                "text"]
    finally:
        api.delete("/v1/partners/many.example")


def test_who_does_not_read_is_cut_and_holds_up_nobody(site, api, bo, anna):
    asleep = Api(site.gateway.config["admin"]["socket"]).connect()
    asleep.connect()
    asleep.sock.sendall(f"GET /v1/trace?user={ANNA} HTTP/1.1\r\n"
                        "Host: localhost\r\n\r\n".encode())
    with Trace(api, contact=BO) as trace:
        mark = site.gateway.log.mark()
        slowest = 0
        for i in range(400):
            before = time.monotonic()
            assert anna.send(BO, f"{i} " + "x" * 2000).status == 200
            slowest = max(slowest, time.monotonic() - before)
            if i % 20 == 0 and "too slow" in site.gateway.log.text()[mark:]:
                break
        site.gateway.log.wait('trace-ended .*reason="too slow"', 10, mark)
        assert slowest < 5
        # The other one saw it all, or was told how much he did not.
        trace.wait("sip", method="MESSAGE")
        assert not trace.over
    asleep.close()


@pytest.mark.once
def test_it_ends_when_its_time_is_over(api):
    with Trace(api, user=ANNA, seconds=1) as trace:
        assert trace.wait("end", 5)["reason"] == "the time is over"
        trace.thread.join(5)
        assert trace.over


# --- the command -------------------------------------------------------------------

class Watching:
    """sallyport trace, as it runs."""

    def __init__(self, *argv):
        self.said = ""
        self.process = subprocess.Popen(
            [binary("sallyport"), "trace", *argv], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=dict(os.environ, **SANITIZERS))

    def wait(self, pattern, timeout=15):
        end = time.monotonic() + timeout
        while not re.search(pattern, self.said, re.M):
            left = end - time.monotonic()
            assert left > 0, f"no {pattern}: {self.said}"
            if select.select([self.process.stdout], [], [], left)[0]:
                piece = os.read(self.process.stdout.fileno(), 65536)
                assert piece, f"no {pattern}: {self.said}"
                self.said += piece.decode()
        return self

    def end(self, number=signal.SIGINT, status=0):
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=20)
        self.said += out.decode()
        assert not REPORT.search(err.decode()), err.decode()
        assert self.process.returncode == status, \
            f"{self.process.returncode}: {self.said}{err.decode()}"
        return self.said


def test_the_command_shows_a_ladder(site, api, bo, anna):
    where = ("--socket", site.gateway.config["admin"]["socket"])
    watching = Watching(ANNA, BO, *where).wait("^TIME")
    chat(bo, anna)
    said = watching.wait(r"\|        \|------->\|        \|  "
                         "#.* delivered, proof: ping").wait(
                             r"\|------->\|  200 OK to \d+ MESSAGE").end()
    assert "what people wrote is not shown" in said
    for line in (
            r"\|------->\|        \|        \|  message chat bo@.* -> anna@",
            r"\|        \|------->\|        \|  #\d+ message chat bo@",
            r"\|        \|        \|------->\|  INVITE bo@.* -> anna@",
            r"\|        \|        \|<-------\|  200 OK to \d+ INVITE",
            r"\|        \|<-------\|        \|  #\d+ delivered, proof: gatew",
            r"\|<-------\|        \|        \|  message chat anna@.* -> bo@"):
        assert re.search(r"^\d\d:\d\d:\d\d\.\d{3}  " + line, said, re.M), said
    assert re.search(r"^-- \d+ stanzas, \d+ frames, \d+ SIP messages$", said,
                     re.M)
    assert WORD not in said
    assert all(len(l) > 0 and l.isprintable() for l in said.splitlines())


def test_the_command_shows_all_there_is(site, api, bo, anna):
    where = ("--socket", site.gateway.config["admin"]["socket"])
    full = Watching(ANNA, "--full", "--seconds", "4", *where).wait("^TIME")
    lines = Watching("partner.example", "--json", "--seconds", "4",
                     *where).wait("ready")
    chat(bo, anna)
    said = full.end(None)
    assert "-- the end: the time is over" in said
    assert re.search(r"^ {16}From: \[\d+ bytes\] <sip:bo@", said, re.M)
    assert re.search(r"^ {16}<message .*<body>\[14 bytes\]</body>", said,
                     re.M)
    assert WORD not in said
    events = [json.loads(l) for l in lines.end(None).splitlines()]
    assert events[0]["event"] == "ready" and events[-1]["event"] == "end"
    assert {"stanza", "frame", "sip"} < {e["event"] for e in events}


@pytest.mark.once
def test_the_command_tells_why_not(site, api):
    where = ("--socket", site.gateway.config["admin"]["socket"])
    Watching(*where).end(None, 2)
    Watching("a@b.c", "d@e.f", "g@h.i", *where).end(None, 2)
    Watching("a.example", "b.example", *where).end(None, 2)
    Watching("nobody here", *where).end(None, 1)
    Watching(ANNA, "--seconds", "99999999", *where).end(None, 1)
    Watching(ANNA, "--socket", "/nowhere").end(None, 3)


@pytest.mark.once
def test_a_gateway_that_stops_says_so():
    with SettingsSite("trace-stop") as place:
        watching = Watching("partner.example", "--socket",
                            place.socket).wait("^TIME")
        killed = Watching(ANNA, "--socket", place.socket).wait("^TIME")
        assert place.gateway.stop() == 0
        said = watching.end(None, 1)
        assert "-- the end: the gateway stops" in said
        killed.end(None, 1)
        assert place.gateway.log.wait("trace-began .*partner=partner.example")
        assert place.gateway.log.wait(
            'trace-ended .*reason="the gateway stops"')
        place.start()
        killed = Watching(ANNA, "--socket", place.socket).wait("^TIME")
        place.gateway.kill()
        killed.end(None, 3)


@pytest.mark.once
def test_a_token_that_ends_takes_its_traces_along():
    with SettingsSite("trace-token") as place, Api(place.socket) as api:
        made = api.post("/v1/tokens", {"Name": "desk", "Rights": "read"}).json
        with Trace(Api(address=place.http, token=made["token"]),
                   user=ANNA) as hers, Trace(api, user=ANNA) as other:
            place.gateway.log.wait('trace-began who="?desk')
            api.delete(f"/v1/tokens/{made['key']}")
            assert hers.wait("cut")["reason"] == "the token is no more"
            hers.thread.join(5)
            assert hers.over and not other.over
