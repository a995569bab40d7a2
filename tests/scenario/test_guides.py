"""The guides, followed word by word as far as one host can: every command
that plans, asks, looks or prints runs as it is written, in a folder that
stands for /etc/sallyport; the configuration is the one on the page."""

import os
import re
import subprocess

import pytest

from lib.authority import TREE, Authority
from lib.command import REPORT
from lib.daemons import BIN, SANITIZERS
from lib.run import Run

ETC = "/etc/sallyport"
# What needs a service, a package, the DNS or a pool.
ELSEWHERE = re.compile(r"apt|systemctl|chgrp|sallyport (doctor|status|streams|"
                       r"drain|ports|firewall|dns check)")


class Page:
    def __init__(self, name):
        with open(os.path.join(TREE, "deploy", name), encoding="utf-8") as f:
            text = f.read()
        blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.M)
        self.blocks = [re.sub(r"^    ", "", b, flags=re.M).strip()
                       for b in blocks]
        self.configuration, = [b for b in self.blocks if b.startswith("{")]

    def commands(self):
        for block in self.blocks:
            for line in block.replace("\\\n", " ").splitlines():
                line = " ".join(line.split())
                if re.match(r"(sallyport|cd|chmod|apt|systemctl|chgrp)", line):
                    yield line


def sign(public, own, folder):
    for name in os.listdir(folder):
        stem, ending = os.path.splitext(os.path.join(folder, name))
        if ending != ".csr" or os.path.exists(stem + ".pem"):
            continue
        ca = public if name == "xmpp.csr" else own
        subprocess.run(
            ["openssl", "x509", "-req", "-in", stem + ending, "-CA",
             ca.certificate, "-CAkey", os.path.join(ca.folder, "ca.key"),
             "-copy_extensions", "copyall", "-out", stem + ".pem"],
            check=True, stderr=subprocess.DEVNULL)


def follow(page, etc, public, own, name):
    """Returns how many commands ran."""
    env = dict(os.environ, **SANITIZERS, SSL_CERT_FILE=public.certificate,
               PATH=os.path.abspath(BIN) + ":" + os.environ["PATH"])
    ran = 0
    with open(os.path.join(etc, name), "w", encoding="utf-8") as f:
        f.write(page.configuration.replace(ETC, etc).replace(
            "/var/lib/sallyport", etc))
    for line in page.commands():
        if ELSEWHERE.match(line) or "--connect" in line:
            continue
        if "check" in line:
            sign(public, own, etc)
        done = subprocess.run(
            line.replace(ETC, etc), shell=True, cwd=etc, env=env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        assert done.returncode == 0 and not REPORT.search(done.stdout), \
            f"{line}\n{done.stdout}"
        ran += 1
    return ran


@pytest.mark.parametrize("guide,name,commands", [
    ("GUIDE-perimeter.md", "edge.json", 10),
    ("GUIDE-front-end.md", "gateway.json", 11),
])
def test_a_guide_can_be_followed(guide, name, commands):
    with Run("guide") as run:
        etc = run.folder("etc")
        public, own = Authority(run, "public"), Authority(run, "own")
        for trust in ("internal-ca.pem", "enterprise-ca.pem"):
            run.copy(own.certificate, os.path.join(etc, trust), mode=0o644)
        assert follow(Page(guide), etc, public, own, name) == commands


def test_every_option_on_the_pages_is_known():
    """Also of the commands that are not run here."""
    for guide in ("GUIDE-perimeter.md", "GUIDE-front-end.md"):
        for line in Page(guide).commands():
            match = re.match(r"sallyport ((?:dns|certs|pool) \w+|doctor)\b",
                             line)
            if not match:
                continue
            text = subprocess.run(
                [os.path.join(BIN, "sallyport"), *match[1].split(), "--help"],
                stdout=subprocess.PIPE, text=True, check=True).stdout
            for option in re.findall(r" (--[a-z-]+)", line):
                assert option in text, line
