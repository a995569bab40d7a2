"""Each parameter of partners and of the gateway's configuration, changed while
people talk, and what becomes of it at the far end.

There are a thousand partners more than the tests use: a change takes no
longer for them.
"""

import threading
import time

import pytest

from lib import settings
from lib.control import ask
from lib.daemons import partner
from lib.documents import BUSY
from lib.presence_site import PresenceSite
from lib.raw_partner import RawPartner
from lib.xmpp_peer import RawStream

pytestmark = pytest.mark.once

LATE, MORE = "late.example", "more.example"     # hosted by the same Prosody
RAW = "raw.example"                             # does what a test writes
SLEEPY = "sleepy.example"                       # comes and says nothing
HIDDEN = "hidden.example"                       # in no DNS
CROWD = 1000
IDLE = 10


class Hop(RawPartner):
    PORT = 5269


@pytest.fixture(scope="module")
def place():
    from conftest import Started
    site = PresenceSite("settings", rows=[partner(LATE), partner(MORE)])
    site.gateway.config["partners"] += [
        partner(RAW), partner(SLEEPY), *(partner(f"p{i}.crowd.example") for i in range(CROWD))]
    site.prosody.modules.append("dialback")
    RawPartner.zones(site, RAW, 40)
    site.dns.zone(HIDDEN)
    site.dns.a(f"proxy.{HIDDEN}", site.run.address(41))
    with Started(site) as site:
        site.raw = RawPartner(site, RAW, 40).start()
        site.hop = Hop(site, HIDDEN, 41).start()
        # It waits until the others are through.
        site.began = time.monotonic()
        site.sleeper = stream(site, SLEEPY)
        settings.set_config(site.gateway, StreamInactivityTimeout=IDLE)
        settings.drop_partner(site.gateway, MORE)
        yield site


@pytest.fixture
def couple(place):
    couple = place.couple("partner.example")
    yield couple
    couple.leave()


@pytest.fixture
def late(place):
    couple = place.couple(LATE)
    yield couple
    couple.leave()


def wire(site):
    """A connection of the raw partner's."""
    return RawStream(site.edge.address, site.edge.port, RAW,
                     "contoso.example")


def stream(site, domain=RAW):
    """A stream that is up."""
    return RawStream(site.edge.address, site.edge.port, domain,
                     "contoso.example").authenticate(
                         site.public.certificate, site.public.leaf(domain))


def config(site, **members):
    """Set, and the defaults again at the end."""
    class Config:
        def __enter__(self):
            return settings.set_config(site.gateway, **members)

        def __exit__(self, *_):
            settings.set_config(site.gateway, **{m: None for m in members})
    return Config()


def row(site, domain, **members):
    class Row:
        def __enter__(self):
            return settings.set_partner(site.gateway, domain, **members)

        def __exit__(self, *_):
            settings.set_partner(site.gateway, domain,
                                 **{m: partner(domain).get(m)
                                    for m in members})
    return Row()


def streams(site, remote):
    return [s for s in ask(site.gateway.control, "streams")["streams"]
            if remote in (p[1] for p in s["pairs"])]


def await_none(site, remote):
    end = time.monotonic() + 5
    while streams(site, remote):
        assert time.monotonic() < end, streams(site, remote)
        time.sleep(0.02)


def reached(site, text):
    site.pool.journal.wait("request", method="MESSAGE", request=lambda r:
                           text.encode() in r.body)


# --- partners ----------------------------------------------------------------

def test_a_partner_comes_and_goes_while_people_talk(place, late):
    bo = late.login()
    assert place.pool.chat(late.anna, late.bo, "one") == 200
    bo.message(body="one")
    mark = place.edge.log.mark()
    began = time.monotonic()
    told = settings.drop_partner(place.gateway, LATE)
    took = time.monotonic() - began
    assert took < 1, took
    assert told["generation"]["confirmed"] == [place.edge.node]
    await_none(place, LATE)
    place.edge.log.wait(f"{LATE}.*no longer permitted", mark=mark)
    assert place.pool.chat(late.anna, late.bo, "two") in (403, 404)
    bo.send(late.anna, "and back")
    bo.error()
    settings.put_partner(place.gateway, **partner(LATE))
    place.await_partner(late)
    bo.send(late.anna, "back again")
    reached(place, "back again")


