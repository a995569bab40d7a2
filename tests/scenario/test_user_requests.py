"""Requests to a user pass the edge under an id of its own; questions of the
gateway pass it the other way, and only their answers come back."""

import json
import re
import time

import pytest

from lib.raw_partner import RawPartner
from test_edge_alone import Place, config

pytestmark = pytest.mark.once

BO = "bo@partner.example/desk"
ANNA = "anna@contoso.example"
CLIENT = ANNA + "/lync"
QUESTION = "spp-i0123456789abcdef"
VCARD = "<vCard xmlns='vcard-temp'/>"
DISCO = "<query xmlns='http://jabber.org/protocol/disco#info'/>"


class Desk:
    """One gateway and one partner of the test's making, an edge between."""

    def __init__(self, place, gateway, raw):
        self.place, self.gateway, self.raw = place, gateway, raw

    def ask(self, to, payload, id="q1", kind="get"):
        self.raw.answer(f"<iq type='{kind}' id='{id}' from='{BO}' to='{to}'>"
                        f"{payload}</iq>")

    def asked(self, **match):
        """The request as the gateway gets it; it is taken."""
        frame = self.gateway.wait("iq", kind="get", **match)
        self.take(frame)
        return frame

    def take(self, frame):
        self.gateway.send("result", answers=frame["seq"], status="delivered",
                          proof="gateway")

    def say(self, **fields):
        """An iq frame to the partner; its result."""
        seq = self.gateway.stanza("iq", **fields)
        return self.gateway.wait("result", answers=seq)

    def reply(self, frame, kind="result", **fields):
        return self.say(id=frame["id"], to=frame["from"], kind=kind,
                        request=frame["request"],
                        **{"from": frame["to"]}, **fields)

    def answer(self, id, timeout=10):
        """What the partner gets as the answer to its request."""
        return self.raw.server.journal.wait(
            "stanza", timeout,
            text=lambda t: t.startswith("<iq") and f"id='{id}'" in t).text


@pytest.fixture(scope="module")
def desk():
    place = Place()
    RawPartner.zones(place, "partner.example", 25)
    raw = None
    try:
        place.dns.start()
        place.edge.start()
        gateway = place.gateway()
        gateway.send("credit", result_seen=0, credit_seq=10000,
                     credit_bytes=1 << 40)
        gateway.send("config", json=config())
        assert gateway.wait("confirm")["status"] == "ok"
        place.await_door(True)
        raw = RawPartner(place, "partner.example", 25).start()
        yield Desk(place, gateway, raw)
        raw.stop()
        place.edge.stop(20)
        assert not place.edge.reports()
    finally:
        place.run.close()


def test_a_name_is_asked_and_told(desk):
    desk.ask(ANNA, VCARD, "v1")
    frame = desk.asked(request="vcard", to=ANNA)
    assert re.fullmatch("[0-9a-f]{32}", frame["id"])
    result = desk.reply(frame, answer={"fn": "Anna <A>"})
    assert result["status"] == "delivered"
    answer = desk.answer("v1")
    assert "<FN>Anna &lt;A&gt;</FN>" in answer and frame["id"] not in answer
    assert f"from='{ANNA}'" in answer and f"to='{BO}'" in answer
    # Once is all.
    again = desk.reply(frame, answer={"fn": "Eve"})
    assert again["condition"] == "item-not-found"


@pytest.mark.parametrize("payload, request_, answer, text", [
    (DISCO, "disco-info", {"identities": [{"category": "client",
                                           "type": "pc"}],
                           "features": ["urn:xmpp:ping"]},
     "<identity category='client' type='pc'/><feature var='urn:xmpp:ping'/>"),
    ("<query xmlns='http://jabber.org/protocol/disco#items'/>",
     "disco-items", {"items": []}, "disco#items"),
    ("<query xmlns='jabber:iq:version'/>", "version",
     {"name": "Sallyport", "version": "1"}, "<version>1</version>"),
    ("<time xmlns='urn:xmpp:time'/>", "time",
     {"tzo": "Z", "utc": "2026-11-21T08:00:00Z"}, "<tzo>Z</tzo>"),
    ("<ping xmlns='urn:xmpp:ping'/>", "ping", None, "type='result'/>"),
])
def test_each_request_that_passes(desk, payload, request_, answer, text):
    desk.ask(CLIENT, payload, "r-" + request_)
    frame = desk.asked(request=request_, to=CLIENT)
    more = {} if answer is None else {"answer": answer}
    assert desk.reply(frame, **more)["status"] == "delivered"
    assert text in desk.answer("r-" + request_)


def test_a_refusal_reaches_the_asker(desk):
    desk.ask(CLIENT, DISCO, "d1")
    frame = desk.gateway.wait("iq", kind="get", request="disco-info")
    desk.gateway.send("result", answers=frame["seq"], status="failed",
                      condition="service-unavailable")
    answer = desk.answer("d1")
    assert "<service-unavailable" in answer and "type='error'" in answer
    desk.ask(ANNA, VCARD, "d2")
    desk.reply(desk.asked(request="vcard"), kind="error",
               condition="item-not-found", error_type="cancel")
    assert "<item-not-found" in desk.answer("d2")


