"""People who mean no good, or know no better, at the HTTP interface for
administrators.  All the while two people chat, who never notice."""

import json
import random
import re
import select
import socket
import threading
import time

import pytest

from lib.admin_api import Events
from lib.office import Desk
from lib.site import Site

pytestmark = pytest.mark.once

ANNA, BO = "anna@contoso.example", "bo@partner.example"
VICTIM = "/v1/partners/victim.example"


class Chat:
    """Anna and Bo, one after the other, until they are told to stop."""

    def __init__(self, site):
        self.anna, self.bo = site.lync_user("anna"), site.xmpp_user(BO)
        self.over = threading.Event()
        self.slowest, self.said, self.broken = 0, 0, None
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            while not self.over.wait(0.05):
                self.once()
        except BaseException as e:      # told by the fixture
            self.broken = e

    def once(self):
        begun = time.monotonic()
        self.said += 1
        assert self.anna.send(BO, f"A {self.said}").status == 200
        self.bo.message(body=f"A {self.said}")
        self.bo.send(ANNA, f"B {self.said}")
        self.anna.message(body=f"B {self.said}")
        self.slowest = max(self.slowest, time.monotonic() - begun)


@pytest.fixture(scope="module")
def desk():
    from conftest import Started
    site = Site("hostile-admins", wide=False)
    desk = Desk(site.run, site.gateway)
    with Started(site) as site:
        site.edge.await_open()
        chat = Chat(site)
        chat.once()         # the first one looks for the way
        chat.slowest = 0
        chat.thread.start()
        yield desk
        chat.over.set()
        chat.thread.join()
        assert chat.broken is None, chat.broken
        assert chat.said > 1 and chat.slowest < 3, (chat.said, chat.slowest)
        with desk.api() as api:
            assert api.get("/v1/audit/chain").json["whole"] is True


@pytest.fixture
def victim(desk):
    """A partner whom somebody wants to remove, and a token that may."""
    with desk.api() as api:
        api.put(VICTIM, {"Domain": "victim.example"})
        name = api.post("/v1/tokens", {"Name": "x", "Rights": "write"}).json
        yield f"Authorization: Bearer {name['token']}\r\n".encode()
        assert api.get(VICTIM).status == 200, "it is gone"
        api.delete(f"/v1/tokens/{name['key']}")


def exchange(desk, data, unix=False, quiet=0.3):
    """What comes back until nothing more does, and whether it was closed."""
    said = b""
    with desk.connect(unix) as s:
        try:
            s.sendall(data)
            s.settimeout(5)
            while block := s.recv(65536):
                said += block
                s.settimeout(quiet)
        except TimeoutError:
            return said, False
        except OSError:
            pass
    return said, True


def statuses(said):
    return [int(n) for n in re.findall(rb"HTTP/1\.1 (\d{3}) ", said)]


# --- requests that can be read in two ways -------------------------------------

AMBIGUOUS = [
    b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nContent-Length: 5",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: gzip, chunked",
    b'Transfer-Encoding: "chunked"',
    b"Transfer-Encoding:",
    b"Transfer-Encoding : chunked",
    b"X: y\r\n Transfer-Encoding: chunked",
    b"Content-Length: 5\r\nContent-Length: 5",
    b"Content-Length: 5\r\nContent-Length: 200",
    b"Content-Length: 5, 5",
    b"Content-Length: +5",
    b"Content-Length: -5",
    b"Content-Length: 0x5",
    b"Content-Length: 5 5",
    b"Content-Length:",
    b"Content-Length : 5",
    b"Content-Length: 99999999999999999999",
    b"X\0: y\r\nContent-Length: 5",
    b"X: y\rContent-Length: 5",
    b"Host: evil.example\r\nContent-Length: 5",
    b"Content-Type: text/plain\r\nContent-Length: 5",
]


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
@pytest.mark.parametrize("lines", AMBIGUOUS, ids=repr)
def test_what_can_be_read_in_two_ways_is_refused(desk, victim, lines, unix):
    """A proxy may see one request where the gateway sees two: the second one,
    which the first one's body may be, is never looked at."""
    hidden = b"DELETE " + VICTIM.encode() + b" HTTP/1.1\r\n" \
             b"Host: localhost\r\n" + victim + b"\r\n"
    said, closed = exchange(desk, (
        b"PATCH /v1/partners/none.example HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\n") + victim + lines +
        b"\r\n\r\n0\r\n\r\n" + hidden, unix)
    assert closed and set(statuses(said)) <= {400, 413}, said


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_a_body_where_none_belongs_is_no_request(desk, victim, unix):
    hidden = b"DELETE " + VICTIM.encode() + b" HTTP/1.1\r\n" \
             b"Host: localhost\r\n" + victim + b"\r\n"
    for length in (b"Content-Length: %d\r\n\r\n%s" % (len(hidden), hidden),
                   b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
                   % (len(hidden), hidden)):
        said, _ = exchange(
            desk, b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n" +
            victim + length, unix)
        assert statuses(said) == [413], said


