"""Each parameter of a partner, changed with the operator's command while
people talk and see each other; observed at the far end, a real server's
wherever it does not take rudeness.

A thousand partners more are listed: a change takes no longer for them.
"""

import time

import pytest

from lib.documents import BUSY
from lib.live_site import (EJABBERD, LATE, MORE, PLAIN, PROSODY, RAW, WEAK,
                           LiveSite, still_open)
from lib.open_pair import opened
from lib.relay import Relay
from lib.run import endpoint
from lib.windows import Chat, diagnosis, reaches, refused
from lib.xmpp_peer import Ended

pytestmark = pytest.mark.once

UNLISTED = 61020


@pytest.fixture(scope="module")
def site():
    from conftest import Started
    site = LiveSite("live-partner", crowd=1000)
    site.relay = Relay(site.run, 41, (site.prosody.address, site.prosody.s2s))
    site.relay.port = 5269              # where a next hop is looked for
    site.dns.a(f"proxy.{PROSODY}", site.relay.address)
    site.dns.a(f"dead.{PROSODY}", site.run.address(42))
    with Started(site) as site:
        site.relay.start()
        yield site


@pytest.fixture
def couple(site):
    with site.people() as couple:
        yield couple


def goes_on(chat, bo, text):
    """In the window that was open before."""
    assert chat.say(text) == 200
    bo.message(body=text)


def cannot_be_written_to(site, couple, bo):
    """Neither begins: her client is told why, he that it failed."""
    assert refused(site, couple.anna, couple.bo)[1] == UNLISTED
    bo.error(id=bo.send(couple.anna, "anybody there?"))


def ended_for_good(site, couple, bo, chat):
    """The window that was open, and both streams."""
    assert diagnosis(chat.ended())[1] == UNLISTED
    site.await_streams(0, couple.bo.partition("@")[2])
    cannot_be_written_to(site, couple, bo)


# --- who it is ---------------------------------------------------------------
def test_the_partner_itself(site):
    with site.people(LATE) as couple:
        bo = couple.login()
        cannot_be_written_to(site, couple, bo)
        site.change("partner", "new", LATE, PartnerType="Federated")
        reaches(site, couple, bo, "new")
        chat = Chat(site, couple.anna, couple.bo)
        goes_on(chat, bo, "one")
        mark = site.prosody.log.mark()
        site.change("partner", "remove", LATE)
        ended_for_good(site, couple, bo, chat)
        assert "policy-violation" in site.prosody.log.text(mark)
        site.change("partner", "new", LATE, PartnerType="Federated")
        reaches(site, couple, bo, "again")
        site.change("partner", "remove", LATE)


def test_additional_domains(site, couple):
    """The other domains of the partner are none the worse for it."""
    old = couple.login()
    stay = Chat(site, couple.anna, couple.bo)
    goes_on(stay, old, "before")
    with site.people(MORE) as more:
        bo = more.login()
        cannot_be_written_to(site, more, bo)
        site.do("partner", "set", RAW, "--AdditionalDomains",
                f"Add={PROSODY}", status=1)     # it belongs to another
        site.set(PROSODY, AdditionalDomains=f"Add={MORE}")
        reaches(site, more, bo, "added")
        chat = Chat(site, more.anna, more.bo)
        goes_on(chat, bo, "one")
        ids = {s["id"] for s in site.streams(PROSODY)}
        mark = site.prosody.log.mark()
        site.set(PROSODY, AdditionalDomains=f"Remove={MORE}")
        ended_for_good(site, more, bo, chat)
        assert "policy-violation" in site.prosody.log.text(mark)
    assert {s["id"] for s in site.streams(PROSODY)} == ids
    goes_on(stay, old, "after")
    stay.close()


def test_a_description_changes_nothing(site, couple):
    bo = couple.login()
    chat = Chat(site, couple.anna, couple.bo)
    goes_on(chat, bo, "one")
    before = site.ask("partner", "get", PROSODY)
    ids = {s["id"] for s in site.streams()}
    with site.row(PROSODY, edges=False, Description="since 2011, <ask> Eva"):
        goes_on(chat, bo, "two")
        bo.send(couple.anna, "and back")
        assert site.reached("and back").call_id == chat.invite.call_id
        assert {s["id"] for s in site.streams()} == ids
    assert site.ask("partner", "get", PROSODY)["object"] == before["object"]
    chat.close()


