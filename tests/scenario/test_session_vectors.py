"""The rows of tests/vectors/sessions.json.

A row is played here step by step, or says by which tests it is held; those
must exist.
"""

import json
import os
import re
import threading
import time
from xml.etree import ElementTree

import pytest

from lib import sip
from lib.daemons import partner
from lib.front_end import FrontEnd
from lib.lync_devices import AUDIO, TEXT, LyncUser
from lib.raw_partner import RawPartner, pong
from lib.site import Site

pytestmark = pytest.mark.once

ANNA = "anna@contoso.example"
RAW = "raw.example"
TESTS = os.path.join(os.path.dirname(__file__), "..")
VCARD = ElementTree.Element("{vcard-temp}vCard")
CONFERENCE = (b'<Conferencing version="2.0"><focus-uri>sip:anna@contoso.example'
              b";gruu;opaque=app:conf:focus:id:X</focus-uri><subject/>"
              b'<im available="true"><first-im/></im></Conferencing>')

with open(os.path.join(TESTS, "vectors", "sessions.json"),
          encoding="utf-8") as file:
    ROWS = json.load(file)["sessions"]


def pool_site(name, **timers):
    site = Site(name, wide=False)
    site.front_end = FrontEnd(site.run, site.internal).start()
    front_ends = site.gateway.config["sip"]["pool"]["front_ends"]
    front_ends[:] = [{"name": site.front_end.name,
                      "address": f"{site.front_end.address}:"
                                 f"{site.front_end.port}"}]
    site.gateway.config["timers"] = timers
    return site


@pytest.fixture(scope="module")
def usual():
    from conftest import Started
    site = pool_site("vectors")
    RawPartner.zones(site, RAW, 25)
    site.gateway.config["partners"].append(partner(RAW))
    with Started(site) as site:
        yield site


@pytest.fixture(scope="module")
def hasty():
    from conftest import Started
    with Started(pool_site("vectors2", idle_seconds=2,
                           inward_ms=3000)) as site:
        yield site


class Play:
    """A row's actors; each step is a method."""

    def __init__(self, place, guest, line):
        self.guest_user = guest
        self.line = line
        self.user = LyncUser(place.front_end, ANNA)
        self.chats = {}

    def device(self, name):
        return getattr(self.user, name)

    # --- the contact ------------------------------------------------------

    def guest(self, text):
        self.guest_user.send(ANNA, text)

    def active(self):
        self.guest_user.raw(
            f"<message to='{ANNA}' type='chat'><active "
            "xmlns='http://jabber.org/protocol/chatstates'/></message>")
        # Answered behind it, by the gateway.
        self.guest_user.iq(ANNA, VCARD)

    def reached(self, text):
        self.guest_user.message(body=text)

    def reached_once(self, text):
        assert len(self.guest_user.journal.all("message", body=text)) == 1

    def gone(self):
        self.guest_user.journal.wait("state", state="gone")

    def no_gone(self, seconds):
        self.guest_user.journal.none("state", seconds, state="gone")

    def error(self, condition):
        assert self.guest_user.error().condition == condition

    def no_error(self):
        assert not self.guest_user.journal.all("error")

    # --- the Lync user ----------------------------------------------------

    def hold(self, seconds, text):
        def on_message(entry, _):
            if entry.body != text:
                return False
            self.user.front_end.run.loop.call_later(
                seconds, self.user.respond, entry, 200, "OK")
            return True
        self.user.on_message = on_message

    def ring(self):
        self.user.on_invite = self.user.ring

    def invite(self, name, status, what=None, header=None, value=""):
        more = {"conference": {"body": CONFERENCE, "content_type":
                               "application/ms-conf-invite+xml"},
                "audio": {"body": AUDIO}, None: {}}[what]
        chat, response = self.device(name).invite(
            self.line, self.guest_user.jid, **more)
        assert response.status == status
        assert header is None or value in response.get(header)
        self.chats[name] = chat

    def anna(self, name, text, status):
        assert self.chats[name].say(text).status == status

    def ask(self, name, method, status, header=None, value=""):
        response = self.chats[name].ask(method)
        assert response.status == status
        assert header is None or value in response.tokens(header)

    def arrived(self, text):
        self.user.message(text)

    def texts(self, *texts):
        assert self.user.bodies() == list(texts)

    def our_invite(self):
        self.user.invited()

    def our_cancel(self):
        self.user.journal.wait("cancel")

    def our_bye(self):
        self.user.journal.wait("bye")

    def new_invite(self):
        first, second = self.user.journal.all("invite")
        for name in ("Call-ID", "Ms-Conversation-ID"):
            assert first.request.get(name) != second.request.get(name)

    # --- both -------------------------------------------------------------

    def wait(self, seconds):
        time.sleep(seconds)


