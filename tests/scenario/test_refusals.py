"""What is more than a chat of two, what failed, and how either side is told.

A front end of the test's making on one side; on the other a partner's server
of the test's making, and a real Prosody with a real user.  The rows of
tests/vectors/errors.json go over the wire here.
"""

import itertools
import json
import os
import re
import time
import xml.etree.ElementTree as ET

import pytest

from lib import sip
from lib.control import ask
from lib.daemons import partner
from lib.front_end import FrontEnd
from lib.raw_partner import RawPartner, attribute, pong
from lib.site import Site

pytestmark = pytest.mark.once

ANNA = "anna@contoso.example"
BO = "bo@partner.example"
TEXT = [("Content-Type", "text/plain; charset=UTF-8")]
GATEWAY = "gw1.contoso.example"
VECTORS = os.path.join(os.path.dirname(__file__), "..", "vectors",
                       "errors.json")
with open(VECTORS, encoding="utf-8") as f:
    ROWS = json.load(f)
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def place():
    from conftest import Started
    site = Site("refusals", wide=False)
    site.front_end = FrontEnd(site.run, site.internal).start()
    config = site.gateway.config
    config["sip"]["pool"]["front_ends"] = [
        {"name": site.front_end.name,
         "address": f"{site.front_end.address}:{site.front_end.port}"}]
    config["timers"] = {"inward_ms": 4000, "outward_ms": 4000}
    RawPartner.zones(site, "raw.example", 72)
    RawPartner.zones(site, "dark.example", 73)      # nobody is there
    for domain in ("raw.example", "dark.example", "void.example"):
        config["partners"].append(partner(domain))
    site.prosody.modules += ["blocklist"]
    with Started(site) as site:
        site.raw = RawPartner(site, "raw.example", 72).start()
        yield site


@pytest.fixture
def front_end(place):
    yield place.front_end
    place.front_end.script.clear()


@pytest.fixture
def line(place, front_end):
    conn = front_end.connect(place.gateway)
    yield conn
    front_end.drop(conn)


@pytest.fixture
def bo(place):
    from conftest import visitor
    yield from visitor(place, BO)


@pytest.fixture
def raw(place):
    honest(place.raw)
    yield place.raw
    honest(place.raw)


def honest(peer):
    peer.server.on_stanza = lambda text, wire: (
        peer.answer(pong(text)) if attribute(text, "type") == "get" else None)


class Chat:
    """A Lync user's chat with a contact, on the wire."""

    def __init__(self, front_end, line, peer=BO):
        self.front_end, self.line, self.peer = front_end, line, peer
        self.invite = front_end.invite(line, ANNA, peer)
        self.cseq = 1
        self.response = front_end.transact(line, self.invite)
        assert self.response.status == 200
        self.acknowledge()

    def acknowledge(self):
        self.front_end.write(self.line, self.front_end.follow(
            self.line, self.invite, self.response, "ACK", self.cseq))

    def ask(self, method, body=b"", headers=()):
        self.cseq += 1
        response = self.front_end.transact(self.line, self.front_end.follow(
            self.line, self.invite, self.response, method, self.cseq, body,
            headers))
        if method == "INVITE":
            self.acknowledge()
        return response

    def say(self, text):
        return self.ask("MESSAGE", text.encode(), TEXT)

    def end(self):
        assert self.ask("BYE").status == 200


def diagnostics(response):
    found = re.match(r'(61\d{3});reason="([^"]*)";source="([^"]*)"',
                     response.get("ms-diagnostics"))
    assert found, response.headers
    assert found[3] == GATEWAY
    return int(found[1])


def headers_of(row):
    return [tuple(h.split(": ", 1)) for h in row["headers"]]


def as_told(row, response):
    """The answer is the row's, to the letter."""
    assert response.status == row["status"]
    assert diagnostics(response) == row["diagnostics"]
    name, value = row["header"].split(": ", 1)
    assert response.get(name) == value


def ids(rows):
    return [r["id"] for r in rows]


# --- what a Lync user asks beyond a chat ----------------------------------

OUTSIDE = [r for r in ROWS["refused"] if not r.get("in_dialog")]
WITHIN = [r for r in ROWS["refused"] if r.get("in_dialog")]