def test_two_who_use_the_same_id_get_their_own(desk):
    frames = []
    for name in "bo", "carl":
        desk.raw.answer(f"<iq type='get' id='same' "
                        f"from='{name}@partner.example/x' to='{ANNA}'>"
                        f"{VCARD}</iq>")
        frames.append(desk.asked(request="vcard"))
    assert frames[0]["id"] != frames[1]["id"]
    # Not to be exchanged.
    crossed = dict(frames[0], id=frames[1]["id"])
    assert desk.reply(crossed, answer={"fn": "x"})["status"] == "failed"
    for frame in reversed(frames):
        desk.reply(frame, answer={"fn": "for " + frame["from"]})
    for name in "bo", "carl":
        desk.raw.server.journal.wait(
            "stanza", 10, text=lambda t, n=name: "id='same'" in t
            and f"to='{n}@partner.example/x'" in t
            and f"<FN>for {n}@partner.example/x</FN>" in t)


def test_what_does_not_pass_is_answered_at_the_edge(desk):
    for n, (kind, payload) in enumerate([
            ("set", VCARD), ("get", "<query xmlns='jabber:iq:last'/>"),
            ("get", "<pubsub xmlns='http://jabber.org/protocol/pubsub'>"
                    "<items node='urn:xmpp:avatar:data'/></pubsub>")]):
        desk.ask(CLIENT, payload, f"n{n}", kind)
        assert "<service-unavailable" in desk.answer(f"n{n}")


def test_a_contacts_name_is_asked_and_told(desk):
    result = desk.say(id=QUESTION, to="bo@partner.example", kind="get",
                      request="vcard", **{"from": ANNA})
    assert result["status"] == "delivered"
    assert "<vCard xmlns='vcard-temp'/>" in desk.answer(QUESTION)
    head = f"from='bo@partner.example' to='{ANNA}'"
    # Not ours: neither gets inside.
    for id in "v1", QUESTION[:-1], QUESTION.replace("spp", "sp2"):
        desk.raw.answer(f"<iq type='result' id='{id}' {head}>"
                        "<vCard xmlns='vcard-temp'><FN>Eve</FN></vCard></iq>")
    desk.raw.answer(
        f"<iq type='result' id='{QUESTION}' {head}><vCard xmlns='vcard-temp'>"
        "<FN>Bo B.</FN><NICKNAME>bo</NICKNAME><PHOTO><TYPE>image/png</TYPE>"
        "<BINVAL>AAAA</BINVAL></PHOTO><TEL><NUMBER>1</NUMBER></TEL>"
        "</vCard></iq>")
    frame = desk.gateway.wait("iq", kind="result")
    assert frame["id"] == QUESTION and frame["from"] == "bo@partner.example"
    told = frame["answer"]
    told = json.loads(told) if isinstance(told, (str, bytes)) else told
    assert told == {"fn": "Bo B.", "nickname": "bo"}
    desk.take(frame)


def test_a_question_needs_an_id_of_our_form(desk):
    result = desk.say(id="v7", to="bo@partner.example", kind="get",
                      request="vcard", **{"from": ANNA})
    assert result["condition"] == "bad-request"


def test_presence_says_all_it_may(desk):
    desk.raw.answer(
        f"<presence from='{BO}' to='{ANNA}' xml:lang='de'><show>away</show>"
        "<status>Essen</status><priority>-5</priority>"
        "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' "
        "ver='v='/><x xmlns='vcard-temp:x:update'><photo/></x>"
        "<idle xmlns='urn:xmpp:idle:1' since='2026-11-21T08:00:00Z'/>"
        "<delay xmlns='urn:xmpp:delay' stamp='2026-11-21T08:00:01Z'/>"
        "<geoloc xmlns='http://jabber.org/protocol/geoloc'/></presence>")
    frame = desk.gateway.wait("presence", kind="available")
    desk.take(frame)
    for name in "seq", "stream", "from", "to", "kind":
        del frame[name]
    assert frame == {
        "show": "away", "status-text": "Essen", "language": "de",
        "priority": 123, "caps": "n#v=", "avatar-hash": "",
        "idle-since": 1795248000000, "delay": 1795248001000}
    desk.gateway.stanza(
        "presence", to=BO, kind="available", show="xa", priority=128,
        status_text="Außer Haus", language="de", caps="n#v=",
        idle_since=1795248000000, **{"from": CLIENT})
    text = desk.raw.server.journal.wait(
        "stanza", 10, text=lambda t: t.startswith("<presence")).text
    for part in ("xml:lang='de'", "<show>xa</show>", "ver='v='",
                 "<status>Außer Haus</status>", "<priority>0</priority>",
                 "since='2026-11-21T08:00:00Z'"):
        assert part in text
    desk.gateway.stanza(
        "presence", to="bo@partner.example", kind="subscribe", nick="Anna A.",
        **{"from": ANNA})
    desk.raw.server.journal.wait(
        "stanza", 10, text=lambda t: "type='subscribe'" in t
        and ">Anna A.</nick>" in t)


def test_a_request_without_an_answer_ends(desk):
    desk.ask(CLIENT, DISCO, "late")
    desk.asked(request="disco-info")
    begun = time.monotonic()
    assert "<remote-server-timeout" in desk.answer("late", 45)
    assert time.monotonic() - begun > 25
