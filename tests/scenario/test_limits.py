"""The edge's limits: past one the newest and cheapest is refused, and who is
in goes on.

One edge, a gateway of the test's making inside, crowds outside; limits are
what the gateway says, so that each test sets its own.  The same at full size
is `make bench`.
"""

import itertools
import socket
import ssl
import time

import pytest

from lib.control import ask
from lib.crowded_edge import COMPANY, CrowdedEdge
from lib.daemons import BIN
from lib.xmpp_peer import STARTTLS, STREAM, Ended, client_context

ANNA = f"anna@{COMPANY}"
NUMBERS = itertools.count(1)
HONEST = "p0.example"
KB = 1024
# A sanitizer counts nothing and keeps what was freed.
plain = pytest.mark.skipif("asan" in BIN, reason="memory is not what it is")


@pytest.fixture(scope="module")
def crowd():
    place = CrowdedEdge("limits", partners=10)
    try:
        place.start()
        yield place
    finally:
        place.close()


@pytest.fixture
def place(crowd):
    yield crowd
    crowd.let_go()
    crowd.configure()
    await_empty(crowd)
    says(crowd.partner(HONEST))
    crowd.let_go()
    crowd.inside.frames.clear()


def status(place, part):
    return ask(place.edge.control, "status")["counters"][part]


def await_empty(place):
    end = time.monotonic() + 10
    while status(place, "streams")["inbound"] > 0:
        assert time.monotonic() < end, "streams are left"
        time.sleep(0.05)


def word(stream, body):
    stream.message(f"bo@{stream.local}/x", ANNA, body)


def hears(place, body):
    """Taken, as a gateway takes it."""
    frame = place.inside.wait("message", body=body)
    place.inside.send("result", answers=frame["seq"], status="delivered",
                      proof="gateway")


def says(stream, within=2):
    """What an honest partner writes arrives, and soon."""
    place = stream.place
    body, begun = f"honest {next(NUMBERS)}", time.monotonic()
    word(stream, body)
    hears(place, body)
    assert time.monotonic() - begun < within


def is_refused(stream):
    try:
        return "<resource-constraint " in stream.drain()
    except OSError:
        return True


def half_open(place, count, source=None):
    """So many say hello and nothing more."""
    sockets = [place.connect(source) for _ in range(count)]
    hello = STREAM.format(local=HONEST, remote=COMPANY, more="").encode()
    for sock in sockets:
        try:
            sock.sendall(hello)
        except OSError:
            pass        # turned away
    return sockets


def still_open(sockets):
    """Those whose other end has not closed."""
    count = 0
    for sock in sockets:
        sock.setblocking(False)
        try:
            while (data := sock.recv(65536)):
                if b"resource-constraint" in data:
                    break
            continue
        except BlockingIOError:
            count += 1
        except OSError:
            continue
    return count


# --- connections ------------------------------------------------------------

def test_a_partner_has_so_many_streams_and_no_more(place):
    """The one beyond is refused, whichever of his domains it comes for; the
    others go on, other partners too."""
    place.configure(rows=[{"Domain": "p1.example", "ConnectionLimit": 3,
                           "AdditionalDomains": ["p3.example"],
                           "PartnerType": "Federated"}])
    streams = [place.partner(p) for p in ("p1.example", "p3.example",
                                          "p1.example")]
    for domain in ("p1.example", "p3.example"):
        # Before he takes it for one on which he may send.
        with pytest.raises(Ended, match="<resource-constraint "):
            place.partner(domain)
    other = place.partner("p2.example")
    for stream in (*streams, other):
        says(stream)
    streams.pop().close()
    says(place.partner("p1.example"))


def test_all_together_have_so_many_streams_and_no_more(place):
    """Where the last place was a stranger's, who has been here gets it."""
    place.configure(connection_limit=5)
    streams = [place.partner(p) for p in place.partners[:4]]
    back = place.partner(HONEST, source="127.198.0.1")
    assert is_refused(place.stream("p5.example"))
    back.close()
    time.sleep(0.1)
    stranger, = half_open(place, 1)
    assert is_refused(place.stream("p5.example"))
    assert still_open([stranger]) == 1
    says(place.partner(HONEST, source="127.198.0.1"))
    assert still_open([stranger]) == 0
    for stream in streams:
        says(stream)


