"""A pool's presence as front ends of Lync Server 2013 and later give it to a
trusted peer, and endpoints of its users that watch contacts.

As a notifier it answers the gateway's SUBSCRIBE for its users.  What it does
not do by itself is a setting, of the pool or of one user.  Unlike a proxy it
can be rude: refuse, notify before it answers, say that a subscription is
over, forget everything, be gone.

Journal kinds, besides those of FrontEnd: subscribe (user, watcher, fresh,
expires, call_id, request), noticed (user, watcher, status, response).
"""

import asyncio

from . import documents, sip
from .documents import State
from .front_end import FrontEnd
from .journal import Journal
from .lync_watcher import Watching

# Adjusted, not refused, when asked for more or less; the granted value is
# spread (Set-CsUserServicesConfiguration; observed).
LEAST, MOST, SPREAD = 1200, 43200, 287


class Presentity:
    """A user of the pool: what each watcher gets to see of her."""

    def __init__(self, user, name):
        self.user = user
        self.name = name
        # Access is decided per watcher ([MS-PRES]: containers); the default
        # is what the container for federated contacts shows.
        self.state = State(name=name)
        self.views = {}             # watcher -> State
        # What tests turn:
        self.status = None          # (404, "Not Found"[, headers]) refuses
        self.refresh_status = None  # the same within the dialog

    def view(self, watcher):
        return self.views.get(watcher, self.state)


class Subscription:
    """One dialog in which the pool notifies."""

    def __init__(self, message, presentity):
        self.presentity = presentity
        self.watcher = sip.address_of(message.get("From"))
        self.call_id = message.call_id
        self.tag = sip.token(5)
        self.remote = message.get("From")
        self.local = message.get("To") + f";tag={self.tag}"
        self.target = sip.uri_of(message.get("Contact"))
        self.accept = message.get("Accept")
        self.cseq = 0
        self.last = message.cseq
        self.expires = 0


