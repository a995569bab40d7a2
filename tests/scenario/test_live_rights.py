"""Each parameter of policies, sites, grants and the access edge, changed with
the operator's command while people talk and see each other; observed at both
far ends, until it is as it was."""

import json

import pytest

from lib.documents import OFFLINE
from lib.open_pair import LiveSite, opened
from lib.strangers import TRIES, answers_of
from lib.windows import Chat

pytestmark = pytest.mark.once

FEDERATION_OFF = "AllowFederatedUsers is off: there is no federation"
NEITHER = "User is not permitted to talk to XMPP partners"


def off(member):
    return f"{member} is off in the user's policy"


@pytest.fixture(scope="module")
def site():
    from conftest import Started
    with Started(LiveSite("live-rights")) as site:
        site.do("policy", "new", "Staff", "--EnableFederationAccess", "true",
                "--EnableXmppAccess", "true")
        site.do("policy", "new", "Nothing")
        yield site


@pytest.fixture
def pair(site):
    with opened(site, prepare=lambda p: site.do(
            "policy", "grant", p.anna, "--PolicyName", "Staff")) as pair:
        yield pair


def set_policy(name, member, value):
    return ("policy", "set", name, f"--{member}", value)


@pytest.mark.parametrize("member, id", [("EnableFederationAccess", 61024),
                                        ("EnableXmppAccess", 61025)])
def test_a_switch_of_her_policy(site, pair, member, id):
    site.do(*set_policy("Staff", member, "false"))
    pair.is_closed(id, off(member))
    assert site.ask("policy", "effective", pair.anna)["missing"] == \
        f"{member}-off"
    site.do(*set_policy("Staff", member, "true"))
    pair.is_open()


def test_the_policy_that_is_granted_to_her(site, pair):
    """Another one, one again, none: then the global one holds."""
    site.do("policy", "grant", pair.anna, "--PolicyName", "Nothing")
    pair.is_closed(61021, NEITHER)
    site.do("policy", "grant", pair.anna, "--PolicyName", "tag:Staff")
    pair.is_open()
    site.do("policy", "grant", pair.anna, "--PolicyName", "")
    pair.is_closed(61021, NEITHER)
    site.do("policy", "grant", pair.anna, "--PolicyName", "Staff")
    pair.is_open()


def test_the_global_policy(site, pair):
    """It holds as long as she has none of her own, and going back to its
    defaults is the end of it."""
    for member in ("EnableFederationAccess", "EnableXmppAccess"):
        site.do(*set_policy("global", member, "true"))
    pair.goes_on(lambda: site.do("policy", "grant", pair.anna,
                                 "--PolicyName", ""))
    site.do(*set_policy("global", "EnableXmppAccess", "false"))
    pair.is_closed(61025, off("EnableXmppAccess"))
    site.do(*set_policy("global", "EnableXmppAccess", "true"))
    pair.is_open()
    site.do("policy", "remove", "global")
    pair.is_closed(61021, NEITHER)
    site.do("policy", "grant", pair.anna, "--PolicyName", "Staff")
    pair.is_open()


def test_what_was_taken_away_stays_away_over_a_restart(site, pair):
    site.do(*set_policy("Staff", "EnableXmppAccess", "false"))
    try:
        pair.is_closed(61025, off("EnableXmppAccess"))
        site.gateway.restart()
        # Those outside are told once more where she stands: away.
        for user in (pair.bo, pair.cleo):
            user.presence_of(pair.anna, type="unavailable")
        pair.is_shut(61025, off("EnableXmppAccess"))
        for user in (pair.bo, pair.cleo):
            user.journal.none("presence", 0.2, bare=pair.anna,
                              type="available")
    finally:
        site.do(*set_policy("Staff", "EnableXmppAccess", "true"))
    pair.is_open()


def test_the_domains_of_a_site(site, pair):
    """The policy of her site holds from the moment on in which her domain is
    the site's, and no longer than that."""
    site.do("site", "new", "Redmond", "--SipDomains", "elsewhere.example")
    for member in ("EnableFederationAccess", "EnableXmppAccess"):
        site.do(*set_policy("global", member, "true"))
    site.do("policy", "new", "site:Redmond", "--EnableXmppAccess", "true")
    try:
        # Her own policy comes first.
        pair.goes_on(lambda: site.do("site", "set", "Redmond", "--SipDomains",
                                     "Add=contoso.example"))
        site.do("site", "set", "Redmond", "--SipDomains",
                "Remove=contoso.example")
        pair.goes_on(lambda: site.do("policy", "grant", pair.anna,
                                     "--PolicyName", ""))
        site.do("site", "set", "Redmond", "--SipDomains",
                "Add=contoso.example")
        pair.is_closed(61024, off("EnableFederationAccess"))
        site.do("site", "set", "Redmond", "--SipDomains",
                "Remove=contoso.example")
        pair.is_open()
        site.do("site", "set", "Redmond", "--SipDomains",
                "Add=contoso.example")
        pair.bo.presence_of(pair.anna, type="unavailable")
        site.do(*set_policy("site:Redmond", "EnableFederationAccess", "true"))
        pair.bo.presence_of(pair.anna, type="available")
        # User before site, site before global, each in its turn.
        site.do("policy", "remove", "global")
        pair.bo.journal.none("presence", 0.3, bare=pair.anna)
        site.do("site", "remove", "Redmond")
        pair.bo.presence_of(pair.anna, type="unavailable")
        site.do("policy", "grant", pair.anna, "--PolicyName", "Staff")
        pair.bo.presence_of(pair.anna, type="available")
    finally:
        site.do("policy", "remove", "site:Redmond")


