"""What XMPP clients say and Lync has no form for, as its user reads it: said by
slixmpp's own plugins on real servers."""

import time

import pytest

from lib.daemons import partner
from lib.ejabberd import Ejabberd
from lib.presence_site import QUICK
from lib.site import Site
from lib.xmpp_user import XmppUser

pytestmark = pytest.mark.once

ANNA = "anna@contoso.example"
LYNC = f"{ANNA}/lync"
LINK = "https://upload.partner.example/8f2c/photo.png"
PLUGINS = ("xep_0045", "xep_0066", "xep_0184", "xep_0203", "xep_0224",
           "xep_0249", "xep_0280", "xep_0308", "xep_0333", "xep_0380",
           "xep_0424", "xep_0444", "xep_0461")


class World:
    """One server with Bo, and the way to him."""

    def __init__(self, site, server, domain, rooms):
        self.site = site
        self.server = server
        self.domain = domain
        self.bo = f"bo@{domain}"
        self.room = f"plans@{rooms}"

    def login(self, resource="desk", plugins=PLUGINS, **more):
        # A receipt that the plugin asked for is the test's to wait for.
        return XmppUser(self.site.run, self.bo, self.server.address,
                        self.server.c2s, self.site.public.certificate,
                        resource=resource, plugins=plugins, **more).login()


def with_prosody():
    site = Site("features", wide=False)
    site.prosody.modules += ["carbons"]
    site.prosody.muc("rooms.partner.example")
    site.dns.zone("rooms.partner.example")
    site.dns.srv("rooms.partner.example", "xmpp.partner.example",
                 site.prosody.s2s)
    site.gateway.config["partners"][0]["AdditionalDomains"] = [
        "rooms.partner.example"]
    return site, World(site, site.prosody, "partner.example",
                       "rooms.partner.example")


def with_ejabberd():
    site = Site("features-e", wide=False, external_eku="both",
                external_srv_id=False)
    server = site.ejabberd = Ejabberd(site.run, site.dns, site.public)
    server.extra_modules = ("mod_carboncopy",)
    server.host("other.example")
    rooms = server.muc("other.example")
    server.register("bo", "other.example")
    site.dns.zone("other.example")
    for name in ("other.example", rooms):
        site.dns.srv(name, "xmpp.other.example", server.s2s)
    site.dns.a("xmpp.other.example", server.address)
    site.dns.forget_srv("contoso.example")
    server.srv_literal("contoso.example", site.edge.address, site.edge.port)
    site.gateway.config["partners"].append(partner("other.example", rooms))
    return site, World(site, server, "other.example", rooms)


@pytest.fixture(scope="module", params=["prosody", "ejabberd"])
def world(request):
    from conftest import Started
    site, world = (with_prosody if request.param == "prosody" else
                   with_ejabberd)()
    site.gateway.config["presence"] = dict(QUICK)
    with Started(site):
        if request.param == "ejabberd":
            site.ejabberd.start()
        # For the whole module: Bo sees Anna, so receipts are due.
        bo, anna = world.login(plugins=()), site.lync_user("anna")
        anna.publish()
        bo.subscribe(ANNA)
        bo.presence_of(ANNA, 30, type="subscribed")
        from conftest import leave
        leave(anna)
        bo.logout()
        yield world


@pytest.fixture
def bo(world):
    user = world.login()
    yield user
    user.logout()


@pytest.fixture
def anna(world):
    from conftest import employee
    yield from employee(world.site, "anna")


def ask_receipt(stanza):
    stanza["request_receipt"] = True


def said(bo, anna, text="lunch?"):
    """A message of Bo's that Anna has seen; returns its id."""
    id = bo.send(ANNA, text)
    anna.message(body=text)
    return id


# --- receipts ---------------------------------------------------------------

def test_a_receipt_comes_when_the_endpoint_has_the_message(bo, anna):
    id = bo.send(ANNA, "first")
    anna.message(body="first")

    def fill(stanza):
        stanza["body"] = "did you get it?"
        ask_receipt(stanza)
    id = bo.compose(ANNA, fill)
    taken = anna.message(body="did you get it?")
    receipt = bo.journal.wait("receipt", of=id)
    assert receipt.sender == LYNC
    assert receipt.at >= taken.at
    assert not bo.journal.all("error")


def test_no_receipt_while_nobody_has_taken_it_and_none_when_it_failed(
        bo, anna):
    said(bo, anna)
    anna.message_status = (480, "Temporarily Unavailable")
    anna.invite_status = (480, "Temporarily Unavailable")

    def fill(stanza):
        stanza["body"] = "hello?"
        ask_receipt(stanza)
    id = bo.compose(ANNA, fill)
    assert bo.error(id=id).condition == "recipient-unavailable"
    bo.journal.none("receipt", 1)


