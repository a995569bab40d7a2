"""A Lync endpoint that watches a contact: SUBSCRIBE dialogs of its own.

The traits are those of clients of Lync 2013 and Skype for Business; marked
(observed) where they were seen, with the section where they are stated.
Mixed into whatever can carry SIP: LyncClient behind Kamailio, Endpoint behind
a front end of the test's making.

Journal kinds: notice (contact, state, reason, expires, show, seen, watch,
benotify, request), watched (contact, status, response).
"""

import re

from . import documents, sip

# All a client can read; a server takes the first it knows ([MS-PRES] 1.3.3).
ACCEPT = ("application/msrtc-event-categories+xml, text/xml+msrtc.pidf, "
          "application/xpidf+xml, application/pidf+xml, "
          "application/rlmi+xml, multipart/related")

# One resource, with <context/> when it was added just now, and the
# categories a contact list wants (observed; [MS-PRES] 3.4).
BATCH = ('<batchSub xmlns="http://schemas.microsoft.com/2006/01/sip/'
         'batch-subscribe" uri="sip:{user}" name="">'
         '<action name="subscribe" id="1001"><adhocList>'
         '<resource uri="sip:{contact}">{context}</resource></adhocList>'
         '<categoryList xmlns="http://schemas.microsoft.com/2006/09/sip/'
         'categorylist"><category name="contactCard"/>'
         '<category name="note"/><category name="state"/></categoryList>'
         "</action></batchSub>")


class Watch:
    """One subscription of one endpoint: its dialog and its last notice."""

    def __init__(self, owner, contact, local):
        self.owner = owner
        self.contact = contact
        self.call_id = sip.token()
        self.local = local          # From of our requests
        self.remote = f"<sip:{contact}>"
        self.cseq = 0
        self.heard = 0              # the notifier's CSeq so far
        self.target = f"sip:{contact}"
        self.routes = []
        self.expires = 0
        self.state = ""
        self.seen = None            # the last document
        # What tests turn: what NOTIFYs are answered with; None is silence,
        # as of an endpoint that went away.
        self.answer = (200, "OK")

    @property
    def show(self):
        return self.seen.show if self.seen else ""