def test_domains_are_added_and_removed(place):
    couple = place.couple(MORE)
    try:
        bo = couple.login()
        assert place.pool.chat(couple.anna, couple.bo, "no") in (403, 404)
        with pytest.raises(settings.Refused) as refused:
            settings.set_partner(place.gateway, RAW,
                                 AdditionalDomains={"Add": [LATE]})
        assert "belongs to the partner" in str(refused.value)
        settings.set_partner(place.gateway, "partner.example",
                             AdditionalDomains={"Add": [MORE]})
        assert place.pool.chat(couple.anna, couple.bo, "yes") == 200
        bo.message(body="yes")
        settings.set_partner(place.gateway, "partner.example",
                             AdditionalDomains={"Remove": [MORE]})
        await_none(place, MORE)
        assert place.pool.chat(couple.anna, couple.bo, "no") in (403, 404)
    finally:
        couple.leave()


def test_the_partner_type_decides_anew_for_all(place, couple):
    bo, endpoint, _ = couple.friends()
    place.pool.publish(couple.anna, number=BUSY, note="in Rome")
    assert "Rome" in bo.presence_of(couple.anna, show="dnd").status
    stranger = place.couple("partner.example")
    try:
        other = stranger.login()
        with row(place, "partner.example", PartnerType="PublicUnverified"):
            id = other.send(stranger.anna, "may I?")
            assert other.error(id=id).condition == "service-unavailable"
            assert "Rome" not in bo.presence_of(couple.anna).status
            bo.send(couple.anna, "I was invited")
            reached(place, "I was invited")
        other.send(stranger.anna, "now I may")
        reached(place, "now I may")
    finally:
        stranger.leave()


def test_how_a_stream_is_proven_holds_for_those_that_are_open(place, couple):
    bo = couple.login()

    def auth():
        assert place.pool.chat(couple.anna, couple.bo, "hello") == 200
        bo.message(body="hello")
        return {s["auth"] for s in streams(place, "partner.example")}
    assert auth() == {"external"}
    with row(place, "partner.example", SaslNegotiation="NotSupported",
             SupportDialbackNegotiation=True):
        await_none(place, "partner.example")
        place.await_partner(couple)
        assert auth() == {"dialback"}
    await_none(place, "partner.example")
    place.await_partner(couple)
    assert auth() == {"external"}


def test_tls_is_offered_as_the_partner_has_it(place):
    def offered():
        one = wire(place)
        features = one.open()
        one.close()
        return "starttls" in features, "<required" in features
    assert offered() == (True, True)
    with row(place, RAW, TlsNegotiation="Optional", SaslNegotiation="Optional",
             SupportDialbackNegotiation=True):
        assert offered() == (True, False)
    with row(place, RAW, TlsNegotiation="NotSupported",
             SaslNegotiation="NotSupported",
             SupportDialbackNegotiation=True):
        assert offered() == (False, False)
    # What leaves no way is refused, and nothing changes.
    with pytest.raises(settings.Refused) as refused:
        settings.set_partner(place.gateway, RAW, TlsNegotiation="NotSupported")
    assert "SASL cannot run without TLS" in \
        refused.value.problems["/TlsNegotiation"]
    assert offered() == (True, True)


def test_without_dialback_requests_are_left_alone(place):
    def offered():
        one = wire(place)
        features = one.open()
        one.close()
        return "dialback" in features
    with row(place, RAW, TlsNegotiation="Optional", SaslNegotiation="Optional",
             SupportDialbackNegotiation=True, Description="for a while"):
        assert offered()
    assert not offered()


