"""Certificates that their authority has taken back: what the edge makes of
lists, how it takes new ones, and what it says about files that are none."""

import os
import re
import signal
import subprocess
import time

import pytest

from lib.daemons import binary
from lib.site import Site
from lib.xmpp_peer import RawStream

ANNA = "anna@contoso.example"
BO = "bo@partner.example"
REVOKED = "certificate revoked"
NO_LIST = "unable to get certificate CRL"


@pytest.fixture
def place():
    from conftest import Started
    site = Site("revocation", wide=False)
    site.gateway.config["timers"] = {"outward_ms": 6000, "inward_ms": 6000}
    with Started(site) as site:
        yield site


@pytest.fixture
def anna(place):
    from conftest import employee
    yield from employee(place, "anna")


def configure(place, *lists, failure=None):
    """Writes edge.json; no lists: it has none any more."""
    external = place.edge.config["external"]
    external.pop("revocation", None)
    if lists:
        external["revocation"] = {"lists": list(lists)}
        if failure is not None:
            external["revocation"]["failure"] = failure
    place.edge.write()


def obey(place, *lists, failure=None):
    """The edge reads its files again."""
    configure(place, *lists, failure=failure)
    mark = place.edge.log.mark()
    os.kill(place.edge.process.pid, signal.SIGHUP)
    place.edge.log.wait(f"in-force .*revocation_lists={len(lists)}", 10, mark)
    place.edge.log.wait("keeper reloaded ", 10, mark)


def begin_with(place, *lists, failure=None):
    """The edge begins anew; what it said."""
    configure(place, *lists, failure=failure)
    place.edge.process.stop()
    mark = place.edge.log.mark()
    place.edge.start()
    place.edge.await_open()
    return place.edge.log.text(mark)


def end_streams(place):
    """The next ones are new, and are tried at once."""
    place.prosody.stop()
    place.prosody.restart()
    for _ in range(450):
        states = re.findall(r" to=(\w+)\n", "\n".join(
            place.edge.log.lines("routes state .*remote=partner.example"))
            + "\n")
        if not states or states[-1] == "idle":
            return
        time.sleep(0.1)
    raise AssertionError(f"the route stays in {states[-1]}")


def chat(bo, anna, text):
    bo.send(ANNA, f"{text} in")
    anna.message(body=f"{text} in", sender=BO)
    assert anna.send(BO, f"{text} out").status == 200
    bo.message(body=f"{text} out")


def served(place, anna, text):
    """Both directions."""
    bo = place.xmpp_user(BO)
    try:
        chat(bo, anna, text)
    finally:
        bo.logout()


def refused(place, anna, text, reason):
    """Neither direction, and the log says why of each."""
    mark = place.edge.log.mark()
    assert anna.refused(BO, f"{text} out").status == 504
    line = place.edge.log.wait("route-failed .*partner.example", 10, mark)
    assert reason in line, line
    mark = place.edge.log.mark()
    bo = place.xmpp_user(BO)
    try:
        id = bo.send(ANNA, f"{text} in")
        bo.error(id=id, timeout=30)
        line = place.edge.log.wait("stream-end .*partner.example", 10, mark)
        assert reason in line, line
        bo.journal.none("message", 0.3)
        anna.journal.none("message", 0.3, body=f"{text} in")
    finally:
        bo.logout()


def test_a_revoked_server_is_refused_from_the_reload_on(place, anna):
    theirs = place.public.leaf("partner.example")
    full = place.public.revocation_list("full.crl", theirs)
    empty = place.public.revocation_list("empty.crl", der=True)
    bo = place.xmpp_user(BO)
    chat(bo, anna, "before")
    # Streams that are open end, in both directions.
    mark = place.edge.log.mark()
    obey(place, full)
    for component in ("s2s_in", "s2s_out"):
        line = place.edge.log.wait(
            f"{component} stream-end .*partner.example", 10, mark)
        assert REVOKED in line, line
    bo.logout()
    end_streams(place)
    refused(place, anna, "revoked", REVOKED)
    obey(place, empty)
    end_streams(place)
    served(place, anna, "given back")
    # Of two lists the newer one counts.
    newer = place.public.revocation_list("newer.crl", theirs, days=(-.5, 2))
    obey(place, empty, newer)
    end_streams(place)
    refused(place, anna, "again", REVOKED)


