"""Several front ends: who gets a chat, who is left alone, who is found dead.

Two front ends of the test's making, two connections of the gateway's to each,
and a probe after a second of quiet.
"""

import ssl
import time

import pytest

from lib import sip
from lib.control import ask
from lib.front_end import FrontEnd
from lib.site import Site

pytestmark = pytest.mark.once

ANNA = "anna@contoso.example"


def rows(*front_ends):
    return [{"name": f.name, "address": f"{f.address}:{f.port}"}
            for f in front_ends]


@pytest.fixture(scope="module")
def place():
    from conftest import Started
    site = Site("fronts", wide=False)
    site.first = FrontEnd(site.run, site.internal, host=41,
                          name="fe2.contoso.example").start()
    site.second = FrontEnd(site.run, site.internal, host=42,
                           name="fe3.contoso.example").start()
    site.gateway.config["sip"]["pool"].update(
        front_ends=rows(site.first, site.second), connections=2,
        probe_seconds=1)
    site.gateway.config["timers"] = {"inward_ms": 6000, "outward_ms": 4000}
    site.gateway.config["sip"]["negotiate_reply"] = "488"
    # For the test of old versions alone; everybody else speaks newer ones.
    site.gateway.config["sip"]["tls_min"] = "1.1"
    with Started(site) as site:
        for front_end in (site.first, site.second):
            await_state(site, front_end, "serving")
        yield site


@pytest.fixture
def both(place):
    yield place.first, place.second
    for front_end in (place.first, place.second):
        front_end.script.clear()
    # One that hung up often is called again after a while only.
    for front_end in (place.first, place.second):
        await_state(place, front_end, "serving", 40)


@pytest.fixture
def guest(place):
    from conftest import visitor
    name = f"g{sip.token(4)}"
    place.prosody.register(name, "partner.example")
    yield from visitor(place, f"{name}@partner.example")


def row_of(place, front_end):
    return next(r for r in ask(place.gateway.control, "status")
                ["pool"]["front_ends"] if r["name"] == front_end.name)


def await_state(place, front_end, state, timeout=10, **more):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        row = row_of(place, front_end)
        if row["state"] == state and \
                all(row[k] == v for k, v in more.items()):
            return row
        time.sleep(0.05)
    raise AssertionError(f"never {state}: {row}")


def invites(front_end, text=""):
    return front_end.journal.all("request", method="INVITE",
                                 request=lambda r: text in r.get("From"))


def heard(front_end, text):
    return front_end.journal.all("request", method="MESSAGE",
                                 request=lambda r: r.body == text.encode())


def await_heard(front_ends, text, timeout=10):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        for front_end in front_ends:
            if heard(front_end, text):
                return front_end
        time.sleep(0.02)
    raise AssertionError(f"nobody heard {text!r}")


def newcomers(place, count):
    """People of the partner who have no chat yet."""
    people = []
    for _ in range(count):
        name = f"n{sip.token(4)}"
        place.prosody.register(name, "partner.example")
        people.append(place.xmpp_user(f"{name}@partner.example"))
    return people


def test_each_has_the_connections_that_are_wanted(place, both):
    for front_end in both:
        row = await_state(place, front_end, "serving", out=2, out_wanted=2)
        assert row["in"] == 0
        inbound = [front_end.connect(place.gateway) for _ in range(5)]
        # A fifth one takes the place of the one silent for longest.
        await_state(place, front_end, "serving", **{"in": 4})
        for conn in inbound:
            front_end.drop(conn)
        await_state(place, front_end, "serving", **{"in": 0})


def test_new_chats_spread_and_a_chat_stays_where_it_is(place, both):
    before = [len(invites(f)) for f in both]
    people = newcomers(place, 12)
    for i, person in enumerate(people):
        person.send(ANNA, f"spread {i}")
        where = await_heard(both, f"spread {i}")
        person.send(ANNA, f"and on {i}")
        assert await_heard(both, f"and on {i}") is where
        # One dialog, one connection: ACK and what follows cannot pass
        # each other.
        ours = [e for e in where.journal.all("request")
                if person.jid in e.request.get("From") and
                e.request.method in ("ACK", "MESSAGE")]
        assert len({e.connection for e in ours}) == 1
        person.logout()
    took = [len(invites(f)) - n for f, n in zip(both, before)]
    assert sum(took) == 12 and min(took) > 0


