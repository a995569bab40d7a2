"""The pages that say which test shows what: the tests are there."""

import os
import re

import pytest

from lib.authority import TREE

pytestmark = pytest.mark.once

PARTS = ("unit", "scenario")
TITLE = re.compile(r"\| (case|claim|attack) \|")


def sources():
    """File: its functions.  Two files of one name count as one."""
    found = {}
    for part in PARTS:
        folder = os.path.join(TREE, "tests", part)
        for name in os.listdir(folder):
            if not re.fullmatch(r"test_\w+\.(py|c)", name):
                continue
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                text = f.read()
            # A unit test's name stands at the left margin, or in the list.
            found.setdefault(name.partition(".")[0], set()).update(
                re.findall(r"^def (test_\w+)\(", text, re.M)
                if name.endswith(".py")
                else re.findall(r"^(\w+)\(void \*\*state\)", text, re.M))
    return found


def rows(page):
    with open(os.path.join(TREE, page), encoding="utf-8") as f:
        for line in f:
            if line.startswith("| ") and not re.match(r"\| -|" +
                                                      TITLE.pattern, line):
                yield [c.strip() for c in line.strip(" |\n").split(" | ")]


def missing(cell, tests):
    """Names of a cell that are no tests; all of it if there is none."""
    if cell.startswith("**None:** ") and len(cell) > 20:
        return []
    names = re.findall(r"`([^`]+)`", cell)
    wrong, file = [], None
    for name in names:
        if "::" in name:
            file, _, name = name.partition("::")
            if name not in tests.get(file, ()):
                wrong.append(name)
        elif name in tests and name not in tests.get(file, ()):
            file = name
        elif name not in tests.get(file, ()):
            wrong.append(name)
    return wrong if names else [cell]


@pytest.mark.parametrize("page, count", [
    ("edge-proxy/ROWS.md", 140), ("edge-proxy/THREATS.md", 35)])
def test_the_tests_that_a_page_names_are_there(page, count):
    tests = sources()
    seen = list(rows(page))
    assert len(seen) >= count
    assert {len(row) for row in seen} == {3}
    wrong = {row[0]: missing(row[-1], tests) for row in seen}
    assert not {k: v for k, v in wrong.items() if v}
    assert len(wrong) == len(seen), "a row is there twice"


def test_a_name_that_is_none_is_noticed():
    tests = {"test_a": {"one", "test_two"}, "test_b": {"three"}}
    assert not missing("`test_a::one`, `test_two`; `test_b`", tests)
    assert missing("`test_a::three`", tests) == ["three"]
    assert missing("`test_a::one`, `three`", tests) == ["three"]
    assert missing("`test_c`", tests) == ["test_c"]
    assert missing("it is so", tests) == ["it is so"]
    assert missing("", tests) == [""]
    assert missing("**None:** ", tests)