@pytest.mark.parametrize("row", OUTSIDE, ids=ids(OUTSIDE))
def test_an_invitation_gets_the_answer_of_its_row(front_end, line, row):
    invite = front_end.invite(line, ANNA, BO, body=row["body"].encode())
    named = {h[0].lower() for h in headers_of(row)} | {"content-type"}
    invite.headers = [h for h in invite.headers
                      if h[0].lower() not in named] + headers_of(row)
    response = front_end.transact(line, invite)
    if "cause" in row:
        as_told(row, response)
        return
    assert response.status == 200
    assert response.body.count(b"m=") == row["body"].count("m=") or \
        "parts" in row["id"]
    for method in ("ACK", "BYE"):
        request = front_end.follow(line, invite, response, method, 1)
        if method == "ACK":
            front_end.write(line, request)
        else:
            request.headers = [("CSeq", "2 BYE") if h[0] == "CSeq" else h
                               for h in request.headers]
            assert front_end.transact(line, request).status == 200


def test_what_is_asked_within_a_chat_leaves_it_alive(bo, front_end, line):
    """F12: refused in the row's way, and the next text passes."""
    chat = Chat(front_end, line)
    for row in WITHIN:
        response = chat.ask(row["method"], row["body"].encode(),
                            headers_of(row))
        if "cause" in row:
            as_told(row, response)
        else:
            assert response.status == 200, row["id"]
        assert chat.say(f"after {row['id']}").status == 200
        bo.message(body=f"after {row['id']}")
    chat.end()


@pytest.mark.parametrize("method, status", [
    ("REFER", 405), ("SERVICE", 405), ("PUBLISH", 405), ("REGISTER", 405),
    ("UNHEARDOF", 501), ("SUBSCRIBE", 489)])
def test_a_method_that_is_not_ours_is_refused_and_the_chat_goes_on(
        bo, front_end, line, method, status):
    chat = Chat(front_end, line)
    more = {"REFER": [("Refer-To", f"<sip:{ANNA}>")],
            "SUBSCRIBE": [("Event", "dialog"), ("Expires", "3600"),
                          ("Contact", f"<{front_end.gruu(ANNA)}>")],
            "PUBLISH": [("Event", "presence")]}.get(method, [])
    response = chat.ask(method, headers=more)
    assert response.status == status
    assert diagnostics(response) == 61004
    if status in (405, 501):
        allowed = response.tokens("Allow")
        assert "MESSAGE" in allowed and method not in allowed
    if status == 489:
        assert response.tokens("Allow-Events") == ["presence"]
    assert chat.say(f"after {method}").status == 200
    bo.message(body=f"after {method}")
    chat.end()


def test_an_extension_that_is_required_is_named(front_end, line):
    """A session of several, as clients without a server hold it."""
    response = front_end.transact(line, front_end.invite(
        line, ANNA, BO, headers=[
            ("Require", "com.microsoft.rtc-multiparty")]))
    assert response.status == 420
    assert response.get("Unsupported") == "com.microsoft.rtc-multiparty"
    assert diagnostics(response) == 61005


def test_a_file_of_an_older_client_is_declined_as_by_a_user(
        bo, front_end, line):
    chat = Chat(front_end, line)
    offer = ("Application-Name: File Transfer\r\n"
             "Application-GUID: {5D3E02AB-6190-11d3-BBBB-00C04F795683}\r\n"
             "Invitation-Command: INVITE\r\n"
             "Invitation-Cookie: 829604\r\n"
             "Application-File: plan.doc\r\n"
             "Application-FileSize: 4711\r\n").encode()
    kind = [("Content-Type", "text/x-msmsgsinvite; charset=UTF-8")]
    assert chat.ask("MESSAGE", offer, kind).status == 200
    request = front_end.journal.wait(
        "request", method="MESSAGE", call_id=chat.invite.call_id,
        request=lambda r: b"CANCEL" in r.body).request
    assert request.get("Content-Type") == kind[0][1]
    assert request.body.split(b"\r\n") == [
        b"Invitation-Command: CANCEL", b"Invitation-Cookie: 829604",
        b"Cancel-Code: REJECT", b""]
    assert chat.ask("MESSAGE", b"Invitation-Command: CANCEL\r\n"
                    b"Invitation-Cookie: 829604\r\n", kind).status == 200
    assert chat.say("no file, then").status == 200
    bo.message(body="no file, then")
    assert not [m for m in bo.journal.all("message")
                if "plan.doc" in m.body or "Invitation" in m.body]
    chat.end()


# --- what an XMPP user asks beyond a chat ---------------------------------

