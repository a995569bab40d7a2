"""The disk under people's contacts: full, read-only, too new, damaged."""

import os
import re
import resource
import subprocess
import time

import pytest

from lib import control
from lib.documents import AWAY, BUSY
from lib.presence_site import PresenceSite
from lib.run import StartFailed


@pytest.fixture(scope="module")
def site():
    from conftest import Started
    site = PresenceSite("store")
    # A file that may not grow is an error to it, as on a full disk, not the
    # end.
    site.gateway.before = ["env", "--ignore-signal=XFSZ"]
    with Started(site) as site:
        yield site


@pytest.fixture
def couple(site):
    couple = site.couple()
    yield couple
    couple.leave()


@pytest.fixture
def full(site):
    """Says when the gateway's files may not grow any more, as on a full
    disk, and when they may again."""
    def limit(size):
        resource.prlimit(site.gateway.process.pid, resource.RLIMIT_FSIZE,
                         (size, resource.RLIM_INFINITY))

    def fill():
        folder = os.path.dirname(site.gateway.config["store"])
        size = min(os.path.getsize(os.path.join(folder, f))
                   for f in os.listdir(folder) if f.startswith("gateway.db"))
        # The log cannot grow either: what it would say, the status says.
        limit(max(size - 1, 0))

    def free():
        limit(resource.RLIM_INFINITY)

    yield fill, free
    free()


def store_state(site):
    return control.ask(site.gateway.control, "status")["presence"]["store"]


def await_store(site, state, timeout=10):
    end = time.monotonic() + timeout
    while store_state(site) != state:
        assert time.monotonic() < end, f"the store is not {state}"
        time.sleep(0.1)


# --- writing fails -----------------------------------------------------------

def test_a_full_disk_takes_nothing_new_and_serves_what_is_known(
        site, couple, full):
    fill, free = full
    bo, endpoint, watch = couple.friends()
    bo.await_roster(couple.anna, "both")
    newcomer = site.couple()
    other, device = newcomer.login(), newcomer.endpoint()
    fill()
    try:
        # New: refused to the device, and not acknowledged to his server.
        answer = device.add(newcomer.bo).response
        assert answer.status in (500, 503, 480)
        other.subscribe(newcomer.anna)
        seen = other.presence_of(newcomer.anna, timeout=20)
        assert seen.type == "error" and seen.condition in (
            "internal-server-error", "resource-constraint")
        assert not site.pool.asked(newcomer.anna)
        await_store(site, "writing fails")
        # Known: goes on both ways.
        site.pool.publish(couple.anna, number=BUSY)
        bo.presence_of(couple.anna, show="dnd")
        bo.show("away")
        endpoint.notice(watch=watch, show="away")
        again = couple.login("phone")
        again.presence_of(couple.anna, type="available")
    finally:
        free()
    # And then it is as if nothing had been.
    watch = device.add(newcomer.bo)
    assert watch.response.status == 200
    other.accept(newcomer.anna)
    device.notice(watch=watch, show="online")
    newcomer.bo_sees_anna(other)
    await_store(site, "well")
    newcomer.leave()


def test_what_was_refused_on_a_full_disk_is_not_there_after_a_restart(
        site, couple, full):
    fill, free = full
    bo, endpoint = couple.login(), couple.endpoint()
    fill()
    assert endpoint.add(couple.bo).response.status != 200
    free()
    site.gateway.stop()
    rows = site.store("SELECT count(*) FROM pair WHERE user = ?",
                      couple.anna)
    site.gateway.start()
    assert rows == [(0,)]
    bo.journal.none("presence", 0.5, bare=couple.anna, type="subscribe")
    assert endpoint.add(couple.bo).response.status == 200
    bo.accept(couple.anna)


# --- at the start ------------------------------------------------------------

@pytest.fixture
def stopped(site):
    """The gateway is down, and its store is as it was afterwards."""
    path = site.gateway.config["store"]
    site.gateway.stop()
    with open(path, "rb") as f:
        before = f.read()
    yield path
    site.gateway.stop()
    for suffix in ("-wal", "-shm"):
        if os.path.exists(path + suffix):
            os.unlink(path + suffix)
    with open(path, "wb") as f:
        f.write(before)
    site.gateway.start()


def refused(site):
    """How a start ended that must not succeed."""
    mark = site.gateway.log.mark()
    with pytest.raises(StartFailed):
        site.gateway.start()
    assert site.gateway.process.popen.wait(5) == 1
    return site.gateway.log.text()[mark:]


def test_a_newer_store_is_refused_and_left_alone(site, stopped):
    [(version,)] = site.store("PRAGMA user_version")
    site.store(f"PRAGMA user_version = {version + 1}")
    with open(stopped, "rb") as f:
        before = f.read()
    assert "newer" in refused(site)
    with open(stopped, "rb") as f:
        assert f.read() == before
    site.store(f"PRAGMA user_version = {version}")


