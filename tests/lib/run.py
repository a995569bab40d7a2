"""A run: addresses, state folder and processes that belong together.

Parallel runs never meet.  A run owns a number, claimed as the name of an
abstract Unix socket: the kernel hands it out once, to any user, and takes it
back when the process ends, however it ends.  The number gives a /24 of
loopback addresses and one port on ::1.

Processes are started through setpriv, so that they die with us even if we
are killed, and in sessions of their own, so that Ctrl-C reaches us alone and
we end them in order.
"""

import asyncio
import os
import pwd
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

RUNS = 4096
PORTS = range(20000, 30000)     # below the kernel's ephemeral range


class StartFailed(Exception):
    """A process did not come up; its log lines are in the message."""


def root():
    return os.geteuid() == 0


def bindable(address, port, kind=socket.SOCK_STREAM):
    """True if nobody listens at that address and port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((address, port))
        except OSError:
            return False
    return True


def endpoint(address, port):
    """As our configurations write it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def listening(address, port, pid="self"):
    """True if somebody listens at exactly that address and port, in the
    network of that process.

    The kernel's table tells without a connection, which would stand in the
    daemon's log as a peer that went away.
    """
    if ":" in address:
        table, data = f"/proc/{pid}/net/tcp6", socket.inet_pton(socket.AF_INET6,
                                                         address)
    else:
        table, data = f"/proc/{pid}/net/tcp", socket.inet_aton(address)
    words = struct.unpack(f"={len(data) // 4}I", data)
    wanted = "".join(f"{w:08X}" for w in words) + f":{port:04X}"
    try:
        with open(table, encoding="ascii") as f:
            return any(fields[1] == wanted and fields[3] == "0A"
                       for fields in map(str.split, f))
    except (FileNotFoundError, ProcessLookupError):
        return False        # the process is gone


class LogFile:
    """What a process writes, read while it writes."""

    def __init__(self, path):
        self.path = path

    def text(self, mark=0):
        """All of it, or what came after a mark."""
        try:
            with open(self.path, encoding="utf-8", errors="replace") as f:
                f.seek(mark)
                return f.read()
        except FileNotFoundError:
            return ""

    def lines(self, pattern=""):
        wanted = re.compile(pattern)
        return [l for l in self.text().splitlines() if wanted.search(l)]

    def mark(self):
        """A position to hand to wait() or text(), so that old lines do not
        count."""
        try:
            return os.path.getsize(self.path)
        except FileNotFoundError:
            return 0

    def wait(self, pattern, timeout=20, mark=0, alive=None):
        """The first line after the mark that matches."""
        wanted = re.compile(pattern)
        end = time.monotonic() + timeout
        while True:
            for line in self.text(mark).splitlines():
                if wanted.search(line):
                    return line
            if alive is not None and not alive():
                raise AssertionError(f"{self.path}: the process ended without"
                                     f" a line /{pattern}/\n{self.tail()}")
            if time.monotonic() > end:
                raise AssertionError(f"{self.path}: no line /{pattern}/ in "
                                     f"{timeout:g} s\n{self.tail()}")
            time.sleep(0.02)

    def tail(self, count=15):
        lines = self.text().splitlines()[-count:]
        return "\n".join(f"    {l}" for l in lines)


class Process:
    """One program, known by its pid, with its output in a log file."""

    def __init__(self, run, name, argv, user=None, env=None, cwd=None,
                 log=None):
        self.run = run
        self.name = name
        self.argv = argv
        self.user = user if root() else None
        self.env = dict(os.environ, **(env or {}))
        self.cwd = cwd or run.state
        self.log = LogFile(log or run.path("log", f"{name}.log"))
        self.popen = None

    def command(self):
        cmd = ["setpriv", "--pdeathsig", "KILL"]
        if self.user:
            cmd += [f"--reuid={self.user}", f"--regid={self.user}",
                    "--init-groups"]
        return [*cmd, "--", *self.argv]

    def start(self):
        """From the main thread: the kernel's death signal follows the
        thread that forked, not the process."""
        with open(self.log.path, "ab") as out:
            self.popen = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, cwd=self.cwd, env=self.env,
                start_new_session=True)
        return self

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen is not None and self.popen.poll() is None

    def kill(self):
        """The sudden end, for tests of sudden ends."""
        self.popen.kill()
        self.popen.wait()
        self._sweep()

    def stop(self, patience=10):
        """The orderly end; returns the exit status."""
        if self.popen is None:
            return None
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(patience)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        self._sweep()
        return self.popen.returncode

    def _sweep(self):
        """Ends children that a dead parent left in its process group."""
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    def await_port(self, address, port, timeout=20):
        end = time.monotonic() + timeout
        while not listening(address, port, self.pid):
            if not self.alive():
                raise StartFailed(f"{self.name} ended with status "
                                  f"{self.popen.returncode}\n"
                                  f"{self.log.tail()}")
            if time.monotonic() > end:
                raise StartFailed(f"{self.name} does not listen at "
                                  f"{address}:{port} after {timeout} s\n"
                                  f"{self.log.tail()}")
            time.sleep(0.02)


