"""A message each way, and what a chat is made of."""

import base64
import re
from xml.etree import ElementTree

import pytest

ANNA = "anna@contoso.example"
BO = "bo@partner.example"

# One line of everything that trips a converter: scripts, joiners, astral
# characters, markup, quotes, leading blanks.
WORLD = ("Grüße, Żółw, здравствуйте, 你好, こんにちは, שלום, مرحبا, 👩‍👩‍👧 \U0001F680 "
         "<b>&amp; \"quoted\" 'single'</b> ]]> \u00a0\u2028 e\u0301")


def test_a_message_from_the_partner_reaches_the_lync_user(bo, anna):
    bo.send(ANNA, "Shall we meet at noon?")
    arrived = anna.message(body="Shall we meet at noon?")
    assert arrived.sender == BO
    assert arrived.request.get("Content-Type").startswith("text/plain")


def test_a_message_from_the_lync_user_reaches_the_partner(bo, anna):
    response = anna.send(BO, "Noon it is.")
    assert response.status == 200
    arrived = bo.message(body="Noon it is.")
    assert arrived.sender.split("/")[0] == ANNA
    assert arrived.id


def test_both_write_in_the_one_chat_that_the_partner_opened(bo, anna):
    bo.send(ANNA, "first")
    first = anna.message(body="first")
    anna.send(BO, "second")
    bo.message(body="second")
    bo.send(ANNA, "third")
    third = anna.message(body="third")
    assert first.call_id == third.call_id
    assert len(anna.journal.all("invite")) == 1
    assert not anna.journal.all("opened")


def test_both_write_in_the_one_chat_that_the_lync_user_opened(bo, anna):
    anna.send(BO, "first")
    bo.message(body="first")
    bo.send(ANNA, "second")
    anna.message(body="second")
    anna.send(BO, "third")
    bo.message(body="third")
    assert not anna.journal.all("invite")
    assert len(anna.journal.all("opened")) == 1


def test_the_first_text_of_an_invite_arrives_once(bo, anna):
    """It rides in ms-text-format and comes again as MESSAGE."""
    anna.send(BO, "only once")
    bo.message(body="only once")
    bo.journal.none("message", 1, body=lambda b: "only once" in b)


def test_a_client_that_takes_the_toast_gets_no_second_copy(site, bo):
    from conftest import leave
    anna = site.lync_user("anna", takes_toast=True)
    try:
        bo.send(ANNA, "in the toast")
        assert anna.message(body="in the toast").way == "toast"
        bo.send(ANNA, "behind it")
        assert anna.message(body="behind it").way == "message"
        anna.journal.none("message", 0.5, body="in the toast")
    finally:
        leave(anna)


def test_the_display_name_and_address_of_the_partner_are_in_the_invite(
        bo, anna):
    bo.send(ANNA, "who is it?")
    invite = anna.journal.wait("invite")
    assert invite.sender == BO
    assert invite.conversation
    assert invite.request.get("Max-Forwards")
    toast = re.search(r"ms-body=(\S+)", invite.request.get("ms-text-format"))
    assert base64.b64decode(toast[1]).decode().strip() == "who is it?"


@pytest.mark.parametrize("text", [
    WORLD,
    "two\nlines\n\nand a gap",
    " leading and trailing blanks ",
    "/me waves",
    "x",
], ids=["scripts", "lines", "blanks", "me", "short"])
def test_any_text_arrives_unchanged(bo, anna, text):
    bo.send(ANNA, text)
    lines = text.replace("\n", "\r\n")
    anna.message(body=lambda b: b in (text, lines))
    anna.send(BO, lines)
    bo.message(body=lambda b: b in (text, lines))


def test_a_long_text_in_many_scripts_arrives_whole(bo, anna):
    text = (WORLD * 1000).encode()[:60000].decode("utf-8", "ignore").strip()
    bo.send(ANNA, text)
    assert anna.message(body=lambda b: len(b) > 1000).body == text
    assert anna.send(BO, text).status == 200
    assert bo.message(body=lambda b: len(b) > 1000).body == text


