"""A federation for tests of contacts and presence: the pool is a front end of
the test's making, whose users are there without registering.

People are handed out in pairs that nobody else uses, so tests share a site
without sharing contacts: a pair that once subscribed is stored.
"""

import contextlib
import os
import sqlite3
import time

from . import control
from .daemons import partner
from .ejabberd import Ejabberd
from .presence_pool import PresencePool
from .prosody import encode
from .site import COMPANY, Site
from .xmpp_user import XmppUser

PEOPLE = 90

# Seconds where life has minutes.  What a test wants otherwise it says.
QUICK = {"damp_ms": 300, "first_per_user_seconds": 1, "retry_seconds": 1,
         "retry_max_seconds": 2, "new_per_minute": 100000}


class Couple:
    """Anna of the pool and Bo of a partner, each known to nobody yet."""

    def __init__(self, site, number, domain):
        self.site = site
        self.anna = f"anna{number}@{COMPANY}"
        self.bo = f"bo{number}@{domain}"
        self.users = []
        self.endpoints = []

    def login(self, resource="desk", **more):
        """Bo at one more of his devices."""
        user = self.site.visitor(self.bo, resource=resource, **more)
        self.users.append(user)
        return user

    def endpoint(self):
        """One more device of Anna's."""
        endpoint = self.site.pool.endpoint(self.anna, "Anna")
        self.endpoints.append(endpoint)
        return endpoint

    # --- what most tests begin with ---------------------------------------

    def bo_sees_anna(self, bo):
        """Bo has added Anna, and she shows as available."""
        bo.subscribe(self.anna)
        bo.presence_of(self.anna, type="subscribed")
        bo.presence_of(self.anna, type="available")
        bo.journal.settle()

    def anna_sees_bo(self, bo, endpoint):
        """Anna has added Bo, who allowed it; returns her Watch."""
        watch = endpoint.add(self.bo)
        assert watch.response.status == 200
        bo.accept(self.anna)
        endpoint.notice(watch=watch, show="online")
        endpoint.journal.settle()
        return watch

    def friends(self):
        """Both at once: (bo, endpoint, watch)."""
        bo, endpoint = self.login(), self.endpoint()
        self.bo_sees_anna(bo)
        return bo, endpoint, self.anna_sees_bo(bo, endpoint)

    def calm(self):
        """Nothing is on its way any more: a server that was allowed
        something probes, and is answered with what it knows already."""
        time.sleep(0.4)
        for one in (*self.users, *self.endpoints):
            one.journal.settle()

    def leave(self):
        for user in self.users:
            user.logout()
        for endpoint in self.endpoints:
            if endpoint in self.site.pool.endpoints:
                self.site.pool.endpoints.remove(endpoint)


