"""Debian hosts with systemd of their own, each in one of a run's network
namespaces.  Needs root; tests/trial/make-base makes what they boot from.
"""

import os
import shutil
import subprocess
import time

from .authority import TREE
from .netns import NetProcess, tool
from .run import StartFailed

BOOT = os.path.join(TREE, "tests", "lib", "boot-host")


def cgroups():
    """Where the machine has its cgroup2 tree."""
    with open("/proc/mounts", encoding="ascii") as f:
        for line in f:
            _, at, kind, *_ = line.split()
            if kind == "cgroup2":
                return at
    raise StartFailed("no cgroup2 tree is mounted")


class DebianHost:
    """One host, from its boot to its end.  files(path) before the boot and
    while it runs are those of its root folder."""

    def __init__(self, run, space, name, base):
        self.run = run
        self.space = space
        self.name = name
        self.base = base
        self.state = run.folder(f"host-{name}")
        os.chmod(self.state, 0o755)
        self.cgroup = os.path.join(
            cgroups(), f"sallyport-{run.number}-{name}")
        self.process = None
        self.pid = None
        self.folder = "/root"       # where the next command runs
        self._end_group()
        run.on_close(self.close)
        self.write("/etc/hostname", name + "\n")
        # It does not outlive a power cut anyway.
        self.write("/etc/dpkg/dpkg.cfg.d/unsafe-io", "force-unsafe-io\n")

    def path(self, path):
        """A file of the host, as we reach it."""
        if self.pid is None:
            return os.path.join(self.state, "upper", path.lstrip("/"))
        return f"/proc/{self.pid}/root{path}"

    def write(self, path, text, mode=0o644):
        at = self.path(path)
        os.makedirs(os.path.dirname(at), exist_ok=True)
        with open(at, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(at, mode)

    def read(self, path):
        with open(self.path(path), encoding="utf-8") as f:
            return f.read()

    def copy(self, source, path):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        shutil.copyfile(source, self.path(path))

    def boot(self, patience=60):
        proc = NetProcess(self.run, f"boot-{self.name}", [
            BOOT, self.name, self.base, self.state,
            self.run.networks.path(self.space), self.cgroup])
        # The script enters the namespace by itself.
        proc.command = lambda: ["setpriv", "--pdeathsig", "KILL", "--",
                                *proc.argv]
        self.run.processes.append(proc)
        self.process = proc.start()
        end = time.monotonic() + patience
        while True:
            self.pid = self._init()
            if self.pid and self._say("systemctl", "is-system-running",
                                      "--wait").strip() == "running":
                return self
            if not proc.alive() or time.monotonic() > end:
                raise StartFailed(f"{self.name} does not boot\n"
                                  f"{proc.log.tail()}\n{self.failed()}")
            time.sleep(0.1)

    def _init(self):
        """systemd, once it has taken the place of the script."""
        try:
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}"
                      "/children", encoding="ascii") as f:
                pid, = f.read().split()
            if os.readlink(f"/proc/{pid}/exe").endswith("/systemd"):
                return pid
        except (OSError, ValueError):
            pass
        return None

    def enter(self, *argv):
        """The command that runs argv there."""
        return [tool("nsenter"), "-t", self.pid, "-m", "-u", "-i", "-n",
                "-p", "-C", "-r", "-w", "--", "/usr/bin/env", "-i",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
                "/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "TERM=dumb",
                *argv]

    def _say(self, *argv):
        return subprocess.run(self.enter(*argv), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True,
                              timeout=60, check=False).stdout

    def failed(self):
        if self.pid is None:
            return ""
        return (self._say("systemctl", "--failed", "--no-legend") +
                self._say("journalctl", "-p", "warning", "-n", "40"))

    def shell(self, text, status=0, answer="", timeout=180):
        """Commands as root types them, in a shell that stays where it was
        led; what they say."""
        script = (f"cd {self.folder}\n{text}\nstatus=$?\n"
                  "pwd >/run/trial-folder\nexit $status\n")
        done = subprocess.run(self.enter("/bin/bash", "-c", script),
                              input=answer, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True,
                              timeout=timeout, check=False)
        assert done.returncode == status, \
            (f"{self.name}# {text}\nstatus {done.returncode}\n{done.stdout}\n"
             f"{self.failed()}")
        self.folder = self.read("/run/trial-folder").strip()
        return done.stdout

    def _end_group(self):
        """Ends all that runs there, also what a killed run left."""
        try:
            with open(os.path.join(self.cgroup, "cgroup.kill"), "w",
                      encoding="ascii") as f:
                f.write("1")
        except FileNotFoundError:
            return
        for _ in range(100):
            for folder, _, _ in os.walk(self.cgroup, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    pass        # something in it is still on its way out
            if not os.path.exists(self.cgroup):
                return
            time.sleep(0.05)
        raise StartFailed(f"{self.cgroup} does not end")

    def close(self):
        self._end_group()
        self.pid = None
