"""Public providers, the licences that they take, and the rights that are
about them alone, changed with the operator's command while people talk and
see each other; observed at both far ends, until it is as it was."""

import re

import pytest

from lib import settings
from lib.daemons import partner
from lib.front_end import sdp
from lib.open_pair import LiveSite, opened
from lib.windows import Chat, call, diagnosis, refused

pytestmark = pytest.mark.once

PUBLIC = "public.example"
CAL = "Standard CAL"


@pytest.fixture(scope="module")
def site():
    from conftest import Started
    site = LiveSite("live-providers", rows=[partner(PUBLIC)])
    with Started(site) as site:
        yield site


def begin(site, provider):
    """As each test finds it: Skype is in service, and who is granted the
    policy may talk to its people."""
    settings.commit(
        site.gateway,
        settings.change("provider", "Skype", "PUT", {"EndDate": ""}),
        settings.change("policy", "Pic", "PUT", {
            "EnableFederationAccess": True, "EnableXmppAccess": True,
            "EnablePublicCloudAccess": True}),
        settings.change("partner", PUBLIC, "PATCH", {"Provider": provider}))


@pytest.fixture
def pair(site):
    """Everything is open, and nothing that Skype takes is missing."""
    def prepare(pair):
        site.do("policy", "grant", pair.anna, "--PolicyName", "Pic")
        site.do("licence", "new", f"{pair.anna} {CAL}")

    begin(site, "Skype")
    with opened(site, PUBLIC, prepare) as pair:
        try:
            yield pair
        finally:
            begin(site, "")


def bind(site, provider):
    site.do("partner", "set", PUBLIC, "--Provider", provider)


def provider(member, value, name="Skype"):
    return ("provider", "set", name, f"--{member}", value)


def licence(user, member, value):
    return ("licence", "set", f"{user} {CAL}", f"--{member}", value)


def policy(member, value):
    return ("policy", "set", "Pic", f"--{member}", value)


NO_LICENCE = "User has no licence for the public provider: "
LICENCE = "User's licence for the public provider "
NO_CLOUD = "EnablePublicCloudAccess is off in the user's policy: Skype"


@pytest.mark.parametrize("do, undo, id, words", [
    (provider("Enabled", "false"), provider("Enabled", ""), 61070,
     "Public provider is disabled: Skype"),
    (provider("StartDate", "2099-01-01"), provider("StartDate", "2013-05-01"),
     61071, "Public provider is not in service yet: Skype"),
    (provider("EndDate", "2025-05-05"), provider("EndDate", ""), 61072,
     "Public provider has ended its service: Skype"),
    (provider("Licences", f"{CAL}, PIC USL"), provider("Licences", CAL),
     61075, NO_LICENCE + "PIC USL"),
    (policy("EnablePublicCloudAccess", "false"),
     policy("EnablePublicCloudAccess", "true"), 61026, NO_CLOUD),
], ids=lambda x: x[-2].strip("-") if isinstance(x, tuple) else "")
def test_what_may_be_missing(site, pair, do, undo, id, words):
    site.do(*do)
    pair.is_closed(id, words)
    site.do(*undo)
    pair.is_open()


@pytest.mark.parametrize("member, value, id, words", [
    ("From", "2099-01-01", 61076, "is not valid yet"),
    ("Until", "2025-12-31", 61077, "has expired")])
def test_from_when_and_until_when_she_holds_a_licence(site, pair, member,
                                                      value, id, words):
    site.do(*licence(pair.anna, member, value))
    pair.is_closed(id, f"{LICENCE}{words}: {CAL}")
    site.do(*licence(pair.anna, member, ""))
    pair.is_open()


def test_who_holds_a_licence(site, pair):
    site.do("licence", "remove", f"{pair.anna} {CAL}")
    pair.is_closed(61075, NO_LICENCE + CAL)
    site.do("licence", "new", f"* {CAL}")
    pair.is_open()
    pair.goes_on(lambda: site.do("licence", "new", f"{pair.anna} {CAL}"))
    pair.goes_on(lambda: site.do("licence", "remove", f"* {CAL}"))


def test_which_right_a_route_takes(site, pair):
    site.do(*provider("Route", "XMPP"))
    pair.goes_on(lambda: site.do(*policy("EnablePublicCloudAccess", "false")))
    site.do(*provider("Route", "SIP"))
    pair.is_closed(61026, NO_CLOUD)
    site.do(*policy("EnablePublicCloudAccess", "true"))
    pair.is_open()


def test_which_provider_a_partner_is(site, pair):
    pair.goes_on(lambda: bind(site, ""))
    bind(site, "Yahoo!")
    pair.is_closed(61072, "Public provider has ended its service: Yahoo!")
    bind(site, "Skype")
    pair.is_open()


def test_a_provider_without_messages(site, pair):
    """The chats end; whom they see they see."""
    site.do(*provider("InstantMessaging", "false"))
    words = "Public provider has no instant messages: Skype"
    byes = (pair.chat.ended(), site.pool.journal.wait(
        "request", method="BYE", call_id=pair.begun).request)
    assert [diagnosis(b) for b in byes] == 2 * [(None, 61073, words)]
    assert refused(site, pair.anna, pair.bo_jid) == (403, 61073, words)
    pair.looks_like_nobody("message")
    pair.bo.show("dnd")
    pair.endpoint.notice(watch=pair.watch, show="busy")
    site.pool.publish(pair.anna, number=6500)
    pair.bo.presence_of(pair.anna, show="dnd")
    site.do(*provider("InstantMessaging", "true"))
    pair.talk()


