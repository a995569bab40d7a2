"""Display names both ways, and the cards that stand behind them."""

import time

import pytest

from lib.documents import BUSY, State
from lib.presence_site import PresenceSite

pytestmark = pytest.mark.once


@pytest.fixture(scope="module", params=["prosody", "ejabberd"])
def site(request):
    from conftest import Started
    with Started(PresenceSite("names", request.param)) as site:
        yield site


@pytest.fixture
def couple(site):
    couple = site.couple()
    yield couple
    couple.leave()


def card_of(iq):
    """(FN, NICKNAME) of an answer, or its error's condition."""
    if iq["type"] == "error":
        return iq["error"]["condition"]
    found = {e.tag.rpartition("}")[2]: e.text for e in iq.xml.iter()}
    return found.get("FN", ""), found.get("NICKNAME", "")


def test_her_name_is_in_the_request(couple):
    bo, endpoint = couple.login(), couple.endpoint()
    endpoint.display = "Anna Müller-Lüdenscheidt"
    endpoint.add(couple.bo)
    asked = bo.presence_of(couple.anna, type="subscribe")
    assert asked.nick == "Anna Müller-Lüdenscheidt"


@pytest.mark.parametrize("nick", [
    'Bo "the" \\Builder', "Bo 你好", "B" * 3000, "Bo\r\nX-Evil: 1",
    "&lt;sip:admin@contoso.example&gt;"])
def test_his_nick_is_her_question_s_name(site, couple, nick):
    """Quoted, bounded, and never more than a name."""
    bo = couple.login()
    if "&" in nick:
        bo.raw(f"<presence to='{couple.anna}' type='subscribe'><nick "
               f"xmlns='http://jabber.org/protocol/nick'>{nick}</nick>"
               "</presence>")
    else:
        bo.subscribe(couple.anna, nick=nick)
    request = site.pool.journal.wait("subscribe", user=couple.anna).request
    value = request.get("From")
    assert not request.all("X-Evil")
    quoted = value[1:value.rindex('"')]
    assert value.startswith('"') and len(quoted.encode()) <= 260
    plain = quoted.replace('\\"', '"').replace("\\\\", "\\")
    if len(nick) < 100 and "&" not in nick and "\r" not in nick:
        assert plain == nick
    assert value.endswith(f"<sip:{couple.bo}>;tag={request.tag('From')}"
                          ) or ";epid=" in value
    bo.presence_of(couple.anna, type="subscribed")


def test_without_a_nick_it_is_his_address(site, couple):
    bo = couple.login()
    bo.subscribe(couple.anna)
    request = site.pool.journal.wait("subscribe", user=couple.anna).request
    assert request.get("From").startswith(
        f'"{couple.bo.split("@")[0]}"') or \
        request.get("From").startswith(f"<sip:{couple.bo}>")


def test_the_name_on_his_card_reaches_her_device(couple):
    """Nobody sent a nick: the card is asked for, once he may be seen."""
    bo = couple.login()
    bo.publish_vcard("Bo Builder", "bobby")
    endpoint = couple.endpoint()
    watch = endpoint.add(couple.bo)
    bo.accept(couple.anna)
    endpoint.notice(watch=watch, show="online")
    end = time.monotonic() + 10
    while watch.seen.name not in ("Bo Builder", "bobby"):
        assert time.monotonic() < end, f"he is called {watch.seen.name!r}"
        bo.show("away", f"{end - time.monotonic():.1f}")
        time.sleep(0.5)


def test_a_nick_reaches_her_device(couple):
    bo = couple.login()
    bo.subscribe(couple.anna, nick="Bo the Nick")
    bo.presence_of(couple.anna, type="subscribed")
    endpoint = couple.endpoint()
    couple.anna_sees_bo(bo, endpoint)
    bo.show("dnd")
    assert endpoint.notice(show="busy").name == "Bo the Nick"


def test_who_may_see_her_may_have_her_card(site, couple):
    bo = couple.login()
    site.pool.publish(couple.anna, State(BUSY, name="Anna Schmidt",
                                         note="secret note"), quiet=True)
    bo.subscribe(couple.anna)
    bo.presence_of(couple.anna, type="available")
    iq = bo.vcard(couple.anna)
    assert card_of(iq)[0] == "Anna Schmidt"
    text = str(iq)
    assert "secret" not in text and "PHOTO" not in text and "TEL" not in text


def test_who_may_not_gets_none(couple):
    bo = couple.login()
    assert card_of(bo.vcard(couple.anna)) == "service-unavailable"


def test_her_client_answers_who_may_see_her(couple):
    """Disco, version and ping of the one resource she has."""
    import slixmpp
    bo = couple.login()
    couple.bo_sees_anna(bo)
    sender = bo.journal.all("presence", bare=couple.anna,
                            type="available")[0].sender

    def ask(payload):
        return bo.iq(sender, slixmpp.xmlstream.ET.fromstring(payload))

    info = str(ask("<query xmlns='http://jabber.org/protocol/disco#info'/>"))
    assert "http://jabber.org/protocol/chatstates" in info
    assert "client" in info
    for feature in ("omemo", "jingle", "xhtml-im"):
        assert feature not in info
    pong = ask("<ping xmlns='urn:xmpp:ping'/>")
    assert pong["type"] == "result"
    strange = ask("<query xmlns='jabber:iq:last'/>")
    assert strange["type"] == "error"


def test_an_avatar_does_not_pass(couple):
    bo, endpoint = couple.login(), couple.endpoint()
    watch = couple.anna_sees_bo(bo, endpoint)
    bo.show("away", more="<x xmlns='vcard-temp:x:update'><photo>"
            "sha1-hash-all-phones-would-fetch</photo></x>")
    seen = endpoint.notice(watch=watch, show="away")
    assert b"sha1" not in seen.request.body
