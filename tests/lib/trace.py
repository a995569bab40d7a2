"""Somebody who watches (GET /v1/trace): all that he is told, in order."""

import contextlib
import json
import socket
import threading
import time
import urllib.parse

from .admin_api import Events


class Trace:
    def __init__(self, api, **who):
        target = "/v1/trace?" + urllib.parse.urlencode(who)
        self.events = Events(api, target=target)
        self.socket = self.events.connection.sock
        self.told = []                  # [(event, data)]
        self.over = False
        self.change = threading.Condition()
        name, self.ready = self.events.next()[:2]
        assert name == "ready"
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while True:
            try:
                event, data, _ = self.events.next()
            except (OSError, ValueError, AttributeError):
                event = data = None
            with self.change:
                if event is None:
                    self.over = True
                else:
                    self.told.append((event, data))
                self.change.notify_all()
            if event is None:
                return

    def all(self, event=None, **members):
        with self.change:
            return [d for e, d in self.told if event in (None, e) and
                    fits(d, members)]

    def wait(self, event, timeout=15, **members):
        """The first of that kind, told already or yet to come."""
        end = time.monotonic() + timeout
        with self.change:
            while True:
                for e, d in self.told:
                    if e == event and fits(d, members):
                        return d
                left = end - time.monotonic()
                assert left > 0 and not self.over, \
                    f"no {event} {members}: {self.text()}"
                self.change.wait(left)

    def steps(self):
        """What was told, in words: ("stanza", "inward", "message")."""
        with self.change:
            return [(e, d["direction"], word(e, d)) for e, d in self.told
                    if "direction" in d]

    def text(self):
        """Everything, for finding what must not be there."""
        return json.dumps(self.told, ensure_ascii=False)

    def forget(self):
        with self.change:
            self.told.clear()

    def close(self):
        with contextlib.suppress(OSError):      # it has ended
            self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.events.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def fits(data, members):
    return all(value(data.get(k)) if callable(value) else data.get(k) == value
               for k, value in members.items())


def word(event, data):
    if event == "sip":
        return data.get("method") or \
            f"{data['status']} {data['cseq'].split()[1]}"
    if event == "frame" and data["type"] == "result":
        return f"{data['status']} {data['of']}"
    return data.get("name") or data.get("type") or data.get("text")


def in_order(steps, wanted):
    """Whether these steps are among those, one after the other."""
    rest = iter(steps)
    return all(any(step == one for one in rest) for step in wanted)
