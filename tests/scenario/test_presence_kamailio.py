"""The same with a presence server of the plain sort as the pool: Kamailio,
which knows PIDF, NOTIFY and intervals, and nothing of Lync's."""

import time

import pytest

from lib.documents import AVAILABLE, AWAY, BUSY
from lib.presence_site import QUICK
from lib.site import Site

pytestmark = pytest.mark.once

BO = "bo@partner.example"


@pytest.fixture(scope="module")
def kamailio():
    from conftest import Started
    site = Site("plain-sip", wide=False,
                users=("anna", "carl", "dora", "emil", "olaf"))
    site.prosody.modules += ["blocklist"]
    for name in ("cleo", "dirk", "eva", "fritz"):
        site.prosody.register(name, "partner.example")
    site.gateway.config["presence"] = dict(QUICK)
    # May speak to partners, but is nobody at the pool.
    site.gateway.config["users"].append("nobody@contoso.example")
    # Kamailio cuts what is asked to this.
    site.pool.most = 4
    with Started(site) as site:
        yield site


@pytest.fixture
def user(kamailio):
    """Signs people of either side in, and out again."""
    from conftest import leave
    there, here = [], []

    def login(name):
        if "@" in name:
            there.append(kamailio.xmpp_user(name))
            return there[-1]
        here.append(kamailio.lync_user(name))
        return here[-1]

    yield login
    for one in there:
        one.logout()
    for one in here:
        if one.published:
            one.unpublish()
        leave(one)


def test_a_published_state_reaches_his_server(user):
    anna, bo = user("anna"), user(BO)
    bo.subscribe(anna.user)
    bo.presence_of(anna.user, type="subscribed")
    anna.publish(BUSY, note="in Rome")
    seen = bo.presence_of(anna.user, type="available")
    assert (seen.show, seen.status) == ("dnd", "in Rome")
    anna.publish(AWAY)
    bo.presence_of(anna.user, type="available", show="away")
    anna.unpublish()
    bo.presence_of(anna.user, type="unavailable")
    bo.await_roster(anna.user, "to")


def test_short_intervals_are_kept(kamailio, user):
    """Granted 4 s: the third state comes after two refreshes."""
    carl, cleo = user("carl"), user("cleo@partner.example")
    carl.publish(AVAILABLE)
    cleo.subscribe(carl.user)
    cleo.presence_of(carl.user, type="available")
    mark = kamailio.pool.log.mark()
    for _ in range(2):
        kamailio.pool.log.wait(rf"SUBSCRIBE \S+ from sip:{cleo.jid}", 6,
                               mark)
        mark = kamailio.pool.log.mark()
    carl.publish(BUSY)
    cleo.presence_of(carl.user, show="dnd")
    assert not [e for e in cleo.journal.all("presence", bare=carl.user)
                if e.type != "available" and e.type != "subscribed"]


def test_the_presence_server_restarts(kamailio, user):
    """Its subscriptions were in memory: refreshes get 481 and are followed
    by new ones; nobody is told that somebody had gone."""
    dora, dirk = user("dora"), user("dirk@partner.example")
    dora.publish(AVAILABLE)
    dirk.subscribe(dora.user)
    dirk.presence_of(dora.user, type="available")
    kamailio.pool.process.stop()
    kamailio.pool.restart()
    dora.close()
    dora.login()
    dora.published = ""
    end = time.monotonic() + 30
    while True:
        dora.publish(BUSY)
        if dirk.journal.all("presence", bare=dora.user, show="dnd"):
            break
        assert time.monotonic() < end, "the new state never came"
        time.sleep(0.5)
    assert not dirk.journal.all("presence", bare=dora.user,
                                type="unsubscribed")
    dirk.await_roster(dora.user, "to")


def test_an_unknown_user_cannot_be_watched(user):
    eva = user("eva@partner.example")
    eva.subscribe("nobody@contoso.example")
    eva.presence_of("nobody@contoso.example", type="unsubscribed")


def test_a_device_behind_a_proxy_watches(user):
    """Through Record-Route both ways, its contact a GRUU."""
    emil, fritz = user("emil"), user("fritz@partner.example")
    watch = emil.add(fritz.jid)
    assert watch.response.status == 200 and watch.routes
    emil.notice(watch=watch, show="offline")
    fritz.accept(emil.user)
    emil.notice(watch=watch, show="online")
    fritz.show("dnd", "in a meeting")
    assert emil.notice(watch=watch, show="busy").note == "in a meeting"
    assert emil.refresh(watch).status == 200
    emil.notice(watch=watch, show="busy")
    assert emil.unwatch(watch).status == 200
    assert emil.notice(watch=watch, state="terminated").reason == "timeout"


def test_presence_and_messages_go_side_by_side(user):
    anna, bo = user("anna"), user(BO)
    watch = anna.add(BO)
    bo.accept(anna.user)
    anna.notice(watch=watch, show="online")
    bo.send(anna.user, "hello")
    anna.message(body="hello")
    bo.show("away")
    anna.notice(watch=watch, show="away")
    assert anna.send(BO, "and back").status == 200
    bo.message(body="and back")
