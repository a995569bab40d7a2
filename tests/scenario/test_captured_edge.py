"""An edge that somebody else has taken over: what it is told about people.

What it can say in others' names is in test_lying_edge.
"""

import time

import pytest

from lib.daemons import BIN
from test_lying_edge import liar, place       # noqa: F401

# One who may not speak to partners, one who is not signed in, and nobody.
USERS = ("olaf", "dora", "no.such.person")


def told(frames, user):
    """What the frames say, but for what tells the questions apart."""
    return [(kind, {k: v.replace(user, "X") if isinstance(v, str) else v
                    for k, v in f.items()
                    if k not in ("answers", "seq", "barrier")})
            for kind, f in frames]


@pytest.mark.parametrize("type, fields", [
    ("message", {"kind": "chat"}),
    ("presence", {"kind": "probe"}),
    ("iq", {"kind": "get", "request": "vcard"}),
    ("iq", {"kind": "get", "request": "disco-info"}),
    ("iq", {"kind": "get", "request": "last"}),
])
def test_it_cannot_ask_who_exists(place, liar, type, fields):  # noqa: F811
    """Who may not be spoken to and who is not there are one to it."""
    stream = liar.stream()
    answers = {}
    for user in USERS:
        mark = len(liar.peer.frames)
        result = liar.say(f"eve-{user}@partner.example", stream, type=type,
                          to=f"{user}@contoso.example", **fields)
        time.sleep(0.5)
        later = [(k, f) for k, f in liar.peer.frames[mark:]
                 if user in str(f)]
        answers[user] = told([("result", result), *later], user)
    first = answers[USERS[0]]
    assert all(a == first for a in answers.values()), answers
    assert first[0][1]["status"] in ("failed", "delivered")


@pytest.mark.skipif("asan" in BIN, reason="sanitized builds run without it")
def test_the_processes_are_in_their_sandbox(place):      # noqa: F811
    """What that means is in the unit test of the sandbox."""
    keeper, *children = place.edge.pids()
    assert len(children) == 3
    for pid in (keeper, *children):
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            status = dict(l.split(":", 1) for l in f)
        assert status["NoNewPrivs"].strip() == "1"
        assert status["Seccomp"].strip() == \
            ("0" if pid == keeper else "2")
