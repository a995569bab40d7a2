"""Sessions as Lync users with several devices hold them."""

import time
from xml.etree import ElementTree

import pytest

from lib import control, sip
from lib.front_end import FrontEnd
from lib.lync_devices import AUDIO, SDP, TAKEN, LyncUser, route, toast_of
from lib.site import Site

pytestmark = pytest.mark.once

ANNA = "anna@contoso.example"
# All that somebody hears whom Anna has never written to.
NO = "service-unavailable"
PING = ElementTree.fromstring("<ping xmlns='urn:xmpp:ping'/>")


def pool_site(name, **timers):
    """A small site whose pool is a front end of ours."""
    site = Site(name, wide=False)
    site.gateway.config["timers"] = timers
    site.front_end = FrontEnd(site.run, site.internal).start()
    front_ends = site.gateway.config["sip"]["pool"]["front_ends"]
    front_ends[:] = [{"name": site.front_end.name,
                      "address": f"{site.front_end.address}:"
                                 f"{site.front_end.port}"}]
    return site


@pytest.fixture(scope="module")
def place():
    """With the usual times."""
    from conftest import Started
    with Started(pool_site("sessions")) as site:
        yield site


@pytest.fixture(scope="module")
def hasty_place():
    """Waits seconds where the other one waits a minute."""
    from conftest import Started
    with Started(pool_site("sessions2", inward_ms=3000)) as site:
        yield site


def somebody(place):
    """Somebody at the partner who has no chat yet."""
    from conftest import visitor
    name = f"g{sip.token(4)}"
    place.prosody.register(name, "partner.example")
    return visitor(place, f"{name}@partner.example")


@pytest.fixture
def guest(place):
    yield from somebody(place)


@pytest.fixture
def line(place):
    conn = place.front_end.connect(place.gateway)
    yield conn
    place.front_end.drop(conn)


@pytest.fixture
def anna(place):
    user = LyncUser(place.front_end, ANNA)
    yield user
    place.front_end.script.clear()


def repeats(place):
    return control.ask(place.gateway.control, "status")["repeats"]


def active(guest):
    """Her contact's client knows chat states (XEP-0085)."""
    guest.raw(f"<message to='{ANNA}' type='chat'><active "
              "xmlns='http://jabber.org/protocol/chatstates'/></message>")
    guest.iq("contoso.example", PING)       # answered behind it


def both_ways(guest, chat, text="still here"):
    """The chat lives: a text each way, in its dialog."""
    anna = chat.device.user
    guest.send(ANNA, f"{text}, guest")
    assert anna.message(f"{text}, guest").call_id == chat.call_id
    assert chat.say(f"{text}, anna").status == 200
    guest.message(body=f"{text}, anna")


# --- several devices --------------------------------------------------------

def test_who_answers_after_ten_seconds_gets_all_in_order(anna, guest):
    """101 and three early dialogs at once, the 200 of the second device when
    ten seconds have passed; meanwhile the messages wait and nobody is
    told."""
    anna.on_invite = anna.ring
    texts = [f"number {i}" for i in range(6)]
    guest.send(ANNA, texts[0])
    invite = anna.invited()
    assert toast_of(invite.request).strip() == texts[0]
    for text in texts[1:]:
        guest.send(ANNA, text)
    time.sleep(10.5)
    assert not anna.journal.all("cancel")
    anna.on_loop(anna.answer, invite, anna.phone)
    anna.message(texts[-1])
    assert anna.bodies() == texts
    ack = anna.journal.all("ack")[0].request
    assert ack.tag("To") == anna.phone.tag
    for entry in anna.journal.all("message"):
        assert entry.request.uri == anna.phone.gruu
        assert entry.request.tag("To") == anna.phone.tag
    assert len(anna.journal.all("invite")) == 1
    assert not guest.journal.all("error")


def test_one_message_is_on_its_way_at_a_time(anna, guest):
    """Each is sent when the one before was answered."""
    waiting = []

    def hold(entry, _):
        assert not waiting
        waiting.append(entry)
        anna.front_end.run.loop.call_later(0.15, release)
        return True

    def release():
        anna.respond(waiting.pop(), 200, "OK")

    anna.on_message = hold
    texts = [f"number {i}" for i in range(8)]
    for text in texts:
        guest.send(ANNA, text)
    anna.message(texts[-1])
    assert anna.bodies() == texts
    times = [e.at for e in anna.journal.all("message")]
    assert all(b - a > 0.14 for a, b in zip(times, times[1:]))


