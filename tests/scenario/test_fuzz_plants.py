"""Each fuzz target has a bug planted for it, which fits the code."""

import os
import subprocess

import pytest

from lib.authority import TREE

pytestmark = pytest.mark.once


def test_each_target_has_a_bug_that_fits():
    found = subprocess.run(
        [os.path.join(TREE, "tests", "fuzz", "campaign"), "plants",
         "--check"], check=False, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
