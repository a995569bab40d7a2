"""What passes, watched as it passes: on both halves, by those who may."""

import pytest

from lib.admin_api import Api
from lib.site import Site
from lib.trace import Trace, in_order

ANNA = "anna@contoso.example"
BO = "bo@partner.example"


@pytest.fixture(scope="module")
def site():
    from conftest import Started
    with Started(Site("trace", wide=False)) as site:
        site.edge.await_open()
        yield site


@pytest.fixture(scope="module")
def bo(site):
    user = site.xmpp_user(BO)
    yield user
    user.logout()


@pytest.fixture(scope="module")
def anna(site):
    user = site.lync_user("anna", name="Anna Secretname")
    yield user
    user.logout()


@pytest.fixture
def api(site):
    with Api(site.gateway.config["admin"]["socket"]) as api:
        yield api


def test_a_message_each_way_is_a_ladder(api, bo, anna):
    with Trace(api, user=ANNA) as trace:
        bo.send(ANNA, "Secretword one")
        anna.message(body="Secretword one")
        trace.wait("frame", type="result", of="message", direction="outward")
        anna.send(BO, "Secretword two")
        bo.message(body="Secretword two")
        trace.wait("frame", type="result", of="message", direction="inward")
        trace.wait("sip", status=200, direction="inward")
        import json
        for e, d in trace.told: print(e, json.dumps(d)[:1500])
        assert 0