def test_of_two_devices_that_answer_the_first_has_the_chat(anna, guest):
    def both(entry):
        anna.ring(entry)
        anna.answer(entry, anna.desk)
        anna.phone.accept(entry)

    anna.on_invite = both
    guest.send(ANNA, "who is it?")
    assert anna.message("who is it?").request.uri == anna.desk.gruu
    # The other one's answer is acknowledged, then ended (RFC 3261 13.2.2.4).
    bye = anna.journal.wait("bye")
    assert bye.request.tag("To") == anna.phone.tag
    assert {e.request.tag("To") for e in anna.journal.all("ack")} == \
        {anna.desk.tag, anna.phone.tag}
    guest.send(ANNA, "and now?")
    assert anna.message("and now?").request.uri == anna.desk.gruu
    assert len(anna.journal.all("bye")) == 1


def test_an_answer_that_is_repeated_is_acknowledged_again(anna, guest):
    def twice(entry):
        anna.answer(entry, anna.desk)
        anna.desk.accept(entry)

    anna.on_invite = twice
    guest.send(ANNA, "once")
    anna.message("once")
    guest.send(ANNA, "more")
    anna.message("more")
    assert len(anna.journal.all("ack")) == 2
    assert not anna.journal.all("bye")
    assert anna.bodies() == ["once", "more"]


def test_reliable_rings_get_no_prack(anna, guest):
    """We list no 100rel, so nobody may ask for it (RFC 3262 3); who does all
    the same is not answered."""
    def on_invite(entry):
        assert "100rel" not in entry.request.tokens("Supported")
        anna.desk.reply(entry, 180, "Ringing",
                        [("Require", "100rel"), ("RSeq", "1")])
        anna.answer(entry, anna.desk)

    anna.on_invite = on_invite
    guest.send(ANNA, "hello")
    anna.message("hello")
    assert not anna.front_end.journal.all(
        "request", method="PRACK", call_id=anna.invited().call_id)


@pytest.mark.parametrize("supported, consumed", [
    (TAKEN, False),
    ((*TAKEN, "ms-embedded-first-message"), False),
    ((*TAKEN, "ms-text-format"), True),
    (("timer, MS-Text-Format, histinfo",), True),
], ids=["neither", "embedded", "text-format", "in-a-list"])
def test_the_first_text_is_sent_again_unless_it_was_taken(
        anna, guest, supported, consumed):
    """The 200 says by ms-text-format that the text of the INVITE was shown;
    ms-embedded-first-message alone says nothing of the kind."""
    anna.takes = supported
    guest.send(ANNA, "in the toast")
    assert toast_of(anna.invited().request).strip() == "in the toast"
    guest.send(ANNA, "behind it")
    anna.message("behind it")
    assert anna.bodies() == \
        ([] if consumed else ["in the toast"]) + ["behind it"]


def test_a_text_too_long_for_a_header_field_follows_the_answer(anna, guest):
    text = "long " * 6000
    guest.send(ANNA, text)
    assert not anna.invited().request.all("ms-text-format")
    anna.journal.wait("message", body=lambda b: b.strip() == text.strip())


def test_an_answer_without_messages_is_a_refusal(anna, guest):
    """200 with another medium: the session ends, the sender is told, and the
    next text begins anew."""
    anna.on_invite = lambda entry: anna.answer(entry, anna.desk, body=AUDIO)
    id = guest.send(ANNA, "a word")
    assert guest.error(id=id).condition == NO
    anna.journal.wait("bye")
    anna.on_invite = anna.ring_and_accept
    guest.send(ANNA, "a word again")
    anna.message("a word again")
    assert anna.bodies() == ["a word again"]


