"""Presence documents: what a pool writes about its users, and what a Lync
endpoint reads about its contacts.

State is one user's presence in a pool's terms; msrtc() and pidf() write it in
the two forms a pool has for subscribers without categories.  read() takes a
PIDF apart the way the clients do: by local names, activity within status.
"""

import xml.etree.ElementTree as ElementTree
from xml.sax.saxutils import escape, quoteattr

MSRTC = "text/xml+msrtc.pidf"
PIDF = "application/pidf+xml"

# [MS-SIP] 2.2.1: the classes of availability and activity aggregates, for
# the availability numbers of enhanced presence.
AGGREGATES = ((18000, 0, 0), (15000, 300, 100), (12000, 300, 300),
              (9000, 300, 600), (6000, 300, 600), (4500, 300, 250),
              (3000, 300, 400), (0, 0, 0))

# What clients publish (observed).
AVAILABLE, IDLE, BUSY, DND, BRB, AWAY, OFFLINE = (3500, 5000, 6500, 9500,
                                                  12500, 15500, 18500)


class State:
    """Presence of a user as one watcher may see it."""

    def __init__(self, number=AVAILABLE, token="", note="", name="",
                 out_of_office=False, last_active="", form=None, more=""):
        self.number = number
        self.token = token
        self.note = note
        self.name = name
        self.out_of_office = out_of_office
        self.last_active = last_active
        self.form = form        # MSRTC, PIDF or None: as Accept asks
        self.more = more        # XML to put into the root as it is

    def aggregates(self):
        return next((av, ac) for least, av, ac in AGGREGATES
                    if self.number >= least)


def msrtc(user, state, entity=None):
    """text/xml+msrtc.pidf: the root names the user without a scheme
    [MS-SIP 2.2.1]; the number rides in userInfo/states (observed)."""
    availability, activity = state.aggregates()
    active = (f" lastActive={quoteattr(state.last_active)}"
              if state.last_active else "")
    inside = [
        f'<availability aggregate="{availability}" description=""/>',
        f'<activity aggregate="{activity}" description=""/>',
    ]
    if state.name:
        inside.append(f"<displayName displayName={quoteattr(state.name)}/>")
    note = ""
    if state.note:
        kind = ' type="OOF"' if state.out_of_office else ""
        note = f"<note{kind}>{escape(state.note)}</note>"
    inside.append(
        f'<userInfo><states><state avail="{state.number}"{active}>'
        f"{escape(state.token)}</state></states>{note}</userInfo>")
    inside.append(
        '<devices><devicePresence epid="99aa88bb77" ageOfPresence="0">'
        f'<availability aggregate="{availability}" description=""/>'
        f'<activity aggregate="{activity}" description=""/>'
        "</devicePresence></devices>")
    return (f"<presentity uri={quoteattr(entity or user)}>"
            + "".join(inside) + state.more + "</presentity>").encode()


def pidf(user, state, entity=None):
    """application/pidf+xml: open or closed, away or busy, and the name; the
    activity within status, as drafts before RFC 4480 had it (observed)."""
    basic = "closed" if state.number >= 18000 or state.number < 3000 \
        else "open"
    word = "busy" if 6000 <= state.number < 12000 else \
        "away" if 4500 <= state.number < 18000 else ""
    activity = (f"<ep:activities><ep:activity>{word}</ep:activity>"
                "</ep:activities>" if word else "")
    note = f"<note>{escape(state.note)}</note>" if state.note else ""
    name = (f"<ci:display-name>{escape(state.name)}</ci:display-name>"
            if state.name else "")
    return ('<?xml version="1.0" encoding="UTF-8"?>\r\n'
            '<presence xmlns="urn:ietf:params:xml:ns:pidf" '
            'xmlns:ep="urn:ietf:params:xml:ns:pidf:status:rpid-status" '
            'xmlns:ci="urn:ietf:params:xml:ns:pidf:cipid" '
            f"entity={quoteattr('sip:' + (entity or user))}>"
            f'<tuple id="0"><status><basic>{basic}</basic>{activity}'
            f"</status>{note}</tuple>{name}{state.more}"
            "</presence>").encode()


def local(tag):
    return tag.rpartition("}")[2]


class Seen:
    """What an endpoint shows of a contact, read from a PIDF."""

    def __init__(self, body):
        root = ElementTree.fromstring(body)
        self.root = local(root.tag)
        self.entity = root.get("entity", root.get("uri", ""))
        self.basic = self.activity = self.note = self.language = ""
        self.name = ""
        self.tuples = 0
        for item in root.iter():
            name, text = local(item.tag), (item.text or "").strip()
            if name == "tuple":
                self.tuples += 1
            elif name == "basic":
                self.basic = text
            elif name == "activity" and not self.activity:
                self.activity = text
            elif name == "note":
                self.note = item.text or ""
                self.language = item.get(
                    "{http://www.w3.org/XML/1998/namespace}lang", "")
            elif name == "display-name":
                self.name = text

    @property
    def show(self):
        """The word a test compares: offline, away, busy or online."""
        if self.basic != "open":
            return "offline"
        return self.activity or "online"

    def __repr__(self):
        return f"{self.show} {self.note!r} {self.name!r}"


def read(message):
    """The document of a NOTIFY, or None when it has none."""
    if not message.body:
        return None
    return Seen(message.body)
