"""What of the guides one host can show in seconds: every command that plans, asks,
looks or prints runs as it is written, in a folder that stands for
/etc/sallyport; the configuration is the one on the page.

tests/trial follows all of it on hosts of its own.
"""

import functools
import os
import re
import subprocess
import time

import pytest

from lib.authority import TREE, Authority
from lib.command import REPORT, sallyport
from lib.daemons import BIN, SANITIZERS
from lib.guide import Guide
from lib.lync_client import Refused
from lib.run import Run
from lib.settings_site import SettingsSite
from lib.site import Site

pytestmark = pytest.mark.once

ETC = "/etc/sallyport"
WATCHER = "sallyport-test-im"
# What needs a service, a package, the DNS, a pool or hosts of the site.
ELSEWHERE = re.compile(r"apt|systemctl|chgrp|nft|firewall-cmd|sh |"
                       r"sallyport (doctor|status|streams|drain|dns check|"
                       r"firewall verify|access-edge|policy|partner|"
                       r"pool script)")
GUIDES = ("GUIDE-perimeter.md", "GUIDE-front-end.md", "GUIDE-firewall.md",
          "GUIDE-administration.md", "GUIDE-migration.md")


def sign(public, own, folder):
    for name in os.listdir(folder):
        stem, ending = os.path.splitext(os.path.join(folder, name))
        if ending != ".csr" or os.path.exists(stem + ".pem"):
            continue
        ca = public if name == "xmpp.csr" else own
        subprocess.run(
            ["openssl", "x509", "-req", "-in", stem + ending, "-CA",
             ca.certificate, "-CAkey", os.path.join(ca.folder, "ca.key"),
             "-copy_extensions", "copyall", "-out", stem + ".pem"],
            check=True, stderr=subprocess.DEVNULL)


def follow(guide, etc, public, own):
    """Returns how many commands ran."""
    env = dict(os.environ, **SANITIZERS, SSL_CERT_FILE=public.certificate,
               PATH=os.path.abspath(BIN) + ":" + os.environ["PATH"])
    ran = 0
    for block in guide.blocks:
        if block.kind == "file":
            name = os.path.basename(block.path)
            with open(os.path.join(etc, name), "w", encoding="utf-8") as f:
                f.write(block.text.replace(ETC, etc).replace(
                    "/var/lib/sallyport", etc))
    for line in guide.commands():
        if ELSEWHERE.match(line):
            continue
        if "check" in line:
            sign(public, own, etc)
        done = subprocess.run(
            line.replace(ETC, etc), shell=True, cwd=etc, env=env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
            check=False)
        assert done.returncode == 0 and not REPORT.search(done.stdout), \
            f"{line}\n{done.stdout}"
        ran += 1
    return ran


@pytest.mark.parametrize("name,commands", [
    ("GUIDE-perimeter.md", 11),
    ("GUIDE-front-end.md", 9),
    ("GUIDE-firewall.md", 4),
])
def test_a_guide_can_be_followed(name, commands):
    with Run("guide") as run:
        etc = run.folder("etc")
        public, own = Authority(run, "public"), Authority(run, "own")
        for trust in ("internal-ca.pem", "enterprise-ca.pem"):
            run.copy(own.certificate, os.path.join(etc, trust), mode=0o644)
        assert follow(Guide(name), etc, public, own) == commands


# --- the gateway's settings -----------------------------------------------------