def test_a_conversation_id_that_clashes_twice_is_reported_once(anna, guest):
    anna.on_invite = lambda entry: anna.refuse(
        entry, 488, "Not Acceptable Here",
        [("ms-client-diagnostics", '52035;reason="A conversation with this '
          'id is open"')])
    id = guest.send(ANNA, "clash")
    assert guest.error(id=id).condition == NO
    ids = [e.request.get("Ms-Conversation-ID")
           for e in anna.journal.all("invite")]
    assert len(ids) == 2 and ids[0] != ids[1]
    anna.on_invite = anna.ring_and_accept
    guest.send(ANNA, "no clash")
    anna.message("no clash")
    assert len(guest.journal.all("error")) == 1


# --- another device ----------------------------------------------------------

def test_the_device_that_invites_is_the_one_to_write_to(anna, guest, line):
    guest.send(ANNA, "at the desk?")
    old = anna.message("at the desk?")
    chat, response = anna.phone.invite(line, guest.jid)
    assert response.status == 200 and chat.call_id != old.call_id
    assert chat.say("no, outside").status == 200
    guest.message(body="no, outside")
    guest.send(ANNA, "have fun")
    assert anna.message("have fun").request.uri == anna.phone.gruu
    # The desk hangs up: her contact does not hear that she has left.
    desk = anna.chats[(old.call_id, anna.desk.tag)]
    desk.connection = line
    both_ways(guest, chat)
    active(guest)
    assert desk.ask("BYE").status == 200
    guest.journal.none("state", 3, state="gone")
    assert len(anna.journal.all("invite")) == 1
    assert len(guest.journal.all("message", body="no, outside")) == 1
    assert chat.ask("BYE").status == 200
    guest.journal.wait("state", state="gone")


def test_a_text_in_a_dialog_that_died_goes_to_the_other_device(
        place, anna, guest, line):
    """481 while another device has the chat: it goes there, and that chat
    goes on."""
    guest.send(ANNA, "first")
    old = anna.message("first")
    before = repeats(place)
    held = []

    def hold(entry, _):
        if entry.body == "second" and not held:
            held.append(entry)
            return True
        return False

    anna.on_message = hold
    guest.send(ANNA, "second")
    guest.send(ANNA, "third")
    anna.message("second")
    chat, _ = anna.phone.invite(line, guest.jid)
    anna.chats[(old.call_id, anna.desk.tag)].lost = True
    anna.on_loop(anna.respond, held[0], 481, "Gone")
    assert anna.message("second").call_id == chat.call_id
    assert anna.message("third").call_id == chat.call_id
    assert not anna.journal.all("bye")
    assert len(anna.journal.all("invite")) == 1
    both_ways(guest, chat)
    after = repeats(place)
    assert after["sent_again"] == before["sent_again"] + 1
    assert after["doubled"] == before["doubled"]
    chat.ask("BYE")


def test_one_conversation_on_two_devices_is_one_thread(anna, guest, line):
    one, _ = anna.desk.invite(line, guest.jid, conversation="AdConv1==")
    one.say("here")
    two, _ = anna.phone.invite(line, guest.jid, conversation="AdConv1==")
    two.say("there")
    three, _ = anna.web.invite(line, guest.jid, conversation="AdConv2==")
    three.say("elsewhere")
    threads = [guest.message(body=b).thread for b in
               ("here", "there", "elsewhere")]
    assert threads[0] == threads[1] != threads[2]
    for chat in (one, two, three):
        assert chat.ask("BYE").status == 200


# --- lost dialogs ------------------------------------------------------------

@pytest.mark.parametrize("status, reason, headers, unsure", [
    (430, "Flow Failed",
     [("P-Dialog-Recovery-Action", "Dialog-Route-Set-Update")], 0),
    (481, "Call Leg/Transaction Does Not Exist", [], 0),
    (408, "Request Timeout", [], 1),
    (480, "Temporarily Unavailable", [], 0),
    (504, "Server Time-out", [], 1),
    (None, "the connection breaks", [], 1),
], ids=["430", "481", "408", "480", "504", "connection"])
def test_a_lost_dialog_is_replaced_and_nothing_is_lost(
        place, anna, guest, line, status, reason, headers, unsure):
    """The text goes in a new INVITE with new ids, what waits follows in
    order; who may have seen it twice is counted."""
    guest.send(ANNA, "one")
    anna.message("one")
    before = repeats(place)
    refused = []

    def on_message(entry, _):
        if refused:
            return False
        refused.append(entry)
        if status is None:
            entry.connection.abort()
        else:
            anna.respond(entry, status, reason, headers)
        return True

    anna.on_message = on_message
    for text in ("two", "three", "four"):
        guest.send(ANNA, text)
    last = anna.message("four", timeout=30)
    first, second = anna.journal.all("invite")
    assert first.call_id != second.call_id == last.call_id
    for name in ("Ms-Conversation-ID", "Call-ID"):
        assert first.request.get(name) != second.request.get(name)
    assert toast_of(second.request).strip() == "two"
    assert anna.bodies() == ["one", "two", "two", "three", "four"]
    assert not guest.journal.all("error")
    after = repeats(place)
    assert after["sent_again"] == before["sent_again"] + 1
    assert after["doubled"] == before["doubled"] + unsure
    _, told, _ = control.run("--socket", place.gateway.control, "status")
    assert (f"{after['sent_again']} messages sent again in a new dialog, "
            f"{after['doubled']} of them perhaps seen twice") in told


