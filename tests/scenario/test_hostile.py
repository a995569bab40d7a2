"""Peers that do not play by the rules, and what they get for it."""

import pytest

from lib.xmpp_peer import STARTTLS, RawStream

ANNA = "anna@contoso.example"
BO = "bo@partner.example"


@pytest.fixture
def dial(site):
    """Opens raw streams to the edge; closes them after the test."""
    streams = []

    def open_stream(local="partner.example", remote="contoso.example"):
        stream = RawStream(site.edge.address, site.edge.port, local, remote)
        streams.append(stream)
        return stream

    yield open_stream
    for stream in streams:
        stream.close()


@pytest.fixture
def partner(site, dial):
    """An authenticated raw stream of partner.example."""
    return dial().authenticate(site.public.certificate,
                               site.public.leaf("partner.example"))


def test_an_honest_raw_stream_is_served(partner, anna):
    """The control of this file: without it the rest would prove nothing."""
    partner.message("raw@partner.example/x", ANNA, "an honest word")
    anna.message(body="an honest word", sender="raw@partner.example")


@pytest.mark.parametrize("sender", [
    "boss@contoso.example", "anna@contoso.example", "eve@stranger.example",
    "mallory@impostor.example", "x@partner.example.stranger.example",
    "partner.example@stranger.example",
])
def test_a_forged_sender_ends_the_stream(site, partner, bo, anna, sender):
    mark = site.edge.log.mark()
    partner.message(sender, ANNA, "a forged word")
    seen = partner.drain()
    assert "invalid-from" in seen
    line = site.edge.log.wait("stanza-refused", 5, mark)
    assert sender in line and "peer=" in line and "invalid-from" in line
    anna.journal.none("message", 0.3)
    bo.send(ANNA, "not my word")
    anna.message(body="not my word", sender=BO)


def test_who_is_not_listed_is_turned_away_whatever_it_can_prove(
        site, dial, bo, anna):
    mark = site.edge.log.mark()
    stream = dial("stranger.example")
    try:
        stream.open()
    except AssertionError:
        pass
    else:
        stream.starttls(site.public.certificate,
                        site.public.leaf("stranger.example"))
        stream.open()
        stream.external()
        stream.message("eve@stranger.example", ANNA, "a strange word")
    stream.drain()
    stream.close()
    line = site.edge.log.wait("stream-end .*remote=stranger.example", 5, mark)
    assert "peer=" in line and "condition=" in line and "reason=" in line
    anna.journal.none("message", 0.3)
    bo.send(ANNA, "listed")
    anna.message(body="listed", sender=BO)


@pytest.mark.parametrize("to", ["anna@elsewhere.example", "anna@partner.example"])
def test_a_recipient_that_is_not_ours_ends_the_stream(partner, to):
    partner.message("raw@partner.example", to, "misdirected")
    seen = partner.drain()
    assert "host-unknown" in seen or "improper-addressing" in seen


def test_plaintext_behind_starttls_ends_the_connection(site, dial, anna):
    stream = dial()
    stream.open()
    stream.send(STARTTLS + "<message from='raw@partner.example' "
                f"to='{ANNA}'><body>smuggled</body></message>")
    # Whether <proceed/> came or not: nothing speaks TLS any more, and the
    # smuggled text goes nowhere.
    stream.drain()
    anna.journal.none("message", 0.5)


def test_nothing_passes_before_starttls(dial, anna):
    stream = dial()
    features = stream.open()
    assert "starttls" in features and "required" in features
    assert "EXTERNAL" not in features
    stream.message("raw@partner.example", ANNA, "in the clear")
    stream.drain()
    anna.journal.none("message", 0.5)


def test_nothing_passes_before_authentication(site, dial, anna):
    stream = dial()
    stream.open()
    stream.starttls(site.public.certificate,
                    site.public.leaf("partner.example"))
    stream.open()
    stream.message("raw@partner.example", ANNA, "unauthenticated")
    assert "not-authorized" in stream.drain()
    anna.journal.none("message", 0.5)


def test_a_certificate_of_another_name_is_not_offered_external(
        site, dial):
    stream = dial()
    stream.open()
    stream.starttls(site.public.certificate,
                    site.public.leaf("somebody-else.example"))
    try:
        features = stream.open()
    except AssertionError:
        return          # the edge ended the stream: as good
    assert "EXTERNAL" not in features


def test_a_certificate_of_a_stranger_authority_is_not_offered_external(
        site, dial):
    stream = dial()
    stream.open()
    # The right name, vouched for by the wrong authority.
    stream.starttls(site.public.certificate,
                    site.internal.leaf("partner-fake", "partner.example"))
    try:
        features = stream.open()
    except AssertionError:
        return
    assert "EXTERNAL" not in features


def test_no_certificate_is_not_offered_external(site, dial):
    stream = dial()
    stream.open()
    stream.starttls(site.public.certificate)
    try:
        features = stream.open()
    except AssertionError:
        return
    assert "EXTERNAL" not in features


def test_authorisation_as_somebody_else_is_refused(site, dial):
    stream = dial()
    stream.open()
    stream.starttls(site.public.certificate,
                    site.public.leaf("partner.example"))
    stream.open()
    assert stream.external("second.example") == "invalid-authzid"


def test_a_host_that_we_do_not_serve_is_unknown(dial):
    stream = dial(remote="elsewhere.example")
    try:
        stream.open()
    except AssertionError:
        pass
    assert "host-unknown" in stream.seen or "host-unknown" in stream.drain()


@pytest.mark.parametrize("text", [
    "<!DOCTYPE foo [<!ENTITY a 'aaaa'>]>", "<!-- comment -->",
    "<?target data?>", "<message>&undefined;</message>",
    "<a><b></a></b>", "<message from='a' from='b'/>", "<message",
], ids=["doctype", "comment", "instruction", "entity", "nesting", "twice",
        "unfinished"])
def test_forbidden_xml_ends_only_the_offenders_stream(
        partner, bo, anna, text):
    partner.send(text + "<x>")
    seen = partner.drain(15)
    assert "stream:error" in seen or "</stream:stream>" in seen
    bo.send(ANNA, "not my fault")
    anna.message(body="not my fault")


def test_a_flood_without_end_is_cut(partner, bo, anna):
    """One stanza that never ends: bounded, then an error."""
    partner.send("<message from='raw@partner.example' to='"
                 + ANNA + "'><body>")
    try:
        for _ in range(200):
            partner.send("x" * 65536)
    except OSError:
        pass            # cut while we wrote: what we want
    else:
        partner.drain(15)
    bo.send(ANNA, "still there")
    anna.message(body="still there")


def test_a_request_that_is_not_ours_to_answer_is_refused(bo):
    import slixmpp.xmlstream.matcher        # noqa: F401
    from xml.etree import ElementTree
    answer = bo.iq(ANNA, ElementTree.Element("{jabber:iq:last}query"))
    assert answer["type"] == "error"
    assert answer["error"]["condition"] == "service-unavailable"


def test_ping_version_and_disco_of_our_domain_are_answered(bo):
    from xml.etree import ElementTree
    for name in ("{urn:xmpp:ping}ping", "{jabber:iq:version}query",
                 "{http://jabber.org/protocol/disco#info}query"):
        answer = bo.iq("contoso.example", ElementTree.Element(name))
        assert answer["type"] == "result", name
