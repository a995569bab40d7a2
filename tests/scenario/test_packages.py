"""What is installed, by `make install` and by the Debian packages: all of it, in
the right place, and nothing that names what is not there."""

import os
import re
import subprocess

import pytest

from lib.authority import TREE
from lib.daemons import BIN

pytestmark = pytest.mark.skipif(
    "asan" in BIN, reason="what is installed has no sanitizers")

WATCHER = "sallyport-test-im"
PAGES = {"sallyport.8", "sallyport-edge.8", "sallyport-gateway.8",
         "sallyport-admin-api.7", "sallyport-events.7"}


def run(*argv, **more):
    done = subprocess.run(argv, stdout=subprocess.PIPE, cwd=TREE,
                          stderr=subprocess.STDOUT, text=True, timeout=300,
                          check=False, **more)
    assert done.returncode == 0, f"{argv}: {done.stdout}"
    return done.stdout


def files(folder):
    return {os.path.join("/", os.path.relpath(os.path.join(at, name), folder))
            for at, _, names in os.walk(folder) for name in names}


def read(folder, path):
    with open(folder + path, encoding="utf-8") as f:
        return f.read()


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """{name: folder}, unpacked."""
    out = tmp_path_factory.mktemp("packages")
    run("deploy/build-deb", "0.1.0", os.path.dirname(os.path.abspath(BIN)),
        str(out))
    found = {}
    for deb in out.glob("*.deb"):
        name = deb.name.split("_")[0]
        found[name] = str(out / name)
        run("dpkg-deb", "-R", str(deb), found[name])
    assert set(found) == {"sallyport", "sallyport-edge", "sallyport-gateway"}
    return found


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """By `make install`, below /usr/local."""
    out = str(tmp_path_factory.mktemp("installed"))
    run("make", "-s", "install", f"DESTDIR={out}")
    return out


def look_at_pages(folder):
    """Each manual page is one, without a complaint."""
    seen = set()
    for path in files(folder):
        if "/share/man/" not in path:
            continue
        seen.add(os.path.basename(path).removesuffix(".gz"))
        said = run("man", "--warnings", "-l", folder + path,
                   env=dict(os.environ, LC_ALL="C.UTF-8", MANPAGER="cat"))
        assert "warning" not in said[:200] and len(said) > 1000, path
    return seen


def look_at_units(folder, programs):
    """What they run is there, and so is what they read and are made by."""
    here = files(folder)
    units = [p for p in here if "/systemd/system/" in p]
    for unit in units:
        text = read(folder, unit)
        for program in re.findall(r"^Exec(?:Start|StartPre)=(\S+)", text,
                                  re.M):
            assert program in programs, (unit, program)
        for path in re.findall(r"^EnvironmentFile=-?(\S+)", text, re.M):
            assert path in here, (unit, path)
    return {os.path.basename(u) for u in units}


def test_the_packages_hold_what_they_should(packages):
    pages, units = set(), set()
    programs = set().union(*(files(f) for f in packages.values()))
    for name, folder in packages.items():
        here = files(folder)
        pages |= look_at_pages(folder)
        units |= look_at_units(folder, programs)
        for path in ("copyright", "changelog.gz"):
            assert f"/usr/share/doc/{name}/{path}" in here
        control = read(folder, "/DEBIAN/control")
        assert re.search(r"^Depends: libc6 ", control, re.M), control
        # No file is in two.
        ours = {p for p in here if not p.startswith("/DEBIAN/")}
        for other, elsewhere in packages.items():
            assert other == name or not ours & files(elsewhere)
        for script in ("postinst", "prerm"):
            if f"/DEBIAN/{script}" in here:
                run("sh", "-n", f"{folder}/DEBIAN/{script}")
    assert pages == PAGES
    assert units == {"sallyport-edge.service", "sallyport-gateway.service",
                     f"{WATCHER}.service", f"{WATCHER}.timer"}
    # What the command's manual points to.
    with open(os.path.join(TREE, "deploy", "sallyport.8"),
              encoding="utf-8") as f:
        named = set(re.findall(r"\b(GUIDE-[\w-]+\.md|ACCEPTANCE\.md)", f.read()))
    here = {os.path.basename(p) for p in files(packages["sallyport"])}
    assert len(named) == 6 and named <= here
    gateway = packages["sallyport-gateway"]
    # What an administrator has changed there stays.
    assert read(gateway, "/DEBIAN/conffiles") == f"/etc/default/{WATCHER}\n"
    assert "\"openapi\"" in read(
        gateway, "/usr/share/doc/sallyport-gateway/openapi.json")


def test_make_install_puts_the_same_below_its_prefix(installed, packages):
    here = files(installed)
    assert look_at_pages(installed) == PAGES
    assert look_at_units(installed, here) == {
        "sallyport-edge.service", "sallyport-gateway.service",
        f"{WATCHER}.service", f"{WATCHER}.timer"}
    names = {os.path.basename(p) for p in here}
    for folder in packages.values():
        for path in files(folder):
            name = os.path.basename(path).removesuffix(".gz")
            if not re.search(r"^/DEBIAN/|/(copyright|changelog\.gz|"
                             r"CHANGELOG\.md)$|/sysusers\.d/", path):
                assert name in names, path
    assert "/usr/local/lib/sysusers.d/sallyport.conf" in here
    # Installed again, what stands in /etc stays.
    settings = f"{installed}/etc/default/{WATCHER}"
    with open(settings, "w", encoding="utf-8") as f:
        f.write("SENDER=mine\n")
    run("make", "-s", "install", f"DESTDIR={installed}")
    assert read(installed, f"/etc/default/{WATCHER}") == "SENDER=mine\n"


def test_the_settings_of_the_watcher_are_what_a_shell_and_systemd_read():
    """The unit takes each of them, and nothing else is there."""
    settings = read(TREE, f"/deploy/default/{WATCHER}")
    named = set(re.findall(r"^([A-Z]+)=", settings, re.M))
    unit = read(TREE, f"/deploy/systemd/{WATCHER}.service")
    command = re.search(r"^ExecStart=.*$", unit, re.M)[0]
    assert named == set(re.findall(r"\$\{?([A-Z]+)\}?", command))
    said = run("sh", "-euc", f". {TREE}/deploy/default/{WATCHER}; "
               'echo "$SENDER|$RECEIVER|$TEXT|$OPTIONS"')
    assert said == "test@contoso.example|test@partner.example|Test message|\n"
