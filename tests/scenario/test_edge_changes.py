"""Edges come, go and move while the gateway runs."""

import contextlib
import os
import signal
import threading
import time

import pytest

from lib.control import ask
from lib.daemons import Edge
from lib.relay import Relay
from lib.run import listening
from lib.site import COMPANY, Site

ANNA, BO = f"anna@{COMPANY}", "bo@partner.example"


class Growing(Site):
    """Partners find the first edge, then the second; the gateway begins with
    the first alone."""

    def zones(self):
        super().zones()
        self.edge2 = Edge(self.run, self.public, self.internal, self.dns,
                          [self.public.leaf(COMPANY)], host=32, node="edge2")
        self.dns.srv(COMPANY, self.edge2.node, self.edge2.port, priority=20)
        self.dns.a(self.edge2.node, self.edge2.address)
        self.relay = Relay(self.run, 36, (self.edge2.inner_address,
                                          self.edge2.inner_port))

    def start(self):
        self.edge2.start()
        self.relay.start()
        return super().start()

    def reports(self):
        return super().reports() + self.edge2.reports()

    def edges(self, *edges, relay=False):
        """The gateway's list is these, from now on."""
        rows = [{"name": e.node,
                 "address": f"{e.inner_address}:{e.inner_port}"}
                for e in edges]
        if relay:
            rows[-1]["address"] = f"{self.relay.address}:{self.relay.port}"
        self.gateway.config["edges"] = rows
        self.gateway.write()
        mark = self.gateway.log.mark()
        assert ask(self.gateway.control, "reload")["restart"] == []
        return mark

    def status(self):
        return {e["name"].split(".")[0]: e for e in
                ask(self.gateway.control, "status")["edges"]}

    def await_status(self, **want):
        """Each edge's place in the gateway's list: up or not."""
        end = time.monotonic() + 20
        while {n: e["up"] for n, e in self.status().items()} != want:
            assert time.monotonic() < end, (self.status(), want)
            time.sleep(0.05)

    def await_gone(self, edge, mark):
        self.gateway.log.wait(f"edges state edge={edge.node} .*to=gone", 40,
                              mark)


@pytest.fixture(scope="module")
def place():
    from conftest import Started
    with Started(Growing("growing", wide=False)) as site:
        yield site


@pytest.fixture
def bo(place):
    from conftest import visitor
    yield from visitor(place, BO)


@pytest.fixture
def anna(place):
    from conftest import employee
    yield from employee(place, "anna")


def chat(bo, anna, text):
    assert anna.send(BO, text).status == 200
    bo.message(body=text)
    bo.send(ANNA, f"re: {text}")
    anna.message(body=f"re: {text}")


def carries(place, bo, anna):
    """The edge that the two of them speak through, and the other one."""
    mark = place.gateway.log.mark()
    chat(bo, anna, "by which way?")
    line = place.gateway.log.wait(f"outward delivered .*to={BO}", 5, mark)
    if f"edge={place.edge.node}" in line:
        return place.edge, place.edge2
    return place.edge2, place.edge


@contextlib.contextmanager
def message_under_way(place, anna, text):
    """The partner's server stands still while the block lasts; the list that
    is yielded has the status of the message behind it."""
    told = []
    log = place.gateway.log
    mark = log.mark()
    os.kill(place.prosody.process.pid, signal.SIGSTOP)
    try:
        writer = threading.Thread(
            target=lambda: told.append(anna.send(BO, text).status))
        writer.start()
        log.wait("sip_transaction state from=start to=trying", 5, mark)
        yield told
    finally:
        os.kill(place.prosody.process.pid, signal.SIGCONT)
    writer.join(20)


def once(bo, text):
    bo.message(body=text)
    time.sleep(0.3)
    assert len(bo.journal.all("message", body=text)) == 1


def test_an_edge_is_added_beside_the_first(place, bo, anna):
    place.await_status(edge1=True)
    chat(bo, anna, "with one")
    mark = place.edge.log.mark()
    place.edges(place.edge, place.edge2)
    place.await_status(edge1=True, edge2=True)
    place.edge2.await_open()
    chat(bo, anna, "with two")
    place.edges(place.edge, place.edge2)        # no news
    text = place.edge.log.text(mark)
    assert "stream-end" not in text and "inner_listener down" not in text


