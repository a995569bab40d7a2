"""Which of his devices an XMPP user is answered on (RFC 6121 5.1), and what
becomes of a message when there is none."""

from xml.etree import ElementTree

import pytest

pytestmark = pytest.mark.once

ANNA = "anna@contoso.example"
BO = "bo@partner.example"


@pytest.fixture
def phone(site, bo):
    """Bo's second device; bo is at his desk."""
    user = site.xmpp_user(BO, resource="phone")
    yield user
    user.logout()


def tells(user, what):
    """Presence for Anna alone, as for somebody he has not on his list."""
    user.raw(f"<presence to='{ANNA}'{what}")


def test_an_answer_goes_to_the_device_that_wrote(bo, phone, anna):
    phone.send(ANNA, "from the phone", thread="t-1")
    anna.message(body="from the phone")
    anna.send(BO, "to the phone")
    arrived = phone.message(body="to the phone")
    assert arrived.thread == "t-1"
    bo.journal.none("message", 0.5)


def test_the_device_that_writes_next_has_the_chat(bo, phone, anna):
    phone.send(ANNA, "from the phone")
    anna.message(body="from the phone")
    bo.send(ANNA, "now from the desk")
    anna.message(body="now from the desk")
    anna.send(BO, "to the desk")
    bo.message(body="to the desk")
    phone.journal.none("message", 0.5)


@pytest.mark.parametrize("who,what", [
    ("phone", "><show>away</show></presence>"),
    ("phone", " type='unavailable'/>"),
    ("bo", "/>"),
], ids=["changes", "goes", "another-comes"])
def test_news_of_a_device_unlock_the_chat(bo, phone, anna, who, what):
    phone.send(ANNA, "from the phone")
    anna.message(body="from the phone")
    anna.send(BO, "locked")
    phone.message(body="locked")
    device = {"bo": bo, "phone": phone}[who]
    tells(device, what)
    # In order on his stream and on Prosody's: the news has been seen when
    # this, which goes as far, is answered.
    device.iq(ANNA, ElementTree.Element("{vcard-temp}vCard"))
    anna.send(BO, "to all of you")
    # Prosody gives what is for the bare address to all of equal priority.
    bo.message(body="to all of you")
    phone.message(body="to all of you")


def test_when_the_device_has_gone_the_other_is_reached(site, bo, anna):
    phone = site.xmpp_user(BO, resource="phone")
    tells(phone, "/>")
    phone.send(ANNA, "from the phone")
    anna.message(body="from the phone")
    phone.logout()
    assert anna.send(BO, "are you there?").status == 200
    bo.message(body="are you there?")


def test_typing_goes_where_answers_go(bo, phone, anna):
    phone.raw(f"<message to='{ANNA}' type='chat'><body>hello</body>"
              "<active xmlns='http://jabber.org/protocol/chatstates'/>"
              "</message>")
    anna.message(body="hello")
    anna.typing(BO)
    phone.journal.wait("state", state="composing")
    bo.journal.none("state", 0.5)


def test_who_is_away_has_it_from_his_server_later(site, anna):
    assert anna.send("gone@partner.example", "for later").status == 200
    user = site.xmpp_user("gone@partner.example")
    try:
        arrived = user.message(body="for later")
        assert arrived.stanza.xml.find("{urn:xmpp:delay}delay") is not None
        user.send(ANNA, "I am back")
        anna.message(body="I am back")
    finally:
        user.logout()


def test_where_the_server_keeps_nothing_the_sender_is_told(site, anna):
    assert anna.refused("gone@nostore.example", "lost").status == 480
