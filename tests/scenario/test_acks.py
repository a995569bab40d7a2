"""Stream management with partners' servers (XEP-0198), both directions: who
answers for a message when an edge or a server dies."""

import threading
import time

import pytest

from lib.daemons import partner
from lib.front_end import FrontEnd
from lib.raw_partner import RawPartner, pong
from lib.site import Site
from lib.xmpp_peer import SM, RawStream

ANNA = "anna@contoso.example"
BO = "bo@partner.example"
RAW = "raw.example"


@pytest.fixture(scope="module")
def acks():
    """Prosody counts; the pool is a front end of the test's making."""
    from conftest import Started
    site = Site("acks", wide=False)
    site.prosody.modules = ["smacks"]
    site.front_end = FrontEnd(site.run, site.internal).start()
    site.gateway.config["sip"]["pool"]["front_ends"][:] = [
        {"name": site.front_end.name,
         "address": f"{site.front_end.address}:{site.front_end.port}"}]
    RawPartner.zones(site, RAW, 25)
    site.gateway.config["partners"].append(partner(RAW))
    site.guests = []
    with Started(site) as site:
        yield site


@pytest.fixture
def front_end(acks):
    yield acks.front_end
    acks.front_end.script.clear()


@pytest.fixture
def guest(acks, front_end):
    """Somebody at Prosody whom nobody here has met."""
    from conftest import visitor
    name = f"guest{len(acks.guests)}"
    acks.guests.append(name)
    acks.prosody.register(name, "partner.example")
    yield from visitor(acks, f"{name}@partner.example")


def arrived(front_end, text):
    front_end.journal.wait("request", method="MESSAGE",
                           request=lambda r: r.body == text.encode())


class Slow:
    """The pool keeps its answers to some messages for itself."""

    def __init__(self, front_end, texts):
        self.front_end = front_end
        self.texts = {text.encode() for text in texts}
        self.held = []
        self.released = False
        front_end.script["MESSAGE"] = self

    def __call__(self, message, conn):
        # A later copy is answered as a pool would.
        if message.body in self.texts and not self.released:
            self.held.append((message, conn))
        else:
            conn.send(message.answer(200, "OK"))

    def release(self):
        self.released = True

        def answer():
            for message, conn in self.held:
                conn.send(message.answer(200, "OK"))
        self.front_end.run.loop.call_soon_threadsafe(answer)


def opened(guest, front_end):
    """An IM session is up and its first message acknowledged."""
    guest.send(ANNA, "hello")
    arrived(front_end, "hello")
    time.sleep(0.5)


def test_prosody_bounces_exactly_what_a_killed_edge_had_not_acknowledged(
        acks, front_end, guest):
    opened(guest, front_end)
    slow = Slow(front_end, ["held one", "held two"])
    done = [guest.send(ANNA, f"done {i}") for i in range(3)]
    for i in range(3):
        arrived(front_end, f"done {i}")
    time.sleep(0.5)     # the results are acknowledged
    held = [guest.send(ANNA, text) for text in ("held one", "held two")]
    arrived(front_end, "held one")
    acks.edge.kill()
    try:
        for id in held:
            guest.error(id=id, timeout=20)
        time.sleep(0.5)
        assert not [id for id in done if guest.journal.all("error", id=id)]
    finally:
        slow.release()
        acks.edge.start()
        acks.edge.await_open()


def test_a_message_that_was_acknowledged_late_is_not_bounced(
        acks, front_end, guest):
    """The count waits for the pool, and Prosody for the count."""
    opened(guest, front_end)
    slow = Slow(front_end, ["patience"])
    id = guest.send(ANNA, "patience")
    arrived(front_end, "patience")
    time.sleep(1)
    slow.release()
    time.sleep(1)
    acks.edge.kill()
    try:
        time.sleep(2)
        assert not guest.journal.all("error", id=id)
    finally:
        acks.edge.start()
        acks.edge.await_open()


@pytest.fixture
def stream(acks):
    edge = acks.edge
    wire = RawStream(edge.address, edge.port, RAW, "contoso.example")
    wire.authenticate(acks.public.certificate, acks.public.leaf(RAW))
    yield wire
    wire.close()