def test_a_second_failure_is_told_to_the_sender(anna, guest):
    guest.send(ANNA, "one")
    anna.message("one")
    anna.on_message = lambda entry, _: anna.respond(
        entry, 481, "Gone") or True
    id = guest.send(ANNA, "two")
    assert guest.error(id=id).condition == NO
    assert anna.bodies() == ["one", "two", "two"]
    anna.on_message = None
    guest.send(ANNA, "three")
    anna.message("three")
    assert len(guest.journal.all("error")) == 1


@pytest.mark.parametrize("refused", [(480, "Temporarily Unavailable"),
                                     (486, "Busy Here")])
def test_who_cannot_be_invited_again_is_told(anna, guest, refused):
    """The dialog is lost and the user gone: the INVITE's answer counts."""
    guest.send(ANNA, "one")
    anna.message("one")
    anna.on_invite = lambda entry: anna.refuse(entry, *refused)
    for chat in anna.chats.values():
        chat.lost = True
    id = guest.send(ANNA, "two")
    assert guest.error(id=id).condition == NO


@pytest.mark.parametrize("way", ["UPDATE", "INVITE"])
def test_a_route_that_was_repaired_is_the_one_to_take(
        anna, guest, line, way):
    """The pool's new Record-Route and the new Contact replace the old ones
    [MS-SIPRE 3.7], unlike RFC 3261."""
    chat, _ = anna.desk.invite(line, guest.jid)
    chat.say("hello")
    guest.message(body="hello")
    new = route(anna.front_end, "F:Ci.R99")
    anna.desk.gruu = anna.desk.gruu.replace("desk", "moved")
    headers = [("Record-Route", new),
               ("Supported", "ms-dialog-route-set-update")]
    if way == "UPDATE":
        response = chat.ask("UPDATE", headers=[
            ("Contact", f"<{anna.desk.gruu}>"), *headers])
        assert not response.body
    else:
        response = chat.reinvite(headers=[*headers, *SDP])
    assert response.status == 200
    assert "ms-dialog-route-set-update" in response.tokens("Supported")
    guest.send(ANNA, "by the new way")
    request = anna.message("by the new way").request
    assert request.uri == anna.desk.gruu
    assert [sip.uri_of(r) for r in request.all("Route")] == [sip.uri_of(new)]
    # One without Record-Route leaves the route alone.
    assert chat.ask("UPDATE", headers=[
        ("Contact", f"<{anna.desk.gruu}>")]).status == 200
    guest.send(ANNA, "the same way")
    request = anna.message("the same way").request
    assert [sip.uri_of(r) for r in request.all("Route")] == [sip.uri_of(new)]
    chat.ask("BYE")


def test_typing_in_a_dialog_that_died_opens_none(anna, guest, line):
    chat, _ = anna.desk.invite(line, guest.jid)
    chat.say("hello")
    guest.message(body="hello")
    chat.lost = True
    guest.raw(f"<message to='{ANNA}' type='chat'><composing "
              "xmlns='http://jabber.org/protocol/chatstates'/></message>")
    anna.journal.wait("info")
    anna.journal.none("invite", 1)
    # The next text knows that the dialog is gone.
    guest.send(ANNA, "a text")
    assert toast_of(anna.invited().request).strip() == "a text"
    assert anna.message("a text").call_id != chat.call_id
    assert len(anna.journal.all("info")) == 1


