"""The processor's time of a daemon."""

import os

HERTZ = os.sysconf("SC_CLK_TCK")


def cpu(process):
    """User and system seconds of a process and what it started."""
    total = 0
    for pid in os.listdir("/proc"):
        if not pid.isdigit():
            continue
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii",
                      errors="replace") as f:
                fields = f.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == process.pid:       # its process group
            total += int(fields[11]) + int(fields[12])
    return total / HERTZ
