"""A whole company signs in at once: stored pairs by the thousand, the pool's
notices about every user, and every user's client asking for its contact.

One pair is made as pairs are; the others are its copies in the store, other
in name only (all names are of one length, so that what the store holds of a
dialog stays well-formed).  The pool's side of the storm is bytes prepared
beforehand, written to one connection as fast as it takes them; answers are
counted, not parsed, so that the gateway is the slow one.
"""

import asyncio
import contextlib
import re
import sqlite3
import threading
import time

from . import control, sip
from .daemons import partner
from .documents import PIDF, State, msrtc
from .presence_pool import PresencePool, Subscription
from .site import COMPANY, Site
from .xmpp_component import Component

CROWD = "crowd.example"
# Probes are empty.
SHOW = re.compile(rb"<presence[^>]*\bfrom=['\"]u(\d{6})@[^>]*[^/]>"
                  rb"(?:(?!</presence>).)*<show>(\w+)</show>")


def user(i):
    return f"u{i:06}@{COMPANY}"


def contact(i):
    return f"c{i:06}@{CROWD}"


class Company(PresencePool):
    """Keeps no journal; the notices for its users' devices are counted."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.journal.add = lambda *_, **__: None
        self.open = set()           # Call-IDs that were last shown "open"

    def _on_notify(self, message, conn):
        if not message.call_id.startswith("morning"):
            super()._on_notify(message, conn)
            return
        if b">open<" in message.body:
            self.open.add(message.call_id)
        else:
            self.open.discard(message.call_id)
        conn.send(message.answer(200, "OK"))


class Wire(asyncio.Protocol):
    """A front end's connection that writes prepared requests and counts the
    answers by status.  Requests that come by it are the pool's."""

    def __init__(self, pool):
        self.pool = pool
        self.data = b""
        self.statuses = {}
        self.ready = asyncio.Event()
        self.ready.set()

    def connection_made(self, transport):
        self.transport = transport

    def pause_writing(self):
        self.ready.clear()

    def resume_writing(self):
        self.ready.set()

    def data_received(self, data):
        data = self.data + data if self.data else data
        at = 0
        while (end := data.find(b"\r\n\r\n", at)) >= 0:
            head = data[at:end + 4].lstrip(b"\r\n")
            if head.startswith(b"SIP/2.0 "):        # without a body
                status = int(head[8:11])
                self.statuses[status] = self.statuses.get(status, 0) + 1
                at = end + 4
                continue
            message = sip.Message.parse(head.decode())
            length = int(message.get("Content-Length", "0"))
            if len(data) < end + 4 + length:
                break
            message.body = data[end + 4:end + 4 + length]
            at = end + 4 + length
            self.pool._on_message(message, self)
        self.data = data[at:]

    def send(self, message):
        self.transport.write(message.bytes())

    async def write(self, messages):
        for message in messages:
            await self.ready.wait()
            self.transport.write(message)

    @property
    def answered(self):
        return sum(n for status, n in self.statuses.items() if status >= 200)


class Watcher(threading.Thread):
    """Asks the gateway how it is, over and over; keeps the worst."""

    KEYS = ("outbox", "flight", "store_queue", "queued", "prompts")

    def __init__(self, gateway):
        super().__init__(daemon=True)
        self.gateway = gateway
        self.ended = threading.Event()
        self.worst = dict.fromkeys((*self.KEYS, "heap", "latency"), 0)

    def run(self):
        while not self.ended.wait(0.2):
            begin = time.monotonic()
            status = control.ask(self.gateway.control, "status")
            took = time.monotonic() - begin
            values = {k: status["presence"][k] for k in self.KEYS}
            values.update(heap=status["heap_bytes"], latency=took)
            for key, value in values.items():
                self.worst[key] = max(self.worst[key], value)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()