def test_without_a_list_in_force_it_is_for_the_admin_to_say(place, anna):
    other = place.internal.revocation_list("other.crl")
    old = place.public.revocation_list("old.crl", days=(-3, -2))
    assert "revocation-list-stale" not in begin_with(place, other)
    served(place, anna, "no list, soft")
    begin_with(place, other, failure="hard")
    refused(place, anna, "no list, hard", NO_LIST)
    assert "old.crl reason=\"the list of CN = public-ca has expired, " in \
        begin_with(place, old, failure="soft")
    served(place, anna, "old list, soft")
    begin_with(place, old, failure="hard")
    refused(place, anna, "old list, hard", "CRL has expired")
    begin_with(place)
    served(place, anna, "no lists at all")


def test_who_is_revoked_is_not_offered_external(place):
    leaf = place.public.leaf("mute.example", "partner.example")

    def features():
        stream = RawStream(place.edge.address, place.edge.port,
                           "partner.example", "contoso.example")
        stream.open()
        stream.starttls(place.public.certificate, leaf)
        try:
            return stream.open()
        except AssertionError:
            return stream.seen
        finally:
            stream.close()

    assert "EXTERNAL" in features()
    obey(place, place.public.revocation_list("full.crl", leaf))
    mark = place.edge.log.mark()
    assert "EXTERNAL" not in features()
    line = place.edge.log.wait("stream-end .*partner.example", 10, mark)
    assert REVOKED in line


def test_a_file_that_is_no_list_changes_nothing(place, anna):
    garbage = place.run.write("garbage.crl", "no list at all\n")
    full = place.public.revocation_list(
        "full.crl", place.public.leaf("partner.example"))
    place.edge.config["external"]["revocation"] = {"lists": [full, garbage]}
    place.edge.write()
    mark = place.edge.log.mark()
    os.kill(place.edge.process.pid, signal.SIGHUP)
    line = place.edge.log.wait("reload-refused", 10, mark)
    assert "/external/revocation/lists/1: " in line
    served(place, anna, "as before")


def test_check_names_the_file_and_its_fault(site):
    def check(*lists, failure="soft"):
        external = site.edge.config["external"]
        external["revocation"] = {"lists": list(lists), "failure": failure}
        try:
            path = site.edge.write()
            done = subprocess.run(
                [binary("sallyport-edge"), "--config", path, "--check"],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                timeout=20)
        finally:
            del external["revocation"]
            site.edge.write()
        return done.returncode, done.stdout.strip()

    make, write = site.public.revocation_list, site.run.write
    good = make("check-good.crl")
    der = make("check-der.crl", der=True)
    assert check(good, der)[1].endswith(": ok")
    for path, told in (
            (site.run.path("absent.crl"), "no such file or directory"),
            (write("check-garbage.crl", "x" * 100),
             "no revocation list in PEM or DER form"),
            (site.public.certificate,
             "no revocation list in PEM or DER form"),
            (write("check-huge.crl", "x" * (8 * 1024 * 1024 + 1)),
             "larger than 8 MiB"),
            (make("check-old.crl", days=(-3, -2)),
             "the list of CN = public-ca has expired, "),
            (make("check-early.crl", days=(2, 3)),
             "the list of CN = public-ca is not yet valid, ")):
        for failure in ("soft", "hard"):
            status, text = check(good, path, failure=failure)
            assert status == 1, path
            assert f": /external/revocation/lists/1: {path}: {told}" in text
            assert len(text.splitlines()) == 1