class PresenceSite(Site):
    def __init__(self, name="presence", server="prosody", presence=(),
                 rows=(), **more):
        self.server = server
        self.presence = dict(QUICK, **dict(presence))
        self.rows = list(rows)
        self.next = 0
        if server == "ejabberd":
            # It wants certificates that are good for clients and hold DNS
            # names only.
            more = dict(more, external_eku="both", external_srv_id=False)
        super().__init__(name, wide=False, **more)
        front_ends = self.gateway.config["sip"]["pool"]["front_ends"]
        self.pool = PresencePool(self.run, self.internal)
        self.pool.gateway = self.gateway
        front_ends[:] = [{"name": self.pool.name, "address":
                          f"{self.pool.address}:{self.pool.port}"}]
        self.gateway.config["users"] = [
            f"anna{i}@{COMPANY}" for i in range(PEOPLE)]
        if self.presence:
            self.gateway.config["presence"] = self.presence

    def hosts(self):
        self.prosody.modules += ["blocklist", "vcard"]
        for domain in ("partner.example", *(r["Domain"] for r in self.rows)):
            self.prosody.host(domain)
            for i in range(PEOPLE):
                self.prosody.register(f"bo{i}", domain)
        self.ejabberd = None
        if self.server == "ejabberd":
            self.ejabberd = Ejabberd(self.run, self.dns, self.public)
            self.ejabberd.extra_modules = ("mod_privacy", "mod_blocking",
                                           "mod_vcard")
            self.ejabberd.host("other.example")
            for i in range(PEOPLE):
                self.ejabberd.register(f"bo{i}", "other.example")

    def partners(self):
        rows = [partner("partner.example"), *self.rows]
        if self.server == "ejabberd":
            rows.append(partner("other.example"))
        return rows

    def zones(self):
        super().zones()
        for row in self.rows:
            self.dns.zone(row["Domain"])
            self.dns.srv(row["Domain"], "xmpp.partner.example",
                         self.prosody.s2s)
        if self.ejabberd is not None:
            self.dns.zone("other.example")
            self.dns.srv("other.example", "xmpp.other.example",
                         self.ejabberd.s2s)
            self.dns.a("xmpp.other.example", self.ejabberd.address)
            self.dns.forget_srv(COMPANY)
            self.ejabberd.srv_literal(COMPANY, self.edge.address,
                                      self.edge.port)

    def start(self):
        self.dns.start()
        if self.ejabberd is None:
            self.prosody.start()
        else:
            self.ejabberd.start()
        self.pool.start()
        self.edge.start()
        self.gateway.start()
        self.edge.await_open()
        return self

    def store(self, statement, *values):
        """Asks or changes what the gateway has stored; it must not run when
        something is changed."""
        # Closed at the end: who holds it open keeps the gateway out.
        with contextlib.closing(sqlite3.connect(
                self.gateway.config["store"])) as db, db:
            return db.execute(statement, values).fetchall()

    def days_pass(self, days):
        """The gateway was down for so long, as far as pairs are concerned;
        the dialogs are as they were."""
        self.gateway.stop()
        for column in ("asked_ms", "refused_ms", "remove_ms", "used_ms"):
            self.store(f"UPDATE pair SET {column} = {column} - ? "
                       f"WHERE {column} > 0", int(days * 86400000))
        self.gateway.start()

    def await_partner(self, couple, timeout=30):
        """Until stanzas go out to his server again, which was away: the edge
        lets some seconds pass before it tries anew."""
        end = time.monotonic() + timeout
        while self.pool.chat(couple.anna, couple.bo, "again?") != 200:
            assert time.monotonic() < end, "the partner stays away"
            time.sleep(0.3)

    def put_back(self, table, rows):
        """Rows as store() read them."""
        for row in rows:
            marks = ", ".join("?" * len(row))
            self.store(f"INSERT OR REPLACE INTO {table} VALUES ({marks})",
                       *row)

    # --- the roster of somebody on Prosody, while he is not logged in ------

    def _roster(self, jid):
        user, domain = jid.split("@")
        return self.run.path(self.prosody.name, "data", encode(domain),
                             "roster", f"{encode(user)}.dat")

    def save_roster(self, jid):
        with open(self._roster(jid), encoding="utf-8") as f:
            return f.read()

    def restore_roster(self, jid, text):
        self.run.write(self._roster(jid), text, "prosody")

    def forget_roster(self, jid):
        os.unlink(self._roster(jid))

    def reload(self):
        """The gateway reads its file again."""
        self.gateway.write()
        control.ask(self.gateway.control, "reload")

    @property
    def partner(self):
        return self.prosody if self.ejabberd is None else self.ejabberd

    def visitor(self, jid, resource="desk", **more):
        user = XmppUser(self.run, jid, self.partner.address,
                        self.partner.c2s, self.public.certificate,
                        resource=resource)
        for key, value in more.items():
            setattr(user, key, value)
        return user.login()

    def colleague(self):
        """One more user of the pool, whom nobody knows."""
        return self.couple().anna

    def couple(self, domain=None):
        domain = domain or ("partner.example" if self.ejabberd is None
                            else "other.example")
        self.next += 1
        return Couple(self, self.next - 1, domain)
