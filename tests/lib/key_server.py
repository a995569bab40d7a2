"""An authoritative server of dialback (XEP-0220) that says what a test wants.

It listens on plain TCP and answers every question about a key by the test's
function; the journal has asked (from, to, id, key, wire) and stream.
"""

import re
import socket
import threading

from .journal import Journal
from .raw_partner import attribute
from .xmpp_peer import STREAM, Ended, Wire

NS = "xmlns:db='jabber:server:dialback'"


def result(sender, to, key):
    """What an initiating server asks."""
    return f"<db:result {NS} from='{sender}' to='{to}'>{key}</db:result>"


def verdict(kind, sender, to, id, text=""):
    return (f"<db:verify {NS} from='{sender}' to='{to}' id='{id}' "
            f"type='{kind}'>{text}</db:verify>")


class KeyServer:
    def __init__(self, run, domain, address, port, answer=None):
        self.run = run
        self.domain = domain
        self.address = address
        self.port = port
        self.journal = Journal(f"keys of {domain}")
        self.answer = answer or self.agree
        self.listener = None
        self.wires = []

    def forget(self):
        """As at first: nothing was asked, every key is good."""
        self.answer = self.agree
        self.journal = Journal(f"keys of {self.domain}")

    def agree(self, asked, wire):
        """Servers were seen to send the key back; it means nothing."""
        wire.send(verdict("valid", asked["to"], asked["from"], asked["id"],
                          asked["key"]))

    def start(self):
        self.listener = socket.create_server((self.address, self.port))
        threading.Thread(target=self._accept, args=(self.listener,),
                         daemon=True).start()
        self.run.on_close(self.stop)
        return self

    def stop(self):
        if self.listener is not None:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        for wire in list(self.wires):
            wire.close()

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(Wire(sock),),
                             daemon=True).start()

    def _serve(self, wire):
        self.wires.append(wire)
        try:
            wire.until(r"<stream:stream[^>]*>")
            wire.send(STREAM.format(local=self.domain,
                                    remote="contoso.example",
                                    more=f"id='k1' {NS} ")
                      + "<stream:features><dialback xmlns="
                      "'urn:xmpp:features:dialback'/></stream:features>")
            self.journal.add("stream", wire=wire)
            while True:
                text = wire.until(r"<db:verify\b.*?</db:verify>", 3600)[0]
                asked = {a: attribute(text, a) for a in ("from", "to", "id")}
                asked["key"] = re.search(r">([^<]*)</db:verify>", text)[1]
                self.journal.add("asked", wire=wire, **asked)
                self.answer(asked, wire)
        except (Ended, OSError, AssertionError):
            pass        # the edge has what it wanted
        finally:
            wire.close()
