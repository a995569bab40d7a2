"""Whether a certificate has been taken back, as the edge finds out by itself:
lists that certificates point to, answers stapled to handshakes, and the answer
that goes with our own."""

import json
import os
import re
import signal
import subprocess
import threading
import time

import pytest

from lib.command import findings
from lib.control import ask, run
from lib.daemons import partner
from lib.site import COMPANY, Site
from lib.status_server import StatusServer
from lib.xmpp_peer import RawStream

ANNA = f"anna@{COMPANY}"
BO = "bo@partner.example"
REVOKED = "certificate revoked"
STAPLED = ("taken-back.example", "no-staple.example")


class StatusSite(Site):
    """Certificates that say where their status is to be had."""

    def hosts(self):
        self.status = StatusServer(self.run, self.dns)
        base = self.status.base
        self.public.leaf("partner.example",
                         extra=("--crl", f"{base}/ca.crl"))
        self.public.leaf(COMPANY, extra=("--ocsp", f"{base}/ocsp",
                                         "--crl", f"{base}/own.crl"),
                         eku=self.external_eku)
        super().hosts()
        # Servers that do nothing but a handshake, with an answer or without.
        for host, domain in enumerate(STAPLED, 80):
            self.dns.zone(domain)
            port = self.run.port(self.run.address(host), 25270)
            self.dns.srv(domain, f"xmpp.{domain}", port,
                         service="_xmpps-server")
            self.dns.a(f"xmpp.{domain}", self.run.address(host))

    def partners(self):
        return super().partners() + [partner(d) for d in STAPLED]


def stapling_server(site, host, domain, revoked):
    """openssl's, on a port for direct TLS."""
    leaf = site.public.leaf(domain,
                            extra=() if revoked else ("--must-staple",))
    more = []
    if revoked:
        path = site.run.path(f"{domain}.answer")
        with open(path, "wb") as f:
            f.write(site.public.answer(None, leaf, revoked=True))
        more = ["-status_file", path]
    address = site.run.address(host)
    server = site.run.process(domain, [
        "openssl", "s_server", "-quiet", "-accept", f"{address}:25270",
        "-cert", leaf.certificate, "-key", leaf.key, "-alpn", "xmpp-server",
        *more])
    server.start()
    server.await_port(address, 25270)


@pytest.fixture(scope="module")
def place():
    from conftest import Started
    site = StatusSite("status", wide=False, external_srv_id=False)
    site.gateway.config["timers"] = {"outward_ms": 6000, "inward_ms": 6000}
    # The authority's server is on loopback here.
    site.edge.config["external"]["revocation"] = {
        "networks": [f"{site.status.address}/32"]}
    site.status.put("/ca.crl", site.public.revocation_list("empty.crl",
                                                           der=True))
    own = site.public.leaf(COMPANY)
    site.status.responder = lambda q: site.public.answer(q, own)
    site.status.start()
    with Started(site) as site:
        stapling_server(site, 80, STAPLED[0], True)
        stapling_server(site, 81, STAPLED[1], False)
        yield site


@pytest.fixture
def anna(place):
    from conftest import employee
    yield from employee(place, "anna")


@pytest.fixture
def bo(place):
    from conftest import visitor
    yield from visitor(place, BO)


def reload(place, **more):
    """Everything is asked anew; members that are None go."""
    setting = place.edge.config["external"]["revocation"]
    for key, value in more.items():
        if value is None:
            setting.pop(key, None)
        else:
            setting[key] = value
    place.edge.write()
    mark = place.edge.log.mark()
    os.kill(place.edge.process.pid, signal.SIGHUP)
    place.edge.log.wait("keeper reloaded ", 10, mark)
    place.edge.log.wait("child-ready child=fetcher", 10, mark)
    return mark


def revocation(place):
    return ask(place.edge.control, "status")["revocation"]


def wait_for(what, timeout=10):
    end = time.monotonic() + timeout
    while not what():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.02)


def leaf(place, name, path):
    return place.public.leaf(
        name, "partner.example",
        extra=("--crl", place.status.base + path) if path else ())


def features(place, certificate):
    """What somebody with that certificate is offered, "" for nothing."""
    stream = RawStream(place.edge.address, place.edge.port,
                       "partner.example", COMPANY)
    stream.open()
    stream.starttls(place.public.certificate, certificate)
    try:
        return stream.open()
    except AssertionError:
        return ""
    finally:
        stream.close()