def test_chunks_are_counted(desk, victim):
    head = b"PUT /v1/partners/c.example HTTP/1.1\r\nHost: localhost\r\n" \
           b"Content-Type: application/json\r\n" \
           b"Transfer-Encoding: chunked\r\n"
    many = b"10000\r\n" + b" " * 65536 + b"\r\n"
    for body, expected in (
            (many * 17 + b"0\r\n\r\n", [413]),      # more than a MiB of them
            (b"fffffffffffffffff\r\n{}", [400, 413]),
            (b"-1\r\n{}\r\n0\r\n\r\n", [400]),
            # An extension means nothing.
            (b"2;x=y\r\n[]\r\n0\r\n\r\n", [400]),
            (b"2\r\n{}x\r\n0\r\n\r\n", [400])):
        said, _ = exchange(desk, head + victim + b"\r\n" + body)
        assert set(statuses(said)) <= set(expected), (body[:40], said)
    # What stands behind the body is no part of the header.
    said, _ = exchange(desk, head + b"\r\n2\r\n{}\r\n0\r\n" + victim +
                       b"\r\n")
    assert statuses(said)[:1] == [401], said


def test_one_behind_the_other_are_answered_in_order(desk, victim):
    asked = b"".join(
        b"GET /v1/partners/p%d.example HTTP/1.1\r\nHost: localhost\r\n%s\r\n"
        % (i, victim) for i in range(100))
    said, closed = exchange(desk, asked)
    assert statuses(said) == [404] * 100 and not closed


# --- targets ----------------------------------------------------------------------

TARGETS = [
    (b"GET http://evil.example/v1/status HTTP/1.1", {400}),
    (b"CONNECT evil.example:80 HTTP/1.1", {400, 405}),
    (b"OPTIONS * HTTP/1.1", {400}),
    (b"OPTIONS /v1/partners HTTP/1.1", {405}),      # no CORS
    (b"TRACE /v1/status HTTP/1.1", {405}),
    (b"get /v1/status HTTP/1.1", {405}),
    (b"X" * 300 + b" /v1/status HTTP/1.1", {405}),
    (b"PRI * HTTP/2.0", {505}),
    (b"GET /v1/status HTTP/3.0", {505}),
    (b"GET /v1/status", {400}),
    (b"GET /v1/../v1/status HTTP/1.1", {404}),
    (b"GET /v1/%2e%2e/v1/status HTTP/1.1", {404}),
    (b"GET //v1/status HTTP/1.1", {400}),
    (b"GET /v1//status HTTP/1.1", {400}),
    (b"GET /v1/status%2f HTTP/1.1", {404}),
    (b"GET /v1%2fstatus HTTP/1.1", {404}),
    (b"GET /v1/st%00atus HTTP/1.1", {400}),
    (b"GET /v1/partners/%0d%0aX:%20y HTTP/1.1", {400}),
    (b"GET /v1/partners/%c0%ae HTTP/1.1", {400}),   # overlong
    (b"GET /v1/partners/%ed%a0%80 HTTP/1.1", {400}),    # a surrogate
    (b"GET /v1/partners/\xff\xfe HTTP/1.1", {400}),
    (b"GET /v1/partners/%zz HTTP/1.1", {400}),
    (b"GET /v1/partners/% HTTP/1.1", {400}),
    (b"GET /v1/partners/" + b"a" * 9000 + b" HTTP/1.1", {400, 414}),
    (b"GET /" + b"a" * 20000 + b" HTTP/1.1", {414, 431}),
    (b"GET /v1" + b"/a" * 4000 + b" HTTP/1.1", {400}),
    (b"GET /v1/partners?" + b"a&" * 300 + b" HTTP/1.1", {400}),
    (b"GET /v1/partners?limit=5&limit=6 HTTP/1.1", {400}),
    (b"GET /v1/partners?lim%69t=0 HTTP/1.1", {400}),
    (b"GET /v1/partners#x HTTP/1.1", {400}),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", set()),   # TLS
    (b"\0" * 100, {400, 505}),
]


@pytest.mark.parametrize("line, expected", TARGETS,
                         ids=[repr(t[0][:40]) for t in TARGETS])
def test_a_target_means_one_thing(desk, victim, line, expected):
    said, _ = exchange(desk, line + b"\r\nHost: localhost\r\n" + victim +
                       b"\r\n")
    assert set(statuses(said)) <= expected, said
    assert not expected or statuses(said) or b"\0" in line, "no answer"
    assert b"\nX: y" not in said


PAGES = ("/v1/partners", "/v1/grants", "/v1/tokens", "/v1/audit",
         "/v1/conversations", "/v1/streams", "/v1/contacts")


