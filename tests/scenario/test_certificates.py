"""Partners whose certificates are not good, in both directions.

Each partner of this file is listed.  Who cannot prove its name says nothing
to the pool and is told nothing by it; the log says who and why.
"""

import time

import pytest

from lib.daemons import partner
from lib.raw_partner import RawPartner, attribute, pong
from lib.site import Site
from lib.xmpp_peer import PROCEED, RawServer, RawStream

ANNA = "anna@contoso.example"
BO = "bo@partner.example"
# domain: (where it is, what must stand in the log)
BAD = {
    "misnamed.example": (61, "does not name the domain"),
    "expired.example": (62, "expired"),
    "future.example": (63, "not yet valid"),
    "selfmade.example": (64, "self-signed"),
    "elsewhere.example": (65, "issuer"),
    "common.example": (66, "does not name the domain"),
    "below.example": (67, "does not name the domain"),
}
GOOD = "honest.example"


def leaf(site, domain):
    make = site.public.leaf
    if domain == "misnamed.example":
        return make("somebody-else.example")
    if domain == "expired.example":
        return make(domain, extra=("--from", "2020-01-01"))
    if domain == "future.example":
        return make(domain, extra=("--from", "tomorrow"))
    if domain == "selfmade.example":
        return make(domain, extra=("--self-signed",))
    if domain == "elsewhere.example":
        return site.internal.leaf(domain)
    if domain == "common.example":      # right in the common name alone
        return make("common-name", "other.example",
                    extra=("--cn", "common.example"))
    if domain == "below.example":
        return make("below-all", "*.below.example")
    return make(domain)


@pytest.fixture(scope="module")
def place():
    from conftest import Started
    site = Site("certificates", wide=False)
    domains = {**{d: host for d, (host, _) in BAD.items()}, GOOD: 68}
    for domain, host in domains.items():
        RawPartner.zones(site, domain, host)
        site.gateway.config["partners"].append(partner(domain))
    site.gateway.config["timers"] = {"outward_ms": 4000}
    with Started(site) as site:
        site.partners = {d: RawPartner(site, d, host, leaf(site, d)).start()
                         for d, host in domains.items()}
        yield site


@pytest.fixture
def bo(place):
    from conftest import visitor
    yield from visitor(place, BO)


@pytest.fixture
def anna(place):
    from conftest import employee
    yield from employee(place, "anna")


@pytest.fixture(autouse=True)
def undisturbed(place, bo, anna):
    """The honest partner's chat goes on, in one window, over one stream."""
    def chat(text):
        bo.send(ANNA, text)
        anna.message(body=text, sender=BO)
        assert anna.send(BO, text).status == 200
        bo.message(body=text)

    chat("before")
    mark = place.edge.log.mark()
    yield
    chat("after")
    assert not [l for l in place.edge.log.text(mark).splitlines()
                if "stream-end" in l and "remote=partner.example" in l]
    callers = [e.sender for e in anna.journal.all("invite")]
    assert callers.count(BO) == 1
    assert not [c for c in callers if c.split("@")[1] in BAD]


def told(place, mark, domain, *words):
    """One line has who and why."""
    line = place.edge.log.wait(f"(stream-end|route-failed) .*{domain}", 10,
                               mark)
    for word in words:
        assert word in line.lower(), line
    return line


def inbound(place, domain):
    return RawStream(place.edge.address, place.edge.port, domain,
                     "contoso.example")


@pytest.mark.parametrize("domain", BAD)
def test_who_dials_us_and_cannot_prove_its_name_is_turned_away(
        place, domain):
    handles = place.edge.handles()
    mark = place.edge.log.mark()
    stream = inbound(place, domain)
    stream.open()
    stream.starttls(place.public.certificate, leaf(place, domain))
    try:
        features = stream.open()
    except AssertionError:
        features = ""
    assert "EXTERNAL" not in features
    # It goes on as if it had been let in.
    try:
        stream.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' "
                    "mechanism='EXTERNAL'>=</auth>")
        stream.message(f"eve@{domain}", ANNA, "a forged word")
    except OSError:
        pass
    stream.drain()
    stream.close()
    told(place, mark, domain, BAD[domain][1])
    place.edge.await_handles(handles)


