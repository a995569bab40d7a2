"""A Lync user and people of a partner's with everything open between them
that a right may close, and how it looks from both ends when one does.

Anna and Bo see each other and talk in a window that she opened; Cleo, his
colleague, sees her as well and has begun a chat with her himself.
"""

import contextlib
import re

from . import sip
from .command import sallyport, sallyport_json
from .presence_site import PresenceSite
from .strangers import answers_of
from .windows import Chat, diagnosis, refused

NOBODY = "nobody@contoso.example"       # has every right and does not exist


class LiveSite(PresenceSite):
    """One that is changed with the operator's command while people talk."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.gateway.config["users"].append(NOBODY)
        self.gateway.config["limits"] = {"misses_contact_per_minute": 60000,
                                         "misses_contact_at_once": 1000}
        self.pool.user(NOBODY).status = (404, "Not Found")
        self.pool.script["INVITE"] = self._invited

    def _invited(self, message, conn):
        if sip.address_of(message.get("To")) == NOBODY:
            conn.send(message.answer(404, "Not Found", sip.token(5)))
        else:
            self.pool.accept(message, conn)

    @property
    def socket(self):
        return self.gateway.config["admin"]["socket"]

    def do(self, *argv, **more):
        return sallyport(*argv, "--socket", self.socket, **more)

    def ask(self, *argv):
        return sallyport_json(*argv, "--socket", self.socket)


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
        for contact in (self.bo_jid, self.cleo_jid):
            self.site.gateway.log.wait(
                rf" forbidden-now user={self.anna} contact={contact} "
                rf'diagnostics={id} reason="?{re.escape(words)}"? policy=')
        self.is_shut(id, words)

    def is_shut(self, id, words):
        """Nothing begins, and the log says why."""
        log = self.site.gateway.log.mark()
        assert refused(self.site, self.anna, self.bo_jid) == (403, id, words)
        again = self.endpoint.add(self.bo_jid).response
        assert diagnosis(again) == (403, id, words)
        self.looks_like_nobody("message")
        lines = self.site.gateway.log.text(log)
        assert re.search(rf" refused method=INVITE .*{self.anna}.* "
                         rf"diagnostics={id} ", lines), lines
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
        """They see each other again, and words pass both ways; the windows
        that ended are opened anew."""
        for user in (self.bo, self.cleo):
            user.presence_of(self.anna, type="available")
        self.endpoint.notice(watch=self.watch, show="online")
        self.bo.await_roster(self.anna, "both")
        self.cleo.await_roster(self.anna, "to")
        self.talk()

    def goes_on(self, do):
        """What is done meanwhile disturbs nothing of it."""
        before = self.departures()
        do()
        assert self.chat.say("still here") == 200
        self.bo.message(body="still here")
        self.cleo.send(self.anna, "here as well")
        assert self.pool.journal.wait(
            "request", method="MESSAGE", request=lambda r:
            r.body == b"here as well").call_id == self.begun
        self.couple.calm()
        assert self.departures() == before

    def departures(self):
        return sum(len(user.journal.all("presence", type="unavailable",
                                        bare=self.anna))
                   for user in (self.bo, self.cleo))


@contextlib.contextmanager
def opened(site, domain="partner.example", prepare=lambda pair: None):
    pair = OpenPair(site, domain)
    try:
        prepare(pair)
        yield pair.open()
    finally:
        pair.close()