def test_a_text_beyond_the_limit_is_refused_to_its_sender(bo, anna):
    id = bo.send(ANNA, "x" * 70000)
    error = bo.error(id=id)
    assert error.condition in ("policy-violation", "not-acceptable")
    anna.send(BO, "short enough")
    assert anna.refused(BO, "y" * 70000).status == 413
    bo.journal.none("message", 0.5, body=lambda b: "yyyy" in b)
    anna.journal.none("message", 0.5, body=lambda b: "xxxx" in b)


def test_messages_keep_their_order(bo, anna):
    texts = [f"number {i}" for i in range(40)]
    for text in texts:
        bo.send(ANNA, text)
    anna.message(body=texts[-1], timeout=30)
    assert [m.body for m in anna.journal.all("message")] == texts
    for text in texts:
        anna.send(BO, text)
    bo.message(body=texts[-1])
    assert [m.body for m in bo.journal.all("message")] == texts


def test_two_chats_of_one_user_stay_apart(bo, cleo, anna):
    bo.send(ANNA, "from bo")
    cleo.send(ANNA, "from cleo")
    one = anna.message(body="from bo")
    two = anna.message(body="from cleo")
    assert one.call_id != two.call_id
    anna.send(BO, "to bo")
    anna.send("cleo@partner.example", "to cleo")
    bo.message(body="to bo")
    cleo.message(body="to cleo")
    assert not [m for m in bo.journal.all("message") if "cleo" in m.body]


def test_typing_opens_no_chat_and_reaches_nobody_as_text(bo, anna):
    bo.raw("<message to='anna@contoso.example' type='chat'><composing "
           "xmlns='http://jabber.org/protocol/chatstates'/></message>")
    anna.journal.none("invite", 1)


PING = ElementTree.fromstring("<ping xmlns='urn:xmpp:ping'/>")


def state(name):
    return (f"<message to='{ANNA}' type='chat'><{name} "
            "xmlns='http://jabber.org/protocol/chatstates'/></message>")


def test_the_partner_sees_the_lync_user_type(bo, anna):
    anna.send(BO, "wait")
    text = bo.journal.wait("state", body="wait")
    assert text.state == "active"
    assert anna.typing(BO).status == 200
    typed = bo.journal.wait("state", state="composing")
    assert typed.body == "" and typed.thread == text.thread
    assert typed.sender.split("/")[0] == ANNA
    assert anna.typing(BO, "idle").status == 200
    bo.journal.wait("state", state="paused")
    anna.send(BO, "done")
    bo.message(body="done")


def test_the_lync_user_sees_the_partner_type(bo, anna):
    anna.send(BO, "well?")
    bo.message(body="well?")
    bo.raw(state("composing"))
    anna.journal.wait("typing", state="type", sender=BO)
    bo.raw(state("paused"))
    anna.journal.wait("typing", state="idle", sender=BO)


def test_the_partner_hears_that_the_lync_user_closed_the_chat(bo, anna):
    anna.send(BO, "bye then")
    bo.message(body="bye then")
    bo.raw(state("active"))
    bo.iq("contoso.example", PING)    # Answered behind it.
    anna.bye(BO)
    bo.journal.wait("state", state="gone")


def test_a_message_of_type_error_is_never_answered(bo, anna):
    bo.raw("<message to='olaf@contoso.example' id='e1' type='error'>"
           "<body>x</body><error type='cancel'><item-not-found "
           "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>")
    bo.journal.none("error", 1, id="e1")


def test_a_slow_answer_of_the_client_loses_nothing(bo, anna):
    """Several endpoints accept late; what comes meanwhile queues."""
    anna.answer_after = 2.0
    for text in ("one", "two", "three"):
        bo.send(ANNA, text)
    anna.message(body="three")
    assert [m.body for m in anna.journal.all("message")] == \
        ["one", "two", "three"]
    assert len(anna.journal.all("invite")) == 1
