"""Midnight, while people talk and see each other: licences that begin and
end with a day, and a token whose last day it was."""

import time

import pytest

from lib.admin_api import Api, Events
from lib.daemons import BIN, partner
from lib.moved_clock import MovedClock
from lib.open_pair import LiveSite, opened
from lib.run import endpoint

pytestmark = pytest.mark.skipif(
    "asan" in BIN, reason="a sanitizer wants to be loaded first")

PUBLIC = "public.example"
CAL = "Standard CAL"
DAY = 86400


class DatedSite(LiveSite):
    def __init__(self):
        super().__init__("live-days", rows=[partner(PUBLIC)])
        self.clock = MovedClock(self.run, self.gateway)
        self.moved = 0
        address = self.gateway.address
        self.http = endpoint(address, self.run.port(address, 28480))
        self.gateway.config["admin"]["listen"] = [self.http]

    def day(self, days=0):
        return time.strftime("%Y-%m-%d", time.gmtime(
            time.time() + self.moved + days * DAY))

    def to_midnight(self, seconds):
        """So many of them are left of the gateway's day; the moment of
        midnight, by the clock that does not jump."""
        self.moved = DAY - time.time() % DAY - seconds
        # Whole seconds are moved, so midnight is a little later than asked.
        self.clock.move(int(self.moved))
        self.moved = int(self.moved)
        return time.monotonic() + DAY - (time.time() + self.moved) % DAY


@pytest.fixture
def site():
    from conftest import Started
    with Started(DatedSite()) as site:
        site.do("provider", "set", "Skype", "--EndDate", "")
        site.do("policy", "new", "Pic", *(
            word for right in ("EnableFederationAccess", "EnableXmppAccess",
                               "EnablePublicCloudAccess")
            for word in (f"--{right}", "true")))
        yield site


def licensed(pair):
    pair.site.do("policy", "grant", pair.anna, "--PolicyName", "Pic")
    pair.site.do("licence", "new", f"{pair.anna} {CAL}")


def licence(site, pair, member, value):
    site.do("licence", "set", f"{pair.anna} {CAL}", f"--{member}", value)


def token(site, path, **members):
    site.do("token", "new", "--Name", "watcher", "--out", path, *(
        word for k, v in members.items() for word in (f"--{k}", v)))
    with open(path, encoding="ascii") as f:
        return Api(address=site.http, token=f.read().strip())


def test_a_day_ends_and_another_begins(site):
    with opened(site, PUBLIC, licensed) as one, \
            opened(site, PUBLIC, licensed) as two:
        site.do("partner", "set", PUBLIC, "--Provider", "Skype")
        midnight = site.to_midnight(6)
        api = token(site, site.run.path("token"), Expires=site.day())
        with Events(api) as events:
            licence(site, two, "From", site.day(1))
            two.is_closed(61076, "User's licence for the public provider is "
                          f"not valid yet: {CAL}")
            one.goes_on(lambda: licence(site, one, "Until", site.day()))
            assert api.get("/v1/status").status == 200
            assert time.monotonic() < midnight, "the machine is too slow"
            # The last second of the day still belongs to it.
            time.sleep(max(0, midnight - 0.3 - time.monotonic()))
            assert one.chat.say("good night") == 200
            one.is_closed(61077, "User's licence for the public provider has "
                          f"expired: {CAL}")
            *_, gone = one.bo.journal.all("presence", type="unavailable",
                                          bare=one.anna)
            assert -0.05 < gone.at - midnight < 2
            two.is_open()
            assert events.await_event("cut")
        assert api.get("/v1/status").status == 401
        # The clock is set right, and it is the day before again.
        site.clock.move(0)
        one.is_open()
        two.is_closed(61076, "User's licence for the public provider is not "
                      f"valid yet: {CAL}")
        assert api.get("/v1/status").status == 200
