"""The same with ejabberd, whose habits differ from Prosody's."""

import xml.etree.ElementTree as ET

import pytest

from lib.daemons import partner
from lib.ejabberd import Ejabberd
from lib.site import Site
from lib.xmpp_user import XmppUser

ANNA = "anna@contoso.example"
EVA = "eva@other.example"


@pytest.fixture(scope="module")
def other():
    from conftest import Started
    # ejabberd wants certificates that are good for clients and hold DNS
    # names only.
    site = Site("ejabberd", wide=False, external_eku="both",
                external_srv_id=False)
    site.ejabberd = Ejabberd(site.run, site.dns, site.public)
    site.ejabberd.host("other.example")
    site.ejabberd.register("eva", "other.example")
    site.dns.zone("other.example")
    site.dns.srv("other.example", "xmpp.other.example", site.ejabberd.s2s)
    site.dns.a("xmpp.other.example", site.ejabberd.address)
    site.dns.forget_srv("contoso.example")
    site.ejabberd.srv_literal("contoso.example", site.edge.address,
                              site.edge.port)
    site.gateway.config["partners"].append(partner("other.example"))
    with Started(site) as site:
        site.ejabberd.start()
        yield site


@pytest.fixture
def eva(other):
    user = XmppUser(other.run, EVA, other.ejabberd.address,
                    other.ejabberd.c2s, other.public.certificate).login()
    yield user
    user.logout()


@pytest.fixture
def anna(other):
    from conftest import employee
    yield from employee(other, "anna")


def test_messages_pass_both_ways(eva, anna):
    eva.send(ANNA, "from ejabberd")
    anna.message(body="from ejabberd", sender=EVA)
    assert anna.send(EVA, "to ejabberd").status == 200
    eva.message(body="to ejabberd")


def test_both_streams_authenticate_by_certificate(other, eva, anna):
    eva.send(ANNA, "in")
    anna.message(body="in")
    anna.send(EVA, "out")
    eva.message(body="out")
    log = other.ejabberd.log.text()
    assert "Accepted inbound s2s EXTERNAL authentication contoso.example" \
        in log
    assert "Accepted outbound s2s EXTERNAL authentication" in log


def test_an_unknown_user_there_is_reported_to_the_lync_user(eva, anna):
    response = anna.refused("nobody@other.example", "hello")
    assert response.status in (404, 480)
    assert response.get("ms-diagnostics").split(";")[0] in ("61106", "61118")


def test_a_call_from_there_is_declined(eva):
    answer = eva.iq(ANNA, ET.fromstring(
        "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' "
        "sid='s1'/>"), kind="set")
    assert answer["error"]["condition"] == "service-unavailable"


def test_an_unknown_user_here_is_reported_to_its_user(eva):
    id = eva.send("nobody@contoso.example", "hello")
    assert eva.error(id=id).condition == "service-unavailable"


def test_somebody_who_is_away_gets_it_later(other, anna):
    assert anna.send(EVA, "for later").status == 200
    user = XmppUser(other.run, EVA, other.ejabberd.address,
                    other.ejabberd.c2s, other.public.certificate).login()
    try:
        user.message(body="for later")
    finally:
        user.logout()