def is_believed(place, certificate):
    return "EXTERNAL" in features(place, certificate)


def test_a_revoked_partner_is_cut_off_and_let_in_again(place, anna, bo):
    """The setting is soft; Prosody's certificate points to the list."""
    bo.send(ANNA, "before")
    anna.message(body="before", sender=BO)
    assert anna.send(BO, "before too").status == 200
    bo.message(body="before too")
    wait_for(lambda: [(l["url"][-7:], l["state"])
                      for l in revocation(place)["lists"]]
             == [("/ca.crl", "held")])
    assert revocation(place)["good"] >= 1
    told = run("--socket", place.edge.control, "status")[1]
    assert re.search(r"^revocation  soft: \d+ chains good, 0 revoked", told,
                     re.M), told
    assert re.search(r"/ca\.crl: held, 0 revoked, good for ", told), told
    # Taken back while streams are open.
    place.status.put("/ca.crl", place.public.revocation_list(
        "full.crl", place.public.leaf("partner.example"), der=True))
    mark = reload(place)
    for component in ("s2s_in", "s2s_out"):
        line = place.edge.log.wait(
            f"{component} stream-end .*partner.example", 10, mark)
        assert REVOKED in line, line
    told = place.gateway.log.mark()
    assert anna.refused(BO, "meanwhile").status == 504
    place.gateway.log.wait(f"outward failed .*{REVOKED}", 5, told)
    assert not is_believed(place, place.public.leaf("partner.example"))
    assert revocation(place)["revoked"] == 1
    # And given back.
    place.status.put("/ca.crl", place.public.revocation_list(
        "given-back.crl", der=True))
    mark = reload(place)
    place.edge.log.wait("certificate-good .*partner.example", 10, mark)
    bo.send(ANNA, "after")
    anna.message(body="after", sender=BO)


@pytest.mark.once
def test_soft_goes_on_where_nothing_is_to_be_had(place):
    slow = threading.Event()
    place.status.pages["/slow.crl"] = lambda h: slow.wait(10)
    try:
        assert is_believed(place, leaf(place, "slow", "/slow.crl"))
        assert is_believed(place, leaf(place, "gone", "/gone.crl"))
        place.edge.log.wait("list-not-fetched .*/gone.crl.*status 404")
        config = os.path.join(place.run.state, place.edge.name,
                              f"{place.edge.name}.json")
        told = json.loads(run("doctor", "--config", config, "--user", "root",
                              "--json")[1])
        assert ("revocation", f"{place.status.base}/gone.crl: status 404") in \
            findings(told, "warning")
    finally:
        slow.set()


@pytest.mark.once
def test_hard_waits_for_the_list_and_refuses_without_one(place):
    make, pages = place.public.revocation_list, place.status.pages
    mine = {name: leaf(place, f"h-{name}", f"/{name}.crl") for name in (
        "good", "moved", "lost", "missing", "garbage", "foreign", "old",
        "taken", "long", "silent")}
    place.status.put("/good.crl", make("h-good.crl", der=True))
    place.status.put("/foreign.crl", place.internal.revocation_list(
        "h-foreign.crl", der=True))
    place.status.put("/old.crl", make("h-old.crl", days=(-3, -2), der=True))
    place.status.put("/taken.crl", make("h-taken.crl", mine["taken"],
                                        der=True))
    pages["/garbage.crl"] = b"no list at all"
    pages["/moved.crl"] = place.status.base + "/good.crl"
    pages["/lost.crl"] = "/moved.crl"
    pages["/long.crl"] = bytes(8 * 1024 * 1024 + 1)
    silence = threading.Event()
    pages["/silent.crl"] = lambda h: silence.wait(20)
    reload(place, failure="hard")
    try:
        began = time.monotonic()
        silent = threading.Thread(
            target=lambda: mine.update(told=features(place, mine["silent"])))
        silent.start()
        believed = {n for n in mine if n not in ("silent", "told")
                    and is_believed(place, mine[n])}
        assert believed == {"good", "moved"}
        assert not is_believed(place, leaf(place, "h-nowhere", None))
        silent.join(15)
        assert mine["told"] == "" and time.monotonic() - began < 10
        for name, why in (("missing", "status 404"),
                          ("garbage", "no revocation list"),
                          ("foreign", "another authority's"),
                          ("old", "out of date"), ("long", "too long"),
                          ("lost", "redirected once too often"),
                          ("silent", "no answer in time")):
            assert place.edge.log.lines(
                f"list-not-fetched .*/{name}.crl.*{why}"), name
        assert place.edge.log.lines(
            "certificate-revoked .*h-taken.*revoked at depth 0")
    finally:
        silence.set()
        reload(place, failure=None)


