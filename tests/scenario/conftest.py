"""Fixtures of the scenarios: sites that tests share, people who come and go.

One wide site serves most tests; a test that changes timers or needs a front
end of its own gets a site of its own.  When a test fails, what the daemons
logged meanwhile is part of the report.
"""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

from lib.front_end import FrontEnd                  # noqa: E402
from lib.lync_client import Refused                 # noqa: E402
from lib.site import Site                           # noqa: E402

LOGGED = []     # sites alive, for the report of a failure


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "torture(rounds): tears something down; make torture "
        "repeats it, unless its rounds are its own")
    config.addinivalue_line(
        "markers", "once: neither the edge's sandbox nor speed nor memory "
        "has a part in it, so make check runs it in the sanitized build only")


# The files that take longest, longest first: side by side, whoever gets one
# of them last would still be busy with it when all others are done.
LONGEST = ("sharing", "presence_restarts", "firewall", "topologies",
           "revocation", "presence_pool", "live_providers", "live_rights",
           "presence_flows", "acks",
           "load_and_kill", "many_chats", "live_gateway_config",
           "live_partner", "user_requests", "edge_alone",
           "presence_endpoints", "acme", "life", "patience",
           "presence_names", "lying_edge", "inner_port", "restarts",
           "presence_policy", "presence_hostile", "presence_store",
           "front_ends", "presence_kamailio", "stream_rows")


def pytest_collection_modifyitems(items):
    rank = {f"test_{name}": i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


def pytest_generate_tests(metafunc):
    """make torture says with SALLYPORT_ROUNDS how often."""
    rounds = int(os.environ.get("SALLYPORT_ROUNDS", "0"))
    mark = metafunc.definition.get_closest_marker("torture")
    if rounds > 1 and mark is not None and not mark.kwargs.get("rounds"):
        metafunc.fixturenames.append("round_number")
        metafunc.parametrize("round_number", range(1, rounds + 1),
                             indirect=True)


@pytest.fixture
def round_number(request):
    return request.param


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if call.when == "setup":
        item.marks = marks()
    if report.failed:
        before = getattr(item, "marks", {})
        for daemon in daemons():
            text = daemon.log.text(before.get(daemon.log.path, 0))
            report.sections.append((f"{daemon.name} logged",
                                    "\n".join(text.splitlines()[-60:])))


def daemons():
    return [d for site in LOGGED for d in (site.edge, site.gateway)]


def marks():
    return {d.log.path: d.log.mark() for d in daemons()}


class Started:
    """A site from its start to its end, sanitizer reports included."""

    def __init__(self, site):
        self.site = site

    def __enter__(self):
        LOGGED.append(self.site)
        try:
            return self.site.start()
        except BaseException:
            LOGGED.remove(self.site)
            self.site.run.keep = True
            self.site.close()
            raise

    def __exit__(self, *_):
        problems = self.site.close()
        LOGGED.remove(self.site)
        assert not problems, "\n".join(problems)


@pytest.fixture(scope="session")
def site():
    """The whole federation, shared: leave it as you found it."""
    with Started(Site("scenario")) as site:
        yield site


@pytest.fixture(scope="module")
def hasty():
    """A small site whose gateway waits seconds where others wait minutes."""
    site = Site("hasty", wide=False)
    site.gateway.config["timers"] = {"idle_seconds": 2, "inward_ms": 3000,
                                     "outward_ms": 3000}
    with Started(site) as site:
        yield site


@pytest.fixture(scope="module")
def rude():
    """A small site whose pool is a front end of the test's making."""
    site = Site("rude", wide=False)
    site.front_end = FrontEnd(site.run, site.internal).start()
    front_ends = site.gateway.config["sip"]["pool"]["front_ends"]
    front_ends[:] = [{"name": site.front_end.name,
                      "address": f"{site.front_end.address}:"
                                 f"{site.front_end.port}"}]
    site.gateway.config["timers"] = {"inward_ms": 4000, "outward_ms": 4000}
    with Started(site) as site:
        yield site


@pytest.fixture
def front_end(rude):
    yield rude.front_end
    rude.front_end.script.clear()


def visitor(site, jid):
    user = site.xmpp_user(jid)
    yield user
    user.logout()


def employee(site, name, **more):
    user = site.lync_user(name, **more)
    yield user
    leave(user)


def heard(site, name, contact):
    """An employee whose words have got through to a contact, for tests of
    time.  Kamailio, just started, now and then takes an old complaint of
    OpenSSL's for one about a new connection, and drops that."""
    for _ in range(5):
        user = site.lync_user(name)
        try:
            user.send(contact, "Is this on?")
            break
        except (Refused, ConnectionError):
            user.close()
    yield user
    leave(user)


def leave(user):
    """Closes all windows and signs out, whatever state the test left."""
    user.silent = False
    try:
        for peer in list(user.current):
            user.bye(peer)
        user.logout()
    finally:
        user.close()


@pytest.fixture
def bo(site):
    yield from visitor(site, "bo@partner.example")


@pytest.fixture
def cleo(site):
    yield from visitor(site, "cleo@partner.example")


@pytest.fixture
def anna(site):
    yield from employee(site, "anna")


@pytest.fixture
def carl(site):
    yield from employee(site, "carl")


@pytest.fixture
def olaf(site):
    yield from employee(site, "olaf")


@pytest.fixture
def hasty_bo(hasty):
    yield from visitor(hasty, "bo@partner.example")


@pytest.fixture
def hasty_anna(hasty):
    yield from employee(hasty, "anna")


@pytest.fixture
def rude_bo(rude):
    yield from visitor(rude, "bo@partner.example")
