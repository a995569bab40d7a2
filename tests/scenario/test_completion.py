"""What the shell offers for `sallyport`, against what the program takes."""

import os
import re
import subprocess

import pytest

from lib.authority import TREE
from lib.command import sallyport
from lib.daemons import binary

pytestmark = pytest.mark.once

SCRIPT = os.path.join(TREE, "deploy", "sallyport.bash")


def offered(*words):
    """For the last word, as far as it is typed."""
    line = " ".join(f"'{w}'" for w in (binary("sallyport"), *words))
    done = subprocess.run(
        ["bash", "-euc", f"source {SCRIPT}; COMP_WORDS=({line}); "
         f"COMP_CWORD={len(words)}; _sallyport; "
         "printf '%s\\n' \"${COMPREPLY[@]}\""],
        stdout=subprocess.PIPE, text=True, timeout=20, check=True,
        cwd=os.path.join(TREE, "deploy"))
    return done.stdout.split()


def test_every_command_is_offered():
    text = sallyport("--help")
    commands = re.findall(r"^  ([a-z-]+) ", text.partition("options:")[0],
                          re.M)
    assert len(commands) >= 11
    assert set(commands) <= set(offered(""))


@pytest.mark.parametrize("command", [
    "dns", "certs", "pool", "firewall", "partner", "gateway-config",
    "access-edge", "site", "policy", "provider", "licence", "token"])
def test_every_verb_is_offered(command):
    text = sallyport(command, "--help")
    verbs = re.findall(r"^  ([a-z]+) +\S", text.partition("example")[0],
                       re.M)
    assert verbs and sorted(verbs) == sorted(offered(command, ""))


@pytest.mark.parametrize("argv", [
    ("ports",), ("firewall", "plan"), ("firewall", "verify"),
    ("dns", "plan"), ("dns", "check"), ("certs", "plan"),
    ("certs", "request"), ("certs", "check"), ("pool", "script"),
    ("doctor",), ("partner", "new"), ("partner", "set"), ("partner", "get"),
    ("gateway-config", "set"), ("access-edge", "set"), ("site", "new"),
    ("policy", "new"), ("policy", "grant"), ("policy", "grants"),
    ("provider", "list"), ("licence", "new"), ("import",),
    ("token", "new"), ("audit",), ("conversations",)], ids=" ".join)
def test_every_option_is_offered_and_help_is_whole(argv):
    text = sallyport(*argv, "--help")
    assert "exit status" in text and "example" in text
    assert set(re.findall(r"^  (--[A-Za-z][A-Za-z-]+)", text, re.M)) <= \
        set(offered(*argv, "--"))


@pytest.mark.parametrize("argv", [
    ("firewall", "plan", "--site", "examples/sites/single-nat.json",
     "--format"),
    ("dns", "plan", "--domain", "contoso.example", "--edge",
     "e.contoso.example=192.0.2.1", "--format"),
    ("ports", "--side"), ("ports", "--topology")], ids=" ".join)
def test_every_word_that_is_offered_is_taken(argv):
    words = offered(*argv, "")
    assert len(words) >= 2
    for word in words:
        sallyport(*argv, word, cwd=os.path.join(TREE, "deploy"))


def test_files_are_offered_where_a_file_is_wanted():
    assert "ports.json" in offered("ports", "--table", "ports.j")
    assert "examples/sites/scaled-hlb.json" in offered(
        "firewall", "plan", "--site", "examples/sites/scaled-h")
    assert "ports.json" not in offered("pool", "script", "--site", "ports.j")