class PresencePool(FrontEnd):
    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.users = {}
        self.subscriptions = {}     # by Call-ID
        self.endpoints = []
        self.lines = {}             # gateway -> connection toward it
        self.gateway = None
        self.dialling = asyncio.Lock()
        # What tests turn, for all users:
        self.grant = None           # seconds instead of Lync's own choice
        # A body in the 200 belongs to those who ask for it ([MS-SIP] 3.4);
        # "after" is what everybody else gets, "before" happens when 200 and
        # NOTIFY take two connections.
        self.order = "after"        # or "before", "piggyback", "none"
        self.benotify = False       # [MS-SIP] 3.5
        self.lower = True           # header names in lower case (observed)
        self.strange = {}           # header values that a notice gets instead

    def user(self, user):
        """The presentity of that address, or user part, made when new."""
        if "@" not in user:
            user = f"{user}@{self.domain}"
        if user not in self.users:
            name = user.split("@")[0].replace(".", " ").title()
            self.users[user] = Presentity(user, name)
        return self.users[user]

    def endpoint(self, user, name=None):
        """An endpoint of that user, with an epid and a GRUU of its own."""
        endpoint = Endpoint(self, self.user(user).user,
                            name or self.user(user).name)
        self.endpoints.append(endpoint)
        return endpoint

    async def _line(self):
        """A connection that the front end opened toward the gateway."""
        async with self.dialling:
            line = self.lines.get(self.gateway)
            if line is None or line.closed:
                line = await self._connect(self.gateway.address,
                                           self.gateway.port)
                self.lines[self.gateway] = line
        return line

    # --- requests of the gateway -----------------------------------------

    def _plain(self, message, conn):
        if message.method == "SUBSCRIBE":
            asyncio.ensure_future(self._on_subscribe(message, conn))
        elif message.method in ("NOTIFY", "BENOTIFY"):
            self._on_notify(message, conn)
        else:
            super()._plain(message, conn)

    def _on_notify(self, message, conn):
        for endpoint in self.endpoints:
            if message.call_id in endpoint._watches():
                endpoint._on_notify(message, conn)
                return
        self.journal.add("stray", request=message, call_id=message.call_id)
        if message.method == "NOTIFY":
            conn.send(message.answer(481, "Subscription Does Not Exist",
                                     sip.token(5)))

    async def _on_subscribe(self, message, conn):
        user = sip.address_of(message.get("To"))
        presentity = self.user(user)
        fresh = not message.tag("To")
        expires = int(message.get("Expires", "28800"))
        self.journal.add(
            "subscribe", user=user,
            watcher=sip.address_of(message.get("From")), fresh=fresh,
            expires=expires, call_id=message.call_id, request=message)
        status = presentity.status if fresh else presentity.refresh_status
        if status is not None:
            self._refuse(message, conn, *status)
            return
        if fresh:
            sub = Subscription(message, presentity)
            self.subscriptions[sub.call_id] = sub
        else:
            sub = self.subscriptions.get(message.call_id)
            if sub is None or message.tag("To") != sub.tag:
                self._refuse(message, conn, 481, "Subscription Does Not "
                             "Exist")
                return
            if message.cseq <= sub.last:
                self._refuse(message, conn, 500, "CSeq Out Of Order")
                return
            sub.last = message.cseq
            # A refresh may bring another target (RFC 6665 4.4.1).
            sub.target = sip.uri_of(message.get("Contact")) or sub.target
        sub.expires = self._granted(expires)
        if expires == 0:
            await self._end(sub, message, conn)
        elif self.order == "before" and fresh:
            await self._notify(sub, sub.cseq + 1)
            conn.send(self._taken(message, sub))
        elif self.order == "piggyback":
            conn.send(self._taken(message, sub, document=True))
        else:
            conn.send(self._taken(message, sub))
            if self.order != "none":
                await self._notify(sub, sub.cseq + 1)

    def _refuse(self, message, conn, status, reason, headers=()):
        conn.send(message.answer(status, reason, sip.token(5), headers))

    def _granted(self, asked):
        if asked == 0:
            return 0
        if self.grant is not None:
            return self.grant
        return min(max(asked, LEAST), MOST - SPREAD) + SPREAD

    def _taken(self, message, sub, document=False):
        headers = [("Contact", f"<sip:{self.name}:{self.port};"
                    "transport=tls>"),
                   ("Expires", str(sub.expires)), ("Event", "presence"),
                   ("Server", "RTC/6.0")]
        body = b""
        if document:
            # As a 200 with the first notice looks ([MS-PRES] 4.11).
            form, body = self._document(sub)
            headers += [("Content-Type", form),
                        ("subscription-state",
                         f"active;expires={sub.expires}"),
                        ("ms-piggyback-cseq", "1"),
                        ("Supported", "ms-piggyback-first-notify")]
            sub.cseq = max(sub.cseq, 1)
        reply = message.answer(200, "OK", sub.tag, headers, body)
        reply.headers.insert(1, ("Record-Route", self.route))
        return reply

    async def _end(self, sub, message, conn):
        conn.send(self._taken(message, sub))
        self.subscriptions.pop(sub.call_id, None)
        await self._notify(sub, sub.cseq + 1, "terminated;reason=timeout",
                           body=False)

    # --- notices -----------------------------------------------------------

    def _document(self, sub):
        """The first format of [MS-PRES] 1.3.3's order that Accept names,
        unless the state wants another."""
        state = sub.presentity.view(sub.watcher)
        form = state.form or (documents.MSRTC if documents.MSRTC in sub.accept
                              else documents.PIDF)
        write = (documents.msrtc if form == documents.MSRTC
                 else documents.pidf)
        return form, write(sub.presentity.user, state)

    async def _notify(self, sub, cseq, state=None, body=True, document=None,
                      form=None, event="presence"):
        """One notice; the status it was answered with, 0 for BENOTIFY."""
        first = sub.cseq == 0
        sub.cseq = cseq
        try:
            line = await self._line()
        except OSError as e:
            self._unheard(sub, e)
            return -1
        method = "BENOTIFY" if self.benotify and not first else "NOTIFY"
        host, port = line.local
        name = "subscription-state" if self.lower else "Subscription-State"
        request = sip.Message(f"{method} {sub.target} SIP/2.0", [
            ("Via", f"SIP/2.0/TLS {host}:{port};branch={sip.branch()}"),
            ("Max-Forwards", "69"),
            ("From", sub.local), ("To", sub.remote),
            ("Call-ID", sub.call_id), ("CSeq", f"{cseq} {method}"),
            ("Contact", f"<sip:{self.name}:{self.port};transport=tls>"),
            ("Event", event),
            (name, state or f"active;expires={sub.expires}")])
        if body:
            chosen, content = self._document(sub)
            request.add("Content-Type", form or chosen)
            request.body = content if document is None else document
        if self.strange:
            request.headers = [h for h in request.headers if h[0].lower()
                               not in map(str.lower, self.strange)]
            request.headers += list(self.strange.items())
        if method == "BENOTIFY":
            line.send(request)
            return 0
        try:
            response = await self._transact(line, request, sub.call_id,
                                            cseq, 20)
        except (ConnectionError, asyncio.TimeoutError) as e:
            self._unheard(sub, e)
            return -1
        self.journal.add("noticed", user=sub.presentity.user,
                         watcher=sub.watcher, status=response.status,
                         response=response)
        if response.status == 481:
            self.subscriptions.pop(sub.call_id, None)
        return response.status

    def _unheard(self, sub, why):
        self.journal.add("unheard", user=sub.presentity.user,
                         watcher=sub.watcher, why=repr(why))

    # --- for tests -----------------------------------------------------------

    def live(self, user=None, watcher=None):
        """Subscriptions the pool holds."""
        return [s for s in list(self.subscriptions.values())
                if (user is None or s.presentity.user == user)
                and (watcher is None or s.watcher == watcher)]

    def asked(self, user, watcher=None, fresh=None):
        """SUBSCRIBEs that came for a user."""
        return [e for e in self.journal.all("subscribe", user=user)
                if (watcher is None or e.watcher == watcher)
                and (fresh is None or e.fresh == fresh)]

    def prompts(self, user, watcher):
        """How often her client would have asked her: each SUBSCRIBE outside
        a dialog asks her about a watcher it does not know yet, and a client
        that lost its entries asks again ([MS-PRES] 3.6.5.1)."""
        return len(self.asked(user, watcher, fresh=True))

    def publish(self, user, state=None, watcher=None, quiet=False, **more):
        """Changes what watchers (or one of them) see, and tells them."""
        presentity = self.user(user)
        state = state or State(name=presentity.name, **more)
        if watcher is None:
            presentity.state = state
        else:
            presentity.views[watcher] = state
        if quiet:
            return []
        return [self.notify(sub) for sub in self.live(presentity.user,
                                                      watcher)]

    def notify(self, sub, state=None, timeout=25, **more):
        return self.run.wait(self._notify(sub, sub.cseq + 1, state, **more),
                             timeout)

    def terminate(self, user, reason, watcher=None, body=False):
        """Ends the subscriptions of a user's watchers."""
        for sub in self.live(self.user(user).user, watcher):
            self.subscriptions.pop(sub.call_id, None)
            self.notify(sub, "terminated" + (f";reason={reason}"
                                             if reason else ""), body=body)

    def forget(self):
        """Has lost its subscriptions, as after a restart without store."""
        self.subscriptions.clear()

    def stop(self):
        self.lines.clear()
        super().stop()

    def chat(self, user, peer, text):
        """She writes one message in a window of its own; its status."""
        line = self.connect(self.gateway)
        try:
            invite = self.invite(line, user, peer)
            response = self.transact(line, invite, 40)
            if response.status != 200:
                return response.status
            self.write(line, self.follow(line, invite, response, "ACK", 1))
            status = self.transact(line, self.follow(
                line, invite, response, "MESSAGE", 2, text.encode(),
                [("Content-Type", "text/plain; charset=UTF-8")]), 40).status
            if status != 481:
                self.transact(line, self.follow(line, invite, response,
                                                "BYE", 3))
            return status
        finally:
            self.drop(line)

    def strays(self, watch):
        """Notices that came for an endpoint's dialog that is no more."""
        return self.journal.all("stray", call_id=watch.call_id)


