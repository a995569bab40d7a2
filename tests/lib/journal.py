"""A journal: what one actor saw, in order, with the time it saw it.

Every actor (XMPP user, Lync client, front end) writes here from the event
loop's thread; tests wait here from theirs.  Waiting takes the first entry
that fits and was not taken before, so two equal messages are two entries.
"""

import threading
import time


class Entry:
    """One observation: a kind and whatever fields go with it."""

    def __init__(self, kind, fields):
        self.kind = kind
        self.fields = fields
        self.at = time.monotonic()
        self.taken = False

    def __getattr__(self, name):
        try:
            return self.__dict__["fields"][name]
        except KeyError:
            raise AttributeError(name) from None

    def fits(self, kind, match):
        if kind != self.kind:
            return False
        for key, want in match.items():
            have = self.fields.get(key)
            if callable(want):
                if not want(have):
                    return False
            elif have != want:
                return False
        return True

    def __repr__(self):
        text = " ".join(f"{k}={v!r:.200}" for k, v in self.fields.items()
                        if isinstance(v, (str, int, float, bool, tuple)))
        return f"{self.kind} {text}"


class Journal:
    def __init__(self, owner):
        self.owner = owner
        self.entries = []
        self.changed = threading.Condition()

    def add(self, kind, **fields):
        entry = Entry(kind, fields)
        with self.changed:
            self.entries.append(entry)
            self.changed.notify_all()
        return entry

    def all(self, kind, **match):
        with self.changed:
            return [e for e in self.entries if e.fits(kind, match)]

    def wait(self, kind, timeout=20, **match):
        """The first fitting entry nobody took yet; AssertionError if late.

        A match value that is callable is asked; anything else is compared.
        """
        end = time.monotonic() + timeout
        with self.changed:
            while True:
                for entry in self.entries:
                    if not entry.taken and entry.fits(kind, match):
                        entry.taken = True
                        return entry
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError(self._missing(kind, timeout, match))
                self.changed.wait(left)

    def settle(self):
        """What was seen so far is known: only what comes now is news."""
        with self.changed:
            for entry in self.entries:
                entry.taken = True

    def none(self, kind, seconds, **match):
        """Asserts that nothing fitting arrives (or waits) for a while."""
        try:
            entry = self.wait(kind, seconds, **match)
        except AssertionError:
            return
        raise AssertionError(f"{self.owner} saw what it should not: {entry}")

    def _missing(self, kind, timeout, match):
        wanted = " ".join(f"{k}={v!r:.120}" for k, v in match.items())
        seen = "\n".join(f"    {e}" for e in self.entries[-12:])
        return (f"{self.owner}: no {kind} {wanted} within {timeout:g} s; "
                f"seen so far:\n{seen or '    nothing'}")