class Watching:
    """Needs user, journal, run, gruu, _via(), _from(tag), _transact()."""

    def _watches(self):
        if not hasattr(self, "watches"):
            self.watches = {}       # by Call-ID
        return self.watches

    def _subscription(self, watch, context, expires, body, event, headers,
                      accept):
        watch.cseq += 1
        request = sip.Message(f"SUBSCRIBE {watch.target} SIP/2.0")
        for name, value in self._hops():
            request.add(name, value)
        request.add("Max-Forwards", "70")
        for route in watch.routes:      # as they came, byte for byte
            request.add("Route", route)
        request.add("From", watch.local).add("To", watch.remote)
        request.add("Call-ID", watch.call_id)
        request.add("CSeq", f"{watch.cseq} SUBSCRIBE")
        # Behind the pool an endpoint has a GRUU, no address (observed).
        request.add("Contact", f"<{self.gruu}>")
        request.add("User-Agent", "UCCAPI/16.0.4600.1000 "
                    "OC/16.0.4600.1000 (Skype for Business)")
        request.add("Event", event)
        request.add("Accept", accept)
        # One token a line; the Proxy-Require makes proxies that don't know
        # it refuse, and concerns no user agent ([MS-SIP] 3.5).
        for token in ("com.microsoft.autoextend", "ms-benotify",
                      "ms-piggyback-first-notify"):
            request.add("Supported", token)
        request.add("Proxy-Require", "ms-benotify")
        if expires is not None:     # clients leave it out (observed)
            request.add("Expires", str(expires))
        for name, value in headers:
            request.add(name, value)
        if body:
            request.add("Content-Type",
                        "application/msrtc-adrl-categorylist+xml")
            request.body = BATCH.format(
                user=self.user, contact=watch.contact,
                context="<context/>" if context else "").encode()
        return request

    def _hops(self):
        """Via, and what proxies on the way have put on top of it."""
        return [("Via", self._via())]

    def _routes(self, response):
        """The route of requests in the dialog."""
        return list(reversed(response.all("Record-Route")))

    async def _watch(self, contact, context, expires, timeout, event,
                     headers, accept, body):
        watch = Watch(self, contact, self._from(sip.token(5)))
        self._watches()[watch.call_id] = watch  # a NOTIFY may overtake
        request = self._subscription(watch, context, expires, body, event,
                                     headers, accept)
        response = await self._transact(request, timeout)
        watch.response = response
        self.journal.add("watched", contact=contact, status=response.status,
                         response=response, watch=watch)
        if response.status == 200:
            watch.remote = response.get("To")
            watch.target = sip.uri_of(response.get("Contact"))
            watch.routes = self._routes(response)
            watch.expires = int(response.get("Expires", "0"))
        else:
            self._watches().pop(watch.call_id, None)
        return watch

    async def _refresh(self, watch, expires, timeout, headers=()):
        response = await self._transact(self._subscription(
            watch, False, expires, True, "presence", headers, ACCEPT),
            timeout)
        if response.status == 200:
            watch.expires = int(response.get("Expires", "0"))
        elif response.status == 481:
            self._watches().pop(watch.call_id, None)
        return response

    def _on_notify(self, message, connection):
        watch = self._watches().get(message.call_id)
        benotify = message.method == "BENOTIFY"
        if watch is None or \
                message.tag("To") != re.search(r"tag=([^;]+)",
                                               watch.local)[1]:
            self.journal.add("stray", request=message,
                             call_id=message.call_id)
            if not benotify:
                connection.send(message.answer(
                    481, "Subscription Does Not Exist", sip.token(5)))
            return
        state, reason, expires = subscription_state(message)
        if message.cseq <= watch.heard:
            self.journal.add("disordered", request=message)
        watch.heard = max(watch.heard, message.cseq)
        watch.state = state
        seen = documents.read(message)
        if seen is not None:
            watch.seen = seen
        if not watch.remote or ";tag=" not in watch.remote:
            watch.remote = message.get("From")
        self.journal.add("notice", contact=watch.contact, state=state,
                         reason=reason, expires=expires, seen=seen,
                         show=seen.show if seen else "", watch=watch,
                         call_id=message.call_id, benotify=benotify,
                         note=seen.note if seen else "",
                         name=seen.name if seen else "", request=message)
        if state == "terminated":
            self._watches().pop(message.call_id, None)
        if not benotify and watch.answer is not None:
            connection.send(message.answer(*watch.answer))

    # --- for tests -----------------------------------------------------------

    def watch(self, contact, context=False, expires=None, timeout=20,
              event="presence", headers=(), accept=ACCEPT, body=True):
        """Subscribes; returns the Watch, whose response has the answer."""
        return self.run.wait(self._watch(
            contact, context, expires, timeout, event, headers, accept,
            body), timeout + 5)

    def add(self, contact, **more):
        """The user has put the contact on her list just now."""
        return self.watch(contact, context=True, **more)

    def fetch(self, contact, **more):
        """Asks once, without staying subscribed."""
        return self.watch(contact, expires=0, **more)

    def refresh(self, watch, expires=None, timeout=20, headers=()):
        return self.run.wait(self._refresh(watch, expires, timeout, headers),
                             timeout + 5)

    def unwatch(self, watch, timeout=20):
        """Ends the dialog: the contact was removed, or its user left."""
        return self.refresh(watch, 0, timeout)

    def vanish(self, watch):
        """Is gone without a word: what comes finds no dialog."""
        self._watches().pop(watch.call_id, None)

    def notice(self, timeout=20, **match):
        return self.journal.wait("notice", timeout, **match)


def subscription_state(message):
    """(state, reason, expires) of a notice; the name in any case."""
    value = message.get("Subscription-State")
    found = dict(re.findall(r";\s*([\w-]+)=\"?([^;\"]+)", value))
    return (value.split(";")[0].strip().lower(), found.get("reason", ""),
            int(found.get("expires", "-1")))
