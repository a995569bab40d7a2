"""A day in the life of two hundred people: one half of them behind the pool,
the other half in two partner domains.

They sign in, add each other, talk in every form that their clients know, go
away and come back, write to people who are not there, own a second device,
and go home.  Every message is a Word: whose it was, how it went out, when it
came in and how often, and what its writer was told.  In the evening account()
looks at each.
"""

import asyncio
import collections
import email
import random
import re
import time
from xml.sax.saxutils import escape

from . import documents
from .crowd import EJABBERD
from .load import Quiet
from .lync_client import LyncClient, Refused
from .xmpp_company import bare, child, text

# A word's number stands at its end, so that whoever quotes it is not taken
# for its writer; in a link it stands in the path.
NUMBER = re.compile(r"(?:\[w(\d+)\]|/w(\d+)/photo\.jpg\S*)\s*$")
PATIENCE = 45

GREEK = "Ναι, ευχαριστώ — نعم، شكرا — 👩‍💻🇨🇾 é"
LONG = "All that was said in the meeting, and more. " * 500


class Word:
    def __init__(self, number, form, sender, receiver, must=None):
        """must: None, it is to arrive; "fail", its writer is to be told."""
        self.number = number
        self.form = form
        self.sender = sender
        self.receiver = receiver
        self.must = must
        self.text = ""              # None where the form changes it
        self.inward = False
        self.sent = time.monotonic()
        self.told = None            # "good", "bad", "gone"
        self.why = ""
        self.told_at = 0
        self.bad_count = 0
        self.receipts = 0
        self.arrived = collections.Counter()    # by device
        self.first = None
        self.changed = ""           # the text it came in as, when another

    def tell(self, what, why=""):
        self.told, self.why = what, why
        self.told_at = time.monotonic()
        self.bad_count += what == "bad"

    def arrive(self, device, body):
        self.arrived[device] += 1
        self.first = self.first or time.monotonic()
        if self.text is not None and \
                body.replace("\r\n", "\n").strip() != self.text.strip():
            self.changed = body

    def __repr__(self):
        return (f"word {self.number} ({self.form}) {self.sender} > "
                f"{self.receiver} told={self.told} {self.why} "
                f"arrived={dict(self.arrived)}")


class Colleague(LyncClient):
    """A user of the pool at one of her devices."""

    def __init__(self, day, number, *args):
        super().__init__(*args)
        self.day = day
        self.journal = Quiet()
        self.takes_toast = number % 3 != 0
        self.answer_after = (0, 0.05, 0.3)[number % 3]

    async def sign_in(self):
        await self._connect()
        await self._register(3600)

    def _on_closed(self, connection):
        if connection is self.connection and not self.day.over:
            self.day.problems.append(f"the pool closed on {self.user}")
        super()._on_closed(connection)

    def _arrived(self, message, body, way):
        self.day.heard(self.epid, plain_part(message, body))

    async def say(self, peer, word, plain, kind=None, content=""):
        """Writes a word into the chat, in a form of its own if there is
        one; what opens a chat is plain."""
        try:
            dialog = self.current.get(peer)
            if dialog is None or kind is None or \
                    not await self._in_form(dialog, kind, content):
                await self._send(peer, plain, PATIENCE)
            word.tell("good")
        except Refused as e:
            word.tell("bad", e.response.start)
        except (OSError, TimeoutError, asyncio.TimeoutError) as e:
            word.tell("gone", repr(e))
            for dialog in list(self.dialogs.values()):
                if dialog.peer == peer:
                    self._forget(dialog)

    async def _in_form(self, dialog, kind, content):
        """False when the dialog is gone."""
        async with dialog.lock:
            response = await self._transact(self._in_dialog(
                dialog, "MESSAGE", [("Content-Type", kind)],
                content.encode()), PATIENCE)
        if response.status in (408, 480, 481):
            self._forget(dialog)
        if response.status >= 300 and response.status != 481:
            raise Refused(response)
        return response.status != 481

    async def hang_up(self, peer):
        if peer in self.current:
            try:
                await self._bye(peer)
            except (OSError, TimeoutError, asyncio.TimeoutError):
                pass

    async def type(self, peer):
        if peer in self.current:
            try:
                await self._typing(peer, "type")
            except (OSError, TimeoutError, asyncio.TimeoutError):
                pass

    async def show(self, number):
        state = documents.State(number, name=self.display)
        try:
            await self._publish(state, 3600)
        except Refused as e:
            self.day.problems.append(f"{self.user} may not publish: {e}")

    async def appear(self):
        """The first state of the day.  Kamailio now and then frees a new
        registration along with another (it says so when it ends), and then
        forbids everything to whom it was."""
        state = documents.State(documents.AVAILABLE, name=self.display)
        try:
            await self._publish(state, 3600)
        except Refused as e:
            if e.response.status != 403:
                raise
            await self._register(3600)
            await self.show(documents.AVAILABLE)

    async def add(self, friend):
        try:
            watch = await self._watch(friend.jid, True, None, 20, "presence",
                                      (), documents.PIDF, True)
        except asyncio.TimeoutError:
            self.day.problems.append(f"{self.user} adds {friend.jid}: nothing")
            return
        if watch.response.status != 200:
            self.day.problems.append(f"{self.user} adds {friend.jid}: "
                                     f"{watch.response.start}")