def test_one_that_is_taken_out_finishes_what_it_has(place, bo, anna):
    """The message is proven, the partner comes by the other edge, and nobody
    is let in any more."""
    place.edges(place.edge, place.edge2)
    place.await_status(edge1=True, edge2=True)
    old, new = carries(place, bo, anna)
    with message_under_way(place, anna, "the last") as told:
        mark = place.edges(new)
        old.log.wait("gateway-drains .*removed=1", 5)
        time.sleep(0.5)
        assert place.status()[old.name]["configuration"] == "taken out"
    assert told == [200]
    once(bo, "the last")
    place.await_gone(old, mark)
    assert list(place.status()) == [new.name]
    assert not listening(old.address, old.port)
    mark = new.log.mark()
    chat(bo, anna, "by the other")
    assert "partner.example" in new.log.text(mark)
    # Back again, as if it were another.
    place.edges(place.edge, place.edge2)
    place.await_status(edge1=True, edge2=True)
    old.await_open()
    chat(bo, anna, "with two again")


def test_one_that_is_named_again_while_it_leaves_stays(place, bo, anna):
    place.edges(place.edge, place.edge2)
    place.await_status(edge1=True, edge2=True)
    old, new = carries(place, bo, anna)
    with message_under_way(place, anna, "to and fro") as told:
        place.edges(new)
        old.log.wait("gateway-drains .*removed=1", 5)
        mark = place.edges(place.edge, place.edge2)
        place.gateway.log.wait(f"edges state edge={old.node} from=leaving "
                               "to=listed", 5, mark)
        place.await_status(edge1=True, edge2=True)
    assert told == [200]
    once(bo, "to and fro")
    old.await_open()
    chat(bo, anna, "and on")


def test_one_that_moved_is_called_at_its_new_address(place, bo, anna):
    """The channel goes on there: nothing is lost, nothing comes twice."""
    place.edges(place.edge, place.edge2)
    place.await_status(edge1=True, edge2=True)
    place.edges(place.edge2)
    place.await_status(edge2=True)
    chat(bo, anna, "here")
    with message_under_way(place, anna, "in between") as told:
        mark = place.edges(place.edge2, relay=True)
        place.gateway.log.wait(f"edge_link up edge={place.edge2.node} .*"
                               "resumed=1", 5, mark)
    assert told == [200]
    once(bo, "in between")
    assert place.relay.writers
    chat(bo, anna, "there")


def test_one_that_is_not_there_can_be_taken_out(place, bo, anna):
    place.edges(place.edge, place.edge2)
    place.await_status(edge1=True, edge2=True)
    handles = place.gateway.handles()
    for _ in range(3):
        place.edge2.stop()
        place.await_status(edge1=True, edge2=False)
        mark = place.edges(place.edge)
        place.await_gone(place.edge2, mark)
        chat(bo, anna, "without it")
        place.edge2.start()
        place.edges(place.edge, place.edge2)
        place.await_status(edge1=True, edge2=True)
    place.gateway.await_handles(handles)


def test_one_that_comes_back_again_and_again_is_not_mixed_up(
        place, bo, anna):
    """The edge still remembers what it was given the last time, by number."""
    place.edges(place.edge)
    place.await_status(edge1=True)
    for _ in range(3):
        for edge, other in ((place.edge2, place.edge),
                            (place.edge, place.edge2)):
            mark = place.edges(edge)
            place.await_gone(other, mark)
            place.await_status(**{edge.name: True})
            edge.await_open()
            chat(bo, anna, "swapped")


def test_what_can_go_nowhere_is_told_at_once(place, bo, anna):
    """The message waits for an edge that is away, and the list that it is
    taken out of names none that is there."""
    place.edges(place.edge2)
    place.await_status(edge2=True)
    chat(bo, anna, "before")
    place.edge.stop()
    place.edge2.stop()
    place.await_status(edge2=False)
    told = []
    mark = place.gateway.log.mark()
    writer = threading.Thread(target=lambda: told.append(
        anna.refused(BO, "to nowhere").status))
    writer.start()
    place.gateway.log.wait("sip_transaction state from=start to=trying", 5,
                           mark)
    begin = time.monotonic()
    place.edges(place.edge)
    writer.join(10)
    assert told == [504] and time.monotonic() - begin < 5
    place.edge.start()
    place.edge2.start()
    place.edges(place.edge, place.edge2)
    place.await_status(edge1=True, edge2=True)
    place.edge.await_open()
    place.edge2.await_open()
    chat(bo, anna, "after")
    bo.journal.none("message", 0.3, body="to nowhere")