def test_a_provider_without_presence(site, pair):
    """They leave each other's sight, and go on talking."""
    site.do(*provider("Presence", "false"))
    for user in (pair.bo, pair.cleo):
        user.presence_of(pair.anna, type="unavailable")
    pair.endpoint.notice(watch=pair.watch, show="offline")
    again = pair.endpoint.add(pair.bo_jid).response
    assert diagnosis(again) == (403, 61074,
                                "Public provider has no presence: Skype")
    assert not site.pool.live(pair.anna)
    assert pair.chat.say("unseen") == 200
    pair.bo.message(body="unseen")
    pair.cleo.send(pair.anna, "unseen as well")
    assert site.pool.journal.wait(
        "request", method="MESSAGE", request=lambda r:
        r.body == b"unseen as well").call_id == pair.begun
    site.do(*provider("Presence", "true"))
    pair.is_open()


def test_a_description_disturbs_nobody(site, pair):
    pair.goes_on(lambda: site.do(*provider("Description", "gone, alas")))
    assert "gone, alas" in site.do("provider", "list", "--list")
    pair.goes_on(lambda: site.do(*provider("Description", "")))


# --- calls ---------------------------------------------------------------------

NO_CALLS = (403, 61027, "EnablePublicCloudAudioVideoAccess is off in the "
            "user's policy: Skype")
NO_VIDEO = (488, 61079, "Public provider has no video: Skype")
NEVER = (488, 61042, "Audio and video are not supported")


def called(pair, *media):
    """What her client is told that calls him, anew and out of the chat that
    is open; it goes on."""
    inside = pair.chat.ask(
        "INVITE", sdp("192.0.2.7", "sip null") + call(*media).partition(
            b"t=0 0\r\n")[2], "application/sdp")
    anew = refused(pair.site, pair.anna, pair.bo_jid, body=call(*media))
    assert diagnosis(inside) == anew
    return anew


def test_whether_she_may_call(site, pair):
    """XMPP carries no calls; but what she would lack anyway is told first."""
    assert called(pair, "audio") == NO_CALLS
    assert called(pair, "audio", "video") == NO_CALLS
    pair.goes_on(lambda: site.do(*policy(
        "EnablePublicCloudAudioVideoAccess", "true")))
    assert called(pair, "audio") == NEVER
    assert called(pair, "audio", "video") == NO_VIDEO
    site.do(*provider("EndDate", "", "Yahoo!"))
    site.do("licence", "new", f"{pair.anna} PIC USL")
    pair.goes_on(lambda: bind(site, "Yahoo!"))
    for media in ("audio", "video"):
        assert called(pair, media) == (
            488, 61078, "Public provider has no audio: Yahoo!")
    pair.goes_on(lambda: site.do(*policy(
        "EnablePublicCloudAudioVideoAccess", "")))
    assert called(pair, "audio")[1] == 61027
    # Of a partner that is no provider's there is nothing to lack.
    bind(site, "")
    assert called(pair, "audio", "video") == NEVER


# --- what an administrator sees ----------------------------------------------------

def test_what_a_provider_had_is_not_to_be_set(site):
    for member, value in (("Audio", "false"), ("Video", "true")):
        assert site.do(*provider(member, value), status=2) == ""


COULD = ["True", "True", "True"]        # enabled, messages, presence
TABLE = {
    "America Online": [*COULD, "False", "False", "SIP", CAL, "2014-06-30",
                       "ended"],
    "Google Talk": [*COULD, "False", "False", "XMPP", "2017-06-26", "ended"],
    "Skype": [*COULD, "True", "False", "SIP", CAL, "2025-05-05", "ended"],
    "Windows Live": [*COULD, "True", "True", "SIP", CAL, "2013-03-15",
                     "ended"],
    "Yahoo!": [*COULD, "False", "False", "SIP", f"PIC USL, {CAL}",
               "2014-06-30", "ended"],
}


def table(site):
    head, *rows = site.do("provider", "list").splitlines()
    assert head.split() == [
        "PROVIDER", "ENABLED", "IM", "PRESENCE", "AUDIO", "VIDEO", "BY",
        "LICENCES", "UNTIL", "TODAY"]
    return {r[0]: r[1:] for r in (re.split(r" {2,}", l) for l in rows)}


def test_the_table_is_as_of_today(site):
    """As history has it when nothing is laid over it."""
    for name in ("Skype", "Yahoo!"):
        for member in ("StartDate", "EndDate"):
            site.do(*provider(member, "$Null", name))
    assert table(site) == TABLE
    assert site.do("provider", "get") == site.do("provider", "list")
    for member, value, today in (("EndDate", "2099-12-31", "in service"),
                                 ("StartDate", "2099-01-01", "not begun"),
                                 ("Enabled", "false", "disabled")):
        site.do(*provider(member, value))
        assert table(site)["Skype"][-1] == today
    for member in ("StartDate", "EndDate", "Enabled"):
        site.do(*provider(member, "$Null"))
    assert table(site) == TABLE


def test_what_is_got_may_be_listed(site):
    for noun in ("partner", "policy", "site", "provider", "licence", "token",
                 "gateway-config", "access-edge"):
        assert site.do(noun, "list") == site.do(noun, "get")
