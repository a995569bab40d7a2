"""What people write, in every form that clients of both sides write it."""

import re
from xml.etree import ElementTree

import pytest

pytestmark = pytest.mark.once

ANNA = "anna@contoso.example"
BO = "bo@partner.example"

IM = "{http://jabber.org/protocol/xhtml-im}"
XHTML = "{http://www.w3.org/1999/xhtml}"
STYLING = "{urn:xmpp:styling:0}"

FROM_FRONT_END = [("Content-Type", "text/plain; charset=UTF-8")]
# What clients of the pool list in their SDP (observed).
LYNC = ("text/plain multipart/alternative image/gif text/rtf text/html "
        "application/x-ms-ink application/ms-imdn+xml text/x-msmsgsinvite ")

# Scripts of both directions with marks for them, emoji joined from several,
# flags, combining characters in a form that is not composed.
WORLD = ("שלום \u202babc\u202c مرحبا\u200f! 👩‍👩‍👧 🇩🇪 👍🏽 e\u0301 ก็ \u2028 "
         "\U0001F680 zero\u200bwidth")


def rich(message):
    """The XHTML-IM of a stanza as text without namespaces; None = none."""
    html = message.stanza.xml.find(f"{IM}html")
    if html is None:
        return None
    body = html.find(f"{XHTML}body")
    for element in body.iter():
        assert element.tag.startswith(XHTML)
        element.tag = element.tag[len(XHTML):]
        assert set(element.keys()) <= {"href", "style"}
        assert element.tag in ("body", "a", "blockquote", "br", "em", "li",
                               "ol", "p", "span", "strong", "ul")
    return ElementTree.tostring(body, "unicode")[6:-7]


def html_of(arrived):
    """The HTML of what reached a Lync client, and the plain text beside."""
    kind = arrived.request.get("Content-Type")
    body = arrived.request.body.decode()
    if kind.startswith("text/html"):
        return body, None
    boundary = re.search(r'boundary="([^"]+)"', kind)[1]
    parts = body.split(f"--{boundary}")
    assert parts[0] == "" and parts[-1].strip() == "--"
    contents = dict(p.strip("\r\n").split("\r\n\r\n", 1) for p in parts[1:-1])
    return (contents["Content-Type: text/html; charset=UTF-8"],
            contents["Content-Type: text/plain; charset=UTF-8"])


def xhtml(plain, formatted):
    return (f"<message to='{ANNA}' type='chat' id='x1'><body>{plain}</body>"
            "<html xmlns='http://jabber.org/protocol/xhtml-im'>"
            f"<body xmlns='http://www.w3.org/1999/xhtml'>{formatted}</body>"
            "</html></message>")


@pytest.fixture
def rich_anna(site):
    """She takes HTML, as Lync's own clients do."""
    from conftest import leave
    anna = site.lync_user("anna", accepts=LYNC)
    yield anna
    leave(anna)


# --- from Lync -----------------------------------------------------------------

FROM_LYNC = {
    "html": (
        "text/html; charset=UTF-8",
        '<DIV style="font-size: 10pt; font-family: Segoe UI; color: #000000">'
        'Hello <b>you</b>,<br>see <a href="https://a.example/?x=1&amp;y=2" '
        'onclick="x()">this</a> <img src="cid:em" alt=":)"></DIV>',
        "Hello you,\nsee this <https://a.example/?x=1&y=2> :)",
        '<p style="font-size:10pt;font-family:Segoe UI;color:#000000">Hello '
        '<strong>you</strong>,<br />see '
        '<a href="https://a.example/?x=1&amp;y=2">this</a> :)</p>'),
    "html-of-nothing-but-a-font": (
        "text/html", '<span style="font-family:Segoe UI;font-size:10pt">'
        "just text</span>", "just text", None),
    "rtf": (
        "text/rtf",
        r"{\rtf1\fbidis\ansi\ansicpg1252\deff0\nouicompat\deflang1031"
        r"{\fonttbl{\f0\fnil\fcharset0 Segoe UI;}}"
        r"{\colortbl ;\red255\green0\blue0;}"
        r"{\*\generator Riched20 15.0.4771}{\*\mmathPr\mwrapIndent1440}"
        r"\viewkind4\uc1\pard\cf1\embo\f0\fs20 Gr\'fc\'dfe\cf0  "
        r"\b an\b0  \u-10179?\u-8704?\par}",
        "Grüße an 😀",
        '<span style="color:#ff0000">Grüße</span> <strong>an</strong> 😀'),
    "alternative": (
        'multipart/alternative; boundary="b1"',
        "--b1\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\nhi\r\n"
        "--b1\r\nContent-Type: text/html; charset=UTF-8\r\n\r\n"
        "<i>hi</i>\r\n--b1\r\nContent-Type: text/rtf\r\n\r\n"
        "{\\rtf1 {\\b hi}}\r\n--b1--\r\n", "hi", "<em>hi</em>"),
    "related": (
        'multipart/related; boundary=b1; type="text/html"; start="<root>"',
        "--b1\r\nContent-Type: image/png\r\nContent-ID: <pic>\r\n\r\nPNG\r\n"
        "--b1\r\nContent-Type: text/html; charset=UTF-8\r\n"
        "Content-ID: <root>\r\n\r\n<b>see</b> <img src='cid:pic' "
        "alt='picture'>\r\n--b1--\r\n", "see picture",
        "<strong>see</strong> picture"),
    "cpim": (
        "message/cpim", "From: <im:anna@contoso.example>\r\nSubject: no\r\n"
        "\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nhi", "hi", None),
    "hostile": (
        "text/html",
        "<b>ok</b><script>alert(1)</script><svg/onload=x()><iframe "
        "src=http://e.example/></iframe><a href='javascript:x()'>c</a>"
        "<p style='background:url(http://e.example/);color:red'>d</p>",
        "okc\nd", '<strong>ok</strong>c<p style="color:red">d</p>'),
    "emoticons": ("text/plain", ":) (y) <3 >:( :-P", ":) (y) <3 >:( :-P", None),
}


