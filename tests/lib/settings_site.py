"""A gateway by itself, for its administration: neither edge nor pool answers,
which it takes with patience."""

import os
import subprocess
from types import SimpleNamespace

from .authority import Authority
from .command import sallyport, sallyport_json
from .daemons import REPORT, SANITIZERS, Gateway, binary
from .run import Run, endpoint


class SettingsSite:
    def __init__(self, name="settings", **more):
        self.run = Run(name)
        try:
            self._make(more)
        except BaseException:
            self.run.close()
            raise

    def _make(self, more):
        run = self.run
        internal = Authority(run, "internal-ca", eku="both")
        nobody = run.address(99)
        port = run.port(nobody, 25999)
        edge = SimpleNamespace(node="edge1.contoso.example",
                               inner_address=nobody, inner_port=port)
        front_end = SimpleNamespace(name="fe1.contoso.example",
                                    address=nobody, port=port)
        self.gateway = Gateway(run, internal, [edge], [front_end], **more)
        self.socket = run.path("gw1", "admin.sock")
        address = run.address(51)
        self.http = endpoint(address, run.port(address, 28443))
        self.gateway.config["admin"] = {"socket": self.socket,
                                        "listen": [self.http]}

    def start(self):
        self.gateway.start()
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        problems = self.run.close() + self.gateway.reports()
        assert not problems, problems

    # --- the command -----------------------------------------------------------

    def said(self, *argv, status=0, **more):
        """Standard output of the command; the exit status as expected."""
        return sallyport(*argv, "--socket", self.socket, status=status, **more)

    def json(self, *argv, **more):
        return sallyport_json(*argv, "--socket", self.socket, **more)

    def run_command(self, *argv, stdin="", plain=False):
        """The command at its end, whatever came of it."""
        where = () if plain else ("--socket", self.socket)
        done = subprocess.run(
            [binary("sallyport"), *argv, *where], input=stdin,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=60, check=False, env=dict(os.environ, **SANITIZERS))
        assert not REPORT.search(done.stderr), done.stderr
        return done

    def told(self, *argv, status=1, stdin="", plain=False):
        """What it says on standard error."""
        done = self.run_command(*argv, stdin=stdin, plain=plain)
        assert done.returncode == status, \
            f"{argv}: status {done.returncode}: {done.stdout}{done.stderr}"
        return done.stderr