@pytest.mark.once
def test_nobody_has_the_fetcher_connect_at_will(place):
    """Neither a certificate that no authority signed, nor one whose list is
    said to be on a private network."""
    evil = place.public.leaf("evil", "partner.example", extra=(
        "--crl", f"{place.status.base}/evil.crl", "--self-signed"))
    assert not is_believed(place, evil)
    inside = leaf(place, "inside", "/inside.crl")
    mark = reload(place, networks=None)
    try:
        assert is_believed(place, inside)
        line = place.edge.log.wait("list-not-fetched .*/inside.crl", 5, mark)
        assert "it lies in a private network" in line
    finally:
        reload(place, networks=[f"{place.status.address}/32"])
    assert place.status.asked("get", "/evil.crl") == 0
    assert place.status.asked("get", "/inside.crl") == 0


def test_a_fetcher_that_dies_comes_back_and_goes_on(place):
    listing = subprocess.run(
        ["ps", "--ppid", str(place.edge.process.pid), "-o", "pid=,args="],
        capture_output=True, text=True, check=True).stdout
    pid = int(next(l for l in listing.splitlines()
                   if l.endswith("fetcher")).split()[0])
    taken = leaf(place, "later", "/later.crl")
    place.status.put("/later.crl", place.public.revocation_list(
        "later.crl", taken, der=True))
    mark = place.edge.log.mark()
    os.kill(pid, signal.SIGKILL)
    place.edge.log.wait("child-ready child=fetcher", 10, mark)
    assert is_believed(place, taken)        # nobody knew yet
    place.edge.log.wait("certificate-revoked .*later", 10, mark)
    assert not is_believed(place, taken)


def shown(place):
    """What the edge staples to a handshake."""
    done = subprocess.run(
        ["openssl", "s_client", "-starttls", "xmpp-server", "-xmpphost",
         COMPANY, "-connect",
         f"{place.edge.address}:{place.edge.port}", "-status"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    found = re.search(r"Cert Status: (\w+)|OCSP response: (no response)",
                      done.stdout)
    assert found, done.stdout + done.stderr
    return found[1] or found[2]


def test_our_own_answer_is_fetched_and_stapled(place):
    place.edge.log.wait("staple-fetched .*contoso.example")
    assert shown(place) == "good"
    staple = revocation(place)["staples"][0]
    assert staple["stapled"] and staple["from"] == "authority"
    asked = place.status.asked("post", "/ocsp")
    reload(place)           # what is good is kept
    assert shown(place) == "good"
    assert place.status.asked("post", "/ocsp") == asked


@pytest.mark.once
def test_an_answer_from_a_file_goes_along_until_it_is_old(place):
    entry = place.edge.config["external"]["certificates"][0]
    own = place.public.leaf(COMPANY)
    entry["ocsp"] = place.run.path("own.ocsp")

    def give(**more):
        with open(entry["ocsp"], "wb") as f:
            f.write(place.public.answer(None, own, **more))
        return reload(place)

    try:
        give()
        assert shown(place) == "good"
        assert revocation(place)["staples"][0]["from"] == "file"
        mark = give(revoked=True)
        place.edge.log.wait("no-staple .*our own certificate is revoked", 5,
                            mark)
        assert shown(place) == "no response"
    finally:
        del entry["ocsp"]
        reload(place)


@pytest.mark.once
def test_what_a_partner_staples_is_obeyed(place, anna):
    for domain, reason in zip(STAPLED, (REVOKED, "OCSP verification needed")):
        mark = place.edge.log.mark()
        assert anna.refused(f"eve@{domain}", "hello").status == 504
        line = place.edge.log.wait(f"route-failed .*{domain}", 10, mark)
        assert reason in line, line