# --- our restart -------------------------------------------------------------

def test_a_gateway_that_was_killed_knows_no_dialog_and_gets_a_new_one(
        place, anna, guest):
    """481 with a reason of ours; the client invites again with the text."""
    guest.send(ANNA, "before")
    chat = anna.chats[(anna.message("before").call_id, anna.desk.tag)]
    place.gateway.kill()
    place.gateway.start()
    line = place.front_end.connect(place.gateway)
    chat.connection = line
    for method, body in (("INFO", b""), ("UPDATE", b""), ("MESSAGE", b"x")):
        response = chat.ask(method, body, [("Content-Type", "text/plain")]
                            if body else [])
        assert response.status == 481
        assert response.get("ms-diagnostics").startswith("61001;")
    chat.lost = True
    again, response = anna.desk.invite(line, guest.jid)
    assert response.status == 200
    # Once an edge is there again.
    place.edge.await_open()
    end = time.monotonic() + 20
    while again.say("after").status != 200:
        assert time.monotonic() < end
        time.sleep(0.3)
    guest.message(body="after")
    both_ways(guest, again)
    assert again.ask("BYE").status == 200
    place.front_end.drop(line)


# --- both begin at once ------------------------------------------------------

def test_when_both_begin_theirs_is_the_session(anna, guest, line):
    """Ours is cancelled, and each text arrives once."""
    anna.on_invite = anna.ring
    guest.send(ANNA, "hi Anna")
    ours = anna.invited()
    chat, response = anna.phone.invite(line, guest.jid)
    assert response.status == 200
    assert anna.journal.wait("cancel").call_id == ours.call_id
    assert chat.say("hi guest").status == 200
    guest.message(body="hi guest")
    assert anna.message("hi Anna").call_id == chat.call_id
    guest.send(ANNA, "how are you?")
    assert anna.message("how are you?").call_id == chat.call_id
    assert anna.bodies() == ["hi Anna", "how are you?"]
    assert len(guest.journal.all("message")) == 1
    chat.ask("BYE")


@pytest.mark.parametrize("takes", [TAKEN, (*TAKEN, "ms-text-format")],
                         ids=["not-shown", "shown"])
def test_an_answer_that_crosses_our_cancel_doubles_nothing(
        anna, guest, line, takes):
    """The 200 of one device and the CANCEL meet: that dialog ends, and the
    text follows in the other one unless it was shown."""
    anna.on_invite = anna.ring
    anna.takes = takes
    anna.answers_cancel = False
    guest.send(ANNA, "hi Anna")
    ours = anna.invited()
    chat, _ = anna.phone.invite(line, guest.jid)
    anna.journal.wait("cancel")
    anna.on_loop(lambda: anna.desk.accept(ours, supported=takes))
    bye = anna.journal.wait("bye")
    assert bye.call_id == ours.call_id
    guest.send(ANNA, "and on")
    assert anna.message("and on").call_id == chat.call_id
    assert anna.bodies() == \
        (["hi Anna"] if takes is TAKEN else []) + ["and on"]
    chat.ask("BYE")


# --- CANCEL ------------------------------------------------------------------

def test_a_cancel_behind_our_answer_changes_nothing(anna, guest, line):
    """RFC 3261 9.2: the INVITE was answered; the chat is open."""
    chat, response = anna.desk.invite(line, guest.jid, ack=False)
    cancel = sip.Message(chat.offer.start.replace("INVITE", "CANCEL"), [
        ("Via", chat.offer.get("Via")), ("Max-Forwards", "70"),
        ("From", chat.offer.get("From")), ("To", chat.offer.get("To")),
        ("Call-ID", chat.call_id), ("CSeq", "1 CANCEL")])
    assert anna.front_end.transact(line, cancel).status == 200
    chat.ack()
    both_ways(guest, chat)
    assert chat.ask("BYE").status == 200


def test_a_cancel_of_nothing_is_answered_481(anna, guest, line):
    request = anna.front_end.invite(line, ANNA, guest.jid)
    cancel = sip.Message(request.start.replace("INVITE", "CANCEL"), [
        ("Via", request.get("Via")), ("Max-Forwards", "70"),
        ("From", request.get("From")), ("To", request.get("To")),
        ("Call-ID", request.call_id), ("CSeq", "1 CANCEL")])
    assert anna.front_end.transact(line, cancel).status == 481