def somebody(place):
    from conftest import visitor
    name = f"g{sip.token(4)}"
    place.prosody.register(name, "partner.example")
    return visitor(place, f"{name}@partner.example")


@pytest.mark.parametrize("row", [r for r in ROWS if "steps" in r],
                         ids=lambda r: r["id"])
def test_a_row_is_played(request, row):
    place = request.getfixturevalue(row["place"])
    line = place.front_end.connect(place.gateway)
    for guest in somebody(place):
        play = Play(place, guest, line)
        for step, *arguments in row["steps"]:
            getattr(play, step.replace("-", "_"))(*arguments)
        play.user.on_message = None
        place.front_end.script.clear()
    place.front_end.drop(line)


@pytest.mark.parametrize("row", [r for r in ROWS if "steps" not in r],
                         ids=lambda r: r["id"])
def test_a_row_is_held_elsewhere(row):
    for where in row["by"]:
        path, name = where.split("::")
        with open(os.path.join(TESTS, path), encoding="utf-8") as file:
            assert re.search(rf"^(def )?{name}\(", file.read(), re.M), where


def test_every_row_is_there_once():
    ids = [r["id"] for r in ROWS]
    assert len(set(ids)) == len(ids)
    assert {f"K{i}" for i in range(1, 18)} <= set(ids)


def test_a_gateway_killed_behind_a_200_loses_nothing(usual):
    """The client's 200 is on its way when the gateway dies.  The edge gives
    the text to the next start: better twice than lost."""
    anna = LyncUser(usual.front_end, ANNA)
    for guest in somebody(usual):
        guest.send(ANNA, "before")
        anna.message("before")
        killed = threading.Event()

        def kill(entry, _):
            if entry.body == "cut off" and not killed.is_set():
                usual.gateway.kill()
                killed.set()
            return False            # 200 all the same, to nobody

        anna.on_message = kill
        id = guest.send(ANNA, "cut off")
        anna.message("cut off")
        assert killed.wait(20)
        usual.gateway.start()
        # In a new dialog; its INVITE has the text, too.
        anna.message("cut off", timeout=30)
        guest.send(ANNA, "after")
        anna.message("after")
        assert not guest.journal.all("error", id=id)
        assert anna.bodies() == ["before", "cut off", "cut off", "after"]
    usual.front_end.script.clear()
    usual.edge.await_open()


def test_a_message_held_for_ten_seconds_gets_one_100(usual):
    """RFC 4320: no 100 before Timer E would have reached T2."""
    raw = RawPartner(usual, RAW, 25).start()
    held = []

    def on_stanza(text, wire):
        if not text.startswith("<iq"):
            return
        if not raw.server.journal.all("stanza", text=lambda t: "hold me" in t):
            raw.answer(pong(text))      # the trial ping of a new stream
            return
        held.append(text)

    raw.server.on_stanza = on_stanza
    line = usual.front_end.connect(usual.gateway)
    anna = LyncUser(usual.front_end, ANNA)
    chat, _ = anna.desk.invite(line, f"rho@{RAW}")
    request = chat.request("MESSAGE", b"hold me", TEXT)
    begin = time.monotonic()
    anna.front_end.write(line, request)

    def answers():
        return [(e.status, e.at - begin) for e in anna.front_end.journal.all(
            "response", method="MESSAGE",
            response=lambda r: r.call_id == chat.call_id)]

    time.sleep(10)
    assert held
    raw.answer(pong(held[0]))
    time.sleep(1)
    (trying, at), (final, end) = answers()
    assert trying == 100 and 3.4 < at < 5
    assert final == 200 and 10 <= end < 11
    assert chat.ask("BYE").status == 200
    usual.front_end.drop(line)
    usual.front_end.script.clear()
    raw.stop()
