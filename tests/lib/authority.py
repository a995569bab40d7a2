"""Throw-away certificate authorities, made with certs/make-test-ca.

Two of them stand apart, as they do in life: the public one that XMPP servers
trust, and the internal one of the pool and the channel.
"""

import os
import time

TREE = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
TOOL = os.path.join(TREE, "certs", "make-test-ca")


class Leaf:
    def __init__(self, folder, name):
        self.certificate = os.path.join(folder, f"{name}.pem")
        self.key = os.path.join(folder, f"{name}.key")


class Authority:
    """eku is what its certificates are good for: server-only, as public
    authorities issue them, or both, as mutual TLS inside needs."""

    def __init__(self, run, name, eku="server"):
        self.run = run
        self.eku = eku
        self.folder = run.folder(name)
        self.leaves = {}
        run.command([TOOL, "ca", self.folder, name])
        self.certificate = os.path.join(self.folder, "ca.pem")
        # Clients of any user read the public half.
        os.chmod(self.folder, 0o711)
        os.chmod(self.certificate, 0o644)

    def leaf(self, name, *dns, extra=(), eku=None):
        """A certificate for DNS names; the same name gives the same one."""
        if name not in self.leaves:
            argv = [TOOL, "leaf", self.folder, name,
                    "--eku", eku or self.eku, *extra]
            for host in dns or (name,):
                argv += ["--dns", host]
            self.run.command(argv)
            self.leaves[name] = Leaf(self.folder, name)
        return self.leaves[name]

    def revocation_list(self, name, *revoked, days=(-1, 1), der=False):
        """A list that takes these leaves back; in force from one of the days
        to the other, counted from today.  Its path."""
        index = self.run.write(f"{name}.index", "")
        conf = self.run.write(
            f"{name}.cnf", f"[ca]\ndefault_ca=x\n[x]\ndatabase={index}\n"
            "default_md=sha256\n")
        signer = ("openssl", "ca", "-config", conf, "-keyfile",
                  os.path.join(self.folder, "ca.key"), "-cert",
                  self.certificate)
        for leaf in revoked:
            self.run.command([*signer, "-revoke", leaf.certificate])
        begin, end = (time.strftime("%Y%m%d%H%M%SZ",
                                    time.gmtime(time.time() + d * 86400))
                      for d in days)
        path = self.run.path(name)
        self.run.command([*signer, "-gencrl", "-crl_lastupdate", begin,
                          "-crl_nextupdate", end, "-out", path])
        if der:
            self.run.command(["openssl", "crl", "-in", path, "-outform",
                              "DER", "-out", path])
        return path

    def answer(self, question, leaf, revoked=False, minutes=60):
        """What its responder says of a leaf (OCSP, DER) to a question, or,
        without one, to the obvious one."""
        name = os.path.basename(leaf.certificate)
        index = self.run.write(f"{name}.ocsp-index", "")
        conf = self.run.write(
            f"{name}.ocsp-cnf", f"[ca]\ndefault_ca=x\n[x]\n"
            f"database={index}\ndefault_md=sha256\n")
        self.run.command(["openssl", "ca", "-config", conf, "-keyfile",
                          os.path.join(self.folder, "ca.key"), "-cert",
                          self.certificate, "-revoke" if revoked else
                          "-valid", leaf.certificate])
        asked = self.run.path(f"{name}.ocsp-question")
        told = self.run.path(f"{name}.ocsp-answer")
        if question is not None:
            with open(asked, "wb") as f:
                f.write(question)
        what = (["-reqin", asked] if question is not None else
                ["-issuer", self.certificate, "-cert", leaf.certificate,
                 "-no_nonce"])
        self.run.command(["openssl", "ocsp", "-index", index, "-CA",
                          self.certificate, "-rsigner", self.certificate,
                          "-rkey", os.path.join(self.folder, "ca.key"),
                          *what, "-nmin", str(minutes), "-respout", told])
        with open(told, "rb") as f:
            return f.read()