@pytest.mark.parametrize("rings", [True, False], ids=["rings", "silent"])
def test_an_invite_whose_time_is_up_is_withdrawn(hasty_place, rings):
    """CANCEL, when anything was heard of the other side (RFC 3261 9.1); an
    answer that comes all the same is ended, and the text not shown."""
    anna = LyncUser(hasty_place.front_end, ANNA)
    for guest in somebody(hasty_place):
        anna.answers_cancel = False
        anna.on_invite = anna.ring if rings else lambda entry: None
        id = guest.send(ANNA, "anybody?")
        entry = anna.invited()
        assert guest.error(id=id).condition == "remote-server-timeout"
        if not rings:
            assert not anna.journal.all("cancel")
            anna.on_loop(lambda: anna.desk.reply(entry, 180, "Ringing"))
        assert anna.journal.wait("cancel").call_id == entry.call_id
        anna.on_loop(lambda: anna.desk.accept(entry))
        assert anna.journal.wait("bye").call_id == entry.call_id
        anna.on_invite = anna.ring_and_accept
        guest.send(ANNA, "now?")
        anna.message("now?")
        assert anna.bodies() == ["now?"]
        assert len(guest.journal.all("error")) == 1
    hasty_place.front_end.script.clear()


# --- INVITE and UPDATE within a session --------------------------------------

@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_another_medium_is_refused_and_the_chat_goes_on(
        anna, guest, line, method):
    chat, _ = anna.desk.invite(line, guest.jid)
    response = chat.reinvite(AUDIO) if method == "INVITE" else \
        chat.ask("UPDATE", AUDIO, [("Contact", f"<{anna.desk.gruu}>"), *SDP])
    assert response.status == 488
    assert response.get("Warning").startswith("304 ")
    both_ways(guest, chat)
    # And so is more than messages, while messages alone are fine.
    assert chat.reinvite(
        chat.offer.body + b"m=audio 5000 RTP/AVP 0\r\n").status == 488
    response = chat.reinvite()
    assert response.status == 200 and b"m=message" in response.body
    both_ways(guest, chat, "after it")
    assert chat.ask("BYE").status == 200


def test_an_invite_without_an_offer_gets_ours(anna, guest, line):
    """RFC 3261 13.2.1: the answer comes in the ACK; meanwhile another offer is
    too much (491, RFC 3261 14.2)."""
    chat, response = anna.desk.invite(line, guest.jid, body=b"",
                                      content_type="", ack=False)
    assert response.status == 200
    assert b"m=message" in response.body
    assert chat.reinvite().status == 491
    assert chat.ask("UPDATE", chat.offer.body or AUDIO, [
        ("Contact", f"<{anna.desk.gruu}>"), *SDP]).status == 491
    chat.ack(b"v=0\r\no=- 0 0 IN IP4 10.0.0.1\r\ns=session\r\n"
             b"m=message 5060 sip null\r\na=accept-types:text/plain\r\n",
             SDP, cseq=1)
    both_ways(guest, chat)
    response = chat.reinvite(b"", headers=[])
    assert response.status == 200 and b"m=message" in response.body
    both_ways(guest, chat, "after it")
    assert chat.ask("BYE").status == 200


def test_an_offer_of_ours_that_is_declined_ends_the_session(
        anna, guest, line):
    chat, response = anna.desk.invite(line, guest.jid, body=b"",
                                      content_type="", ack=False)
    assert response.status == 200
    chat.ack(AUDIO, SDP)
    assert anna.journal.wait("bye").call_id == chat.call_id
    guest.send(ANNA, "anew")
    anna.message("anew")
    assert len(anna.journal.all("invite")) == 1


def test_a_late_ack_is_waited_for(anna, guest, line):
    """The 200 is repeated after T1, 2 T1 ...; texts need not wait."""
    fe = anna.front_end
    chat, _ = anna.desk.invite(line, guest.jid, ack=False)
    both_ways(guest, chat)
    time.sleep(2)
    chat.ack(cseq=1)
    time.sleep(0.3)

    def answers():
        return len(fe.journal.all(
            "response", method="INVITE", status=200,
            response=lambda r: r.call_id == chat.call_id))

    count = answers()
    assert count >= 3               # at once, after 0.5 and 1.5 s
    time.sleep(2.5)
    assert answers() == count
    both_ways(guest, chat, "after it")
    assert chat.ask("BYE").status == 200


