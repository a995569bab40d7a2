"""Front ends come, go and move while the gateway runs."""

import pytest

from lib.control import ask
from lib.front_end import FrontEnd
from lib.site import Site

pytestmark = pytest.mark.once

ANNA = "anna@contoso.example"


@pytest.fixture(scope="module")
def place():
    from conftest import Started
    site = Site("pool", wide=False)
    run = site.run
    site.first = FrontEnd(run, site.internal, host=41,
                          name="fe2.contoso.example",
                          # One that names the pool too would stay welcome.
                          leaf=site.internal.leaf("fe2.contoso.example")
                          ).start()
    site.second = FrontEnd(run, site.internal, host=42,
                           name="fe3.contoso.example").start()
    # The second one's name, elsewhere.
    site.moved = FrontEnd(run, site.internal, host=43,
                          name="fe3.contoso.example").start()
    site.gateway.config["sip"]["pool"]["front_ends"] = rows(site.first)
    with Started(site) as site:
        site.first.journal.wait("accepted")
        yield site


def rows(*front_ends):
    return [{"name": f.name, "address": f"{f.address}:{f.port}"}
            for f in front_ends]


@pytest.fixture
def bo(place):
    from conftest import visitor
    yield from visitor(place, "bo@partner.example")


def reload(place, *front_ends):
    gateway = place.gateway
    gateway.config["sip"]["pool"]["front_ends"] = rows(*front_ends)
    gateway.write()
    assert ask(gateway.control, "reload")["restart"] == []


def heard(front_end, text):
    front_end.journal.wait("request", method="MESSAGE",
                           request=lambda r: r.body == text.encode())


def test_a_front_end_is_added_beside_the_first(place, bo):
    bo.send(ANNA, "to the first")
    heard(place.first, "to the first")
    reload(place, place.first, place.second)
    place.second.journal.wait("accepted", 5)
    bo.send(ANNA, "to either")
    bo.journal.none("error", 0.5)
    reload(place, place.first, place.second)    # no news
    place.first.journal.none("closed", 0.5)
    assert len(place.first.journal.all("accepted")) == 1
    assert len(place.second.journal.all("accepted")) == 1


def test_one_that_is_taken_out_loses_its_connections(place, bo):
    inbound = place.first.connect(place.gateway)
    handles = place.gateway.handles()
    reload(place, place.second)
    for _ in range(2):
        place.first.journal.wait("closed", 5)
    place.gateway.await_handles(handles - 2)
    place.second.journal.none("closed", 0.5)
    bo.send(ANNA, "to the second")
    heard(place.second, "to the second")
    # It is a stranger now, and is not called.
    place.first.journal.none("accepted", 1.5)
    with pytest.raises(Exception):
        conn = place.first.connect(place.gateway)
        place.first.negotiate(conn, timeout=3)
    del inbound


def test_one_that_moved_is_called_at_its_new_address(place, bo):
    reload(place, place.moved)
    place.moved.journal.wait("accepted", 5)
    place.second.journal.wait("closed", 5)
    bo.send(ANNA, "to the new address")
    heard(place.moved, "to the new address")
    place.second.journal.none("accepted", 1.0)


def test_another_address_to_listen_on_needs_a_restart_and_that_is_said(place):
    gateway = place.gateway
    good = list(gateway.config["sip"]["listen"])
    gateway.config["sip"]["listen"] = [f"{place.run.address(99)}:25061"]
    gateway.write()
    mark = gateway.log.mark()
    try:
        assert ask(gateway.control, "reload")["restart"] == ["sip.listen"]
        gateway.log.wait("warn gateway restart-needed member=sip.listen", 5,
                         mark)
    finally:
        gateway.config["sip"]["listen"] = good
        gateway.write()