class Morning:
    def __init__(self, count, presence=()):
        self.count = count
        self.site = site = Site("morning", wide=False)
        self.pool = Company(site.run, site.internal)
        self.pool.gateway = site.gateway
        site.prosody.component(CROWD, "crowd")
        site.prosody.log_level = "info"
        site.dns.zone(CROWD)
        site.dns.srv(CROWD, "xmpp.partner.example", site.prosody.s2s)
        config = site.gateway.config
        config["partners"] = [partner(CROWD)]
        config["users"] = [user(i) for i in range(count)]
        config["sip"]["pool"]["front_ends"] = [
            {"name": self.pool.name,
             "address": f"{self.pool.address}:{self.pool.port}"}]
        config["presence"] = dict({"first_per_user_seconds": 0},
                                  **dict(presence))
        for daemon in (site.edge, site.gateway):
            daemon.config["log"] = {"level": "warn"}
        self.shows = [b""] * count

    def start(self):
        site = self.site
        site.dns.start()
        site.prosody.start()
        self.pool.start()
        site.edge.start()
        site.gateway.start()
        site.edge.await_open()
        self.crowd = Component(site.prosody.address,
                               site.prosody.component_port, CROWD, "crowd")
        site.run.on_close(self.crowd.close)
        self.crowd._answer_pings = self._look(self.crowd._answer_pings)
        self._first()
        site.gateway.stop()
        self._copies()
        # Refreshes are answered; what the users' state is, the storm says.
        self.pool.order = "none"
        site.gateway.start()
        self.until("the gateway does not answer",
                   lambda: self.status()["pairs"] >= 0)
        status = self.status()
        assert status["pairs"] == status["watching"] == self.count, status

    def until(self, what, good, timeout=300, step=0.05):
        end = time.monotonic() + timeout
        while not good():
            assert time.monotonic() < end, f"{what} after {timeout} s"
            time.sleep(step)

    def status(self):
        try:
            return control.ask(self.site.gateway.control,
                               "status")["presence"]
        except control.Refused:
            return {"pairs": -1}

    # --- the pairs -----------------------------------------------------------

    def _first(self):
        """u000000 and c000000 become friends; she is away."""
        self.pool.user(user(0)).state = State(15500)
        endpoint = self.pool.endpoint(user(0))
        watch = endpoint.add(contact(0))
        assert watch.response.status == 200
        for kind in ("type='subscribed'", "type='subscribe'", ""):
            self.crowd.send(f"<presence {kind} from='{contact(0)}"
                            f"{'' if kind else '/r'}' to='{user(0)}'/>")
        endpoint.notice(watch=watch, show="online")
        self.until("not told", lambda: self.shown("away") == 1)
        endpoint.unwatch(watch)
        time.sleep(1)

    @contextlib.contextmanager
    def _store(self):
        with contextlib.closing(sqlite3.connect(
                self.site.gateway.config["store"])) as db, db:
            yield db

    def _copies(self):
        [first] = self.pool.live(user(0))
        call_id = first.call_id

        def other(i, value):
            """The same of the pair i."""
            for old, new in ((user(0), user(i)), (contact(0), contact(i)),
                             (call_id, self.call_id(i))):
                if isinstance(value, bytes):
                    value = value.replace(old.encode(), new.encode())
                else:
                    value = value.replace(old, new)
            return value

        self.call_id = lambda i: call_id[:-6] + f"{i:06}"
        with self._store() as db:
            [pair] = db.execute("SELECT * FROM pair").fetchall()
            [dialog] = db.execute("SELECT user, contact, role, expires_ms, "
                                  "image FROM dialog").fetchall()
            db.execute("DELETE FROM dialog")
            db.execute("DELETE FROM pair")
            db.executemany(
                f"INSERT INTO pair VALUES ({','.join('?' * len(pair))})",
                ((user(i), contact(i), *pair[2:]) for i in
                 range(self.count)))
            db.executemany(
                "INSERT INTO dialog VALUES (?, ?, ?, ?, ?, ?)",
                ((i + 1, user(i), contact(i), *dialog[2:4],
                  other(i, dialog[4])) for i in range(self.count)))
        self.pool.subscriptions.clear()
        for i in range(self.count):
            sub = Subscription.__new__(Subscription)
            sub.__dict__ = {key: other(i, value) if isinstance(value, str)
                            else value for key, value in
                            first.__dict__.items()}
            sub.presentity = self.pool.user(user(i))
            self.pool.subscriptions[sub.call_id] = sub

    # --- what the contacts see ----------------------------------------------

    def _look(self, before):
        def look(data):
            for number, show in SHOW.findall(data):
                self.shows[int(number)] = show
            before(data)
        return look

    def shown(self, show):
        return sum(s == show.encode() for s in self.shows)

    # --- the storm -----------------------------------------------------------

    async def _wire(self):
        loop = asyncio.get_running_loop()
        gateway = self.site.gateway
        _, wire = await loop.create_connection(
            lambda: Wire(self.pool), gateway.address, gateway.port,
            ssl=sip.client_context(self.pool.ca, self.pool.leaf),
            server_hostname=gateway.address,
            local_addr=(self.pool.address, 0))
        return wire

    def wire(self):
        return self.site.run.wait(self._wire(), 30)

    def _head(self, method, uri, number):
        return (f"{method} {uri} SIP/2.0\r\n"
                f"Via: SIP/2.0/TLS {self.pool.address}:{self.pool.port};"
                f"branch=z9hG4bK{method}{number}\r\nMax-Forwards: 69\r\n")

    def notices(self, number):
        """The pool about every user: that state of the wave."""
        for i, sub in enumerate(list(self.pool.subscriptions.values())):
            sub.cseq += 1
            body = msrtc(sub.presentity.user, State(number))
            yield (self._head("NOTIFY", sub.target, f"{number}x{i}")
                   + f"From: {sub.local}\r\nTo: {sub.remote}\r\n"
                   f"Call-ID: {sub.call_id}\r\nCSeq: {sub.cseq} NOTIFY\r\n"
                   f"Contact: <sip:{self.pool.name}:{self.pool.port};"
                   "transport=tls>\r\nEvent: presence\r\n"
                   "subscription-state: active;expires=28000\r\n"
                   "Content-Type: text/xml+msrtc.pidf\r\n"
                   f"Content-Length: {len(body)}\r\n\r\n").encode() + body

    def askings(self):
        """Every user's client about her contact."""
        for i in range(self.count):
            yield (self._head("SUBSCRIBE", f"sip:{contact(i)}", i)
                   + f"From: <sip:{user(i)}>;tag=m{i};epid=e{i}\r\n"
                   f"To: <sip:{contact(i)}>\r\nCall-ID: morning{i}\r\n"
                   "CSeq: 1 SUBSCRIBE\r\n"
                   f"Contact: <sip:{user(i)};opaque=user:epid:x;gruu>\r\n"
                   f"Event: presence\r\nAccept: {PIDF}\r\n"
                   "Supported: ms-benotify\r\nExpires: 28800\r\n"
                   "Content-Length: 0\r\n\r\n").encode()

    def blow(self, wire, messages):
        """Writes them as fast as they are taken; seconds until the last was
        answered, and the answers."""
        messages = list(messages)
        before = wire.answered
        begin = time.monotonic()
        self.site.run.wait(wire.write(messages), 600)
        self.until("not all are answered", lambda: wire.answered
                   >= before + len(messages))
        return time.monotonic() - begin
