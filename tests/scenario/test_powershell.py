"""The PowerShell that we write, read with the quoting rules of the language:
no PowerShell is here to run it, and its headers say so.

An odd name stays a value: the script does the same as with a plain one."""

import glob
import json
import os
import re

import pytest

from lib.authority import TREE
from lib.command import sallyport
from lib.powershell import Wrong, skeleton, tokens

pytestmark = pytest.mark.once

SCRIPTS = sorted(
    glob.glob(os.path.join(TREE, "tests", "golden", "plans", "*.ps1")) +
    glob.glob(os.path.join(TREE, "tests", "golden", "firewall", "*.windows")))
POOL = ("pool", "script", "--gateway", "gw1.contoso.example", "--pool",
        "pool.contoso.example", "--partners", "partner.example")
# What breaks out of quotes that are not doubled, in the shell's own ways.
ODD = ["it's", "a'; Remove-Item C:\\ -Recurse #", '"; calc; "', "$(calc)",
       "`", "'@", "@'", "} ; calc ; {", "#", "''", "`'; calc",
       "\u2019; calc #", "K\u00f6ln \u201eNord\u201c", "\u4e0a\u6d77",
       "-Confirm", "; calc", "a|b&c"]


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


@pytest.mark.parametrize("text", [
    "'a", '"a`"', "(", ")", "@{ a = ( }", "'it's'", "if ($a) { 'x' "])
def test_what_is_not_balanced_is_seen(text):
    with pytest.raises(Wrong):
        tokens(text)


def test_what_a_string_holds_is_seen():
    assert tokens("f 'a''; b' \"$x `\" \"\"\" # 'c") == [
        ("word", "f"), ("verbatim", "a'; b"), ("expandable", '$x `" "'),
        ("comment", "# 'c")]


@pytest.mark.parametrize("path", SCRIPTS, ids=os.path.basename)
def test_quotes_and_brackets_are_balanced(path):
    found = tokens(read(path))
    assert len([t for t in found if t[0] == "verbatim"]) > 3


@pytest.mark.parametrize("path", SCRIPTS, ids=os.path.basename)
def test_the_header_says_that_nobody_tried_it(path):
    header = re.match(r"(#.*\n)+", read(path))[0]
    assert re.search(r"NOT TRIED ON A (SERVER|DEVICE)", header)


@pytest.mark.parametrize("path", SCRIPTS, ids=os.path.basename)
def test_it_stops_at_the_first_mistake(path):
    assert "$ErrorActionPreference = 'Stop'" in read(path)


@pytest.mark.parametrize("site", ODD)
def test_an_odd_site_name_stays_a_value(site):
    plain = sallyport(*POOL, "--site", "Berlin")
    odd = sallyport(*POOL, "--site", site)
    assert max(odd.encode()) < 0x80

    def around(text):
        """Without the one line that has the value."""
        lines = text.splitlines()
        at, = [i for i, l in enumerate(lines) if l.startswith("$site ")]
        return lines.pop(at).partition(" = ")[2], lines

    value, rest = around(odd)
    assert rest == around(plain)[1]
    # One string, or one bracketed sum of strings and characters.
    kinds = {kind for kind, _ in tokens(value)}
    assert kinds <= {"verbatim", "bracket", "word"}
    words = [part for kind, part in tokens(value) if kind == "word"]
    assert all(w == "+" or re.fullmatch(r"0x[0-9A-F]+|char", w)
               for w in words), value
    assert "".join(
        part if kind == "verbatim" else chr(int(part, 16))
        for kind, part in tokens(value)
        if kind == "verbatim" or part.startswith("0x")) == site


@pytest.mark.parametrize("name", ODD)
def test_an_odd_name_of_a_site_stays_in_the_comment(tmp_path, name):
    with open(os.path.join(TREE, "deploy", "examples", "sites",
                           "scaled-hlb.json"), encoding="utf-8") as f:
        site = json.load(f)
    path = tmp_path / "site.json"

    def plan():
        path.write_text(json.dumps(site), encoding="utf-8")
        return sallyport("firewall", "plan", "--site", str(path), "--format",
                         "windows")

    plain = plan()
    site["name"] = name
    assert skeleton(plan()) == skeleton(plain)
    assert plan().splitlines()[0] == f"# {name}"