def test_limits_close_the_newest_streams(place):
    first, second = stream(place), stream(place)
    try:
        with row(place, RAW, ConnectionLimit=1):
            second.until("resource-constraint", 3)
            stream(place).until("resource-constraint", 3)
            with pytest.raises(AssertionError):
                first.until("</stream:stream>", 0.2)
        second = stream(place)
        with config(place, PartnerConnectionLimit=1):
            second.until("resource-constraint", 3)
    finally:
        first.close()
        second.close()


def test_all_partners_together_are_limited(place, couple):
    couple.login().send(couple.anna, "one stream")
    reached(place, "one stream")
    with config(place, ConnectionLimit=1):
        with pytest.raises((AssertionError, OSError)):
            stream(place)
    stream(place).close()


def test_a_proxy_takes_the_place_of_dns(place):
    user = f"bo@{HIDDEN}"
    settings.put_partner(place.gateway, **partner(HIDDEN))
    settings.set_partner(place.gateway, HIDDEN, ProxyFqdn=f"proxy.{HIDDEN}")
    # The raw partner answers no ping, which would be waited for.
    threading.Thread(target=place.pool.chat, daemon=True, args=(
        "anna80@contoso.example", user, "found")).start()
    place.hop.server.journal.wait("stanza", text=lambda t: "found" in t)
    settings.drop_partner(place.gateway, HIDDEN)


def test_who_owes_a_sign_of_life_is_cut_off(place):
    one, other = stream(place), stream(place)
    with config(place, KeepAliveInterval=1):
        one.until("</stream:stream>", 5)
        other.until("</stream:stream>", 5)
        # Not who owes none.
        with row(place, RAW, EnableKeepAlive=False):
            third = stream(place)
            with pytest.raises(AssertionError):
                third.until("</stream:stream>", 1.5)
            third.close()


def test_a_stream_is_established_in_time(place):
    with config(place, StreamEstablishmentTimeout=1):
        one = wire(place)
        one.open()
        one.until("connection-timeout", 5)


# --- the gateway -------------------------------------------------------------

def test_texts_are_logged_when_that_is_wanted(place, couple):
    bo = couple.login()

    def talk(word):
        assert place.pool.chat(couple.anna, couple.bo, f"{word} out") == 200
        bo.message(body=f"{word} out")
        bo.send(couple.anna, f"{word} in")
        reached(place, f"{word} in")
    talk("discreet")
    with config(place, EnableLoggingAllMessageBodies=True):
        talk("open")
    talk("silent")
    text = place.gateway.log.text()
    assert 'text-from-lync' in text and 'body="open out"' in text
    assert 'text-from-xmpp' in text and 'body="open in"' in text
    for word in ("discreet", "silent"):
        assert f"{word} out" not in text and f"{word} in" not in text


def test_subscriptions_are_refreshed_as_often_as_is_wished(place, couple):
    bo = couple.login()
    couple.bo_sees_anna(bo)
    assert place.pool.asked(couple.anna)[-1].expires == 28800
    with config(place, SubscriptionRefreshInterval=3600):
        place.pool.journal.wait("subscribe", user=couple.anna, fresh=False,
                                expires=3600)


def test_the_file_is_taken_over_once(place, couple):
    """What it says later of the same things is told, and does not count."""
    place.gateway.stop()
    trail = place.store("SELECT via, kind, count(*) FROM audit "
                        "WHERE via = 'import' GROUP BY kind ORDER BY kind")
    assert [r[1] for r in trail] == ["access-edge", "grant", "partner",
                                     "policy"]
    place.gateway.config["partners"].append(partner("newer.example"))
    place.gateway.config["limits"] = {"ConnectionLimit": 77}
    mark = place.gateway.log.mark()
    place.gateway.start()
    line = place.gateway.log.wait("file-members-ignored", mark=mark)
    assert "limits.ConnectionLimit" in line and "partners" in line
    assert place.pool.chat(couple.anna, "x@newer.example", "?") in (403, 404)
    assert "settings-imported" not in place.gateway.log.text(mark)


def test_a_stream_without_traffic_ends(place):
    """It came up before all the others."""
    left = place.began + IDLE + 2 - time.monotonic()
    place.sleeper.until("</stream:stream>", max(left, 1))
    assert not streams(place, SLEEPY)