OFFERS = {
    "call": "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' "
            "sid='s1'><content creator='initiator' name='voice'>"
            "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/>"
            "</content></jingle>",
    "file": "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' "
            "sid='s2'><content creator='initiator' name='f'><description "
            "xmlns='urn:xmpp:jingle:apps:file-transfer:5'/></content>"
            "</jingle>",
    "si": "<si xmlns='http://jabber.org/protocol/si' id='a0' "
          "profile='http://jabber.org/protocol/si/profile/file-transfer'/>",
    "bytestreams": "<query xmlns='http://jabber.org/protocol/bytestreams' "
                   "sid='s3'/>",
    "ibb": "<open xmlns='http://jabber.org/protocol/ibb' block-size='4096' "
           "sid='s4' stanza='iq'/>",
    "rpc": "<query xmlns='jabber:iq:rpc'/>",
}
# Of what our users are said to support, nothing that is refused.
REFUSED = re.compile("jingle|/si$|/si/|bytestreams|ibb|muc|commands|rpc|"
                     "omemo|openpgp|remote-control")


@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("to", [ANNA, ANNA + "/lync"], ids=["bare", "full"])
def test_an_offer_from_xmpp_is_declined_at_once(bo, offer, to):
    begin = time.monotonic()
    answer = bo.iq(to, ET.fromstring(OFFERS[offer]), kind="set")
    assert answer["type"] == "error"
    assert answer["error"]["condition"] == "service-unavailable"
    assert answer["error"]["text"] == ""
    assert str(answer["from"]) == to
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize("to", [ANNA, "no.such.person@contoso.example"],
                         ids=["somebody", "nobody"])
def test_a_call_that_is_proposed_by_message_stops_ringing(raw, to):
    """XEP-0353, and no word of whether there is such a user."""
    id = f"call{next(NUMBERS)}"
    raw.answer(f"<message type='chat' id='{id}' from='rho@raw.example/tel' "
               f"to='{to}'><propose xmlns='urn:xmpp:jingle-message:0' "
               f"id='{id}'><description media='audio' "
               "xmlns='urn:xmpp:jingle:apps:rtp:1'/></propose>"
               "<store xmlns='urn:xmpp:hints'/></message>")
    answer = raw.server.journal.wait("stanza", text=lambda t: id in t).text
    assert answer.startswith("<message")
    assert attribute(answer, "from") == to
    assert attribute(answer, "to") == "rho@raw.example/tel"
    assert f"<reject xmlns='urn:xmpp:jingle-message:0' id='{id}'>" in answer


@pytest.mark.parametrize("to", [ANNA + "/lync", "contoso.example"],
                         ids=["user", "domain"])
def test_nothing_is_announced_that_is_refused(bo, to):
    answer = bo.iq(to, ET.fromstring(
        "<query xmlns='http://jabber.org/protocol/disco#info'/>"))
    features = [f.get("var") for f in answer.xml.iter(
        "{http://jabber.org/protocol/disco#info}feature")]
    if answer["type"] == "result":      # to contacts only
        assert features
    assert not [f for f in features if REFUSED.search(f)]


# --- errors from XMPP, told to the Lync user ------------------------------

STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"


def bounces():
    """Each error element of the rows, with the row that it belongs to."""
    for row in ROWS["xmpp_to_sip"]:
        if "xml" in row:
            yield row, row["xml"]
        for name in row.get("conditions", ()):
            yield row, (f"<error type='cancel'><{name} xmlns='{STANZAS}'/>"
                        f"<text xmlns='{STANZAS}'>{row.get('text', '')}"
                        "</text></error>")


@pytest.fixture(scope="module")
def talk(place):
    conn = place.front_end.connect(place.gateway)
    honest(place.raw)
    yield Chat(place.front_end, conn, "rho@raw.example")
    place.front_end.drop(conn)


@pytest.mark.parametrize("row, xml", list(bounces()), ids=[
    f"{row['id']}-{n}" for n, (row, _) in enumerate(bounces())])
