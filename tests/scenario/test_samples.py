"""What must name the same things does: settings in the sample, the manual page
and the program; vectors and the tests that play them; mutants, the code they
break and the tests that kill them."""

import json
import os
import re
import subprocess

import pytest

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")


def text(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as f:
        return f.read()


def in_program(name):
    """The members that the program reads of presence."""
    source = text("frontend-gateway", name)
    rate = ("per_minute", "at_once", "contact_per_minute", "contact_at_once")
    return set(re.findall(r'\b(?:number|conf_(?:int|bool|string)|'
                          r'gateway_conf_choice)\(\s*o, "(\w+)"', source)) | {
        f"{prefix}_{part}" for prefix in
        re.findall(r'read_rate\([^)]*"(\w+)"\)', source) for part in rate}


def in_manual():
    page = text("frontend-gateway", "sallyport-gateway.8").replace("\\\n", "")
    block = page[page.index(".It Va presence"):]
    block = block[block.index(".Bl"):block.index("\n.El")]
    names = set()
    for item in re.findall(r"^\.It Va (.*)", block, re.M):
        names |= set(re.findall(r"\w+", item.split(" No ")[0]))
    return names


def test_every_setting_of_presence_is_in_sample_and_manual():
    sample = json.loads(text("deploy", "examples", "gateway.json"))
    # It has become SubscriptionRefreshInterval and is only taken over.
    known = in_program("gateway_conf_presence.c") - {"subscribe_seconds"}
    assert len(known) > 25
    assert set(sample["presence"]) == known
    assert in_manual() == known


def test_every_vector_of_presence_is_there_and_played():
    """Documents both ways and subscriptions."""
    documents = text("tests", "vectors", "presence.json")
    for letter, most in (("P", 32), ("Q", 20)):
        for number in range(1, most + 1):
            assert f'"{letter}{number}"' in documents, (letter, number)
    rows = json.loads(text("tests", "vectors",
                           "subscriptions.json"))["subscriptions"]
    assert [r["id"] for r in rows] == [f"G{i}" for i in range(1, 31)]
    for row in rows:
        for test in row["tests"]:
            name, function = test.split(": ")
            folder = "scenario" if name.endswith(".py") else "unit"
            assert re.search(rf"^(def )?{function}\(",
                             text("tests", folder, name), re.M), test


@pytest.mark.once
def test_every_mutant_fits_the_code_that_it_breaks():
    """make mutants itself takes too long to be run with every change."""
    done = subprocess.run([os.path.join(ROOT, "tests", "mutants", "run"),
                           "--check"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