# --- what its users may ------------------------------------------------------
def test_the_partner_type(site):
    """Bo was added by her; Cleo, who watches her and has begun a chat, was
    not."""
    with opened(site) as pair, site.people() as new:
        newcomer = new.login()
        site.pool.publish(pair.anna, number=BUSY, note="in Rome")
        for user in (pair.bo, pair.cleo):
            assert "Rome" in user.presence_of(pair.anna, show="dnd").status
        with site.row(PROSODY, PartnerType="PublicVerified"):
            for user in (pair.bo, pair.cleo):
                # Gone at once; what is told instead has to come from the pool.
                seen = user.presence_of(pair.anna, show="dnd")
                if not seen.status:
                    seen = user.presence_of(pair.anna, show="dnd")
                assert seen.status == "Busy"
            pair.goes_on(lambda: None)
            newcomer.send(new.anna, "may I begin?")
            site.reached("may I begin?")
            pair.bo.journal.settle()
            pair.cleo.journal.settle()
            site.set(PROSODY, PartnerType="PublicUnverified")
            # Cleo has never been invited: there is nobody for her.
            assert pair.cleo.presence_of(pair.anna).type == "unavailable"
            error = pair.cleo.error(id=pair.cleo.send(pair.anna, "and I?"))
            assert error.condition == "service-unavailable"
            goes_on(pair.chat, pair.bo, "you were invited")
            with site.people() as second:
                stranger = second.login()
                error = stranger.error(id=stranger.send(second.anna, "may I?"))
                assert error.condition == "service-unavailable"
            site.pool.publish(pair.anna, number=BUSY, note="in Oslo")
            pair.couple.calm()
            assert not [e for e in pair.bo.journal.all("presence")
                        if "Oslo" in e.status]
        for user in (pair.bo, pair.cleo):
            user.presence_of(pair.anna, type="available",
                             status=lambda s: "Oslo" in s)
        pair.cleo.send(pair.anna, "federated again")
        site.reached("federated again")


HTML, XHTML = b"<p>see <b>this</b></p>", (
    "<html xmlns='http://jabber.org/protocol/xhtml-im'>"
    "<body xmlns='http://www.w3.org/1999/xhtml'><p><em>{}</em></p></body>"
    "</html>")


def test_formatting(site, couple):
    """In the window that is open."""
    bo = couple.login()
    chat = Chat(site, couple.anna, couple.bo)

    def is_formatted(word):
        assert chat.ask("MESSAGE", HTML.replace(b"this", word.encode()),
                        "text/html; charset=UTF-8").status == 200
        out = bo.message(body=f"see {word}").stanza.xml
        rich = [e for e in out.iter() if e.tag.endswith("}strong")]
        bo.raw(f"<message to='{couple.anna}' type='chat'><body>hey {word}"
               f"</body>{XHTML.format('hey ' + word)}</message>")
        came = site.reached(f"hey {word}")
        assert came.call_id == chat.invite.call_id
        return bool(rich), b"<em>" in came.body
    assert is_formatted("one") == (True, True)
    with site.row(PROSODY, edges=False, Formatting=False):
        assert is_formatted("two") == (False, False)
    assert is_formatted("three") == (True, True)
    chat.close()


def test_the_provider(site):
    """Its capabilities, and the end of its service, hold at once for what is
    open."""
    site.do("provider", "set", "Google Talk", "--EndDate", "", "--Presence",
            "false")
    with opened(site) as pair:
        with site.row(PROSODY, edges=False, Provider="Google Talk"):
            for user in (pair.bo, pair.cleo):
                user.presence_of(pair.anna, type="unavailable")
            pair.endpoint.notice(watch=pair.watch, show="offline")
            goes_on(pair.chat, pair.bo, "unseen")
            assert diagnosis(pair.endpoint.add(
                pair.bo_jid).response)[1] == 61074
            site.set(PROSODY, edges=False, Provider="Skype")
            assert diagnosis(pair.chat.ended()) == (
                None, 61072, "Public provider has ended its service: Skype")
            assert refused(site, pair.anna, pair.bo_jid)[1] == 61072
            for user in (pair.bo, pair.cleo):
                error = user.error(id=user.send(pair.anna, "hello"))
                assert error.condition == "service-unavailable"
        pair.is_open()


# --- how it is reached -------------------------------------------------------
def test_the_proxy(site, couple):
    """What is open goes on by the other way; a way that leads nowhere is told
    at once, and is mended at once."""
    bo = couple.login()
    chat = Chat(site, couple.anna, couple.bo)

    def way():
        [stream] = site.await_streams(1, PROSODY, "out")
        return stream["peer"]
    by_srv = endpoint(site.prosody.address, site.prosody.s2s)
    by_proxy = endpoint(site.relay.address, 5269)
    goes_on(chat, bo, "by srv")
    assert way() == by_srv
    with site.row(PROSODY, ProxyFqdn=f"proxy.{PROSODY}"):
        goes_on(chat, bo, "by proxy")
        assert way() == by_proxy
        site.set(PROSODY, ProxyFqdn=f"dead.{PROSODY}")
        assert chat.say("into nothing") in (480, 504)
        site.set(PROSODY, ProxyFqdn=f"proxy.{PROSODY}")
        goes_on(chat, bo, "by proxy again")
        assert way() == by_proxy
    goes_on(chat, bo, "by srv again")
    assert way() == by_srv
    chat.close()