class Run:
    def __init__(self, name="run", keep=False):
        # SALLYPORT_KEEP=1 leaves the state folder for a look at the logs.
        self.keep = keep or bool(os.environ.get("SALLYPORT_KEEP"))
        self.processes = []
        self.closers = []
        self.claim = self._claim_number()
        self.state = tempfile.mkdtemp(prefix=f"sallyport-{name}-")
        # Peers that run as users of their own must reach their folders.
        os.chmod(self.state, 0o711)
        os.mkdir(self.path("log"), 0o777)
        os.chmod(self.path("log"), 0o777)
        self._ports = {}
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever,
                                        name="actors", daemon=True)
        self._thread.start()

    def _claim_number(self):
        start = os.getpid()
        for i in range(RUNS):
            number = (start + i) % RUNS
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.bind(f"\0sallyport-run-{number}")
            except OSError:
                sock.close()
                continue
            self.number = number
            self.net = f"127.{64 + number // 256}.{number % 256}"
            self.port6 = 12000 + number
            if bindable(self.address(2), PORTS[0]):
                return sock
            sock.close()
        raise StartFailed("no loopback network is free for this run")

    # --- addresses and files --------------------------------------------

    def address(self, host):
        return f"{self.net}.{host}"

    def port(self, address, preferred=None):
        """A port nobody else has at that address, the preferred if free."""
        taken = self._ports.setdefault(address, set())
        choices = ([preferred] if preferred else []) + list(PORTS)
        for port in choices:
            if port in taken:
                continue
            if bindable(address, port) and bindable(address, port,
                                                    socket.SOCK_DGRAM):
                taken.add(port)
                return port
        raise StartFailed(f"no port is free at {address}")

    def path(self, *parts):
        return os.path.join(self.state, *parts)

    def folder(self, name, user=None):
        """A private folder, given to the user a peer will run as."""
        path = self.path(name)
        os.makedirs(path, 0o700, exist_ok=True)
        self.give(path, user)
        return path

    def write(self, path, text, user=None, mode=0o600):
        path = os.path.join(self.state, path)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode),
                  "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        self.give(path, user)
        return path

    def copy(self, source, path, user=None, mode=0o600):
        path = os.path.join(self.state, path)
        shutil.copyfile(source, path)
        os.chmod(path, mode)
        self.give(path, user)
        return path

    def give(self, path, user):
        if user and root():
            entry = pwd.getpwnam(user)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    # --- processes -------------------------------------------------------

    def process(self, name, argv, **more):
        proc = Process(self, name, argv, **more)
        self.processes.append(proc)
        return proc

    def command(self, argv, timeout=60, **more):
        """Runs a helper program to its end; fails with its output."""
        done = subprocess.run(argv, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=timeout,
                              text=True, **more)
        if done.returncode != 0:
            raise StartFailed(f"{' '.join(argv)}: status {done.returncode}\n"
                              f"{done.stdout}")
        return done.stdout

    # --- the actors' event loop -----------------------------------------

    def wait(self, coroutine, timeout=60):
        """Runs a coroutine of an actor in the loop's thread."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            return future.result(timeout)
        except BaseException:
            future.cancel()
            raise

    def on_close(self, fn):
        self.closers.append(fn)

    async def _cancel_tasks(self):
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- the end ---------------------------------------------------------

    def close(self):
        problems = []
        for fn in reversed(self.closers):
            try:
                fn()
            except Exception as e:      # the rest still has to end
                problems.append(f"{fn}: {e}")
        self.closers.clear()
        for proc in reversed(self.processes):
            proc.stop()
        if self._thread.is_alive():
            self.wait(self._cancel_tasks(), 10)
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(5)
            self.loop.close()
        self.claim.close()
        if not self.keep:
            shutil.rmtree(self.state, ignore_errors=True)
        return problems

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