def test_the_route_decides_within_a_chat_and_any_other_helps(
        place, both, guest):
    """ms-fe names the front end; when it is gone, the other one forwards."""
    first, second = both
    for front_end in both:
        # Whoever is asked: the dialog is the first one's.
        front_end.script["INVITE"] = lambda m, c: first.accept(m, c)
    guest.send(ANNA, "by the route 1")
    await_heard([first], "by the route 1")
    for i, person in enumerate(newcomers(place, 8)):
        person.send(ANNA, f"also by the route {i}")
        await_heard([first], f"also by the route {i}")
        person.logout()
    first.stop()
    await_state(place, first, "away")
    guest.send(ANNA, "another way")
    where = await_heard([second], "another way")
    request = heard(where, "another way")[0].request
    assert [sip.uri_of(v) for v in request.all("Route")] == \
        [sip.uri_of(first.route)]
    row = row_of(place, first)
    assert row["out"] == 0 and row["failure"]["reason"]
    # Called again and again, less and less often, until it is back.
    seen = set()
    end = time.monotonic() + 4
    while time.monotonic() < end:
        seen.add(row_of(place, first)["next_s"])
        time.sleep(0.1)
    assert len(seen) >= 2 and max(seen) >= 2
    first.start()
    await_state(place, first, "serving", 40)


def test_who_wants_no_requests_is_left_alone_for_as_long_as_it_says(
        place, both):
    """503 with Retry-After: the chat goes to the other one, unseen by all."""
    first, second = both
    mark = place.gateway.log.mark()
    first.script["INVITE"] = lambda m, c: c.send(m.answer(
        503, "Service Unavailable", "t1", [("Retry-After", "4")]))
    people = newcomers(place, 14)
    for i, person in enumerate(people):
        person.send(ANNA, f"round {i}")
        assert await_heard(both, f"round {i}") is second
        assert not person.journal.all("error")
        person.logout()
    # Only the first of them met the 503.
    turned_away = [e for e in invites(first)
                   if any(p.jid in e.request.get("From") for p in people)]
    assert len(turned_away) == 1
    place.gateway.log.wait("front-end name=fe2.contoso.example from=serving "
                           "to=resting", 5, mark)
    row = row_of(place, first)
    if row["state"] == "resting":
        assert 0 < row["next_s"] <= 4
    assert row["failure"]["reason"] == "503 Service Unavailable to INVITE"
    first.script.clear()
    await_state(place, first, "serving", 8)


def test_who_says_so_once_more_is_left_alone_until_then(place, both):
    """Two INVITEs were under way; the answers ask for rest one after the
    other.  The last word counts, and behind it the front end serves again."""
    first, second = both
    mark = place.gateway.log.mark()
    waiting = []

    def decline(request, conn):
        conn.send(request.answer(503, "Service Unavailable", "t1",
                                 [("Retry-After", "2")]))

    first.script["INVITE"] = lambda m, c: waiting.append((m, c))
    people = newcomers(place, 16)
    for i, person in enumerate(people):
        person.send(ANNA, f"at once {i}")
    end = time.monotonic() + 3
    while len(waiting) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    assert len(waiting) >= 2
    first.script["INVITE"] = decline
    decline(*waiting[0])
    time.sleep(0.5)
    for request, conn in waiting[1:]:
        decline(request, conn)
    for i, person in enumerate(people):
        assert await_heard(both, f"at once {i}") is second
        person.logout()
    place.gateway.log.wait("front-end name=fe2.contoso.example from=serving "
                           "to=resting", 5, mark)
    assert row_of(place, first)["next_s"] <= 2
    first.script.clear()
    await_state(place, first, "serving", 5)


def test_a_503_from_behind_a_front_end_is_not_held_against_it(
        place, both, guest):
    first, second = both
    for front_end in both:
        front_end.script["INVITE"] = lambda m, c: c.send(m.answer(
            503, "Service Unavailable", "t1", [
                ("ms-diagnostics", '1;reason="x";source="mcu.contoso.example"')
            ]))
    id = guest.send(ANNA, "nobody there")
    assert guest.error(id=id, timeout=10).condition
    assert row_of(place, first)["state"] == "serving"
    assert row_of(place, second)["state"] == "serving"


def test_one_that_hangs_up_on_an_invite_is_followed_by_the_next(
        place, both):
    """Nothing rang yet: the same INVITE, another branch, the other one."""
    first, second = both
    first.script["INVITE"] = lambda m, c: c.abort()
    for i, person in enumerate(newcomers(place, 8)):
        person.send(ANNA, f"hung up {i}")
        assert await_heard(both, f"hung up {i}") is second
        assert not person.journal.all("error")
        sent = [e.request for f in both for e in invites(f, person.jid)]
        assert len({r.call_id for r in sent}) == 1
        assert len({r.get("Via") for r in sent}) == len(sent)
        person.logout()
        if len(sent) == 2:
            break
    else:
        raise AssertionError("none went to the first")


