"""What a partner's server may count on: our acknowledgement means that the
pool has the message, and what it sends again after a lost stream is shown
once (XEP-0198)."""

import pytest

from lib.daemons import partner
from lib.raw_partner import RawPartner
from lib.site import Site

ANNA = "anna@contoso.example"
RAW = "raw.example"
RHO = f"rho@{RAW}/desk"


@pytest.fixture(scope="module")
def place():
    from conftest import Started
    site = Site("inward", wide=False)
    RawPartner.zones(site, RAW, 25)
    site.gateway.config["partners"].append(partner(RAW))
    with Started(site) as site:
        yield site


@pytest.fixture
def raw(place):
    peer = RawPartner(place, RAW, 25).start()
    yield peer
    peer.stop()


@pytest.fixture
def anna(place):
    from conftest import employee
    yield from employee(place, "anna")


def message(id, body, sender=RHO):
    return (f"<message from='{sender}' to='{ANNA}' id='{id}' type='chat'>"
            f"<body>{body}</body></message>")


def break_stream(place, raw):
    """The server's stream is gone, and the gateway has heard so."""
    mark = place.gateway.log.mark()
    raw.back.close()
    place.gateway.log.wait(" stream-down ", 10, mark)


def bodies(anna):
    return [m.body for m in anna.journal.all("message")]


def test_what_the_pool_has_not_taken_is_not_acknowledged(raw, anna):
    anna.answer_after = 1.5
    raw.answer("<enable xmlns='urn:xmpp:sm:3'/>")
    raw.back.until(r"<enabled\b[^>]*/>")
    raw.answer(message("a1", "not yet"))
    anna.journal.wait("invite")
    raw.answer("<r xmlns='urn:xmpp:sm:3'/>")
    assert raw.back.until(r"<a\b[^>]*\bh=.(\d+)")[1] == "0"
    assert not anna.journal.all("message")
    # It says so by itself once it is true.
    assert raw.back.until(r"<a\b[^>]*\bh=.(\d+)")[1] == "1"
    assert bodies(anna) == ["not yet"]


def test_a_second_copy_after_a_break_is_not_shown(place, raw, anna):
    raw.answer(message("d1", "once"))
    anna.message(body="once")
    break_stream(place, raw)
    raw.answer(message("d1", "once"))
    raw.answer(message("d2", "behind it"))
    anna.message(body="behind it")
    assert bodies(anna) == ["once", "behind it"]


def test_a_second_copy_of_what_is_on_its_way_is_not_shown(place, raw, anna):
    anna.answer_after = 1.0
    raw.answer(message("d3", "slowly"))
    anna.journal.wait("invite")
    break_stream(place, raw)
    raw.answer(message("d3", "slowly"))
    raw.answer(message("d4", "behind it"))
    anna.message(body="behind it")
    assert bodies(anna) == ["slowly", "behind it"]


def test_the_same_words_again_on_the_same_stream_are_two(raw, anna):
    raw.answer(message("d5", "again"))
    raw.answer(message("d5", "again"))
    raw.answer(message("d6", "behind it"))
    anna.message(body="behind it")
    assert bodies(anna) == ["again", "again", "behind it"]


@pytest.mark.parametrize("first, second", [
    (("e1", "one"), ("e2", "one")),
    (("e3", "one"), ("e3", "two")),
    (("e4", "one"), ("e4", "one", f"rho@{RAW}/phone")),
])
def test_what_differs_is_no_second_copy(place, raw, anna, first, second):
    raw.answer(message(*first))
    anna.message(body=first[1])
    break_stream(place, raw)
    raw.answer(message(*second))
    anna.journal.wait("message", body=second[1])


def test_without_an_id_nothing_is_taken_for_a_copy(place, raw, anna):
    text = (f"<message from='{RHO}' to='{ANNA}' type='chat'>"
            "<body>nameless</body></message>")
    raw.answer(text)
    anna.message(body="nameless")
    break_stream(place, raw)
    raw.answer(text)
    anna.message(body="nameless")