def test_the_master_switch(site, pair):
    site.do("access-edge", "set", "--AllowFederatedUsers", "false")
    pair.is_closed(61023, FEDERATION_OFF)
    site.do("access-edge", "set", "--AllowFederatedUsers", "true")
    pair.is_open()


def test_what_another_pool_exported(site, pair):
    """A policy and a grant that are imported while they talk."""
    def imported(*objects):
        site.do("import", site.run.write("export.json", json.dumps(objects)),
                "--yes")

    def granted(policy):
        return {"SipAddress": f"sip:{pair.anna}",
                "ExternalAccessPolicy": policy}

    imported({"Identity": "Tag:Abroad", "Description": None, **{
        f"Enable{right}": right != "XmppAccess" for right in (
            "FederationAccess", "XmppAccess", "PublicCloudAccess",
            "PublicCloudAudioVideoAccess", "OutsideAccess")}},
             granted("Abroad"))
    pair.is_closed(61025, off("EnableXmppAccess"))
    imported(granted("Staff"))
    pair.is_open()


def test_what_is_not_about_partners_disturbs_nobody(site, pair):
    for member, value in (("EnablePublicCloudAccess", True),
                          ("EnablePublicCloudAudioVideoAccess", True),
                          ("EnableOutsideAccess", True),
                          ("Description", "of the staff")):
        pair.goes_on(lambda: site.do(*set_policy("Staff", member,
                                                 str(value).lower())))
        assert site.ask("policy", "get", "Staff")["object"][member] == value
        told = site.ask("policy", "effective", pair.anna)
        assert told["xmpp"] and told["rights"].get(member, value) == value
        pair.goes_on(lambda: site.do(*set_policy("Staff", member, "")))


# What is answered by how a subscription stands; the last two end it.
STANDING = ("probe", "subscribe", "subscribed", "unsubscribed", "unsubscribe")


def test_a_friend_hears_what_he_hears_of_one_who_is_away(site, pair):
    """Of her presence: she is away, and his subscription stands.  Whatever
    else he tries is answered as for one who does not exist."""
    away = site.couple()
    away.bo_sees_anna(pair.bo)
    site.pool.publish(away.anna, number=OFFLINE)
    pair.bo.presence_of(away.anna, type="unavailable")
    site.do(*set_policy("Staff", "EnableXmppAccess", "false"))
    try:
        pair.is_closed(61025, off("EnableXmppAccess"))
        pair.looks_like_nobody(*(n for n in TRIES if n not in STANDING))
        for name in (*STANDING, "probe"):
            answers = answers_of(pair.bo, (away.anna, pair.anna), name)
            assert answers[away.anna] == answers[pair.anna], (name, answers)
    finally:
        site.do(*set_policy("Staff", "EnableXmppAccess", "true"))


# --- the notice about archiving -----------------------------------------------

def test_the_notice_about_archiving(site, pair):
    """Who talks already is told with the next words, once.  Each conversation
    that begins from then on begins with what is set by then."""
    def set(member, value):
        site.do("access-edge", "set", f"--{member}", value)

    def begins(*told):
        window = Chat(site, pair.anna, pair.bo_jid)
        assert window.say("hello") == 200
        seen = []
        while seen[-1:] != ["hello"]:
            seen.append(pair.bo.message().body)
        assert seen == [*told, "hello"]
        window.hang_up()

    standard = "Messages of this conversation may be archived."
    pair.goes_on(lambda: set("EnableArchivingDisclaimer", "true"))
    try:
        assert pair.chat.say("once more") == 200
        pair.bo.message(body="once more")
        for user, said in ((pair.bo, ["still here", "once more"]),
                           (pair.cleo, [])):
            heard = [m.body for m in user.journal.all("message")]
            assert heard[heard.index(standard):] == [standard, *said]
            user.journal.settle()
        pair.chat.hang_up()
        begins(standard)
        set("ArchivingDisclaimer", "We keep <all> of it.")
        begins("We keep <all> of it.")
        set("EnableArchivingDisclaimer", "false")
        begins()
    finally:
        set("EnableArchivingDisclaimer", "")
        set("ArchivingDisclaimer", "")
