"""The wall clock of an edge jumps, ahead and back: nothing that waits for a
time to pass notices, and certificates are judged by the time that it is."""

import time

import pytest

from lib.crowded_edge import COMPANY, CrowdedEdge
from lib.daemons import BIN
from lib.moved_clock import MovedClock
from lib.xmpp_peer import Ended

pytestmark = pytest.mark.skipif(
    "asan" in BIN, reason="a sanitizer wants to be loaded first")
DAY = 86400
PARTNER = "p0.example"


@pytest.fixture
def place():
    place = CrowdedEdge("clock", partners=1)
    try:
        place.clock = MovedClock(place.run, place.edge)
        yield place.start(stream_inactivity_ms=60000,
                          stream_establishment_ms=2000)
    finally:
        place.close()


def says(place, stream, word):
    stream.message(f"bo@{PARTNER}/x", f"anna@{COMPANY}", word)
    frame = place.inside.wait("message", body=word)
    place.inside.send("result", answers=frame["seq"], status="delivered",
                      proof="gateway")


def test_a_clock_that_jumps_ends_no_stream(place):
    stream = place.partner(PARTNER)
    for i, days in enumerate((1, -1, 4000, -4000, 0)):
        place.clock.move(days * DAY)
        half = place.stream(PARTNER)            # on its way meanwhile
        half.open()
        says(place, stream, f"word {i}")
        with pytest.raises(TimeoutError):
            half.read(0.3)
        if 0 <= days < 30:
            half.close()
            says(place, place.partner(PARTNER), f"newcomer {i}")
        else:
            # His certificate is not good then: not yet, or no more.
            half.starttls(place.public.certificate,
                          place.public.leaf(PARTNER))
            with pytest.raises((Ended, AssertionError)):
                assert "EXTERNAL" in half.open()
            half.close()
            # So it is seen that the clock did jump.
            year = time.gmtime(time.time() + days * DAY).tm_year
            place.edge.log.wait(f"^{year}-.* stream-end ")
    # Limits in time are kept all the same.
    late = place.stream(PARTNER)
    begun = time.monotonic()
    place.clock.move(-4000 * DAY)
    assert "<connection-timeout " in late.drain(15)
    assert 1.5 < time.monotonic() - begun < 8
    says(place, stream, "last word")
