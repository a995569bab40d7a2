"""Who answers for a message: what the Lync client's 200 is worth."""

import threading
import time

import pytest

from lib.daemons import partner
from lib.lync_client import Refused
from lib.raw_partner import RawPartner, attribute, error, pong
from lib.site import Site

ANNA = "anna@contoso.example"
RAW = "raw.example"


@pytest.fixture(scope="module")
def raw_site():
    from conftest import Started
    site = Site("custody", wide=False)
    RawPartner.zones(site, RAW, 25)
    site.gateway.config["partners"].append(partner(RAW))
    site.gateway.config["timers"] = {"outward_ms": 6000}
    with Started(site) as site:
        yield site


@pytest.fixture
def raw(raw_site):
    peer = RawPartner(raw_site, RAW, 25).start()
    yield peer
    peer.stop()
    # The edge must see the stream go before the next test opens its own.
    time.sleep(0.2)


@pytest.fixture
def anna(raw_site):
    from conftest import employee
    yield from employee(raw_site, "anna")


def test_the_answer_to_the_ping_behind_it_makes_the_200(raw, anna):
    """No 200 before; one at once after."""
    answered = threading.Event()

    def on_stanza(text, wire):
        if not text.startswith("<iq"):
            return
        if not raw.server.journal.all("stanza",
                                      text=lambda t: "proof me" in t):
            raw.answer(pong(text))      # the trial ping of a new stream
            return
        time.sleep(1.5)
        answered.set()
        raw.answer(pong(text))

    raw.server.on_stanza = on_stanza
    response = anna.send(f"rho@{RAW}", "proof me")
    assert response.status == 200
    assert answered.is_set()


def test_an_error_answers_the_ping_as_well(raw, anna):
    def on_stanza(text, wire):
        if text.startswith("<iq"):
            raw.answer(error(text, "service-unavailable"))

    raw.server.on_stanza = on_stanza
    assert anna.send(f"rho@{RAW}", "error is an answer").status == 200


def test_a_bounce_before_the_answer_is_the_clients_error(raw, anna):
    def on_stanza(text, wire):
        if text.startswith("<message"):
            raw.answer(error(text, "item-not-found"))
        elif text.startswith("<iq"):
            raw.answer(pong(text))

    raw.server.on_stanza = on_stanza
    assert anna.refused(f"rho@{RAW}", "who?").status == 404


def test_of_several_messages_the_bounced_one_alone_fails(raw, anna):
    def on_stanza(text, wire):
        if text.startswith("<message") and "bad one" in text:
            raw.answer(error(text, "forbidden"))
        elif text.startswith("<iq"):
            raw.answer(pong(text))

    raw.server.on_stanza = on_stanza
    statuses = {}

    def write(peer, text):
        try:
            statuses[text] = anna.send(peer, text).status
        except Refused as e:
            statuses[text] = e.status

    writers = [threading.Thread(target=write, args=(f"u{i}@{RAW}", text))
               for i, text in enumerate(("good one", "bad one", "good two"))]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    assert statuses == {"good one": 200, "bad one": 403, "good two": 200}


def test_a_forged_answer_to_a_ping_proves_nothing(raw, anna):
    """An id that is not ours to the bit is thrown away."""
    def on_stanza(text, wire):
        if text.startswith("<iq"):
            id = attribute(text, "id")
            forged = id[:-1] + ("0" if id[-1] != "0" else "1")
            raw.answer(pong(text.replace(id, forged)))

    # The trial ping is answered truly, so that the stream counts as one
    # that can ping; the barrier behind the message is not.
    def first_true(text, wire):
        if text.startswith("<iq") and not raw.server.journal.all(
                "stanza", text=lambda t: t.startswith("<message")):
            raw.answer(pong(text))
        else:
            on_stanza(text, wire)

    raw.server.on_stanza = first_true
    assert anna.refused(f"rho@{RAW}", "prove it").status == 504


def test_a_server_that_dies_before_its_answer_is_an_error(raw, anna):
    """What was written but not proven is told as failed, not as sent."""
    def on_stanza(text, wire):
        if text.startswith("<message"):
            raw.server.stop()
        elif not raw.server.journal.all(
                "stanza", text=lambda t: t.startswith("<message")):
            raw.answer(pong(text))

    raw.server.on_stanza = on_stanza
    assert anna.refused(f"rho@{RAW}", "into the void").status == 504


def test_a_ping_of_the_partner_is_answered_on_our_stream(raw, anna):
    raw.server.on_stanza = lambda text, wire: (
        raw.answer(pong(text)) if attribute(text, "type") == "get" else None)
    anna.send(f"rho@{RAW}", "hello")
    raw.answer(f"<iq type='get' id='p1' from='{RAW}' to='contoso.example'>"
               "<ping xmlns='urn:xmpp:ping'/></iq>")
    found = raw.server.journal.wait(
        "stanza", text=lambda t: t.startswith("<iq")
        and attribute(t, "id") == "p1")
    assert attribute(found.text, "type") == "result"