def test_a_bounce_gets_the_answer_of_its_row(talk, raw, row, xml):
    def on_stanza(text, wire):
        if text.startswith("<message"):
            raw.answer(f"<message type='error' id='{attribute(text, 'id')}' "
                       f"from='rho@raw.example' to='{ANNA}'>{xml}</message>")
        elif attribute(text, "type") == "get":
            raw.answer(pong(text))

    raw.server.on_stanza = on_stanza
    response = talk.say(f"number {next(NUMBERS)}")
    assert response.status == row["status"]
    assert response.status != 503
    assert response.get("Retry-After", "0") == str(row.get("retry_after", 0))
    number = diagnostics(response)
    assert number == row.get("diagnostics", number)
    if "reason" in row:
        assert f'reason="{row["reason"]}"' in response.get("ms-diagnostics")


@pytest.mark.parametrize("domain, number, words", [
    ("dark.example", 61116, "refused"), ("void.example", 61115, "no ")])
def test_the_words_of_the_edge_stand_in_the_diagnostics(
        front_end, line, domain, number, words):
    """Why a partner is not reached is for the administrator to read."""
    chat = Chat(front_end, line, f"rho@{domain}")
    response = chat.say("anybody?")
    assert diagnostics(response) == number
    reason = re.search(r'reason="([^"]*)"', response.get("ms-diagnostics"))[1]
    assert words in reason.partition(": ")[2], reason
    chat.end()


def test_a_contact_who_has_blocked_her_looks_as_if_away(
        bo, front_end, line):
    """His server says no more, and neither do we."""
    chat = Chat(front_end, line)
    assert chat.say("before").status == 200
    bo.block(ANNA)
    try:
        response = chat.say("behind it")
        assert response.status == 480
        assert diagnostics(response) == 61118
    finally:
        bo.unblock(ANNA)
    assert chat.say("after").status == 200
    bo.message(body="after")
    chat.end()


# --- errors from the pool, told to the XMPP user --------------------------

REPORTED = [(r, s) for r in ROWS["sip_to_xmpp"] for s in r["statuses"]
            if r["next"] == "report" and not r.get("stranger")]
INSIDE = re.compile(r"SIP|Lync|sip:|gw1|fe2|edge1|pool|127\.|10\.|INVITE|"
                    r"MESSAGE|diagnostics|secret|Warning|[Gg]ateway|\b[3-6]\d\d\b")


def report_id(value):
    row, status = value
    return f"{row['id']}-{status}"


@pytest.fixture(scope="module")
def known(place):
    """Somebody a Lync user has written to: he may know what the pool says."""
    from conftest import visitor
    place.prosody.register("kim", "partner.example")
    for kim in visitor(place, "kim@partner.example"):
        conn = place.front_end.connect(place.gateway)
        chat = Chat(place.front_end, conn, kim.jid)
        assert chat.say("we know each other").status == 200
        chat.end()
        place.front_end.drop(conn)
        yield kim


def test_a_stranger_is_told_the_same_whatever_the_pool_says(
        place, front_end):
    """F21: who was never written to learns nothing about users."""
    from conftest import visitor
    row = next(r for r in ROWS["sip_to_xmpp"] if r["id"] == "F21")
    place.prosody.register("eve", "partner.example")
    seen = set()
    for eve in visitor(place, "eve@partner.example"):
        for status in row["statuses"]:
            front_end.script["INVITE"] = lambda m, c, status=status: c.send(
                m.answer(status, "Secret reason", "c3"))
            id = eve.send(ANNA, f"number {next(NUMBERS)}")
            seen.add(ET.tostring(eve.error(id=id).stanza.xml.find(
                "{jabber:client}error")))
    assert len(seen) == 1
    error = ET.fromstring(seen.pop())
    assert error.get("type") == row["type"]
    assert [c.tag for c in error] == [f"{{{STANZAS}}}{row['condition']}"]


@pytest.mark.parametrize("row, status", REPORTED, ids=[
    report_id(v) for v in REPORTED])
def test_a_refusal_of_the_pool_gets_the_error_of_its_row(
        known, front_end, row, status):
    def on_invite(message, conn):
        headers = [("ms-diagnostics", '4005;reason="fe2.contoso.example: '
                    'secret reason";source="fe2.contoso.example"')]
        if "warning" in row:
            headers.append(("Warning", f'{row["warning"]} fe2 "secret"'))
        if "contact" in row:
            headers.append(("Contact", f"<{row['contact']}>"))
        conn.send(message.answer(status, "Secret reason", "c3", headers))

    front_end.script["INVITE"] = on_invite
    id = known.send(ANNA, f"number {next(NUMBERS)}")
    error = known.error(id=id)
    assert (error.condition, error.type) == (row["condition"], row["type"])
    assert row.get("text", "") in error.text
    assert error.sender == ANNA
    inner = ET.tostring(error.stanza.xml.find("{jabber:client}error"),
                        encoding="unicode")
    if "gone_to" in row:
        assert f">{row['gone_to']}<" in inner
    inner = inner.replace(STANZAS, "").replace("contoso.example", "")
    assert not INSIDE.search(inner), inner