class Desk:
    """Where a guide's reader types what is for a gateway that runs: as it is
    written, with folders of the test's own."""

    def __init__(self, run, gateway, admin, names=()):
        self.folder = run.folder("desk")
        self.names = (*names, ("/root", self.folder),
                      ("/etc/default", self.folder))
        run.copy(os.path.join(TREE, "deploy", "default", WATCHER),
                 os.path.join(self.folder, WATCHER), mode=0o644)
        run.folder("path")
        os.chmod(run.write("path/systemctl", self.service_manager()), 0o755)
        wrapper = run.write("path/sallyport", f"""#!/bin/sh
case $1 in
status | streams | contacts) socket={gateway.control} ;;
*) socket={admin} ;;
esac
exec {os.path.join(os.path.abspath(BIN), "sallyport")} --socket $socket "$@"
""")
        os.chmod(wrapper, 0o755)
        self.env = dict(os.environ, **SANITIZERS, PATH=os.path.dirname(
            wrapper) + ":" + os.environ["PATH"])

    def service_manager(self):
        """systemctl, for the one service that is not there already."""
        with open(os.path.join(TREE, "deploy", "systemd",
                               f"{WATCHER}.service"), encoding="utf-8") as f:
            command = re.search(r"^ExecStart=/usr/bin/(.*)$", f.read(),
                                re.M)[1]
        command = re.sub(r"([$]{[A-Z]+})", r'"\1"', command)
        return f"""#!/bin/sh
case "$*" in
"start {WATCHER}.service")
    . {os.path.join(self.folder, WATCHER)}
    exec {command} ;;
"enable --now {WATCHER}.timer") ;;
*) exit 4 ;;
esac
"""

    def type(self, block):
        """What each command said."""
        said = ""
        for line in block.commands():
            for old, new in self.names:
                line = line.replace(old, new)
            done = subprocess.run(
                line, shell=True, cwd=self.folder, env=self.env, text=True,
                input="y\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=60, check=False)
            assert done.returncode == 0 and not REPORT.search(done.stdout), \
                f"{line}\n{done.stdout}"
            said += done.stdout
        return said


def test_from_an_empty_system_to_the_first_message():
    """GUIDE-administration, with a company that is there."""
    with Site("administration", wide=False, users=("anna",)) as site:
        site.gateway.config.update(partners=[], users=[])
        admin = site.run.path("gw1", "admin.sock")
        site.gateway.config["admin"] = {"socket": admin}
        site.start()
        desk = Desk(site.run, site.gateway, admin,
                    [("fabrikam.example", "partner.example")])
        blocks = Guide("GUIDE-administration.md").blocks
        begin = time.monotonic()
        for block in blocks:
            if block.section.startswith("4."):
                anna = site.lync_user("anna")
                bo = site.xmpp_user("bo@partner.example")
                anna.send("bo@partner.example", "By the book.")
                assert bo.message(body="By the book.")
                assert time.monotonic() - begin < 60
            said = desk.type(block)
            if "test message" in block.section:
                assert "Result        : Success" in said
                bo.message(body="Test message")
        with pytest.raises(Refused):
            anna.send("bo@partner.example", "not any more")


def test_a_pool_is_moved_and_moved_back():
    """GUIDE-migration, with what a pool exported."""
    vectors = os.path.join(TREE, "tests", "vectors", "import")
    with SettingsSite("migration") as site:
        desk = Desk(site.run, site.gateway, site.socket)
        for name in os.listdir(vectors):
            site.run.copy(os.path.join(vectors, name),
                          os.path.join(desk.folder, name))
        kinds = []
        for block in Guide("GUIDE-migration.md").blocks:
            kinds.append(block.kind)
            if block.kind == "commands":
                desk.type(block)
        assert kinds.count("powershell") == 3
        with open(os.path.join(desk.folder, "back.ps1"),
                  encoding="ascii") as f:
            script = f.read()
        # What was moved together is moved back; the one before it was.
        for domain in ("fabrikam.example", "gmail.example",
                       "xn--bcher-kva.example"):
            assert f"'{domain}'" in script


def test_every_cmdlet_of_the_table_has_its_command():
    with open(os.path.join(TREE, "deploy", "GUIDE-administration.md"),
              encoding="utf-8") as f:
        rows = re.findall(r"^\| `[A-Z].*\| `sallyport ([a-z-]+)(?: ([a-z]+))?`",
                          f.read(), re.M)
    assert len(rows) > 15
    for command, verb in rows:
        assert "usage: " in help_of(f"{command} {verb}".strip())


@functools.cache
def help_of(command):
    return sallyport(*command.split(), "--help")


def test_every_option_on_the_pages_is_known():
    """Also of the commands that are not run here."""
    seen = 0
    for line in (line for name in GUIDES for line in Guide(name).commands()):
        match = re.match(r"sallyport ((?:dns|certs|pool|firewall|partner|"
                         r"policy|site|gateway-config|access-edge|provider|"
                         r"licence|token) \w+|doctor|ports|import|audit)\b",
                         line)
        if not match:
            continue
        text = help_of(match[1])
        for option in re.findall(r" (--[A-Za-z-]+)", line):
            assert option in text, line
            seen += 1
    assert seen > 60


def test_the_sites_of_the_guide_are_there():
    """Each sample that the page names."""
    with open(os.path.join(TREE, "deploy", GUIDES[2]), encoding="utf-8") as f:
        names = set(re.findall(r"`([a-z-]+\.json)`", f.read()))
    names.discard("site.json")
    assert names == set(os.listdir(
        os.path.join(TREE, "deploy", "examples", "sites")))


@pytest.mark.parametrize("unit", [
    "sallyport-edge.service", "sallyport-gateway.service",
    f"{WATCHER}.service", f"{WATCHER}.timer"])
def test_a_unit_is_understood_by_systemd(unit, tmp_path):
    """As Debian 12 has it: an unknown setting is passed over with a warning,
    and what it should allow is forbidden."""
    folder = os.path.join(TREE, "deploy", "systemd")
    for name in os.listdir(folder):     # a timer wants its service
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            (tmp_path / name).write_text(
                re.sub(r"/usr/s?bin/sallyport", "/bin/true #", f.read()))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=60, check=False)
    ours = [l for l in done.stdout.splitlines() if "sallyport" in l]
    assert (done.returncode, ours) == (0, []), done.stdout


def test_the_tests_that_acceptance_names_are_there():
    with open(os.path.join(TREE, "deploy", "ACCEPTANCE.md"),
              encoding="utf-8") as f:
        rows = [l.rstrip() for l in f
                if re.match(r"\| (?!row |promise |---)", l)]
    numbers = [r.split("|")[1].strip() for r in rows]
    assert [int(n) for n in numbers if n.isdigit()] == \
        [6, 7, *range(9, 47), *range(56, 68)]
    folder = os.path.join(TREE, "tests")
    sources = {}
    for part in ("scenario", "trial", "unit"):
        for name in os.listdir(os.path.join(folder, part)):
            if re.match(r"test_.*\.(py|c)$", name):
                with open(os.path.join(folder, part, name),
                          encoding="utf-8") as f:
                    stem = name.partition(".")[0]
                    sources[stem] = sources.get(stem, "") + f.read()
    for row in rows:
        assert re.search(r"`test_|\*\*None yet", row) or "| not possible" in row
        module = None
        for name in re.findall(r"`([^`]+)`", row.split("|")[-2]):
            name = name.removeprefix("trial/")
            if "::" in name:
                module, _, name = name.partition("::")
            elif name in sources:
                module = name
                continue
            elif module is None or not re.fullmatch(
                    r"[a-z0-9]+(_[a-z0-9]+)+", name):
                continue        # a file, an option, a fuzz target
            assert f"def {name}(" in sources[module] or \
                f"\n{name}(void **state)" in sources[module], (row, name)