@pytest.mark.parametrize("asked, answered, required", [
    ("1800;refresher=uac", "1800;refresher=uac", True),
    ("1800;refresher=uas", "1800;refresher=uas", False),
    ("90", "90;refresher=uac", True),
], ids=["theirs", "ours", "open"])
def test_a_session_may_have_a_limit(
        anna, guest, line, asked, answered, required):
    """RFC 4028; the client refreshes by UPDATE or re-INVITE."""
    chat, response = anna.desk.invite(
        line, guest.jid, headers=[("Session-Expires", asked)])
    assert response.get("Session-Expires") == answered
    assert ("timer" in response.tokens("Require")) == required
    assert "timer" in response.tokens("Supported")
    both_ways(guest, chat)
    refresh = [("Supported", "timer"), ("Session-Expires", asked),
               ("Contact", f"<{anna.desk.gruu}>")]
    response = chat.ask("UPDATE", headers=refresh)
    assert response.status == 200
    assert response.get("Session-Expires") == answered
    response = chat.reinvite(headers=[*refresh[:2], *SDP])
    assert response.status == 200
    assert response.get("Session-Expires") == answered
    both_ways(guest, chat, "after it")
    assert chat.ask("BYE").status == 200


def test_too_short_a_session_is_refused_with_the_shortest(
        anna, guest, line):
    chat, response = anna.desk.invite(
        line, guest.jid, headers=[("Session-Expires", "30")])
    assert chat is None and response.status == 422
    assert response.get("Min-SE") == "90"
    chat, response = anna.desk.invite(
        line, guest.jid, headers=[("Session-Expires", "90"),
                                  ("Min-SE", "90"), ("Require", "timer")])
    assert response.status == 200
    # A refresh that is too short leaves the session as it was.
    assert chat.ask("UPDATE", headers=[
        ("Supported", "timer"), ("Session-Expires", "30"),
        ("Contact", f"<{anna.desk.gruu}>")]).status == 422
    both_ways(guest, chat)
    assert chat.ask("BYE").status == 200


def test_extensions_we_lack_are_named(anna, guest, line):
    chat, response = anna.desk.invite(
        line, guest.jid, headers=[("Require", "timer, 100rel"),
                                  ("Require", "replaces")])
    assert chat is None and response.status == 420
    assert response.tokens("Unsupported") == ["100rel", "replaces"]
    chat, _ = anna.desk.invite(line, guest.jid)
    response = chat.ask("PRACK", headers=[("RAck", "1 1 INVITE")])
    assert response.status in (405, 481)
    both_ways(guest, chat)
    assert chat.ask("BYE").status == 200


# --- the end -----------------------------------------------------------------

def test_both_hang_up_at_once(anna, guest, line):
    """The second BYE finds nothing; nothing is left either."""
    chat, _ = anna.desk.invite(line, guest.jid)
    both_ways(guest, chat)
    assert chat.ask("BYE").status == 200
    for method in ("BYE", "MESSAGE", "INFO"):
        assert chat.ask(method).status == 481
    guest.send(ANNA, "once more")
    assert anna.message("once more").call_id != chat.call_id


def test_a_bye_while_a_text_waits_loses_nothing(anna, guest):
    """She closes the window while texts of the contact are under way: those
    not yet taken come in a new one."""
    held = []

    def hold(entry, _):
        if held:
            return False
        held.append(entry)
        return True

    guest.send(ANNA, "one")
    chat = anna.chats[(anna.message("one").call_id, anna.desk.tag)]
    anna.on_message = hold
    guest.send(ANNA, "two")
    anna.message("two")
    guest.send(ANNA, "three")
    assert chat.ask("BYE").status == 200
    # She had seen it: the answer comes behind the BYE.
    anna.on_loop(anna.respond, held[0], 200, "OK")
    assert anna.message("three").call_id != chat.call_id
    assert anna.bodies() == ["one", "two", "three"]
    assert not guest.journal.all("error")