@pytest.mark.parametrize("form", FROM_LYNC)
def test_what_lync_sends_reaches_the_partner_plain_and_formatted(
        bo, anna, form):
    kind, body, text, formatted = FROM_LYNC[form]
    assert anna.say(BO, kind, body).status == 200
    arrived = bo.journal.wait("message")
    assert arrived.body == text
    assert rich(arrived) == formatted


@pytest.mark.parametrize("kind", [
    "text/plain; charset=UTF-8", "text/html; charset=UTF-8"])
def test_the_characters_of_a_text_arrive_byte_for_byte(bo, anna, kind):
    # White space of HTML is one blank, whatever it was.
    text = WORLD.replace("\u2028 ", "") if "html" in kind else WORLD
    assert anna.say(BO, kind, text).status == 200
    arrived = bo.journal.wait("message")
    assert arrived.body.encode() == text.encode()


def test_the_language_of_a_text_is_told_both_ways(bo, anna):
    assert anna.say(BO, "text/plain", "Hallo",
                    [("Content-Language", "de-AT")]).status == 200
    arrived = bo.message(body="Hallo")
    assert arrived.stanza.xml.get(
        "{http://www.w3.org/XML/1998/namespace}lang") == "de-AT"
    bo.raw(f"<message to='{ANNA}' type='chat'><body xml:lang='fr'>salut"
           "</body></message>")
    assert anna.message(body="salut").request.get(
        "Content-Language") == "fr"


def test_a_text_that_styling_would_misread_says_so(bo, anna):
    for text, misread in (("2 * 3 * 4", False), ("the *real* one", True),
                          ("> 5", True), ("snake_case_name", False)):
        anna.send(BO, text)
        stanza = bo.message(body=text).stanza
        assert (stanza.xml.find(f"{STYLING}unstyled") is not None) == misread


@pytest.mark.parametrize("kind,body,status", [
    ("text/plain; charset=UTF-8", b"a\xc3", 400),
    ("text/plain; charset=klingon", b"nuqneH", 415),
    ("image/gif", b"GIF89a", 415),
    ("application/x-ms-ink", b"ink", 415),
    ("multipart/alternative; boundary=b", b"--b\r\n\r\ncut", 400),
    ("text/rtf", b"not rtf", 400),
    ("text/html", b"<b>\xff", 400),
], ids=["utf8", "charset", "gif", "ink", "cut", "rtf", "html"])
def test_what_cannot_be_read_is_refused_and_not_sent(
        bo, anna, kind, body, status):
    response = anna.say(BO, kind, body)
    assert response.status == status
    if status == 415 and "klingon" not in kind:
        assert "text/plain" in response.get("Accept")
    anna.send(BO, "and on")
    assert bo.journal.wait("message").body == "and on"


@pytest.mark.parametrize("kind,body", [
    ("text/plain", ""), ("text/plain", "\r\n"), ("text/plain", " \t "),
    ("text/html", "<div><br></div>"), ("text/rtf", "{\\rtf1 \\par}"),
], ids=["nothing", "line-end", "blanks", "html", "rtf"])
def test_what_says_nothing_is_taken_and_not_sent(bo, anna, kind, body):
    assert anna.say(BO, kind, body).status == 200
    anna.send(BO, "something")
    assert bo.journal.wait("message").body == "something"


