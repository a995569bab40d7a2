"""A Lync user and people of a partner's with everything open between them
that a right may close, and how it looks from both ends when one does.

Anna and Bo see each other and talk in a window that she opened; Cleo, his
colleague, sees her as well and has begun a chat with her himself.
"""

import contextlib

from . import sip
from .strangers import answers_of
from .windows import Chat, diagnosis, reaches, refused

NOBODY = "nobody@contoso.example"       # has every right and does not exist


def unknown_to(pool):
    """The pool has nobody of that name, whatever it is asked."""
    def invited(message, conn):
        if sip.address_of(message.get("To")) == NOBODY:
            conn.send(message.answer(404, "Not Found", sip.token(5)))
        else:
            pool.accept(message, conn)

    pool.user(NOBODY).status = (404, "Not Found")
    pool.script["INVITE"] = invited


class OpenPair:
    def __init__(self, site, domain="partner.example"):
        self.site, self.pool = site, site.pool
        self.couple, self.other = site.couple(domain), site.couple(domain)
        self.anna = self.couple.anna
        self.other.anna = self.anna
        self.bo_jid, self.cleo_jid = self.couple.bo, self.other.bo
        self.chat = None

    def open(self):
        self.bo, self.endpoint, self.watch = self.couple.friends()
        self.cleo = self.other.login()
        self.other.bo_sees_anna(self.cleo)
        self.talk()
        return self

    def talk(self):
        """The two windows, each with words in it."""
        if self.chat is not None:
            self.chat.close()
        self.chat = Chat(self.site, self.anna, self.bo_jid)
        assert self.chat.say("from anna") == 200
        self.bo.message(body="from anna")
        self.cleo.send(self.anna, "from cleo")
        self.begun = self.pool.journal.wait(
            "request", method="MESSAGE", request=lambda r:
            r.body == b"from cleo" and
            sip.address_of(r.get("To")) == self.anna).call_id
        self.couple.calm()
        self.cleo.journal.settle()

    def close(self):
        if self.chat is not None:
            self.chat.close()
        self.couple.leave()
        self.other.leave()

    # --- what is seen -----------------------------------------------------

    def is_closed(self, id, words):
        """Both windows end with the cause, everybody sees everybody leave,
        neither she nor they can begin anew, and what they are told is what
        they are told of one who does not exist."""
        byes = (self.chat.ended(), self.pool.journal.wait(
            "request", method="BYE", call_id=self.begun).request)
        for bye in byes:
            assert diagnosis(bye) == (None, id, words)
            assert "cause=403" in bye.get("Reason")
        self.bo.presence_of(self.anna, type="unavailable")
        self.cleo.presence_of(self.anna, type="unavailable")
        self.endpoint.notice(watch=self.watch, show="offline")
        self.is_shut(id, words)

    def is_shut(self, id, words):
        """Nothing begins."""
        assert refused(self.site, self.anna, self.bo_jid) == (403, id, words)
        again = self.endpoint.add(self.bo_jid).response
        assert diagnosis(again) == (403, id, words)
        self.looks_like_nobody("message")
        assert not self.pool.live(self.anna), "the pool is still asked"

    def looks_like_nobody(self, *tries):
        """Stanza by stanza, but for ids and the address itself; and the pool
        hears nothing of it."""
        before = len(self.asked())
        for name in tries:
            for user in (self.bo, self.cleo):
                answers = answers_of(user, (NOBODY, self.anna), name)
                assert answers[NOBODY] == answers[self.anna], (name, answers)
        assert self.asked()[before:] == []

    def asked(self):
        """What the pool was asked about her, outside of her own dialogs."""
        return [e.request.start for e in self.pool.journal.all("request")
                if sip.address_of(e.request.get("To")) == self.anna
                and e.method in ("INVITE", "SUBSCRIBE", "MESSAGE")]

    def is_open(self):
        """They see each other again, and words pass both ways."""
        for user in (self.bo, self.cleo):
            user.presence_of(self.anna, type="available")
        self.endpoint.notice(watch=self.watch, show="online")
        self.bo.await_roster(self.anna, "both")
        self.cleo.await_roster(self.anna, "to")
        reaches(self.site, self.couple, self.bo, "again")

    def goes_on(self, do):
        """What is done meanwhile disturbs nothing of it."""
        do()
        assert self.chat.say("still here") == 200
        self.bo.message(body="still here")
        self.cleo.send(self.anna, "here as well")
        assert self.pool.journal.wait(
            "request", method="MESSAGE", request=lambda r:
            r.body == b"here as well").call_id == self.begun
        self.couple.calm()
        left = [e for user in (self.bo, self.cleo)
                for e in user.journal.all("presence", type="unavailable")
                if e.bare == self.anna]
        assert left == []


@contextlib.contextmanager
def opened(site, domain="partner.example"):
    pair = OpenPair(site, domain)
    try:
        yield pair.open()
    finally:
        pair.close()