def test_the_count_is_never_ahead_of_custody(front_end, stream):
    slow = Slow(front_end, ["second"])
    stream.message(f"rho@{RAW}", ANNA, "before", "m0")
    stream.send(f"<enable xmlns='{SM}'/>")
    stream.until(rf"<enabled xmlns='{SM}'/>")
    arrived(front_end, "before")
    stream.message(f"rho@{RAW}", ANNA, "first", "m1")
    stream.until(r"<a [^>]*h='1'/>")
    stream.message(f"rho@{RAW}", ANNA, "second", "m2")
    arrived(front_end, "second")
    # Answered here at once; counted only when the one before is done with.
    stream.send(f"<iq type='get' id='p' from='{RAW}' to='contoso.example'>"
                "<ping xmlns='urn:xmpp:ping'/></iq>")
    stream.send(f"<r xmlns='{SM}'/>")
    stream.until(r"<a [^>]*h='1'/>")
    time.sleep(1)
    stream.send(f"<r xmlns='{SM}'/>")
    assert "h='1'" in stream.until(r"<a [^>]*/>")[0]
    slow.release()
    assert "h='3'" in stream.until(r"<a [^>]*/>")[0]


def test_who_says_goodbye_is_told_the_count_first(front_end, stream):
    slow = Slow(front_end, ["last word"])
    stream.send(f"<enable xmlns='{SM}'/>")
    stream.message(f"rho@{RAW}", ANNA, "last word", "m1")
    arrived(front_end, "last word")
    stream.send("</stream:stream>")
    threading.Timer(1, slow.release).start()
    assert "h='1'" in stream.until(r"<a [^>]*/>.*</stream:stream>")[0]


# --- outward ---------------------------------------------------------------


@pytest.fixture(scope="module")
def raw_site():
    from conftest import Started
    site = Site("counted", wide=False)
    site.prosody.modules = ["smacks"]
    RawPartner.zones(site, RAW, 25)
    site.gateway.config["partners"].append(partner(RAW))
    with Started(site) as site:
        yield site


@pytest.fixture
def anna(raw_site):
    from conftest import employee
    yield from employee(raw_site, "anna")


@pytest.fixture
def raw(raw_site):
    peer = RawPartner(raw_site, RAW, 25)
    yield peer
    peer.stop()
    time.sleep(0.2)


def test_a_count_proves_where_pings_are_not_answered(raw_site, raw, anna):
    raw.server.managed = "counting"
    raw.start()
    mark = raw_site.gateway.log.mark()
    begun = time.monotonic()
    assert anna.send(f"rho@{RAW}", "count me").status == 200
    # As long as it takes to see that pings are not answered, then at once.
    assert 8 < time.monotonic() - begun < 14
    assert "proofs=ack" in raw_site.gateway.log.wait(
        f"stream-update.*{RAW}", 5, mark)
    begun = time.monotonic()
    assert anna.send(f"rho@{RAW}", "and me").status == 200
    assert time.monotonic() - begun < 2


def test_a_partner_that_can_do_both_is_reported_so(raw_site, raw, anna):
    raw.server.managed = "counting"
    raw.server.on_stanza = lambda text, wire: (
        raw.answer(pong(text)) if text.startswith("<iq") else None)
    raw.start()
    mark = raw_site.gateway.log.mark()
    assert anna.send(f"rho@{RAW}", "both").status == 200
    raw_site.gateway.log.wait(f"stream-update.*{RAW}.*proofs=ping,ack", 5,
                              mark)


def test_a_partner_that_stops_counting_is_left(raw, anna):
    """It promised to answer; its silence is noticed."""
    raw.server.managed = "enabled"
    raw.start()
    assert anna.refused(f"rho@{RAW}", "anybody?").status == 504
    ended = raw.server.journal.wait("ended", timeout=20)
    assert "<connection-timeout" in ended.reason


def test_prosody_proves_by_ping_and_counts(raw_site, anna):
    from conftest import visitor
    for bo in visitor(raw_site, BO):
        mark = raw_site.gateway.log.mark()
        anna.send(BO, "to one who counts")
        bo.message(body="to one who counts")
        raw_site.gateway.log.wait(
            "stream-update.*partner.example.*proofs=ping,ack", 15, mark)
        bo.send(ANNA, "and is counted")
        anna.message(body="and is counted")