class Day:
    """colleagues: so many on each side."""

    def __init__(self, site, companies, colleagues, seconds, seed):
        self.site = site
        self.companies = companies
        self.seconds = seconds
        self.random = random.Random(seed)
        self.words = []
        self.breaks = []            # (begin, end) of a daemon's restart
        self.problems = []
        self.over = False
        self.count = colleagues
        self.colleagues, self.seconds_devices = [], []
        self.friends = [c.hire(f"p{i}") for i in range(
            colleagues // len(companies)) for c in companies]
        # Receipts tell that somebody is there: for those who may know.
        self.friendships = {(f.jid, f"u{i}@contoso.example")
                            for i, f in enumerate(self.friends)}
        for company in companies:
            company.on_message = self._on_message

    # --- words ------------------------------------------------------------

    def word(self, form, sender, receiver, must=None):
        word = Word(len(self.words), form, sender, receiver, must)
        self.words.append(word)
        return word

    def heard(self, device, body):
        found = NUMBER.search(body)
        if found:
            self.words[int(found[1] or found[2])].arrive(device, body)

    def _on_message(self, friend, stanza):
        if stanza.get("type") == "error":
            found = re.match(r"w(\d+)$", stanza.get("id", ""))
            if found:
                self.words[int(found[1])].tell(
                    "bad", self._condition(child(stanza, "error")))
            return
        receipt = child(stanza, "received")
        if receipt is not None and re.match(r"w\d+$", receipt.get("id", "")):
            self.words[int(receipt.get("id")[1:])].receipts += 1
        self.heard(friend.full, text(stanza, "body"))

    @staticmethod
    def _condition(error):
        return "" if error is None or not len(error) else \
            error[0].tag.rpartition("}")[2]

    def out(self, colleague, friend):
        """One word of a user of the pool; returns what to wait for."""
        form, kind, make = self.random.choice(OUT)
        word = self.word(form, colleague.user, friend.jid)
        word.text, content = make(f"[w{word.number}]")
        return colleague.say(friend.jid, word, word.text, kind, content)

    def inward(self, friend, to, form=None, must=None):
        """One word of a partner's user, who is told only of failure."""
        form = form or self.random.choice(list(IN))
        word = self.word(form, friend.jid, to, must)
        word.inward = True
        body, more, same = (IN.get(form) or REFUSED[form])(f"[w{word.number}]", word.number)
        word.text = body if same else None
        friend.company.send(
            f"<message from='{friend.full}' to='{to}' type='chat' "
            f"id='w{word.number}'><body>{escape(body)}</body>{more}"
            "</message>")
        return word

    # --- the day ------------------------------------------------------------

    async def morning(self):
        run, pool = self.site.run, self.site.pool
        ca = self.site.internal.certificate

        def device(i):
            return Colleague(self, i, run, f"u{i}@contoso.example",
                             pool.address, pool.port, ca, f"User {i}")

        for company in self.companies:
            await company.connect()
        self.colleagues = [device(i) for i in range(self.count)]
        for few in batches(self.colleagues, 10):
            await asyncio.gather(*(c.sign_in() for c in few))
        # Every tenth has a second device, which rings longer.
        self.seconds_devices = [device(i) for i in range(0, self.count, 10)]
        for second in self.seconds_devices:
            second.answer_after = 1.0
            await second.sign_in()
        for friend in self.friends:
            friend.presence()
        for few in batches(self.colleagues, 10):
            await asyncio.gather(*(c.appear() for c in few))
        for few in batches(list(enumerate(self.colleagues)), 10):
            await asyncio.gather(*(c.add(self.friends[i]) for i, c in few))
            for i, c in few:
                self.friends[i].subscribe(c.user)
        while not all(c.user in f.granted
                      for c, f in zip(self.colleagues, self.friends)):
            await asyncio.sleep(0.1)

    async def work(self):
        self.end = time.monotonic() + self.seconds
        await asyncio.gather(*(self._chats(i) for i in range(self.count)),
                             self._comings_and_goings(), self._mistakes())

    def _pause(self, least, most):
        """People are slower on longer days."""
        return asyncio.sleep(self.random.uniform(least, most)
                             * max(1.0, min(5.0, self.seconds / 60)))

    async def _chats(self, i):
        colleague = self.colleagues[i]
        await self._pause(0, 4)
        while time.monotonic() < self.end:
            # Mostly with the one on her list.
            friend = self.friends[i if self.random.random() < 0.7
                                  else self.random.randrange(self.count)]
            await self._chat(colleague, friend)
            if self.random.random() < 0.4:
                await colleague.hang_up(friend.jid)
            await self._pause(2, 6)

    async def _chat(self, colleague, friend):
        for _ in range(self.random.randint(1, 5)):
            if time.monotonic() >= self.end:
                return
            turn = self.random.random()
            if turn < 0.5:
                if self.random.random() < 0.3:
                    await colleague.type(friend.jid)
                await self.out(colleague, friend)
            else:
                if turn > 0.8:
                    friend.company.send(
                        f"<message from='{friend.full}' to='{colleague.user}' "
                        "type='chat'><composing xmlns='http://jabber.org/"
                        "protocol/chatstates'/></message>")
                for _ in range(self.random.choice((1, 1, 3))):
                    self.inward(friend, colleague.user)
            await self._pause(0.3, 2)

    async def _comings_and_goings(self):
        while time.monotonic() < self.end:
            await self._pause(0.1, 0.5)
            if self.random.random() < 0.5:
                await self.random.choice(self.colleagues).show(
                    self.random.choice((documents.AVAILABLE, documents.BUSY,
                                        documents.AWAY)))
            else:
                self.random.choice(self.friends).presence(
                    self.random.choice(("", "away", "dnd", "xa")),
                    self.random.choice(("", "back at three")))

    async def _mistakes(self):
        """Words that cannot arrive: their writers are told."""
        while time.monotonic() < self.end:
            await self._pause(0.3, 1.5)
            friend = self.random.choice(self.friends)
            colleague = self.random.choice(self.colleagues)
            which = self.random.randrange(3)
            if which == 0:
                self.inward(friend, "nobody@contoso.example", must="fail")
            elif which == 1:
                self.inward(friend, colleague.user, "encrypted", must="fail")
            else:
                nobody = f"nobody@{friend.company.domain}"
                word = self.word("plain", colleague.user, nobody,
                                 must="fail")
                await colleague.say(nobody, word, f"[w{word.number}]")

    async def evening(self):
        """What is under way ends; then everybody shows one last state."""
        limit = time.monotonic() + PATIENCE
        while time.monotonic() < limit and any(
                not w.first and not w.told for w in self.words):
            await asyncio.sleep(0.2)
        for i, friend in enumerate(self.friends):
            friend.presence(("", "away", "dnd")[i % 3])
        for few in batches(list(enumerate(self.colleagues)), 10):
            await asyncio.gather(*(c.show(
                (documents.AVAILABLE, documents.AWAY)[i % 2])
                for i, c in few))

    def disagreements(self):
        """Who does not see what the other shows."""
        wrong = []
        for i, (c, f) in enumerate(zip(self.colleagues, self.friends)):
            seen = next((w for w in c._watches().values()
                         if w.contact == f.jid and w.state == "active"), None)
            want = ("online", "away", "busy")[i % 3]
            have = "nothing" if seen is None or seen.seen is None else \
                seen.seen.show
            if have != want:
                wrong.append(f"{c.user} sees {f.jid} {have}, not {want}")
            want = ("available", "away")[i % 2]
            if f.views.get(c.user) != want:
                wrong.append(f"{f.jid} sees {c.user} {f.views.get(c.user)}, "
                             f"not {want}")
        return wrong

    def close(self):
        self.over = True
        for client in (*self.colleagues, *self.seconds_devices):
            client.close()
        loop = self.site.run.loop
        for company in self.companies:
            loop.call_soon_threadsafe(company.close)

    # --- the books ------------------------------------------------------------

    def broken(self, word):
        """Whether a daemon was started anew while the word was under way."""
        last = max(word.told_at, word.first or 0) or float("inf")
        return any(word.sent <= end and last >= begin
                   for begin, end in self.breaks)

    def dropped(self, word):
        """Whether it may never have left its own server: ejabberd drops, and
        tells nobody, what it holds when it dials in vain."""
        return word.inward and word.sender.endswith("@" + EJABBERD) and any(
            begin <= word.sent <= end for begin, end in self.breaks)

    def account(self):
        """What is wrong with the day's words."""
        wrong = list(self.problems)
        for w in self.words:
            devices = w.arrived.most_common(1)
            if w.bad_count > 1:
                wrong.append(f"told {w.bad_count} times: {w}")
            if devices and devices[0][1] > 1:
                wrong.append(f"came twice: {w}")
            if w.changed:
                wrong.append(f"came in as {w.changed!r:.80}: {w}")
            if w.must == "fail":
                # While ejabberd dials in vain it drops its own errors.
                known = w.told == "bad" or self.dropped(w) or (
                    self.broken(w) and not w.inward)
                if not known or w.arrived or w.receipts:
                    wrong.append(f"should have failed: {w}")
            elif not w.arrived and w.told in (None, "good"):
                if not self.dropped(w):
                    wrong.append(f"lost: {w}")
            elif w.told in ("bad", "gone") and not self.broken(w):
                wrong.append(f"failed: {w}")
            elif w.told == "bad" and w.arrived:
                wrong.append(f"came, and was said to have failed: {w}")
            # A receipt is sent once, and nobody is told that it was lost.
            if w.receipts != (w.form == "receipt" and bool(w.arrived)
                              and (w.sender, w.receiver) in self.friendships) \
                    and not (w.receipts == 0 and self.broken(w)):
                wrong.append(f"{w.receipts} receipts: {w}")
        return wrong + self._disorder()

    def _disorder(self):
        """Words of one to another that came in another order."""
        wrong, last = [], {}
        for w in sorted((w for w in self.words if w.first),
                        key=lambda w: w.first):
            before = last.get((w.sender, w.receiver))
            if before is not None and before.number > w.number:
                if not self.broken(w) and not self.broken(before):
                    wrong.append(f"{w} came after {before}")
            else:
                last[w.sender, w.receiver] = w
        return wrong

    def table(self):
        rows = collections.defaultdict(collections.Counter)
        for w in self.words:
            row = rows["in" if w.inward else "out", w.form,
                       "to fail" if w.must else ""]
            row["sent"] += 1
            row["arrived"] += bool(w.arrived)
            row["failed"] += w.told == "bad"
            row["unknown"] += w.told == "gone"
            row["receipts"] += w.receipts
        columns = ("sent", "arrived", "failed", "unknown", "receipts")
        return "\n".join(
            [f"{'words':<26}" + "".join(f"{c:>10}" for c in columns)]
            + [f"{' '.join(key):<26}"
               + "".join(f"{row[c]:>10}" for c in columns)
               for key, row in sorted(rows.items())])


def plain_part(message, body):
    """What a client shows that prefers plain text (RFC 2046 5.1.4)."""
    kind = message.get("Content-Type")
    if not kind.startswith("multipart/"):
        return body
    whole = email.message_from_bytes(
        f"Content-Type: {kind}\r\n\r\n".encode() + message.body)
    return next(part.get_payload(decode=True).decode()
                for part in whole.walk()
                if part.get_content_type() == "text/plain")


def batches(items, size):
    return [items[i:i + size] for i in range(0, len(items), size)]


# (form, content type or None for the client's own, makes (text, content)):
# whatever the form, the text comes as it stands.
OUT = (
    ("plain", None, lambda end: (f"Hello {end}", "")),
    ("plain", None, lambda end: (f"Two\nlines {end}", "")),
    ("scripts", None, lambda end: (f"{GREEK} {end}", "")),
    ("long", None, lambda end: (LONG + end, "")),
    ("html", "text/html; charset=UTF-8",
     lambda end: (f"In bold {end}", '<html><body><span style="font-family:'
                  f'Segoe UI">In <b>bold</b> {end}</span></body></html>')),
    ("rtf", "text/rtf",
     lambda end: (f"In italics {end}", r"{\rtf1\ansi In {\i italics} "
                  + end + "}")),
)


def encrypted(end, _):
    return (f"This message is encrypted {end}",
            "<encryption xmlns='urn:xmpp:eme:0' "
            "namespace='eu.siacs.conversations.axolotl' name='OMEMO'/>"
            "<encrypted xmlns='eu.siacs.conversations.axolotl'>"
            "<header sid='1'/></encrypted>", False)


def link(_, number):
    url = f"https://share.load.example/w{number}/photo.jpg"
    return url, f"<x xmlns='jabber:x:oob'><url>{url}</url></x>", False


# form: makes (body, what else is in the stanza, whether the body comes as it
# stands)
IN = {
    "plain": lambda end, _: (f"Hello {end}", "", True),
    "lines": lambda end, _: (f"Two\nlines {end}", "", True),
    "scripts": lambda end, _: (f"{GREEK} {end}", "", True),
    "long": lambda end, _: (LONG + end, "", True),
    "receipt": lambda end, _: (
        f"Did you get it? {end}", "<request xmlns='urn:xmpp:receipts'/>",
        True),
    "xhtml": lambda end, _: (
        f"In bold {end}", "<html xmlns='http://jabber.org/protocol/xhtml-im'>"
        "<body xmlns='http://www.w3.org/1999/xhtml'><p>In <strong>bold"
        f"</strong> {end}</p></body></html>", False),
    "state": lambda end, _: (
        f"And so on {end}",
        "<active xmlns='http://jabber.org/protocol/chatstates'/>", True),
    "reply": lambda end, _: (
        f"> as you said\nYes {end}", "<reply xmlns='urn:xmpp:reply:0' "
        "id='of-another'/><fallback xmlns='urn:xmpp:fallback:0' "
        "for='urn:xmpp:reply:0'><body start='0' end='14'/></fallback>",
        False),
    "link": link,
    "correction": lambda end, _: (
        f"I meant this {end}", "<replace xmlns='urn:xmpp:message-correct:0' "
        "id='of-another'/>", False),
}
# What cannot pass.
REFUSED = {"encrypted": encrypted}
