"""Who may talk to partners, changed while they do: external access policies,
public providers, licences; seen from both sides."""

import re
from contextlib import contextmanager

import pytest

from lib import settings, sip
from lib.daemons import partner
from lib.presence_site import PresenceSite
from lib.strangers import ANSWERED, answers_of
from lib.windows import Chat, diagnosis, reaches, refused

pytestmark = pytest.mark.once

PUBLIC = "public.example"       # its people are Skype's
NOBODY = "nobody@contoso.example"       # not a user of the pool


@pytest.fixture(scope="module")
def site():
    from conftest import Started
    site = PresenceSite("access", rows=[partner(PUBLIC)])
    with Started(site) as site:
        yield site


@contextmanager
def people(site, domain="partner.example"):
    couple = site.couple(domain)
    try:
        yield couple
    finally:
        couple.leave()


@pytest.fixture
def couple(site):
    with people(site) as couple:
        yield couple


def test_a_right_goes_and_comes_while_they_talk(site, couple):
    """Her chat ends with the cause, both see each other leave, nothing passes
    either way, nobody is unsubscribed; then all of it is back."""
    bo, endpoint, watch = couple.friends()
    settings.put_policy(site.gateway, "Federated",
                        EnableFederationAccess=True)
    chat = Chat(site, couple.anna, couple.bo)
    assert chat.say("hello") == 200
    bo.message(body="hello")
    log = site.gateway.log.mark()
    settings.grant(site.gateway, couple.anna, policy="Federated")
    try:
        bye = chat.ended()
        assert diagnosis(bye) == (
            None, 61025, "EnableXmppAccess is off in the user's policy")
        assert "cause=403" in bye.get("Reason")
        bo.presence_of(couple.anna, type="unavailable")
        endpoint.notice(watch=watch, show="offline")
        assert refused(site, couple.anna, couple.bo)[:2] == (403, 61025)
        answer = endpoint.add(couple.bo).response
        assert diagnosis(answer)[:2] == (403, 61025)
        error = bo.error(id=bo.send(couple.anna, "are you there?"))
        assert (error.condition, error.text) == ("service-unavailable", "")
        assert "service-unavailable" in str(bo.vcard(couple.anna))
        lines = site.gateway.log.text(log)
        for event in ("forbidden-now", "refused", "denied"):
            assert re.search(rf" {event} .*{couple.anna}.*"
                             r"EnableXmppAccess", lines), event
        assert "policy=tag:federated" in lines
    finally:
        settings.grant(site.gateway, couple.anna)
        chat.close()
    bo.presence_of(couple.anna, type="available")
    endpoint.notice(watch=watch, show="online")
    bo.await_roster(couple.anna, "both")
    reaches(site, couple, bo, "again")


def test_each_switch_is_named_to_her_client(site, couple):
    """The organisation's, and each of a policy's; and everybody feels the
    first of them."""
    bo = couple.login()
    with people(site) as others:
        other = others.login()
        settings.set_access_edge(site.gateway, AllowFederatedUsers=False)
        try:
            for one, him in ((couple, bo), (others, other)):
                assert refused(site, one.anna, one.bo)[:2] == (403, 61023)
                error = him.error(id=him.send(one.anna, "hello"))
                assert error.condition == "service-unavailable"
        finally:
            settings.set_access_edge(site.gateway, AllowFederatedUsers=True)
        for members, id in (({}, 61021), ({"EnableXmppAccess": True}, 61024),
                            ({"EnableFederationAccess": True}, 61025)):
            settings.put_policy(site.gateway, "some", **members)
            settings.grant(site.gateway, couple.anna, policy="Some")
            assert refused(site, couple.anna, couple.bo)[:2] == (403, id)
            reaches(site, others, other, str(id))
    settings.set_policy(site.gateway, "some", EnableFederationAccess=True,
                        EnableXmppAccess=True)
    reaches(site, couple, bo, "with both")


def test_one_who_may_not_is_like_one_who_does_not_exist(site, couple):
    """Everybody may but she, and he may write and ask to watch as he likes:
    what he hears of her is word for word what he hears of a name that the
    pool does not know; and the pool is not asked about her."""
    def invited(message, conn):
        if sip.address_of(message.get("To")) == NOBODY:
            conn.send(message.answer(404, "Not Found", sip.token(5)))
        else:
            site.pool.accept(message, conn)

    bo = couple.login()
    site.pool.user(NOBODY).status = (404, "Not Found")
    site.pool.script["INVITE"] = invited
    settings.put_policy(site.gateway, "none")
    settings.grant(site.gateway, couple.anna, policy="none")
    settings.set_policy(site.gateway, "global", EnableXmppAccess=True,
                        EnableFederationAccess=True)
    try:
        for name in (*ANSWERED, "presence"):
            answers = answers_of(bo, (NOBODY, couple.anna), name)
            assert answers[NOBODY] == answers[couple.anna], (name, answers)
            assert bool(answers[NOBODY]) == (name in ANSWERED), (name, answers)
        asked = [e.request.get("To")
                 for e in site.pool.journal.all("request")]
        assert any(NOBODY in to for to in asked)
        assert not any(couple.anna in to for to in asked)
    finally:
        settings.commit(site.gateway,
                        settings.change("policy", "global", "DELETE"))
        del site.pool.script["INVITE"]


