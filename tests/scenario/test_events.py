"""Each event has a number, and the manual tells what it means.

That no line goes without one is seen wherever a daemon is stopped
(lib/daemons.py)."""

import glob
import json
import os
import re
import subprocess

import pytest

from lib.authority import TREE
from lib.daemons import binary

pytestmark = pytest.mark.once

# A call that logs above debug, or the limit of one, with the event's name.
CALL = re.compile(
    r'\blog_(?:limited_)?(?:error|warn|info)\([^;]*?"([a-z0-9-]+)"[,)]'
    r'|\.event = "([a-z0-9-]+)"|OF_STREAM\(d, \w+, "([a-z-]+)"\)'
    r'|edge_tell_notice\(\s*\w+, "([a-z-]+)"', re.S)
# The member of another struct than a log line's.
OTHERS = {"presence"}


def run(*args):
    return subprocess.run([binary("sallyport"), *args], check=False,
                          capture_output=True, text=True)


def rows():
    return json.loads(run("--json", "events").stdout)["events"]


def called():
    names = set()
    for folder in ("common", "proto", "edge-proxy", "frontend-gateway"):
        for path in glob.glob(os.path.join(TREE, folder, "**", "*.c"),
                              recursive=True):
            with open(path, encoding="utf-8") as f:
                for found in CALL.finditer(f.read()):
                    names.add(next(filter(None, found.groups())))
    return names - OTHERS


def test_every_event_of_the_code_has_a_row():
    missing = called() - {r["event"] for r in rows()}
    assert not missing, sorted(missing)


def test_every_row_is_an_event_of_the_code():
    code = ""
    for folder in ("common", "proto", "edge-proxy", "frontend-gateway"):
        for path in glob.glob(os.path.join(TREE, folder, "**", "*.c"),
                              recursive=True):
            with open(path, encoding="utf-8") as f:
                code += f.read()
    stale = [r["event"] for r in rows() if f'"{r["event"]}"' not in code]
    assert not stale


def test_a_number_and_a_name_are_explained():
    by_number = run("events", "2402")
    assert by_number.returncode == 0
    assert "dialback-invalid" in by_number.stdout
    assert "Find out whose address it is." in by_number.stdout
    by_name = run("events", "stream-end").stdout
    assert "2302" in by_name and "2352" in by_name
    nobody = run("events", "9999")
    assert nobody.returncode == 1
    assert nobody.stderr == "sallyport: events: no event 9999\n"


def test_the_manual_page_has_them_all(tmp_path):
    page = tmp_path / "sallyport-events.7"
    page.write_text(run("events", "--manual").stdout, encoding="utf-8")
    shown = subprocess.run(["man", "-l", "--warnings", str(page)], check=True,
                           capture_output=True, text=True,
                           env=dict(os.environ, LC_ALL="C", MANWIDTH="200"))
    assert not shown.stderr
    for r in rows():
        assert re.search(rf"^ +{r['number']} \({r['severity']}\)",
                         shown.stdout, re.M), r
