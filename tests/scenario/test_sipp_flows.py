"""Each flow as SIPp plays it in Lync's form, in the place of a front end.

The scenarios in sipp/ say of each trait where it is stated; those named
*_called wait for the gateway's call.
"""

import time

import pytest

from lib import sip
from lib.sipp import Bridge
from lib.site import Site

pytestmark = pytest.mark.once

ANNA = "anna@contoso.example"


@pytest.fixture(scope="module")
def place():
    from conftest import Started
    site = Site("flows", wide=False)
    site.bridge = Bridge(site.run, site.internal).start()
    site.gateway.config["sip"]["pool"].update(
        front_ends=[{"name": site.bridge.name,
                     "address": f"{site.bridge.address}:{site.bridge.port}"}],
        probe_seconds=0)
    with Started(site) as site:
        site.bridge.begin(site.gateway)
        site.bridge.journal.wait("accepted")
        yield site


@pytest.fixture
def bridge(place):
    return place.bridge


@pytest.fixture
def bo(place):
    """Somebody at the partner who has no chat yet."""
    from conftest import visitor
    name = f"bo{sip.token(4)}"
    place.prosody.register(name, "partner.example")
    for person in visitor(place, f"{name}@partner.example"):
        place.bridge.contact = name
        yield person


def said(text):
    return lambda body: body.strip() == text


def sent(bridge, method):
    return len(bridge.journal.all("sent", method=method))


def await_sent(bridge, method, count, timeout=10):
    """SIPp has sent so many of them, and the gateway has read the last."""
    end = time.monotonic() + timeout
    while sent(bridge, method) < count:
        assert time.monotonic() < end, f"no {method}"
        time.sleep(0.02)
    time.sleep(0.3)


def test_f1_a_lync_user_starts_a_chat(bridge, bo):
    play = bridge.play("f01_chat")
    bo.message(body=said("Hello"))
    bo.journal.wait("state", state="composing")
    bo.send(ANNA, "and hello to you")
    play.finish()


def test_f2_an_xmpp_user_starts_a_chat_with_two_endpoints(bridge, bo):
    play = bridge.play("f02_called")
    bo.send(ANNA, "one to anna")
    bo.send(ANNA, "two to anna")
    bo.message(body=said("from the second endpoint"))
    play.finish()
    assert not bo.journal.all("error")


def test_f2_the_client_takes_the_text_of_the_invite(bridge, bo):
    play = bridge.play("f02_toast_called")
    bo.send(ANNA, "one to anna")
    bo.send(ANNA, "two to anna")
    play.finish()
    assert not bo.journal.all("error")


def test_f3_she_goes_on_from_another_device(bridge, bo):
    first = bridge.play("f01_chat")
    bo.message(body=said("Hello"))
    acks = sent(bridge, "ACK")
    second = bridge.play("f03_other_device")
    await_sent(bridge, "ACK", acks + 1)
    bo.send(ANNA, "one to anna")
    second.finish()
    first.kill()


@pytest.mark.parametrize("status, more", [
    ("430 Flow Failed",
     "P-Dialog-Recovery-Action: Dialog-Route-Set-Update"),
    ("481 Call/Transaction Does Not Exist", 'ms-diagnostics: 1004;reason="x"'),
    ("480 Temporarily Unavailable", 'ms-diagnostics: 1006;reason="x"'),
    ("408 Request Timeout", 'ms-diagnostics: 1006;reason="x"'),
    ("504 Server Time-out", 'ms-diagnostics: 1007;reason="x"'),
], ids=lambda v: v[:3])
def test_f4_a_lost_dialog_is_followed_by_another(bridge, bo, status, more):
    lost = bridge.play("f04_lost_called", status=status, more=more)
    again = bridge.play("f04_again_called")
    bo.send(ANNA, "one to anna")
    bo.send(ANNA, "two to anna")
    lost.finish()
    again.finish()
    assert not bo.journal.all("error")


def test_f4_the_pool_heals_a_route(bridge, bo):
    play = bridge.play("f04_route_update")
    bridge.journal.wait("response", 10, method="UPDATE", status=200)
    bo.send(ANNA, "one to anna")
    play.finish()


def test_f5_dialogs_that_are_unknown(bridge):
    bridge.play("f05_unknown_dialog").finish()


def test_f6_a_message_without_a_dialog(bridge, bo):
    play = bridge.play("f06_page")
    bo.message(body=said("a page"))
    play.finish()


def test_f7_an_xmpp_user_watches_a_lync_user(bridge, bo):
    play = bridge.play("f07_watched_called")
    bo.subscribe(ANNA)
    bo.presence_of(ANNA, show="dnd")
    bo.unsubscribe(ANNA)
    play.finish()


def test_f8_f9_a_contact_is_added_and_removed(bridge, bo):
    play = bridge.play("f08_contact")
    bo.presence_of(ANNA, type="subscribe")
    bo.subscribed(ANNA)
    play.finish()


@pytest.mark.parametrize("scenario", [
    "f10_unknown", "f12_conference", "f12_audio", "f12_file",
    "f12_multiparty", "f13_connection"])
def test_what_is_refused_or_answered_at_once(bridge, scenario):
    bridge.play(scenario).finish()


def test_f10_a_body_that_is_no_text(bridge, bo):
    play = bridge.play("f10_body")
    bo.message(body=said("but this"))
    play.finish()


def test_f11_typing_of_an_xmpp_user(bridge, bo):
    play = bridge.play("f11_typing_called")
    bo.send(ANNA, "one to anna")
    bridge.journal.wait("request", method="MESSAGE",
                        request=lambda r: r.body == b"one to anna" and
                        bo.jid in r.get("From"))
    time.sleep(0.5)             # until SIPp has answered
    for state in ("composing", "paused"):
        bo.raw(f"<message to='{ANNA}' type='chat'><{state} "
               "xmlns='http://jabber.org/protocol/chatstates'/></message>")
        bridge.journal.wait("request", method="INFO")
        time.sleep(0.5)
    play.finish()


def test_f12_an_older_clients_file_and_a_transfer(bridge, bo):
    play = bridge.play("f12_old_file")
    bo.message(body=said("still here"))
    play.finish()