def test_site_and_global_policies_hold_for_who_has_none_of_his_own(
        site, couple):
    bo = couple.login()
    try:
        settings.ungrant(site.gateway, couple.anna)
        assert refused(site, couple.anna, couple.bo)[:2] == (403, 61021)
        settings.set_policy(site.gateway, "global",
                            EnableFederationAccess=True,
                            EnableXmppAccess=True)
        reaches(site, couple, bo, "by the global one")
        settings.commit(
            site.gateway,
            settings.change("site", "Redmond", "PUT",
                            {"SipDomains": ["contoso.example"]}),
            settings.change("policy", "site:Redmond", "PUT",
                            {"EnableXmppAccess": True}))
        assert refused(site, couple.anna, couple.bo)[:2] == (403, 61024)
        settings.grant(site.gateway, couple.anna)
        reaches(site, couple, bo, "by her own")
    finally:
        settings.commit(
            site.gateway, settings.change("policy", "site:redmond", "DELETE"),
            settings.change("site", "redmond", "DELETE"),
            settings.change("policy", "global", "DELETE"))


def test_a_public_provider_has_its_time_and_its_licences(site):
    """What is missing, one after the other, until nothing is."""
    def denied():
        return refused(site, couple.anna, couple.bo)

    with people(site, PUBLIC) as couple:
        bo, endpoint = couple.login(), couple.endpoint()
        settings.set_partner(site.gateway, PUBLIC, Provider="Skype")
        assert denied() == (
            403, 61072, "Public provider has ended its service: Skype")
        assert diagnosis(endpoint.add(couple.bo).response)[1] == 61072
        error = bo.error(id=bo.send(couple.anna, "hello"))
        assert error.condition == "service-unavailable"
        settings.commit(site.gateway, settings.change(
            "provider", "Skype", "PATCH", {"EndDate": ""}))
        assert denied()[1] == 61026
        settings.commit(
            site.gateway,
            settings.change("policy", "pic", "PUT", {
                "EnableFederationAccess": True, "EnableXmppAccess": True,
                "EnablePublicCloudAccess": True}),
            settings.change("grant", couple.anna, "PUT",
                            {"PolicyName": "pic"}))
        assert denied() == (403, 61075, "User has no licence for the public "
                            "provider: Standard CAL")
        licence = f"{couple.anna} Standard CAL"
        for dates, id in (({"Until": "2026-01-31"}, 61077),
                          ({"From": "2099-01-01"}, 61076)):
            settings.commit(site.gateway, settings.change(
                "licence", licence, "PUT", dates))
            assert denied()[1] == id
        settings.commit(site.gateway,
                        settings.change("licence", licence, "PUT", {}))
        couple.bo_sees_anna(bo)
        watch = couple.anna_sees_bo(bo, endpoint)
        reaches(site, couple, bo, "licensed")
        # A provider without presence, then without messages.
        settings.commit(site.gateway, settings.change(
            "provider", "Skype", "PATCH", {"Presence": False}))
        bo.presence_of(couple.anna, type="unavailable")
        endpoint.notice(watch=watch, show="offline")
        assert diagnosis(endpoint.add(couple.bo).response)[1] == 61074
        reaches(site, couple, bo, "unseen")
        settings.commit(site.gateway, settings.change(
            "provider", "Skype", "PATCH",
            {"Presence": None, "InstantMessaging": False}))
        bo.presence_of(couple.anna, type="available")
        assert denied()[1] == 61073
        # Its partner is nobody's any more.
        settings.set_partner(site.gateway, PUBLIC, Provider="")
        reaches(site, couple, bo, "unbound")


def test_a_contact_is_told_that_it_is_archived(site, couple):
    bo = couple.login()
    settings.set_access_edge(site.gateway, EnableArchivingDisclaimer=True,
                             ArchivingDisclaimer="We keep what you write.")
    try:
        chat = Chat(site, couple.anna, couple.bo)
        for text in ("one", "two"):
            assert chat.say(text) == 200
            bo.message(body=text)
        chat.close()
        told = [m.body for m in bo.journal.all("message")]
        assert told == ["We keep what you write.", "one", "two"]
    finally:
        settings.set_access_edge(site.gateway, EnableArchivingDisclaimer=None,
                                 ArchivingDisclaimer=None)