def test_while_her_client_rings_there_is_no_receipt_yet(bo, anna):
    anna.answer_after = 3.0

    def fill(stanza):
        stanza["body"] = "slowly"
        ask_receipt(stanza)
    id = bo.compose(ANNA, fill)
    anna.journal.wait("invite")
    bo.journal.none("receipt", 2)
    anna.message(body="slowly")
    bo.journal.wait("receipt", of=id)


def test_markers_are_taken_and_never_sent(bo, anna):
    anna.send(bo.jid, "seen?")
    arrived = bo.message(body="seen?")
    bo.plugin("xep_0333", "send_marker", LYNC, arrived.id, "displayed")
    bo.raw(f"<message to='{ANNA}' type='chat' id='k1'><body>mark me</body>"
           "<markable xmlns='urn:xmpp:chat-markers:0'/></message>")
    anna.message(body="mark me")
    anna.journal.none("message", 0.5)
    assert not bo.journal.all("error")
    assert not [m for m in bo.journal.all("message")
                if "chat-markers" in str(m.stanza)]


# --- messages about messages --------------------------------------------------

def test_a_correction_has_a_star(bo, anna):
    id = said(bo, anna, "at nune")

    def fill(stanza):
        stanza["body"] = "at noon"
        stanza["replace"]["id"] = id
    bo.compose(ANNA, fill)
    anna.message(body="* at noon")


def test_a_reaction_names_what_it_is_about(bo, anna):
    anna.send(bo.jid, "Shall we have lunch together at the new place?")
    arrived = bo.message(body=lambda b: "lunch" in b)
    bo.plugin("xep_0444", "send_reactions", LYNC, arrived.id, ["👍"])
    anna.message(
        body='reacted 👍 to: "Shall we have lunch together at the new…"')
    # All of them each time; taking one away is not told.
    bo.plugin("xep_0444", "send_reactions", LYNC, arrived.id, ["👍", "🎉"])
    anna.message(body=lambda b: b.startswith("reacted 🎉 to:"))
    bo.plugin("xep_0444", "send_reactions", LYNC, arrived.id, [])
    anna.journal.none("message", 1)


def test_a_retraction_names_what_was_withdrawn(bo, anna):
    id = said(bo, anna, "wrong window, sorry")
    bo.plugin("xep_0424", "send_retraction", ANNA, id)
    anna.message(body='[a message was withdrawn: "wrong window, sorry"]')


def test_a_reply_quotes_once(bo, anna):
    anna.send(bo.jid, "lunch?")
    arrived = bo.message(body="lunch?")

    def fill(stanza):
        stanza["body"] = "> lunch?\nyes, at noon"
        stanza["reply"]["to"] = LYNC
        stanza["reply"]["id"] = arrived.id
        stanza["feature_fallback"]["for"] = "urn:xmpp:reply:0"
        stanza["feature_fallback"]["fallback_body"]["start"] = "0"
        stanza["feature_fallback"]["fallback_body"]["end"] = "9"
    bo.compose(ANNA, fill)
    # Maybe in two forms: a line that begins so is a quotation to styling.
    anna.message(body=lambda b: "> lunch?\r\nyes, at noon\r\n" in b + "\r\n")


# --- files, time, attention -----------------------------------------------------

def test_an_uploaded_file_is_its_link(bo, anna):
    def fill(stanza):
        stanza["body"] = LINK
        stanza["oob"]["url"] = LINK
    bo.compose(ANNA, fill)
    anna.message(body=LINK)


def test_a_described_file_has_its_name_and_size(bo, anna):
    bo.raw(f"<message to='{ANNA}' type='chat' id='f1'><body>{LINK}</body>"
           "<file-sharing xmlns='urn:xmpp:sfs:0' disposition='inline'>"
           "<file xmlns='urn:xmpp:file:metadata:0'>"
           "<media-type>image/png</media-type><name>summit.png</name>"
           "<size>3032449</size></file><sources><url-data "
           "xmlns='http://jabber.org/protocol/url-data' "
           f"target='{LINK}'/></sources></file-sharing></message>")
    anna.message(body=f"summit.png (3 MB): {LINK}")


def test_a_message_that_waited_tells_when_it_was_written(bo, anna):
    bo.raw(f"<message to='{ANNA}' type='chat'><body>from yesterday</body>"
           "<delay xmlns='urn:xmpp:delay' stamp='2026-01-21T08:15:00Z'/>"
           "</message>")
    anna.message(body="[sent 2026-01-21 08:15 UTC] from yesterday")


