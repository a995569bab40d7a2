"""The wall clock of one daemon, moved while it runs (jumping_clock.c).  Not for
sanitized builds: a sanitizer wants to be loaded first."""

import os
import struct

from .authority import TREE


class MovedClock:
    """Moves the wall clock of a daemon that is not started yet."""

    def __init__(self, run, daemon):
        library = run.path("jumping_clock.so")
        run.command(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-O1", "-o",
                     library, os.path.join(TREE, "tests", "lib",
                                           "jumping_clock.c"), "-ldl"])
        self.path = run.path("moved")
        self.move(0)
        daemon.process.env.update(LD_PRELOAD=library, JUMPING_CLOCK=self.path)

    def move(self, seconds):
        mode = "r+b" if os.path.exists(self.path) else "wb"
        with open(self.path, mode) as f:
            f.write(struct.pack("=q", seconds))
        os.chmod(self.path, 0o644)
