"""A person with a real client at a terminal, mcabber on Prosody, and his chat
with a Lync user as he sees it on the screen."""

import re

import pytest

from lib.presence_site import QUICK
from lib.site import Site
from lib.terminal import Terminal

pytestmark = pytest.mark.once

ANNA = "anna@contoso.example"
BO = "bo@partner.example"


@pytest.fixture(scope="module")
def office():
    from conftest import Started
    assert not Terminal.missing(), "see deploy/install-deps check"
    site = Site("terminal", wide=False)
    site.gateway.config["presence"] = dict(QUICK)
    with Started(site) as site:
        yield site


@pytest.fixture
def anna(office):
    from conftest import employee
    for anna in employee(office, "anna"):
        anna.publish()
        yield anna
        anna.unpublish()


@pytest.fixture
def bo(office, anna):
    """At his terminal, with Anna on his list and in the window."""
    terminal = Terminal(office.run, BO, office.prosody.address,
                        office.prosody.c2s).login()
    terminal.type(f"/add {ANNA}")
    terminal.shows("has allowed you to receive their presence")
    terminal.type("/roster search anna")
    terminal.shows(f"Buddy: {ANNA}")
    yield terminal
    terminal.close()


def line(mark, text):
    """Looks for a line of the chat: --> sent, r-> no receipt yet, <== came."""
    return lambda screen: re.search(
        rf"{re.escape(mark)} {re.escape(text)}", screen)


def test_a_chat_as_it_shows_on_the_terminal(bo, anna):
    # She takes a moment; until then his client has no receipt.
    anna.answer_after = 2.5
    bo.type("Hello from a terminal")
    bo.shows(line("r->", "Hello from a terminal"))
    anna.message(body="Hello from a terminal")
    bo.shows(line("-->", "Hello from a terminal"))
    # Typing and text to him.
    anna.typing(BO)
    bo.shows("[C]")
    anna.send(BO, "Grüße aus Lync")
    bo.shows(line("<==", "Grüße aus Lync"))
    # Typing and text from him.
    bo.type("what I am about", enter=False)
    anna.journal.wait("typing", state="type")
    bo.type(" to say")
    anna.message(body="what I am about to say")
    bo.shows(line("-->", "what I am about to say"))
    # What she does not get, he is told.
    anna.message_status = (480, "Temporarily Unavailable")
    anna.invite_status = (480, "Temporarily Unavailable")
    bo.type("and this?")
    bo.shows("The user is not available.")
    bo.shows(line("r->", "and this?"))
