"""What somebody outside may try to find out who exists."""

import re
import time

# What a stranger may try, as stanzas to an address.
TRIES = {
    "subscribe": "<presence type='subscribe' to='{0}' id='x1'/>",
    "message": "<message type='chat' to='{0}' id='x2'><body>hi</body>"
               "</message>",
    "vcard": "<iq type='get' to='{0}' id='x3'><vCard xmlns='vcard-temp'/>"
             "</iq>",
    "disco": "<iq type='get' to='{0}/lync' id='x4'><query "
             "xmlns='http://jabber.org/protocol/disco#info'/></iq>",
    "time": "<iq type='get' to='{0}/lync' id='x5'><time "
            "xmlns='urn:xmpp:time'/></iq>",
    "probe": "<presence type='probe' to='{0}' id='x6'/>",
    "presence": "<presence to='{0}' id='x7'/>",
    "subscribed": "<presence type='subscribed' to='{0}' id='x8'/>",
    "unsubscribed": "<presence type='unsubscribed' to='{0}' id='x9'/>",
    "unsubscribe": "<presence type='unsubscribe' to='{0}' id='xa'/>",
    "full": "<message type='chat' to='{0}/lync' id='xb'><body>hi</body>"
            "</message>",
    "receipt": "<message type='chat' to='{0}' id='xc'><body>hi</body>"
               "<request xmlns='urn:xmpp:receipts'/></message>",
    "typing": "<message type='chat' to='{0}' id='xd'><composing "
              "xmlns='http://jabber.org/protocol/chatstates'/></message>",
    "ping": "<iq type='get' to='{0}/lync' id='xe'><ping "
            "xmlns='urn:xmpp:ping'/></iq>",
    "version": "<iq type='get' to='{0}' id='xf'><query "
               "xmlns='jabber:iq:version'/></iq>",
}
# Those that have an answer at all.
ANSWERED = ("subscribe", "message", "vcard", "disco", "time", "full",
            "receipt", "ping", "version")


def answers_of(user, people, name):
    """What came back on one try from each of them, without ids and the
    address: {address: stanzas}."""
    got = {who: [] for who in people}

    def note(stanza):
        who = stanza.xml.get("from", "").split("/")[0]
        if who in got:
            got[who].append(re.sub(r"""\bid=["'][^"']*["']""", "",
                                   str(stanza)).replace(who, "USER@HERE"))
        return stanza

    async def listen(on):
        (user.client.add_filter if on else user.client.del_filter)("in",
                                                                   note)

    user.run.wait(listen(True))
    try:
        for who in people:
            user.raw(TRIES[name].format(who))
        end = time.monotonic() + (10 if name in ANSWERED else 0.7)
        while time.monotonic() < end and not (
                name in ANSWERED and all(got.values())):
            time.sleep(0.02)
        time.sleep(0.1)             # a second answer would be one too many
    finally:
        user.run.wait(listen(False))
    return got