def test_control_characters_do_no_harm(bo, anna):
    assert anna.say(BO, "text/plain", b"a\x07b\x00c\x1bd\r\n").status == 200
    assert bo.journal.wait("message").body == "a\ufffdb\ufffdc\ufffdd"
    anna.send(BO, "the stream lives")
    bo.message(body="the stream lives")


def test_markup_in_a_plain_text_stays_text(bo, anna):
    text = "</body></message></stream:stream><presence/>&amp;]]>"
    anna.send(BO, text)
    assert bo.journal.wait("message").body == text
    bo.send(ANNA, text)
    assert anna.message(body=text).request.get(
        "Content-Type").startswith("text/plain")


@pytest.mark.parametrize("filling", ["x", "&", "é", "😀"])
def test_64_kilobytes_pass_both_ways(bo, anna, filling):
    """Of "&" the stanza has 320 KiB, which only we send: a partner's stanza
    has 256 KiB at most."""
    size = len(filling.encode())
    text = filling * (65536 // size)
    anna.send(BO, "first")
    bo.message(body="first")
    assert anna.send(BO, text).status == 200
    assert bo.journal.wait("message", body=lambda b: b != "first").body == text
    assert anna.refused(BO, text + "x").status == 413
    if filling != "&":
        bo.send(ANNA, text)
        assert anna.journal.wait("message").body == text
        error = bo.error(id=bo.send(ANNA, text + "x"))
        assert error.condition == "policy-violation"
        assert error.type == "modify" and "65536" in error.text
    anna.send(BO, "last")
    bo.message(body="last")
    assert len(bo.journal.all("message")) == 3


def test_a_long_text_loses_its_formatting_and_nothing_else(bo, anna):
    line = "<b>bold</b> &lt; <i>not</i> "
    html = line * 2000
    assert anna.say(BO, "text/html", html).status == 200
    arrived = bo.journal.wait("message")
    assert arrived.body == ("bold < not " * 2000).strip()
    assert rich(arrived) is None


def test_a_message_cut_short_by_the_end_of_its_connection_is_not_sent(
        rude, front_end):
    bo = rude.xmpp_user(BO)
    conn = front_end.connect(rude.gateway)
    invite = front_end.invite(conn, ANNA, BO)
    response = front_end.transact(conn, invite)
    front_end.write(conn, front_end.follow(conn, invite, response, "ACK", 1))
    whole = front_end.follow(conn, invite, response, "MESSAGE", 2,
                             b"half a text", FROM_FRONT_END)
    assert front_end.transact(conn, whole).status == 200
    bo.message(body="half a text")
    cut = front_end.follow(conn, invite, response, "MESSAGE", 3,
                           b"half a text", FROM_FRONT_END).bytes()[:-4]
    front_end.write(conn, cut)
    front_end.drop(conn)
    bo.journal.none("message", 1, body=lambda b: b != "half a text")
    assert len(bo.journal.all("message")) == 1
    bo.logout()


def test_a_text_that_only_an_invite_holds_is_not_sent(bo, anna):
    """What only ms-text-format holds has not been sent yet: the chat ends
    without a MESSAGE."""
    anna.open(BO, "never mind")
    assert anna.bye(BO).status == 200
    bo.journal.none("message", 1)


# --- to Lync -------------------------------------------------------------------

def test_xhtml_reaches_an_endpoint_that_takes_html(bo, rich_anna):
    bo.send(ANNA, "first")
    rich_anna.message(body="first")
    bo.raw(xhtml("see this", "<p>see <a href='https://a.example/'>"
                 "<strong>this</strong></a><br/></p>"))
    arrived = rich_anna.journal.wait("message", body=lambda b: "this" in b)
    html, plain = html_of(arrived)
    assert html == ('<html><body><p>see <a href="https://a.example/">'
                    "<strong>this</strong></a><br></p></body></html>")
    assert plain == "see this"


def test_in_a_chat_she_opened_her_offer_counts(bo, anna):
    anna.send(BO, "come in")
    bo.message(body="come in")
    bo.raw(xhtml("thanks", "<em>thanks</em>"))
    arrived = anna.journal.wait("message", body=lambda b: "thanks" in b)
    assert html_of(arrived) == ("<html><body><em>thanks</em></body></html>",
                                "thanks")


def test_xhtml_reaches_any_other_endpoint_as_plain_text(bo, anna):
    bo.send(ANNA, "first")
    anna.message(body="first")
    bo.raw(xhtml("see this", "<p>see <strong>this</strong></p>"))
    arrived = anna.message(body="see this")
    assert arrived.request.get("Content-Type") == "text/plain; charset=UTF-8"


def test_an_endpoint_that_refuses_html_gets_the_text_plain(site, bo):
    from conftest import leave
    anna = site.lync_user("anna", accepts=LYNC)
    try:
        bo.send(ANNA, "first")
        anna.message(body="first")
        anna.message_status = (415, "Unsupported Media Type")
        bo.raw(xhtml("see this", "<p>see <strong>this</strong></p>"))
        refused = anna.journal.wait("request", method="MESSAGE",
                                    request=lambda r: b"<strong>" in r.body)
        anna.message_status = None
        arrived = anna.message(body="see this")
        assert refused.call_id == arrived.call_id
        bo.raw(xhtml("again", "<em>again</em>"))
        assert anna.message(body="again")
    finally:
        leave(anna)


def test_the_invite_holds_both_forms(bo, rich_anna):
    bo.raw(xhtml("see this", "<p>see <strong>this</strong></p>"))
    invite = rich_anna.journal.wait("invite").request
    assert invite.get("ms-text-format").startswith("text/plain; charset=UTF-8")
    assert invite.get("ms-im-format").startswith("text/html; charset=UTF-8")


def test_hostile_xhtml_is_cut_down_to_what_is_listed(bo, rich_anna):
    bo.send(ANNA, "first")
    rich_anna.message(body="first")
    bo.raw(xhtml("a b c", "<script>x()</script><p onclick='x()' id='i' "
                 "style='color:red;background-image:url(http://e/)'>a "
                 "<a href='javascript:x()'>b</a> <img src='http://e/i.png' "
                 "alt='c' onerror='x()'/></p><object data='http://e/'/>"
                 "<style>p{}</style><iframe src='http://e/'/>"))
    arrived = rich_anna.journal.wait("message", body=lambda b: "color" in b)
    assert html_of(arrived)[0] == ('<html><body><p style="color:red">a '
                                   "<a>b</a> c</p></body></html>")


def test_message_styling_is_formatting_to_who_takes_html(bo, rich_anna):
    bo.send(ANNA, "first")
    rich_anna.message(body="first")
    text = "so *very* _good_\n> quoted\n```\n*code*\n```"
    bo.send(ANNA, text)
    arrived = rich_anna.journal.wait("message", body=lambda b: "very" in b)
    html, plain = html_of(arrived)
    assert plain == text.replace("\n", "\r\n")
    assert "<strong>*very*</strong> <em>_good_</em>" in html
    assert "<blockquote>&gt; quoted</blockquote>" in html
    assert "<strong>*code*</strong>" not in html


def test_message_styling_reads_as_written_elsewhere(bo, anna):
    text = "so *very* _good_\n> quoted\n```\n*code*\n```"
    bo.send(ANNA, text)
    assert anna.journal.wait("message").body == text.replace("\n", "\r\n")


@pytest.mark.parametrize("takes", ["text/plain ", LYNC], ids=["plain", "html"])
def test_characters_of_the_partner_arrive_byte_for_byte(site, bo, takes):
    from conftest import leave
    anna = site.lync_user("anna", accepts=takes)
    try:
        bo.send(ANNA, "first")
        anna.message(body="first")
        bo.raw(xhtml(WORLD, f"<em>{WORLD}</em>"))
        arrived = anna.journal.wait("message", body=lambda b: "שלום" in b)
        if takes == LYNC:
            html, plain = html_of(arrived)
            assert html == f"<html><body><em>{WORLD}</em></body></html>"
        else:
            plain = arrived.body
        assert plain.encode() == WORLD.encode()
    finally:
        leave(anna)


def test_without_formatting_there_is_plain_text_both_ways():
    """The setting of a partner; what is listed in our SDP follows it."""
    from conftest import Started, leave
    from lib.site import Site
    site = Site("plain", wide=False)
    site.gateway.config["partners"][0]["formatting"] = False
    with Started(site) as site:
        bo = site.xmpp_user(BO)
        anna = site.lync_user("anna", accepts=LYNC)
        try:
            assert anna.say(BO, "text/html", "<b>hi</b>").status == 200
            arrived = bo.journal.wait("message")
            assert arrived.body == "hi" and rich(arrived) is None
            answer = anna.journal.wait("opened").response
            assert b"accept-types:text/plain\r\n" in answer.body
            bo.raw(xhtml("see", "<em>see</em>"))
            assert anna.message(body="see")
            bo.send(ANNA, "so *very* good")
            assert anna.message(body="so *very* good")
        finally:
            leave(anna)
            bo.logout()
