"""Throw-away certificate authorities, made with certs/make-test-ca.

Two of them stand apart, as they do in life: the public one that XMPP servers
trust, and the internal one of the pool and the channel.
"""

import os

TREE = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
TOOL = os.path.join(TREE, "certs", "make-test-ca")


class Leaf:
    def __init__(self, certificate, key):
        self.certificate = certificate
        self.key = key


class Authority:
    def __init__(self, run, name):
        self.run = run
        self.folder = run.folder(name)
        # Peers read the public half as users of their own.
        os.chmod(self.folder, 0o711)
        self.leaves = {}
        run.command([TOOL, "ca", self.folder, name])
        self.certificate = os.path.join(self.folder, f"{name}.pem")
        os.chmod(self.certificate, 0o644)

    def leaf(self, name, *dns, extra=()):
        """A certificate for DNS names; the same name gives the same one."""
        if name not in self.leaves:
            argv = [TOOL, "leaf", self.folder, name]
            for host in dns or (name,):
                argv += ["--dns", host]
            self.run.command(argv + list(extra))
            self.leaves[name] = Leaf(
                os.path.join(self.folder, f"{name}.pem"),
                os.path.join(self.folder, f"{name}.key"))
        return self.leaves[name]