@pytest.mark.parametrize("domain", BAD)
def test_whom_we_dial_and_who_cannot_prove_its_name_is_told_nothing(
        place, anna, domain):
    handles = place.edge.handles()
    mark = place.edge.log.mark()
    response = anna.refused(f"eve@{domain}", "a secret word")
    assert response.status == 504
    assert "61" in response.get("ms-diagnostics")[:2]
    told(place, mark, domain, BAD[domain][1])
    assert not place.partners[domain].server.journal.all("stanza")
    assert "a secret word" not in place.edge.log.text()
    place.edge.await_handles(handles)


def test_the_same_with_a_good_certificate_is_served(place, anna):
    """The control of this file."""
    good = place.partners[GOOD]
    good.server.on_stanza = lambda text, wire: (
        good.answer(pong(text)) if attribute(text, "type") == "get" else None)
    assert anna.send(f"hanna@{GOOD}", "a secret word").status == 200
    assert good.stanzas("a secret word")
    good.answer(f"<message from='hanna@{GOOD}' to='{ANNA}' type='chat' "
                "id='h1'><body>an honest word</body></message>")
    anna.message(body="an honest word", sender=f"hanna@{GOOD}")


# --- names and plaintext ------------------------------------------------------

@pytest.mark.parametrize("names", [
    dict(local="partner.example"), dict(local="selfmade.example"),
    dict(remote="elsewhere.example"), dict(local=""),
], ids=["from-partner", "from-bad", "to-other", "from-nobody"])
def test_a_header_that_changes_its_names_after_tls_ends_the_stream(
        place, anna, names):
    mark = place.edge.log.mark()
    stream = inbound(place, GOOD)
    stream.open()
    stream.starttls(place.public.certificate, leaf(place, GOOD))
    for name, value in names.items():
        setattr(stream, name, value)
    try:
        features = stream.open()
    except AssertionError:
        features = stream.seen
    assert "EXTERNAL" not in features
    try:
        stream.external()
        stream.message("eve@partner.example", ANNA, "a forged word")
    except (OSError, AssertionError):
        pass
    stream.close()
    place.edge.log.wait(f"stream-end .*{GOOD}.*condition=\\S", 5, mark)
    anna.journal.none("message", 0.3, body="a forged word")


def test_a_header_that_changes_its_names_after_authentication_ends_it(
        place, anna):
    mark = place.edge.log.mark()
    stream = inbound(place, GOOD)
    stream.open()
    stream.starttls(place.public.certificate, leaf(place, GOOD))
    stream.open()
    assert stream.external() == "success"
    stream.local = "partner.example"
    try:
        stream.open()
        stream.message("eve@partner.example", ANNA, "a forged word")
    except (OSError, AssertionError):
        pass
    stream.drain()
    stream.close()
    place.edge.log.wait(f"stream-end .*{GOOD}.*condition=\\S", 5, mark)
    anna.journal.none("message", 0.3, body="a forged word")


class Smuggler(RawServer):
    """Writes on in plaintext behind its <proceed/>."""

    def proceed(self, wire):
        wire.send(PROCEED + "<stream:features><mechanisms xmlns='urn:ietf:"
                  "params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism>"
                  "</mechanisms></stream:features>")


def test_plaintext_behind_proceed_ends_the_connection(place, anna):
    good = place.partners[GOOD]
    good.stop()
    time.sleep(0.3)
    bad = RawPartner(place, GOOD, 68, server=Smuggler).start()
    mark = place.edge.log.mark()
    try:
        response = anna.refused(f"hanna@{GOOD}", "a secret word")
        assert response.status == 504
        told(place, mark, GOOD, "plaintext behind starttls")
        assert not bad.server.journal.all("stanza")
    finally:
        bad.stop()
