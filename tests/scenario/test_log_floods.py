"""Partners who would fill the perimeter's disk by way of its log."""

import pytest

from lib.site import Site
from lib.xmpp_peer import RawStream

FLOOD = 2000


@pytest.fixture(scope="module")
def place():
    from conftest import Started
    site = Site("flood", wide=False)
    site.edge.config["log"] = {"level": "info"}
    with Started(site):
        yield site


def dial(place):
    return RawStream(place.edge.address, place.edge.port, "partner.example",
                     "contoso.example")


def count(place, mark, words):
    return len([l for l in place.edge.log.text(mark).splitlines()
                if words in l])


def test_thousands_of_refused_stanzas_are_counted(place):
    stream = dial(place).authenticate(place.public.certificate,
                                      place.public.leaf("partner.example"))
    mark = place.edge.log.mark()
    for begin in range(0, FLOOD, 100):
        for i in range(begin, begin + 100):
            stream.send(f"<iq type='nonsense' id='n{i}' "
                        "from='eve@partner.example' "
                        "to='anna@contoso.example'/>")
    stream.message("eve@partner.example", "anna@elsewhere.example", "end")
    stream.drain()
    stream.close()
    place.edge.log.wait("stream-end .*condition=improper-addressing|"
                        "stream-end .*condition=host-unknown", 10, mark)
    written = count(place, mark, " stanza-refused ")
    assert 0 < written < 50
    place.edge.stop()
    place.edge.log.wait(
        "streams/inward suppressed event=stanza-refused what=- "
        rf"peer=partner.example lines={FLOOD - 20} ", 5, mark)
    assert not place.edge.log.lines("child-killed")
    place.edge.start()
    place.edge.await_open()


def test_what_many_streams_of_one_address_say_is_counted(place):
    mark = place.edge.log.mark()
    for _ in range(60):
        stream = dial(place)
        stream.open()
        stream.send("<stream:error><reset xmlns='urn:ietf:params:xml:ns:"
                    "xmpp-streams'/></stream:error>")
        stream.drain()
        stream.close()
    place.edge.stop()
    assert count(place, mark, " stream-error-received ") == 20
    place.edge.log.wait("streams/s2s_in suppressed "
                        r"event=stream-error-received .*lines=40 ", 5, mark)
    assert count(place, mark, " stream-end ") == 60
    place.edge.start()
    place.edge.await_open()