def test_pages_have_their_bounds(desk):
    with desk.api() as api:
        for path in PAGES:
            for limit in ("0", "-1", "1001", "1e3", "+5", "%205", "5x", "",
                          "99999999999999999999", "0x10", "%D9%A5"):
                assert api.get(f"{path}?limit={limit}").status == 400, limit
            for after in ("%F0%9F%92%A9", "a" * 4000, "-1", "*", "%25",
                          "99999999999999999999", "'%20OR%201=1--",
                          "0.5", "null"):
                answer = api.get(f"{path}?limit=1&after={after}")
                assert answer.status in (200, 400), (path, after)
        begun = time.monotonic()
        for path in PAGES[:3]:
            filtered = api.get(f"{path}?filter={'*a' * 2000}b")
            assert filtered.status in (200, 400)
        assert time.monotonic() - begun < 5


def test_nobody_is_put_off_by_the_number_of_an_event(desk):
    for last in ("-1", "abc", "", "99999999999999999999", "0x1", "1 2",
                 "9" * 8000):
        with Events(desk.api(), last=last) as events:
            assert events.next()[0] in ("ready", "missed"), last


# --- bodies -----------------------------------------------------------------------

def bodies(dice):
    """JSON as people send it who mean no good."""
    good = json.dumps({"Domain": "x.example", "AdditionalDomains": ["a.b"],
                       "ConnectionLimit": 20, "Description": "d"}).encode()
    yield b"[" * 100000
    yield b'{"a":' * 50000
    yield b'{"Domain": "' + b"x" * 900000 + b'"}'
    yield b'{"Description": "' + b"\\u0000" * 1000 + b'"}'
    yield b'{"Domain": "x.example", "Domain": "y.example"}'
    yield b'{"Domain": "x.example", "Dom\\u0061in": "y.example"}'
    yield b'{"Domain\\u0000": "x.example"}'
    yield b'{"Description": "\\ud800"}'
    yield b'{"Description": "\xff"}'
    yield b'{"Description": "\xc0\x80"}'
    yield b'{"\xff": 1}'
    yield b'{"__proto__": {"Domain": "x.example"}}'
    yield b'{"AdditionalDomains": [' + b'"a.example",' * 60000 + b'"b.c"]}'
    yield b'{"AdditionalDomains": {"Add": {"Add": ["a.example"]}}}'
    yield b'{"ConnectionLimit": ' + b"9" * 5000 + b"}"
    yield b'{"ConnectionLimit": 1e999}'
    yield b'{"ConnectionLimit": NaN}'
    yield b"\xff\xfe" + good
    yield b"\xef\xbb\xbf" + good
    yield good + good
    for _ in range(150):
        text = bytearray(good)
        for _ in range(dice.randrange(1, 6)):
            text[dice.randrange(len(text))] = dice.randrange(256)
        yield bytes(text)


HEAD = b"PUT /v1/partners/x.example HTTP/1.1\r\nHost: localhost\r\n" \
       b"Content-Type: application/json\r\n"


def leave_early(desk, data, unix=False):
    with desk.connect(unix) as s:
        try:
            s.sendall(data)
        except OSError:
            pass


def offend(desk, dice):
    with desk.api() as mine:
        for body in bodies(dice):
            status = mine.put("/v1/partners/x.example", body).status
            assert status in (200, 201, 400, 413, 422), body[:80]
        mine.delete("/v1/partners/x.example")
    for cut in (1, 10, 50, len(HEAD), len(HEAD) + 20):
        for unix in (False, True):
            leave_early(desk, (HEAD + b"Content-Length: 99\r\n\r\n{}")[:cut],
                        unix)
    for _ in range(100):
        leave_early(desk, dice.randbytes(dice.randrange(1, 400)))
    exchange(desk, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000)
    hold_all(desk)


def test_hostile_input_harms_nobody_else(desk):
    dice = random.Random(7)
    before = desk.gateway.handles()
    over = threading.Event()
    slowest = []

    def somebody_else():
        with desk.api() as mine:
            while not over.is_set():
                begun = time.monotonic()
                assert mine.get("/v1/partners").status == 200
                slowest.append(time.monotonic() - begun)
                time.sleep(0.01)

    other = threading.Thread(target=somebody_else)
    other.start()
    try:
        offend(desk, dice)
    finally:
        over.set()
        other.join()
    assert slowest and max(slowest) < 3, max(slowest)
    # Some of those who left, here or before, are found out a second later.
    end = time.monotonic() + 5
    while desk.gateway.handles() > before:
        assert time.monotonic() < end, (desk.gateway.handles(), before)
        time.sleep(0.1)
    assert not desk.gateway.reports()


