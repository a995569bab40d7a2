"""The operator's command, run to its end."""

import json
import os
import subprocess

from .daemons import REPORT, SANITIZERS, binary


def sallyport(*argv, status=0, **more):
    """Standard output; the exit status must be as expected."""
    done = subprocess.run([binary("sallyport"), *argv],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120, text=True,
                          env=dict(os.environ, **SANITIZERS), **more)
    said = f"{' '.join(argv)}\n{done.stdout}\n{done.stderr}"
    assert not REPORT.search(said), said
    assert done.returncode == status, f"status {done.returncode}: {said}"
    return done.stdout


def sallyport_json(*argv, **more):
    return json.loads(sallyport(*argv, "--json", **more))


def findings(answer, level):
    """[(check, text)] of one level."""
    return [(f["check"], f["text"]) for f in answer["findings"]
            if f["level"] == level]
