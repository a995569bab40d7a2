"""A whole company signs in within moments: `make bench` does the same with
100 000 users."""

import threading
import time

import pytest

from lib.morning import Morning, Watcher

pytestmark = pytest.mark.once

USERS = 3000


@pytest.fixture(scope="module")
def morning():
    morning = Morning(USERS, presence={"damp_ms": 1000})
    try:
        morning.start()
        yield morning
    finally:
        morning.site.close()


def test_a_company_that_signs_in_queues_nowhere_without_bound(morning):
    """Everybody comes online and is busy a moment later: each contact sees
    the last word, and no more stanzas wait than there are pairs."""
    wire = morning.wire()
    with Watcher(morning.site.gateway) as seen:
        morning.blow(wire, morning.notices(3500))
        morning.blow(wire, morning.notices(6500))
        morning.until("not all are seen busy",
                      lambda: morning.shown("dnd") == USERS, 60)
    assert wire.statuses == {200: 2 * USERS}
    assert seen.worst["flight"] <= 256
    assert seen.worst["outbox"] <= USERS
    assert seen.worst["latency"] < 5
    assert morning.status()["outbox"] == 0


def test_every_client_of_the_company_sees_its_contact(morning):
    wire = morning.wire()
    with Watcher(morning.site.gateway) as seen:
        morning.blow(wire, morning.askings())
        morning.until("not all are shown", lambda: len(morning.pool.open)
                      == USERS, 60)
    assert wire.statuses == {200: USERS}
    assert seen.worst["latency"] < 5
    assert morning.status()["dialogs"] == USERS


def test_notices_that_come_while_it_starts_find_their_dialogs(morning):
    """It listens before anything else, and answers when it knows its
    subscriptions: a 481 would end them."""
    wires, ended = [], time.monotonic() + 60

    def notify():
        while not wires and time.monotonic() < ended:
            try:
                wires.append(morning.wire())
            except OSError:         # it does not listen yet
                time.sleep(0.002)
        morning.blow(wires[0], notices)

    morning.site.gateway.stop()
    notices = list(morning.notices(15500))
    pool = threading.Thread(target=notify)
    pool.start()
    # Here, for it lives no longer than the thread that starts it.
    morning.site.gateway.start()
    pool.join()
    [wire] = wires
    assert wire.statuses == {200: USERS}
    morning.until("not all are seen away",
                  lambda: morning.shown("away") == USERS, 60)
    assert morning.status()["watching"] == USERS
