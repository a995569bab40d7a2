"""Windows of a Lync user's client: what she says in them and is told."""

import re


def diagnosis(message):
    """(status or None, id, reason) of our ms-diagnostics."""
    found = re.match(r'(\d+);reason="((?:[^"\\]|\\.)*)"',
                     message.get("ms-diagnostics"))
    assert found, message.headers
    return (None if message.request else message.status, int(found[1]),
            found[2])


class Chat:
    """A window of hers: it is open, and her client sees what comes."""

    def __init__(self, site, user, contact, **more):
        self.site, self.pool, self.user = site, site.pool, user
        self.line = self.pool.connect(site.gateway)
        self.invite = self.pool.invite(self.line, user, contact, **more)
        self.response = self.pool.transact(self.line, self.invite, 40)
        self.cseq = 1
        if self.response.status == 200:
            self.pool.write(self.line, self.pool.follow(
                self.line, self.invite, self.response, "ACK", 1))

    def ask(self, method, body=b"", content_type=None):
        """A request in it; the answer."""
        self.cseq += 1
        return self.pool.transact(self.line, self.pool.follow(
            self.line, self.invite, self.response, method, self.cseq, body,
            [("Content-Type", content_type)] if content_type else []), 40)

    def say(self, text):
        return self.ask("MESSAGE", text.encode(),
                        "text/plain; charset=UTF-8").status

    def ended(self):
        """The BYE that came for it."""
        return self.pool.journal.wait(
            "request", method="BYE", call_id=self.invite.call_id).request

    def hang_up(self):
        """She closes it, and the conversation is over."""
        assert self.ask("BYE").status == 200
        self.close()

    def close(self):
        self.pool.drop(self.line)


def call(*media):
    """What a client offers that calls: m= lines of these."""
    return ("v=0\r\no=- 0 0 IN IP4 192.0.2.7\r\ns=session\r\n"
            "c=IN IP4 192.0.2.7\r\nt=0 0\r\n" + "".join(
                f"m={m} 50052 RTP/SAVP 117\r\n" for m in media)).encode()


def refused(site, user, contact, **more):
    """What her client is told when she opens a window."""
    chat = Chat(site, user, contact, **more)
    try:
        return diagnosis(chat.response)
    finally:
        chat.close()


def reaches(site, couple, bo, text):
    """Both ways; a window of its own each time."""
    assert site.pool.chat(couple.anna, couple.bo, f"{text} from anna") == 200
    bo.message(body=f"{text} from anna")
    bo.send(couple.anna, f"{text} from bo")
    site.pool.journal.wait("request", method="MESSAGE", request=lambda r:
                           r.body == f"{text} from bo".encode())
