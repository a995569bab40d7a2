"""What people notice when one of the two daemons goes and comes back."""

import threading
import time

import pytest

from lib.lync_client import Refused

ANNA = "anna@contoso.example"
BO = "bo@partner.example"

pytestmark = pytest.mark.torture


def until_sent(anna, text, seconds=30):
    """Writes until it is taken; the refusals on the way are errors shown."""
    end = time.monotonic() + seconds
    while True:
        try:
            return anna.send(BO, text)
        except Refused:
            assert time.monotonic() < end, f"{text!r} never went through"
            time.sleep(0.3)


def until_arrived(bo, anna, text, seconds=40):
    """The same from the partner's side, where an error may come back."""
    end = time.monotonic() + seconds
    while True:
        id = bo.send(ANNA, text)
        while True:
            if anna.journal.all("message", body=text):
                return
            if bo.journal.all("error", id=id):
                break
            assert time.monotonic() < end, f"{text!r} never arrived"
            time.sleep(0.1)
        assert time.monotonic() < end, f"{text!r} never arrived"
        time.sleep(0.3)


def test_the_gateway_comes_back_and_people_go_on(site, bo, anna):
    anna.send(BO, "before")
    bo.message(body="before")
    site.gateway.restart()
    until_sent(anna, "after")
    bo.message(body="after")
    until_arrived(bo, anna, "and back")


def test_a_killed_gateway_comes_back_and_people_go_on(site, bo, anna):
    bo.send(ANNA, "before")
    anna.message(body="before")
    site.gateway.kill()
    site.gateway.start()
    until_sent(anna, "after")
    bo.message(body="after")
    until_arrived(bo, anna, "and back")


def test_a_message_while_the_gateway_is_away_waits_for_it(site, bo, anna):
    """The edge holds what came; nothing is lost and nobody is told."""
    bo.send(ANNA, "before")
    anna.message(body="before")
    site.gateway.stop()
    id = bo.send(ANNA, "meanwhile")
    time.sleep(1)
    site.gateway.start()
    anna.message(body="meanwhile", timeout=30)
    assert not bo.journal.all("error", id=id)


def test_a_message_while_the_gateway_is_away_is_told_to_the_lync_user(
        site, anna):
    site.gateway.stop()
    try:
        assert anna.refused(BO, "into the void").status in (480, 503, 504)
    finally:
        site.gateway.start()


def test_the_edge_comes_back_and_people_go_on(site, bo, anna):
    anna.send(BO, "before")
    bo.message(body="before")
    site.edge.restart()
    site.edge.await_open()
    until_sent(anna, "after")
    bo.message(body="after")
    until_arrived(bo, anna, "and back")


def test_a_killed_edge_comes_back_and_people_go_on(site, bo, anna):
    anna.send(BO, "before")
    bo.message(body="before")
    site.edge.kill()
    site.edge.start()
    site.edge.await_open()
    until_sent(anna, "after")
    bo.message(body="after")
    until_arrived(bo, anna, "and back")


def test_a_message_while_the_edge_is_away_is_told_to_the_lync_user(
        hasty, hasty_anna):
    """It waits for the edge until its deadline, then it is an error."""
    hasty.edge.stop()
    try:
        assert hasty_anna.refused(BO, "into the void").status == 504
    finally:
        hasty.edge.start()
        hasty.edge.await_open()


def test_a_message_while_the_edge_is_away_goes_when_it_is_back_in_time(
        site, bo, anna):
    anna.send(BO, "before")
    bo.message(body="before")
    site.edge.stop()
    statuses = []
    writer = threading.Thread(
        target=lambda: statuses.append(anna.send(BO, "meanwhile").status))
    writer.start()
    time.sleep(1)
    site.edge.start()
    writer.join(40)
    assert statuses == [200]
    bo.message(body="meanwhile")
    site.edge.await_open()


def test_every_200_during_a_kill_of_the_gateway_is_a_message_delivered(
        site, bo, anna):
    taken, done = [], threading.Event()

    def write():
        n = 0
        while not done.is_set():
            text = f"count {n}"
            n += 1
            try:
                anna.send(BO, text, timeout=10)
                taken.append(text)
            except (Refused, TimeoutError):
                time.sleep(0.05)

    writer = threading.Thread(target=write)
    writer.start()
    time.sleep(0.7)
    site.gateway.kill()
    site.gateway.start()
    time.sleep(2.5)
    done.set()
    writer.join(30)
    assert taken
    bo.message(body=taken[-1], timeout=20)
    arrived = {m.body for m in bo.journal.all("message")}
    assert not [t for t in taken if t not in arrived]


def test_both_stop_in_order_when_they_are_told(site, bo, anna):
    bo.send(ANNA, "before")
    anna.message(body="before")
    for daemon in (site.gateway, site.edge):
        begin = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - begin < 8
    site.edge.start()
    site.gateway.start()
    site.edge.await_open()
    until_arrived(bo, anna, "after")