def test_one_that_answers_nothing_is_found_and_gets_no_chat(place, both):
    """TLS stands, SIP hangs: OPTIONS finds it, and new chats go around."""
    first, second = both
    mark = place.gateway.log.mark()
    for method in ("OPTIONS", "INVITE", "MESSAGE"):
        first.script[method] = lambda m, c: None
    place.gateway.log.wait("front-end name=fe2.contoso.example .*to=silent",
                           10, mark)
    # It can be connected to all the same, which does not acquit it.
    first.journal.wait("accepted", 5)
    for i, person in enumerate(newcomers(place, 8)):
        person.send(ANNA, f"around {i}")
        assert await_heard(both, f"around {i}") is second
        person.logout()
    assert row_of(place, first)["failure"]["reason"] == "no answer to OPTIONS"
    first.script.clear()
    await_state(place, first, "serving", 15)


def test_any_answer_to_a_probe_is_life(place, both):
    first, _ = both
    first.script["OPTIONS"] = lambda m, c: c.send(
        m.answer(404, "Not Found", "t1"))
    probe = first.journal.wait("request", 5, method="OPTIONS").request
    assert probe.uri == "sip:fe2.contoso.example;transport=tls"
    time.sleep(2.5)
    assert row_of(place, first)["state"] == "serving"


def test_status_tells_of_each_front_end(place, both):
    from lib.command import sallyport
    first, second = both
    text = sallyport("--socket", place.gateway.control, "status")
    for front_end in both:
        assert f"{front_end.name}: serving for" in text
    assert "2 of 2 out" in text


def test_negotiate_is_answered_by_the_setting(place, both):
    conn = both[0].connect(place.gateway)
    assert both[0].negotiate(conn).status == 488
    both[0].drop(conn)


def test_a_quiet_connection_stays_open_and_is_pinged(place, both):
    """CRLF both ways; neither end needs to say more."""
    conn = both[1].connect(place.gateway)
    conn_closed = both[1].journal.all("closed")
    for _ in range(3):
        both[1].write(conn, b"\r\n\r\n")
        time.sleep(1)
    assert both[1].negotiate(conn).status == 488
    assert both[1].journal.all("closed") == conn_closed
    both[1].drop(conn)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("version, works", [
    (ssl.TLSVersion.TLSv1, False), (ssl.TLSVersion.TLSv1_1, True),
    (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)])
def test_versions_of_tls_are_those_of_the_configuration(
        place, both, version, works):
    import socket
    context = sip.client_context(both[0].ca, both[0].leaf)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    raw = socket.create_connection(
        (place.gateway.address, place.gateway.port), 5,
        source_address=(both[0].address, 0))
    try:
        with context.wrap_socket(raw) as secured:
            assert works
            secured.sendall(b"\r\n\r\n")
            assert secured.recv(2) == b"\r\n"
    except ssl.SSLError:
        assert not works


def test_an_old_version_is_warned_of(place, both):
    place.gateway.log.wait(
        "warn gateway_conf warning text=.*sip.tls_min: TLS 1.1 is not safe",
        2, 0)


def called(place, name):
    """From now on, while it runs."""
    place.gateway.config["sip"]["user_agent"] = name
    place.gateway.write()
    assert ask(place.gateway.control, "reload")["restart"] == []


def names_heard(front_ends, since, method):
    """User-Agent of the requests of that method that came since then."""
    return [e.request.all("User-Agent") for f in front_ends
            for e in f.journal.all("request", method=method)
            if e.at > since]


@pytest.mark.parametrize("name", ["XmppTGW/6.0 (gw1; test)", "", None])
def test_it_is_called_what_it_is_told_to_be(place, both, guest, name):
    """By whoever logs it in the pool: User-Agent in requests, also in probes,
    and Server in answers, of one hop too."""
    sip_conf = place.gateway.config["sip"]
    since = time.monotonic()
    if name is not None:
        called(place, name)
        expected = [name] if name else []
    else:
        del sip_conf["user_agent"]
        place.gateway.write()
        ask(place.gateway.control, "reload")
        expected = ["Sallyport/" + ask(place.gateway.control,
                                       "status")["version"]]
    after = time.monotonic()
    guest.send(ANNA, f"called {name}")
    await_heard(both, f"called {name}")
    for method in ("INVITE", "ACK", "MESSAGE"):
        heard_as = names_heard(both, since, method)
        assert heard_as and all(n == expected for n in heard_as), method
    end = time.monotonic() + 5
    while not (probed := names_heard(both, after + 0.1, "OPTIONS")):
        assert time.monotonic() < end, "no probe"
        time.sleep(0.05)
    assert all(n == expected for n in probed)
    conn = both[0].connect(place.gateway)
    assert both[0].negotiate(conn).all("Server") == expected
    asked = both[0].invite(conn, ANNA, "nobody@stranger.example")
    refused = both[0].transact(conn, asked)
    assert refused.status >= 400
    assert refused.all("Server") == expected
    both[0].drop(conn)