# --- failures behind the 200 ----------------------------------------------

def late(raw, chat, text, condition="forbidden"):
    """A message that was accepted and comes back; its answer."""
    response = chat.say(text)
    stanza = raw.stanzas(text)[0]
    raw.answer(f"<message type='error' id='{attribute(stanza, 'id')}' "
               f"from='{chat.peer}' to='{ANNA}'><error type='auth'>"
               f"<{condition} xmlns='{STANZAS}'/><text xmlns='{STANZAS}'>"
               "words of theirs</text></error></message>")
    return response


def set_notices(place, form):
    place.gateway.config["notices"] = form
    place.gateway.write()
    assert ask(place.gateway.control, "reload")["restart"] == []


@pytest.fixture
def form(place):
    yield lambda form: set_notices(place, form)
    set_notices(place, "chat")


def requests(front_end, chat):
    return front_end.journal.all("request", call_id=chat.invite.call_id,
                                 method=lambda m: m != "ACK")


def test_late_failures_are_told_in_the_chat(place, raw, front_end, line):
    chat = Chat(front_end, line, "sigma@raw.example")
    assert late(raw, chat, "Are you coming to lunch at noon, or will it be "
                "later?").status == 200
    notice = front_end.journal.wait(
        "request", method="MESSAGE", call_id=chat.invite.call_id).request
    assert notice.text() == (
        '[Not delivered: "Are you coming to lunch at noon, or will\u2026". '
        'XMPP server: forbidden.]')
    assert sip.address_of(notice.get("From")) == chat.peer
    assert "theirs" not in notice.text()
    # Three more within the pause: their number, at its end.
    for n in range(3):
        assert late(raw, chat, f"and number {n}").status == 200
    more = front_end.journal.wait(
        "request", 15, method="MESSAGE", call_id=chat.invite.call_id,
        request=lambda r: "more" in r.text()).request
    assert more.text() == "[3 more messages could not be delivered.]"
    assert len(requests(front_end, chat)) == 2
    chat.end()


def test_late_failures_are_told_by_notification(
        place, raw, front_end, line, form):
    form("imdn")
    chat = Chat(front_end, line, "tau@raw.example")
    for text in ("first", "second"):
        response = late(raw, chat, text)
        assert response.status == 202
        number = response.get("Message-Id")
        notice = front_end.journal.wait(
            "request", method="NOTIFY", call_id=chat.invite.call_id,
            request=lambda r: f">{number}<".encode() in r.body).request
        assert notice.get("Content-Type") == "application/ms-imdn+xml"
        space = "{http://schemas.microsoft.com/rtc/2005/08/imdn}"
        root = ET.fromstring(notice.body)
        assert root.tag == space + "imdn"
        recipient = root.find(space + "recipient")
        assert recipient.get("uri") == f"<sip:{chat.peer}>"
        assert recipient.find(space + "status").text == "403"
        assert "61103;" in recipient.find(f"{space}entry/{space}value").text
        assert b"theirs" not in notice.body
    assert {r.method for r in requests(front_end, chat)} == {"NOTIFY"}
    # An endpoint that will have none of it gets the line.
    front_end.script["NOTIFY"] = lambda m, c: c.send(
        m.answer(489, "Bad Event"))
    assert late(raw, chat, "third").status == 202
    line_ = front_end.journal.wait(
        "request", method="MESSAGE", call_id=chat.invite.call_id).request
    assert '"third"' in line_.text()
    chat.end()


def test_late_failures_are_told_nobody(place, raw, front_end, line, form):
    form("off")
    chat = Chat(front_end, line, "upsilon@raw.example")
    mark = place.gateway.log.mark()
    assert late(raw, chat, "into the void").status == 200
    place.gateway.log.wait("bounce-late .*upsilon@raw.example", 5, mark)
    assert ask(place.gateway.control, "status")["late_failures"] > 0
    front_end.journal.none("request", 0.5, call_id=chat.invite.call_id,
                           method=lambda m: m != "ACK")
    chat.end()