def hold_all(desk):
    """Every connection there is over TCP, each with half a request that goes
    on byte by byte, and the Unix socket is served nevertheless."""
    held = []
    try:
        for _ in range(80):
            s = desk.connect()
            s.sendall(HEAD)
            held.append(s)
        # Those beyond the limit are told so and closed.
        refused, before = [], None
        end = time.monotonic() + 5
        while len(refused) < 30 or len(refused) != before:
            assert time.monotonic() < end, len(refused)
            before = len(refused)
            time.sleep(0.3)
            refused = select.select(held, [], [], 0)[0]
        waiting = [s for s in held if s not in refused]
        for byte in b"X: y":
            for s in waiting:
                s.sendall(bytes([byte]))
            with desk.api() as mine:
                assert mine.get("/v1/status").status == 200
    finally:
        for s in held:
            s.close()


def test_who_takes_no_answer_costs_little(desk):
    """Forty who ask for all there is, over and over, and read none of it."""
    token = desk.token(Name="greedy")
    asked = (f"GET /v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n"
             f"Authorization: Bearer {token}\r\n\r\n").encode() * 50
    with desk.api() as api:
        before = api.get("/v1/status").json["heap_bytes"]
        held = []
        try:
            for _ in range(40):
                s = desk.connect()
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                s.setblocking(False)
                s.send(asked)
                held.append(s)
            time.sleep(1)
            grown = api.get("/v1/status").json["heap_bytes"] - before
        finally:
            for s in held:
                s.close()
    assert grown < 32 << 20, grown
    end = time.monotonic() + 5      # until it is seen that they have gone
    while statuses(exchange(desk, b"GET /v1/status HTTP/1.1\r\n"
                            b"Host: localhost\r\n\r\n")[0]) != [401]:
        assert time.monotonic() < end


# --- strangers --------------------------------------------------------------------

def test_wrong_tokens_are_limited_and_good_ones_are_not(desk):
    good = desk.token(Name="good")
    wrong = good[:-4] + ("0000" if good[-4:] != "0000" else "1111")
    mark = desk.gateway.log.mark()
    with desk.tcp(wrong) as mine:
        answers = [mine.get("/v1/status").status for _ in range(1000)]
    assert set(answers) == {401, 429} and answers[-1] == 429
    with desk.tcp(good) as mine:
        assert mine.get("/v1/status").status == 200
    lines = [l for l in desk.gateway.log.text(mark).splitlines()
             if "token-refused" in l]
    assert 1 <= len(lines) <= 60
    assert wrong.split("-")[2] not in desk.gateway.log.text()


@pytest.mark.parametrize("headers", [
    {}, {"Authorization": "Basic YWRtaW46YWRtaW4="},
    {"Authorization": "Bearer"}, {"Authorization": "Bearer  "},
    {"Authorization": "Bearer spt-" + "a" * 8000},
    {"Authorization": "Bearer spt-000000000000-" + "0" * 64},
    {"Cookie": "token=%s"}, {"X-Forwarded-For": "127.0.0.1"},
    {"X-Api-Key": "%s"}], ids=repr)
def test_a_token_counts_in_its_header_alone(desk, headers):
    """Neither in a cookie, which browsers send unasked, nor in a URL, which
    everybody logs."""
    token = desk.token(Name="misplaced", Rights="write")
    names = {k.replace("-", "_"): v.replace("%s", token)
             for k, v in headers.items()}
    with desk.tcp() as nobody:
        assert nobody.get("/v1/status", **names).status in (401, 429)
        for name in ("access_token", "token"):
            for path in ("/v1/events", "/v1/status"):
                assert nobody.get(f"{path}?{name}={token}",
                                  **names).status in (401, 429)


@pytest.mark.parametrize("headers", [
    {"Host": "evil.example"}, {"Host": "127.0.0.1.evil.example:8480"},
    {"Origin": "http://evil.example"}, {"Origin": "null"},
    {"Origin": "http://localhost:3000"}, {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"}], ids=repr)
def test_pages_of_others_get_nothing_even_with_a_token(desk, headers):
    """Of a browser on the gateway's host: by a name of theirs that leads to
    loopback, or from another origin.  Before the token is looked at."""
    token = desk.token(Name="browser", Rights="write")
    names = {k.replace("-", "_"): v for k, v in headers.items()}
    mark = desk.gateway.log.mark()
    with desk.tcp(token) as led:
        assert led.get("/v1/status").status == 200
        for method, path, body in (("GET", "/v1/status", None),
                                   ("DELETE", "/v1/partners/x", None),
                                   ("POST", "/v1/batch", {"changes": []})):
            refused = led.ask(method, path, body, **names)
            assert refused.status == 403
            assert "Access-Control-Allow-Origin" not in refused.headers
        assert led.get("/v1/events", **names).status == 403
    what = "host-refused" if "Host" in headers else "page-refused"
    desk.gateway.log.wait(f"warn admin {what} peer=127", mark=mark)