def test_a_crowd_from_many_addresses_keeps_no_partner_out(place):
    """Of a thousand that do not authenticate some find a place; partners who
    are in notice nothing, and one who comes back comes in."""
    place.configure(half_open_limit=20)
    kept = place.partner(HONEST)
    back = place.partner("p1.example", source="127.198.0.2")
    back.close()
    crowd = half_open(place, 1000)
    says(kept)
    says(place.partner("p1.example", source="127.198.0.2"))
    assert 20 <= still_open(crowd) <= 20 + 64       # some are being told
    says(kept)
    assert status(place, "streams")["half_open"] == 20
    for sock in crowd:
        sock.close()


def test_handshakes_that_stop_half_way_take_no_place_of_others(place):
    place.configure(address_half_open=5)
    kept = place.partner(HONEST)
    begun = [place.stream("p1.example", "127.198.0.3") for _ in range(5)]
    for stream in begun:
        stream.open()
        stream.send(STARTTLS)
        stream.until("<proceed[^>]*/>")
        # The client's first words, and none of its last.
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = client_context(place.public.certificate, None).wrap_bio(
            incoming, outgoing, server_hostname=COMPANY)
        with pytest.raises(ssl.SSLWantReadError):
            client.do_handshake()
        stream.send(outgoing.read())
    assert is_refused(place.stream("p1.example", "127.198.0.3"))
    says(kept)
    says(place.partner("p1.example"))


# --- stanzas ----------------------------------------------------------------

def test_who_sends_too_much_is_slowed_and_loses_nothing(place):
    place.configure(stanza_rate=200)
    kept, fast = place.partner(HONEST), place.partner("p1.example")
    count, begun = 2300, time.monotonic()       # ten seconds' worth at once
    text = "".join(f"<message from='b@p1.example' to='{ANNA}'>"
                   f"<body>fast {i}</body></message>" for i in range(count))
    fast.send(text)
    says(kept)
    answered = 0
    while answered < count:
        assert time.monotonic() - begun < 20
        frames = [f for k, f in list(place.inside.frames) if k == "message"
                  and f["body"].startswith("fast ")]
        for frame in frames[answered:]:
            assert frame["body"] == f"fast {answered}"
            place.inside.send("result", answers=frame["seq"],
                              status="delivered", proof="gateway")
            answered += 1
        time.sleep(0.02)
    assert 1.2 < time.monotonic() - begun
    assert place.edge.log.lines("stream-slowed.*p1.example")


# --- memory -----------------------------------------------------------------

@plain
def test_an_idle_stream_takes_little(place):
    """`make bench` measures a thousand; the bound here has room."""
    place.configure(half_open_limit=1000)
    for stream in place.crowd(20):
        stream.close()
    await_empty(place)
    before = place.memory()[0]
    place.crowd(150)
    assert (place.memory()[0] - before) / 150 < 60 * KB


@plain
def test_memory_has_an_end_and_honest_partners_go_on(place):
    """A hundred streams in the middle of a stanza each want far more than all
    may have; then strangers come."""
    place.configure(memory_max=32 << 20)
    kept = place.partner(HONEST)
    greedy = place.crowd(100, each=12)
    half = b"<message><body>" + b"x" * (200 * KB)
    mark, ended = place.edge.log.mark(), 0
    for stream in greedy:
        if stream.local == HONEST:
            continue
        try:
            stream.send(half)
        except OSError:
            ended += 1
    says(kept)
    place.edge.log.wait("memory-short", 5, mark)
    place.edge.log.wait("memory-enough", 5, mark)
    says(kept)
    memory = status(place, "memory")
    assert memory["used"] < 32 << 20 and memory["most"] < 128 << 20, memory
    for stream in greedy:
        try:
            stream.read(0.01)
        except TimeoutError:
            continue
        except (Ended, OSError):
            pass
        ended += 1
    # Not all of them: as many as it took.
    assert 5 < ended < 88, ended
    says(place.partner("p3.example"))