def test_the_connection_limit(site, couple):
    """The newest streams end, ours as well as theirs, whichever domain of the
    partner's they are for; and no other comes up."""
    bo = couple.login()
    site.do("partner", "remove", EJABBERD)
    with site.people(EJABBERD) as second:
        eva = second.login()
        try:
            with site.row(PROSODY, AdditionalDomains=f"Add={EJABBERD}"):
                reaches(site, couple, bo, "first")
                reaches(site, second, eva, "second")
                ids = {s["id"] for s in site.streams(PROSODY)}
                site.set(PROSODY, ConnectionLimit=1)
                site.await_streams(0, EJABBERD)
                assert {s["id"] for s in site.streams(PROSODY)} == ids
                assert site.pool.chat(second.anna, second.bo, "no") != 200
                eva.error(id=eva.send(second.anna, "nor this"))
                reaches(site, couple, bo, "still")
                site.set(PROSODY, ConnectionLimit=0)
                assert site.pool.chat(second.anna, second.bo, "yes") == 200
                eva.message(body="yes")
        finally:
            site.do("partner", "set", PROSODY, "--AdditionalDomains", "")
            site.do("partner", "new", EJABBERD, "--PartnerType", "Federated",
                    "--SupportDialbackNegotiation", "false")


def test_the_connection_limit_of_one_who_will_not_go(site):
    """He is told; who was first stays and is heard."""
    first, second = site.stream(), site.stream()
    try:
        with site.row(RAW, ConnectionLimit=1):
            second.until("resource-constraint", 3)
            second.drain(3)
            with pytest.raises(Ended, match="<resource-constraint "):
                site.stream()
            first.message(f"rho@{RAW}", "anna70@contoso.example", "the first")
            site.reached("the first")
        second = site.stream()
        assert still_open(second)
    finally:
        first.close()
        second.close()


def test_keep_alives(site, couple):
    """Who owes none is not cut, and is sent none."""
    theirs = site.stream()
    with site.row(RAW, EnableKeepAlive=False), \
            site.config(KeepAliveInterval=1):
        assert site.pool.chat(couple.anna, f"rho@{RAW}", "hello") == 200
        ours = site.raw.server.journal.all("stream")[-1].wire
        assert still_open(theirs, 1.5)
        assert " " not in ours.seen
        site.set(RAW, EnableKeepAlive=True)
        theirs.until("</stream:stream>", 3)
        end = time.monotonic() + 3
        while " " not in ours.seen:
            assert time.monotonic() < end, "no keep-alive"
            time.sleep(0.05)
    site.raw.hang_up()


# --- how it proves itself ----------------------------------------------------
def proofs(site, couple, bo, chat):
    """How both streams came to be that are in use now, by one word each way in
    the window that is open."""
    domain = couple.bo.partition("@")[2]
    goes_on(chat, bo, "hello")
    bo.send(couple.anna, "hello yourself")
    assert site.reached("hello yourself").call_id == chat.invite.call_id
    return {(s["direction"], s["auth"], s["tls"][:3])
            for s in site.streams(domain)}


def both(auth, tls="TLS"):
    return {(way, auth, tls) for way in ("in", "out")}


@pytest.mark.parametrize("domain", [PROSODY, EJABBERD])
def test_sasl(site, domain):
    with site.people(domain) as couple:
        bo = couple.login()
        chat = Chat(site, couple.anna, couple.bo)
        assert proofs(site, couple, bo, chat) == both("external")
        with site.row(domain, SaslNegotiation="NotSupported",
                      SupportDialbackNegotiation=True):
            assert proofs(site, couple, bo, chat) == both("dialback")
            # What is permitted stays.
            site.set(domain, SaslNegotiation="Optional")
            assert proofs(site, couple, bo, chat) == both("dialback")
            site.set(domain, SaslNegotiation="Required")
            assert proofs(site, couple, bo, chat) == both("external")
        chat.close()


def test_tls(site):
    """With one who has none."""
    def offered(domain):
        wire = site.wire(domain)
        features = wire.open()
        wire.close()
        return "starttls" in features, "<required" in features
    with site.people(PLAIN) as couple:
        bo = couple.login()
        assert offered(PLAIN) == (True, True)
        assert site.pool.chat(couple.anna, couple.bo, "no") != 200
        with site.row(PLAIN, TlsNegotiation="Optional"):
            chat = Chat(site, couple.anna, couple.bo)
            assert proofs(site, couple, bo, chat) == both("dialback", "-")
            assert offered(PLAIN) == (True, False)
            site.set(PLAIN, TlsNegotiation="NotSupported",
                     SaslNegotiation="NotSupported")
            assert proofs(site, couple, bo, chat) == both("dialback", "-")
            assert offered(PLAIN) == (False, False)
            site.set(PLAIN, TlsNegotiation="Required")
            site.await_streams(0, PLAIN)
            assert chat.say("in the clear") != 200
            chat.close()
            site.do("partner", "set", PLAIN, "--SaslNegotiation", "Optional")


def test_dialback(site):
    """With one whose certificate nobody trusts."""
    with site.people(WEAK) as couple:
        bo = couple.login()
        chat = Chat(site, couple.anna, couple.bo)
        assert proofs(site, couple, bo, chat) == both("dialback")
        with site.row(WEAK, SupportDialbackNegotiation=False):
            site.await_streams(0, WEAK)
            assert chat.say("by what?") != 200
            bo.error(id=bo.send(couple.anna, "nor I"))
        assert proofs(site, couple, bo, chat) == both("dialback")
        chat.close()