class Endpoint(Watching):
    """One device of a user; it speaks through the front end."""

    def __init__(self, pool, user, name):
        self.pool = pool
        self.run = pool.run
        self.user = user
        self.display = name
        # Up to 16 characters in From and To ([MS-SIP] 2.2.1).
        self.epid = sip.token(5)
        self.gruu = f"sip:{user};opaque=user:epid:{sip.token(11)}AA;gruu"
        self.journal = Journal(f"{user} at {self.epid}")

    def _from(self, tag):
        # No blank between display name and URI (observed).
        return f'"{self.display}"<sip:{self.user}>;tag={tag};epid={self.epid}'

    def _hops(self):
        """Vias and Record-Route as a front end leaves them, with other
        lines between (observed)."""
        address = self.pool.address
        return [("Record-Route", self.pool.route),
                ("Via", f"SIP/2.0/TLS {address}:50233;branch="
                 f'{sip.branch()};branched=FALSE;ms-internal-info="abCd"'),
                ("Via", "SIP/2.0/TLS 198.51.100.7:52001;"
                 "ms-received-port=52001;ms-received-cid=4C2100")]

    def _routes(self, response):
        """The front end takes its own routes off, and there is no other."""
        return []

    async def _transact(self, request, timeout):
        line = await self.pool._line()
        return await self.pool._transact(line, request, request.call_id,
                                         request.cseq, timeout)


def retry_after(seconds):
    return [("Retry-After", str(seconds))]


def min_expires(seconds):
    return [("Min-Expires", str(seconds))]