@pytest.mark.parametrize("harm", ["garbage", "cut", "page"])
def test_a_damaged_store_is_refused_and_left_alone(site, stopped, harm):
    with open(stopped, "r+b") as f:
        size = f.seek(0, 2)
        if harm == "garbage":
            f.seek(0)
            f.write(b"not a database at all" * 8)
        elif harm == "cut":
            f.truncate(size // 2)
        else:
            for page in range(1, size // 4096):
                f.seek(page * 4096)
                f.write(b"\xaa" * 512)
    with open(stopped, "rb") as f:
        before = f.read()
    # What the log beside it has is put back into the file.
    logged = os.path.exists(stopped + "-wal")
    assert "damaged" in refused(site)
    with open(stopped, "rb") as f:
        after = f.read()
    # Of what is left nothing is lost; the count of starts may be a step
    # ahead where the damage is elsewhere.
    assert len(after) >= len(before)
    assert logged or sum(a != b for a, b in zip(after, before)) < 64


@pytest.mark.parametrize("change", [
    "UPDATE pair SET roster = 200",
    "UPDATE pair SET flags = 4294967295",
    "UPDATE pair SET user = 'not an address @@'",
    "UPDATE dialog SET image = x'ff00ff'",
    "UPDATE dialog SET expires_ms = -5"])
def test_a_row_that_cannot_be_is_named_or_passed_over(site, couple, stopped,
                                                      change):
    """Never a crash and never a reset: a refusal that says so, or a start
    without that row."""
    site.gateway.start()
    couple.friends()
    site.gateway.stop()
    [(pairs,)] = site.store("SELECT count(*) FROM pair")
    assert pairs
    site.store(change)
    mark = site.gateway.log.mark()
    try:
        site.gateway.start()
        control.ask(site.gateway.control, "status")
        site.gateway.stop()
    except (StartFailed, control.Refused):
        assert site.gateway.process.popen.wait(5) == 1
        text = site.gateway.log.text()[mark:]
        assert "gateway.db: " in text, text
        # Which of them it is, an admin must know to mend it.
        user = r"not an address @@" if "user" in change else r"anna\d+@.*"
        assert re.search(rf"the pair of {user} and bo\d+@partner.example "
                         "cannot be used", text), text
    assert site.store("SELECT count(*) FROM pair") == [(pairs,)]


def test_an_older_store_is_brought_forward(site, stopped):
    """What the version before presence wrote: its identity is kept, and what
    it read from its file is taken over."""
    [(store_id, epoch)] = site.store("SELECT store_id, epoch FROM node")
    for table in ("setting", "settings_meta", "audit"):
        site.store(f"DROP TABLE {table}")
    site.store("DROP TABLE dialog")
    site.store("DROP TABLE pair")
    site.store("PRAGMA user_version = 2")
    site.gateway.start()
    couple = site.couple()
    try:
        couple.friends()
    finally:
        couple.leave()
    site.gateway.stop()
    [(now, later)] = site.store("SELECT store_id, epoch FROM node")
    assert now == store_id and later > epoch
    assert site.store("SELECT count(*) FROM pair") == [(1,)]
    assert ("import",) in site.store("SELECT via FROM audit")


def test_without_presence_of_anybody_the_store_stays_small(site, couple):
    """Dialogs come and go; their rows as well."""
    bo, endpoint = couple.login(), couple.endpoint()
    couple.anna_sees_bo(bo, endpoint)
    for _ in range(5):
        endpoint.unwatch(endpoint.watch(couple.bo))
    time.sleep(0.5)
    site.gateway.stop()
    rows = site.store("SELECT count(*) FROM dialog WHERE user = ?",
                      couple.anna)
    site.gateway.start()
    assert rows == [(1,)]


def test_a_shown_state_survives(site, couple):
    """What she was shown last is what a device that signs in after a
    restart is shown first."""
    bo, endpoint, watch = couple.friends()
    bo.show("dnd")
    endpoint.notice(watch=watch, show="busy")
    site.pool.publish(couple.anna, number=AWAY)
    bo.presence_of(couple.anna, show="away")
    site.gateway.restart()
    other = couple.endpoint()
    again = other.watch(couple.bo)
    other.notice(watch=again, show="busy")
    phone = couple.login("phone")
    phone.presence_of(couple.anna, show="away")


# --- real file systems -------------------------------------------------------

# In a mount namespace of the gateway's own: what is mounted goes with it.
SMALL = "mount -t tmpfs -o size=2m tmpfs {0}"
DISK = ("dd if=/dev/zero of={1} bs=1M count=8 status=none && mkfs.ext4 -q "
        "-F {1} && mount -o loop {1} {0}")
LOCKED = "mount --bind {0} {0} && mount -o remount,ro,bind {0}"


def can_mount(folder, how):
    """Why not, or nothing."""
    if os.geteuid() != 0:
        return "mounting needs root"
    tried = subprocess.run(["unshare", "--mount", "sh", "-c", how], cwd=folder,
                           capture_output=True, text=True, timeout=60)
    return tried.stderr.strip() if tried.returncode else ""


class Mounted:
    """A site whose gateway has its store on a file system of its own."""

    def __init__(self, name, how):
        self.site = site = PresenceSite(name)
        self.folder = site.run.folder(f"{name}-disk")
        self.how = how.format(self.folder, site.run.path(f"{name}.img"))
        why = can_mount(site.run.state, self.how)
        if why:
            site.close()
            pytest.skip(f"cannot mount here: {why}")
        site.gateway.config["store"] = os.path.join(self.folder,
                                                    "gateway.db")

    def mount(self):
        self.site.gateway.before = ["unshare", "--mount", "sh", "-c",
                                    f'{self.how} && exec "$@"', "sh"]
        return self

    def inside(self, *command):
        pid = self.site.gateway.process.pid
        return subprocess.run(["nsenter", "-t", str(pid), "--mount",
                               *command], capture_output=True, text=True,
                              timeout=60)

    def path(self, name):
        """A file of it, seen from here."""
        pid = self.site.gateway.process.pid
        return f"/proc/{pid}/root{self.folder}/{name}"


def known_goes_on(site, couple, friends):
    bo, endpoint, watch = friends
    await_store(site, "writing fails")
    site.pool.publish(couple.anna, number=BUSY)
    bo.presence_of(couple.anna, show="dnd")
    bo.show("away")
    endpoint.notice(watch=watch, show="away")
    assert endpoint.refresh(watch).status == 200


def nothing_new_is_taken(site, newcomer, other, device):
    assert device.add(newcomer.bo).response.status in (480, 500, 503)
    other.subscribe(newcomer.anna)
    seen = other.presence_of(newcomer.anna)
    assert seen.type == "error" and seen.condition in (
        "internal-server-error", "resource-constraint")
    assert not site.pool.asked(newcomer.anna)


def test_a_file_system_without_a_block_left_is_outlived():
    from conftest import Started
    disk = Mounted("small", SMALL).mount()
    with Started(disk.site) as site:
        couple, newcomer = site.couple(), site.couple()
        friends = couple.friends()
        other, device = newcomer.login(), newcomer.endpoint()
        with open(disk.path("other"), "wb", buffering=0) as f:
            with pytest.raises(OSError):
                while True:
                    f.write(b"x" * 512)
        # What the log has room for is still taken: until it is full.
        end = time.monotonic() + 20
        while store_state(site) == "well":
            assert time.monotonic() < end, "the disk does not fill"
            extra = site.couple()
            extra.endpoint().add(extra.bo)
        nothing_new_is_taken(site, newcomer, other, device)
        known_goes_on(site, couple, friends)
        os.unlink(disk.path("other"))
        await_store(site, "well", 30)
        other.journal.settle()
        newcomer.bo_sees_anna(other)
        newcomer.anna_sees_bo(other, device)


def test_a_file_system_that_turned_read_only_is_outlived():
    """As the kernel does with one whose disk fails."""
    from conftest import Started
    disk = Mounted("failing", DISK).mount()
    with Started(disk.site) as site:
        couple, newcomer = site.couple(), site.couple()
        friends = couple.friends()
        other, device = newcomer.login(), newcomer.endpoint()
        aborted = disk.inside("mount", "-o", "remount,abort", disk.folder)
        if aborted.returncode:
            pytest.skip(f"cannot make it fail: {aborted.stderr.strip()}")
        with pytest.raises(OSError):
            with open(disk.path("other"), "wb") as f:
                f.write(b"x")
        nothing_new_is_taken(site, newcomer, other, device)
        known_goes_on(site, couple, friends)


def test_a_store_that_may_only_be_read_is_refused():
    """At the start already, in words, and left as it is."""
    from conftest import Started
    disk = Mounted("locked", LOCKED)
    with Started(disk.site) as site:
        couple = site.couple()
        couple.friends()
        site.gateway.stop()
        with open(site.gateway.config["store"], "rb") as f:
            before = f.read()
        disk.mount()
        text = refused(site)
        assert "gateway.db: " in text and "read-only" in text.lower(), text
        with open(site.gateway.config["store"], "rb") as f:
            assert f.read() == before
        site.gateway.before = []
        site.gateway.start()
        assert store_state(site) == "well"
