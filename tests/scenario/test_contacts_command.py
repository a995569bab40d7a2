"""sallyport contacts: what an operator sees of people's contacts."""

import json
import os
import socket
import tempfile
import threading
import time

import pytest

from lib import control
from lib.command import sallyport
from lib.documents import BUSY
from lib.presence_site import PresenceSite
from lib.run import endpoint

pytestmark = pytest.mark.once

DAY = 86400000


# --- with a daemon of the test's making --------------------------------------

class Daemon:
    """Answers one line of JSON with the next of its answers."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "control.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        for answer in self.answers:
            client, _ = self.listener.accept()
            with client, client.makefile("rw", encoding="utf-8") as line:
                self.asked.append(json.loads(line.readline()))
                line.write(json.dumps(dict(answer, ok=True)) + "\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.folder.cleanup()


def pair(number=0, **more):
    row = {"user": "anna@contoso.example",
           "contact": f"bo{number}@partner.example", "roster": "both",
           "invited": True, "name": "Bo", "used": 0,
           "to": {"dialogs": 2, "expires": 0, "shown": "away",
                  "resources": 1, "asked": 0, "refused": 0, "remove": 0,
                  "owed": "", "next": 0, "fails": 0},
           "from": {"phase": "live", "expires": 0, "told": "dnd",
                    "queued": "", "owed": "", "next": 0, "fails": 0,
                    "why": ""}}
    for key, value in more.items():
        value = value() if callable(value) else value
        half, _, name = key.partition("_")
        if name:
            row[half][name] = value
        else:
            row[key] = value
    return row


def answer(*rows, **more):
    return {"daemon": "gateway", "total": len(rows), "contacts": rows,
            **more}


def shown(*rows, options=(), **more):
    with Daemon(answer(*rows, **more)) as daemon:
        return sallyport("--socket", daemon.path, "contacts", *options)


def test_one_line_a_pair():
    title, line = shown(pair()).splitlines()
    assert title.split() == ["USER", "CONTACT", "ROSTER", "USER", "SEES",
                             "CONTACT", "SEES", "POOL", "REMARKS"]
    assert line.split() == ["anna@contoso.example", "bo0@partner.example",
                            "both", "away", "on", "2", "devices", "dnd",
                            "live"]


def ms(seconds):
    """So long from now, whenever that is."""
    return lambda: int((time.time() + seconds) * 1000)


@pytest.mark.parametrize("row, words", [
    ({"roster": "none+out", "to_asked": ms(-7205)},
     "asked 2 h 0 min ago, no answer yet"),
    ({"roster": "none", "to_refused": ms(-4 * 86400 - 5)},
     "refused her 4 d 0 h ago"),
    ({"to_remove": ms(6 * 86400 + 600)},
     "taken off in 6 d 0 h unless she comes back"),
    ({"from_queued": "prompt"}, "waits to be shown to her as a new contact"),
    ({"from_queued": "renewal"}, "waits for its turn at the pool"),
    ({"to_owed": "subscribe", "to_fails": 0}, "subscribe under way"),
    ({"from_owed": "subscribed", "from_fails": 3},
     "subscribed failed 3 times, again when he can be reached"),
    ({"from_phase": "retry", "from_next": ms(45), "from_why": "480"},
     "pool said 480, again in 4"),
    ({"to_dialogs": 0}, "both    -"),
])
def test_what_is_still_to_be_done_is_said_in_words(row, words):
    assert words in shown(pair(**row))


def test_hostile_names_are_harmless():
    out = shown(pair(contact="\x1b[31mred\x07@partner.example"))
    assert "\x1b" not in out and "\x07" not in out


def test_nobody_is_told_as_such():
    assert shown() == "no contacts\n"


def test_any_number_is_one_table():
    pages = [answer(*(pair(i) for i in range(500)), next="499", total=700),
             answer(*(pair(i) for i in range(500, 700)), total=700)]
    with Daemon(*pages) as daemon:
        title, *lines = sallyport("--socket", daemon.path,
                                  "contacts").splitlines()
    assert title.startswith("USER")
    assert [l.split()[1] for l in lines] == [
        f"bo{i}@partner.example" for i in range(700)]


def test_json_has_all_pages():
    pages = [answer(pair(1), pair(2), total=3, next="a"),
             answer(pair(3), total=3)]
    with Daemon(*pages) as daemon:
        out = json.loads(sallyport("--socket", daemon.path, "contacts",
                                   "--json"))
    assert [r["contact"] for r in out["contacts"]] == [
        f"bo{i}@partner.example" for i in (1, 2, 3)]
    assert (out["daemon"], out["total"]) == ("gateway", 3)
    assert "after" not in daemon.asked[0]
    assert daemon.asked[1]["after"] == "a"


def test_addresses_are_sent_in_the_form_they_are_stored_in():
    with Daemon(answer()) as daemon:
        sallyport("--socket", daemon.path, "contacts", "--user",
                  "sip:Anna@CONTOSO.example", "--contact",
                  "Bo@Partner.Example")
    [asked] = daemon.asked
    assert (asked["verb"], asked["user"], asked["contact"]) == (
        "contacts", "anna@contoso.example", "bo@partner.example")


@pytest.mark.parametrize("wrong", [
    ("anna",), ("--user", "anna"), ("--user", "@x"), ("--user",),
    ("--contact", "bo@partner.example/desk"), ("--what",)])
def test_a_wrong_word_is_wrong_usage(wrong):
    sallyport("contacts", *wrong, status=2)


def test_without_a_daemon_it_says_so():
    sallyport("--socket", "/nonexistent/gw.sock", "contacts", status=3)


# --- with the gateway --------------------------------------------------------

@pytest.fixture(scope="module")
def site():
    from conftest import Started
    place = PresenceSite("command")
    address = place.run.address(51)
    place.http = endpoint(address, place.run.port(address, 28443))
    place.gateway.config["admin"]["listen"] = [place.http]
    with Started(place) as site:
        yield site


@pytest.fixture(scope="module")
def over_http(site):
    """Options by which the command asks at a URL."""
    token = site.run.path("token")
    sallyport("token", "new", "--Name", "reader", "--Rights", "read", "--out",
              token, "--socket", site.gateway.config["admin"]["socket"])
    return ("--url", f"http://{site.http}", "--token-file", token)


@pytest.fixture
def couple(site):
    couple = site.couple()
    yield couple
    couple.leave()


def asked(site, *options):
    return json.loads(sallyport("--socket", site.gateway.control, "contacts",
                                "--json", *options))["contacts"]


def one(site, couple):
    [row] = asked(site, "--user", couple.anna, "--contact", couple.bo)
    return row


def await_row(site, couple, **want):
    """Until there is a row and it says so; half_name for what is within a
    half."""
    end = time.monotonic() + 8
    while True:
        rows = asked(site, "--user", couple.anna, "--contact", couple.bo)
        have = rows and {k: rows[0][k.partition("_")[0]][k.partition("_")[2]]
                         if "_" in k else rows[0][k] for k in want}
        if have == want:
            return rows[0]
        assert time.monotonic() < end, f"{have}, not {want}"
        time.sleep(0.1)


def test_friends_are_shown_with_what_each_sees(site, couple):
    bo, endpoint, watch = couple.friends()
    site.pool.publish(couple.anna, number=BUSY)
    bo.show("away")
    row = await_row(site, couple, roster="both", to_shown="away",
                    from_told="dnd", from_phase="live", to_dialogs=1)
    assert row["invited"] is True and row["to"]["resources"] == 1
    assert row["from"]["expires"] > time.time() * 1000
    out = sallyport("--socket", site.gateway.control, "contacts", "--user",
                    couple.anna)
    assert out.splitlines()[1].split()[:6] == [
        couple.anna, couple.bo, "both", "away", "dnd", "live"]


def test_a_request_without_an_answer_is_shown(site, couple):
    couple.login()
    couple.endpoint().add(couple.bo)
    row = await_row(site, couple, roster="none+out", to_shown="unavailable")
    assert abs(row["to"]["asked"] - time.time() * 1000) < 60000


def test_a_refusal_is_shown(site, couple):
    bo, endpoint = couple.login(), couple.endpoint()
    endpoint.add(couple.bo)
    bo.presence_of(couple.anna, type="subscribe")
    bo.unsubscribed(couple.anna)
    row = await_row(site, couple, roster="none")
    assert row["to"]["refused"] > 0


def test_a_planned_removal_is_shown(site, couple):
    bo, endpoint = couple.login(), couple.endpoint()
    watch = couple.anna_sees_bo(bo, endpoint)
    endpoint.unwatch(watch)
    row = await_row(site, couple, roster="to", to_dialogs=0)
    assert row["to"]["remove"] - time.time() * 1000 > 6 * DAY


def test_trouble_with_the_pool_is_shown(site, couple):
    site.pool.user(couple.anna).status = (480, "Temporarily Unavailable")
    couple.login().subscribe(couple.anna)
    row = await_row(site, couple, from_phase="retry")
    assert "480" in row["from"]["why"]


def test_over_http_as_over_the_socket(site, couple, over_http):
    couple.friends()
    here = one(site, couple)
    choice = ("--user", couple.anna, "--contact", couple.bo)
    there = json.loads(sallyport("contacts", "--json", *choice, *over_http))
    assert there["daemon"] == "gateway"
    [row] = there["contacts"]
    assert {k: row[k] for k in ("user", "contact", "roster", "invited")} == {
        k: here[k] for k in ("user", "contact", "roster", "invited")}
    assert couple.bo in sallyport("contacts", *choice, *over_http)
    assert sallyport("contacts", "--user", "nobody@contoso.example",
                     *over_http) == "no contacts\n"


def streams(*options):
    return {s["id"]: s["pairs"] for s in json.loads(
        sallyport("streams", "--json", *options))["streams"]}


def test_streams_over_http_as_over_the_socket(site, couple, over_http):
    couple.friends()
    here = ("--socket", site.gateway.control)
    pairs = streams(*here)
    assert pairs and streams(*over_http) == pairs
    domain = couple.bo.partition("@")[2]
    title, *lines = sallyport("streams", *over_http).splitlines()
    assert title.split()[:2] == ["DIR", "PAIR"] and len(lines) == len(pairs)
    for where in (here, over_http):
        assert streams(*where, "--partner", domain.upper()) == {
            i: p for i, p in pairs.items() if domain in (d for _, d in p)}
        assert streams(*where, "--partner", domain[:-1]) == {}
        assert streams(*where, "--partner", domain[:-1] + "?") != {}
        assert sallyport("streams", *where, "--partner", "x.example") == (
            "no streams\n")


def test_status_over_http_as_over_the_socket(site, over_http):
    here, there = (json.loads(sallyport("status", "--json", *where)) for where
                   in (("--socket", site.gateway.control), over_http))
    assert here.keys() == {*there.keys(), "ok"}
    assert there["node"] == here["node"] and there["edges"][0]["name"] == (
        here["edges"][0]["name"])
    words = sallyport("status", *over_http)
    assert here["node"] in words
    assert words.splitlines()[0] == sallyport(
        "status", "--socket", site.gateway.control).splitlines()[0]


def test_a_token_that_is_none_is_refused(site, over_http):
    wrong = site.run.write("wrong.token", "spt-000000000000-0\n")
    os.chmod(wrong, 0o600)
    for what in ("status", "streams", "contacts"):
        sallyport(what, *over_http[:2], "--token-file", wrong, status=4)
        sallyport(what, *over_http[:2], status=2)
        sallyport(what, *over_http[2:], status=2)
        sallyport(what, "--client-certificate", wrong, status=2)


def test_who_is_nobody_s_contact_is_not_there(site):
    assert asked(site, "--user", "nobody@contoso.example") == []


def test_the_edge_has_no_contacts(site):
    with pytest.raises(control.Refused) as e:
        control.ask(site.edge.control, "contacts")
    assert "no such verb" in str(e.value)


def test_what_cannot_be_asked_is_refused(site):
    """Whatever comes over the socket, an answer or a reason."""
    for request in ({"limit": 0}, {"limit": "x"}, {"limit": 10 ** 12},
                    {"after": "no such place"}, {"user": 7},
                    {"user": "x" * 3000}, {"after": "-1"}):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(10)
            sock.connect(site.gateway.control)
            sock.sendall(json.dumps(dict(
                request, verb="contacts")).encode() + b"\n")
            got = b""
            while data := sock.recv(65536):
                got += data
        assert isinstance(json.loads(got)["ok"], bool), request
    assert asked(site, "--user", "nobody@contoso.example") == []