def test_a_title_is_told(bo, anna):
    def fill(stanza):
        stanza["subject"] = "Plan"
        stanza["body"] = "see you"
    bo.compose(ANNA, fill, kind="normal")
    anna.message(body="[Plan] see you")
    assert anna.journal.wait("invite").request.get("Subject") == "Plan"


def test_a_call_for_attention_is_told(bo, anna):
    bo.plugin("xep_0224", "request_attention", ANNA)
    anna.message(body="[asks for your attention]")


# --- what is refused, and what is nobody's business ---------------------------

@pytest.mark.parametrize("inside", [
    "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/>"
    "<payload>aGk=</payload></encrypted>"
    "<encryption xmlns='urn:xmpp:eme:0' name='OMEMO' "
    "namespace='eu.siacs.conversations.axolotl'/>"
    "<body>I sent you an OMEMO encrypted message but your client "
    "does not support it.</body>",
    "<x xmlns='jabber:x:encrypted'>hQEMA</x><body>[encrypted]</body>",
    "<openpgp xmlns='urn:xmpp:openpgp:0'>hQEMA</openpgp>",
    "<body>?OTRv23?</body>",
], ids=["omemo", "pgp", "openpgp", "otr"])
def test_an_encrypted_message_is_refused_with_a_reason(bo, anna, inside):
    said(bo, anna)
    bo.raw(f"<message to='{ANNA}' type='chat' id='e1'>{inside}</message>")
    error = bo.error(id="e1")
    assert (error.condition, error.type) == ("not-acceptable", "modify")
    assert "encrypted" in error.text
    anna.journal.none("message", 0.5)


def test_a_rooms_invitation_is_declined_to_who_invited(world, bo, anna):
    bo.plugin("xep_0045", "join_muc", world.room, "bo")
    bo.presence_of(world.room, type="available")
    bo.plugin("xep_0045", "invite", world.room, ANNA, reason="come in")
    declined = bo.journal.wait("declined")
    assert declined.room == world.room
    assert declined.sender.startswith(ANNA)
    assert declined.reason == "This contact cannot take part in group chats."
    anna.journal.none("message", 0.5)
    anna.journal.none("invite", 0.1)


def test_a_direct_invitation_is_refused_with_a_reason(world, bo, anna):
    bo.raw(f"<message to='{ANNA}' id='i1'><x xmlns='jabber:x:conference' "
           f"jid='{world.room}'/><body>come to the room</body></message>")
    error = bo.error(id="i1")
    assert error.condition == "not-acceptable"
    assert "group chats" in error.text
    anna.journal.none("message", 0.5)


def test_a_groupchat_message_is_refused(bo, anna):
    bo.raw(f"<message to='{ANNA}' type='groupchat' id='g1'>"
           "<body>hi all</body></message>")
    assert bo.error(id="g1").condition == "service-unavailable"
    anna.journal.none("message", 0.5)


def test_carbons_stay_at_home(world, bo, anna):
    phone = world.login("phone")
    try:
        for user in (bo, phone):
            user.plugin("xep_0280", "enable")
        bo.send(ANNA, "once")
        anna.message(body="once")
        anna.send(bo.jid, "answer")
        bo.message(body="answer")
        anna.journal.none("message", 0.5)
        # A forged copy, straight to her.
        bo.raw(f"<message to='{ANNA}' type='chat'>"
               "<received xmlns='urn:xmpp:carbons:2'>"
               "<forwarded xmlns='urn:xmpp:forward:0'>"
               "<message xmlns='jabber:client' from='carl@contoso.example' "
               f"to='{bo.jid}'><body>forged</body></message></forwarded>"
               "</received></message>")
        bo.send(ANNA, "after it")
        anna.message(body="after it")
        assert not [m for m in anna.journal.all("message")
                    if "forged" in m.body]
    finally:
        phone.logout()


def test_what_is_sent_while_she_rings_and_taken_back_is_not_shown(bo, anna):
    anna.answer_after = 2.0
    bo.send(ANNA, "first")
    id = bo.send(ANNA, "not this")
    wrong = bo.send(ANNA, "tow")
    time.sleep(0.3)
    bo.plugin("xep_0424", "send_retraction", ANNA, id)
    bo.raw(f"<message to='{ANNA}' type='chat' id='c9'><body>two</body>"
           f"<replace id='{wrong}' xmlns='urn:xmpp:message-correct:0'/>"
           "</message>")
    anna.message(body="first")
    anna.message(body="two")
    anna.journal.none("message", 0.5)
