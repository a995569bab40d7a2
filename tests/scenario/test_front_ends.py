"""Front ends as they really behave, with no proxy to smooth it over."""

import base64
import contextlib
import os
import signal
import time

import pytest

from lib import sip

pytestmark = pytest.mark.once

ANNA = "anna@contoso.example"
BO = "bo@partner.example"
TEXT = [("Content-Type", "text/plain; charset=UTF-8")]


@pytest.fixture
def line(rude, front_end):
    """A connection that the front end opened toward the gateway."""
    conn = front_end.connect(rude.gateway)
    yield conn
    front_end.drop(conn)


def chat(front_end, line, text="Hello", **more):
    """Opens a chat as a Lync user; returns (INVITE, its 200)."""
    invite = front_end.invite(line, ANNA, BO, text, **more)
    response = front_end.transact(line, invite)
    if response.status == 200:
        front_end.write(line, front_end.follow(line, invite, response,
                                               "ACK", 1))
    return invite, response


def bye(front_end, line, invite, response, cseq=9):
    assert front_end.transact(line, front_end.follow(
        line, invite, response, "BYE", cseq)).status == 200


def test_a_request_for_compression_is_declined_at_once(front_end, line):
    begin = time.monotonic()
    response = front_end.negotiate(line)
    assert time.monotonic() - begin < 2
    assert response.status == 405
    assert "LZ77-8K" not in response.get("Compression")
    # The connection goes on without it.
    assert front_end.negotiate(line).status == 405


def test_options_are_answered_for_anybody(rude, front_end, line):
    for uri in (f"sip:{rude.gateway.address}:{rude.gateway.port}",
                f"sip:{BO}", "sip:gw1.contoso.example"):
        host, port = line.local
        response = front_end.transact(line, sip.Message(
            f"OPTIONS {uri} SIP/2.0", [
                ("Via", f"SIP/2.0/TLS {host}:{port};branch={sip.branch()}"),
                ("Max-Forwards", "70"),
                ("From", f"<sip:{front_end.name}>;tag={sip.token(4)}"),
                ("To", f"<{uri}>"), ("Call-ID", sip.token()),
                ("CSeq", "1 OPTIONS")]))
        assert response.status == 200
        assert "MESSAGE" in response.tokens("Allow")


def test_keep_alives_between_messages_are_skipped(front_end, line):
    front_end.write(line, b"\r\n\r\n\r\n\r\n")
    assert front_end.negotiate(line).status == 405


def test_vias_and_routes_come_back_byte_for_byte(front_end, line):
    invite, response = chat(front_end, line)
    assert response.status == 200
    assert response.all("Via") == invite.all("Via")
    assert response.all("Record-Route") == invite.all("Record-Route")
    assert response.get("From") == invite.get("From")
    supported = response.tokens("Supported")
    assert "ms-text-format" not in supported
    assert "ms-embedded-first-message" not in supported
    assert b"m=message" in response.body
    assert response.get("Contact")
    bye(front_end, line, invite, response)


def test_headers_of_tens_of_kilobytes_are_read(rude_bo, front_end, line):
    invite, response = chat(front_end, line, "long", rtf=49152)
    assert response.status == 200
    assert front_end.transact(line, front_end.follow(
        line, invite, response, "MESSAGE", 2, b"after it", TEXT)
    ).status == 200
    rude_bo.message(body="after it")
    bye(front_end, line, invite, response)


def test_a_dialog_is_bound_to_no_connection(rude, rude_bo, front_end, line):
    invite, response = chat(front_end, line)
    other = front_end.connect(rude.gateway)
    assert front_end.transact(other, front_end.follow(
        other, invite, response, "MESSAGE", 2, b"by another way", TEXT)
    ).status == 200
    rude_bo.message(body="by another way")
    front_end.drop(other)
    bye(front_end, line, invite, response)


def test_requests_in_a_dialog_follow_the_route_and_the_gruu(
        rude_bo, front_end, line):
    """Route URIs unmodified, the Request-URI the Contact verbatim."""
    invite, response = chat(front_end, line)
    front_end.transact(line, front_end.follow(
        line, invite, response, "MESSAGE", 2, b"to bo", TEXT))
    rude_bo.message(body="to bo")
    rude_bo.send(ANNA, "to anna")
    request = front_end.journal.wait(
        "request", method="MESSAGE",
        request=lambda r: r.body == b"to anna").request
    assert request.uri == front_end.gruu(ANNA)
    uris = [sip.uri_of(v) for v in request.all("Route")]
    assert uris == [sip.uri_of(front_end.route)]
    assert request.tag("From") == response.tag("To")
    assert request.tag("To") == invite.tag("From")
    bye(front_end, line, invite, response)


def test_unknown_dialogs_are_told_so(front_end, line):
    invite = front_end.invite(line, ANNA, BO)
    host, port = line.local
    for method in ("MESSAGE", "INFO", "BYE"):
        response = front_end.transact(line, sip.Message(
            f"{method} sip:{BO} SIP/2.0", [
                ("Via", f"SIP/2.0/TLS {host}:{port};branch={sip.branch()}"),
                ("Max-Forwards", "70"), ("From", invite.get("From")),
                ("To", f"<sip:{BO}>;tag=gone"), ("Call-ID", sip.token()),
                ("CSeq", f"7 {method}"), *TEXT], b"x"))
        assert response.status == 481


@pytest.mark.parametrize("body, content_type, headers, status", [
    (b"<Conferencing version=\"2.0\"/>", "application/ms-conf-invite+xml",
     (), 415),
    (b"v=0\r\no=- 0 0 IN IP4 10.0.0.1\r\ns=session\r\nc=IN IP4 10.0.0.1\r\n"
     b"t=0 0\r\nm=audio 5000 RTP/AVP 0\r\n", "application/sdp", (), 488),
    (None, "application/sdp",
     [("Require", "com.microsoft.rtc-multiparty")], 420),
], ids=["conference", "audio", "multiparty"])
def test_what_we_cannot_do_is_refused_by_its_proper_code(
        front_end, line, body, content_type, headers, status):
    _, response = chat(front_end, line, body=body, headers=headers,
                       content_type=content_type)
    assert response.status == status


@pytest.mark.parametrize("method, status", [("REFER", 405), ("SERVICE", 405),
                                            ("REGISTER", 405)])
def test_methods_that_are_not_ours_are_refused(
        front_end, line, method, status):
    host, port = line.local
    response = front_end.transact(line, sip.Message(
        f"{method} sip:{BO} SIP/2.0", [
            ("Via", f"SIP/2.0/TLS {host}:{port};branch={sip.branch()}"),
            ("Max-Forwards", "70"), ("From", f"<sip:{ANNA}>;tag=1"),
            ("To", f"<sip:{BO}>"), ("Call-ID", sip.token()),
            ("CSeq", f"1 {method}")]))
    assert response.status == status
    assert "INVITE" in response.tokens("Allow")


def test_a_body_that_is_no_text_is_refused_alone(rude_bo, front_end, line):
    invite, response = chat(front_end, line)
    assert front_end.transact(line, front_end.follow(
        line, invite, response, "MESSAGE", 2, b"GIF89a",
        [("Content-Type", "image/gif")])).status == 415
    assert front_end.transact(line, front_end.follow(
        line, invite, response, "MESSAGE", 3, b"but this", TEXT)
    ).status == 200
    rude_bo.message(body="but this")
    bye(front_end, line, invite, response)


def test_forked_rings_and_a_progress_report_come_before_the_answer(
        rude_bo, front_end):
    """101 with 13004, 180 from two endpoints, 200 from the second."""
    def on_invite(message, conn):
        conn.send(message.answer(100, "Trying"))
        conn.send(message.answer(101, "Progress Report", headers=[
            ("ms-diagnostics", '13004;reason="Request was proxied to one or '
             'more registered endpoints";Count="2";'
             'appName="InboundRouting"')]))
        conn.send(message.answer(180, "Ringing", "a1a1a1"))
        conn.send(message.answer(180, "Ringing", "b2b2b2"))
        front_end.run.loop.call_later(1.5, front_end.accept, message, conn)

    front_end.script["INVITE"] = on_invite
    rude_bo.send(ANNA, "after the forks")
    ack = front_end.journal.wait("request", method="ACK").request
    assert ack.tag("To") == "b2b2b2"
    assert [sip.uri_of(v) for v in ack.all("Route")] == \
        [sip.uri_of(front_end.route)]
    front_end.journal.wait("request", method="MESSAGE",
                           request=lambda r: r.body == b"after the forks",
                           call_id=ack.call_id)


def test_the_first_message_rides_in_the_invite_where_it_is_taken(
        rude, front_end):
    from conftest import visitor
    front_end.script["INVITE"] = lambda m, c: front_end.accept(
        m, c, supported=("ms-text-format",))
    rude.prosody.register("tao", "partner.example")
    for tao in visitor(rude, "tao@partner.example"):
        tao.send(ANNA, "in the toast")
        invite = front_end.journal.wait("request", method="INVITE",
                                        request=lambda r: "tao@" in
                                        r.get("From")).request
        value = invite.get("ms-text-format")
        body = value.split("ms-body=")[1].split(";")[0]
        assert base64.b64decode(body).decode().strip() == "in the toast"
        tao.send(ANNA, "behind it")
        front_end.journal.wait("request", method="MESSAGE",
                               request=lambda r: r.body == b"behind it")
        assert not front_end.journal.all(
            "request", method="MESSAGE",
            request=lambda r: r.body == b"in the toast")


def test_a_conversation_id_that_the_client_has_open_is_changed(
        rude, front_end):
    """488 with 52035: once more, with another id."""
    from conftest import visitor

    def on_invite(message, conn):
        if len(front_end.journal.all("request", method="INVITE",
                                     request=of_uma)) == 1:
            conn.send(message.answer(488, "Not Acceptable Here", "c3", [
                ("ms-client-diagnostics", '52035;reason="Conversation with '
                 'this id exists"')]))
        else:
            front_end.accept(message, conn)

    def of_uma(request):
        return "uma@" in request.get("From")

    front_end.script["INVITE"] = on_invite
    rude.prosody.register("uma", "partner.example")
    for uma in visitor(rude, "uma@partner.example"):
        uma.send(ANNA, "twice tried")
        front_end.journal.wait("request", method="MESSAGE",
                               request=lambda r: r.body == b"twice tried")
        ids = [e.request.get("Ms-Conversation-ID") for e in
               front_end.journal.all("request", method="INVITE",
                                     request=of_uma)]
        assert len(ids) == 2 and ids[0] != ids[1]


def test_a_front_end_that_never_answers_is_reported_in_time(
        rude, front_end):
    from conftest import visitor
    front_end.script["INVITE"] = lambda message, conn: None
    front_end.script["CANCEL"] = lambda message, conn: None
    rude.prosody.register("vera", "partner.example")
    for vera in visitor(rude, "vera@partner.example"):
        id = vera.send(ANNA, "anybody?")
        assert vera.error(id=id, timeout=15).condition == \
            "remote-server-timeout"


def test_a_front_end_that_dies_with_the_request_is_reported(rude, front_end):
    from conftest import visitor
    front_end.script["INVITE"] = lambda message, conn: conn.abort()
    rude.prosody.register("wim", "partner.example")
    for wim in visitor(rude, "wim@partner.example"):
        id = wim.send(ANNA, "hello?")
        assert wim.error(id=id, timeout=15).condition == \
            "remote-server-timeout"
        # And the next one finds a front end that works.
        front_end.script.clear()
        wim.send(ANNA, "better now?")
        front_end.journal.wait("request", method="MESSAGE",
                               request=lambda r: r.body == b"better now?")


def test_a_peer_without_the_pools_certificate_is_not_served(
        rude, front_end):
    """The gateway believes every From, so it must know who writes it."""
    from lib.front_end import FrontEnd
    stranger = FrontEnd(rude.run, rude.internal, host=60,
                        name="rogue.contoso.example", leaf=rude.internal.leaf(
                            "rogue.contoso.example"))
    with pytest.raises(Exception):
        conn = stranger.connect(rude.gateway)
        # TLS 1.3 tells a client of its refusal with the first read.
        stranger.negotiate(conn, timeout=3)


# --- front ends that fail in the middle ------------------------------------

@pytest.fixture
def guest(rude):
    """Somebody at the partner who has no chat yet."""
    from conftest import visitor
    name = f"g{sip.token(4)}"
    rude.prosody.register(name, "partner.example")
    yield from visitor(rude, f"{name}@partner.example")


def requests_of(front_end, guest, method):
    return front_end.journal.all(
        "request", method=method,
        request=lambda r: guest.jid in r.get("From"))


def test_a_client_that_never_answers_a_message_is_reported_once(
        rude, front_end, guest):
    """What waits behind it is told as well, and later ones are tried anew."""
    guest.send(ANNA, "taken")
    front_end.journal.wait("request", method="MESSAGE",
                           request=lambda r: r.body == b"taken")
    front_end.script["MESSAGE"] = lambda message, conn: None
    begin = time.monotonic()
    ids = [guest.send(ANNA, text) for text in ("lost", "behind it")]
    for id in ids:
        assert guest.error(id=id, timeout=15).condition == \
            "remote-server-timeout"
    assert time.monotonic() - begin < 7
    front_end.script.clear()
    guest.send(ANNA, "found")
    front_end.journal.wait("request", method="MESSAGE",
                           request=lambda r: r.body == b"found")
    time.sleep(0.3)
    assert len(guest.journal.all("error")) == 2
    assert len([e for e in requests_of(front_end, guest, "MESSAGE")
                if e.request.body == b"lost"]) == 1


def test_a_pool_that_hangs_up_instead_of_answering_a_message(
        front_end, guest, line):
    """It goes once more, in a new chat over another connection."""
    guest.send(ANNA, "taken")
    front_end.journal.wait("request", method="MESSAGE",
                           request=lambda r: r.body == b"taken")

    def on_message(message, conn):
        del front_end.script["MESSAGE"]
        conn.abort()

    front_end.script["MESSAGE"] = on_message
    guest.send(ANNA, "in the middle")
    for _ in range(2):
        front_end.journal.wait("request", method="MESSAGE",
                               request=lambda r: r.body == b"in the middle")
    guest.send(ANNA, "and on")
    front_end.journal.wait("request", method="MESSAGE",
                           request=lambda r: r.body == b"and on")
    assert len(requests_of(front_end, guest, "INVITE")) == 2
    assert not guest.journal.all("error")


def test_a_pool_that_always_hangs_up_is_reported_once(
        rude, front_end, guest, line):
    front_end.script["MESSAGE"] = lambda message, conn: conn.abort()
    id = guest.send(ANNA, "in the middle")
    assert guest.error(id=id, timeout=15).condition == \
        "remote-server-timeout"
    front_end.script.clear()
    better = front_end.connect(rude.gateway)
    guest.send(ANNA, "better now?")
    front_end.journal.wait("request", method="MESSAGE",
                           request=lambda r: r.body == b"better now?")
    assert len(guest.journal.all("error")) == 1
    front_end.drop(better)


@contextlib.contextmanager
def message_under_way(site, line, invite, response, body):
    """A Lync user's message, in the gateway's hands: the partner's server
    stands still, so that nothing proves it until the block ends."""
    log = site.gateway.log
    mark = log.mark()
    os.kill(site.prosody.process.pid, signal.SIGSTOP)
    try:
        site.front_end.write(line, site.front_end.follow(
            line, invite, response, "MESSAGE", 2, body, TEXT))
        log.wait("sip_transaction state from=start to=trying", 5, mark)
        yield
    finally:
        os.kill(site.prosody.process.pid, signal.SIGCONT)


def answer_to(front_end, invite):
    """The 200 to that message, on whatever connection."""
    return front_end.journal.wait(
        "response", status=200, method="MESSAGE",
        response=lambda r: r.call_id == invite.call_id and r.cseq == 2)


def test_a_pool_that_hangs_up_on_its_own_request(
        rude, rude_bo, front_end, line):
    """The message goes its way, and the answer takes another one; so does
    the dialog."""
    handles = rude.gateway.handles()
    other = front_end.connect(rude.gateway)
    invite, response = chat(front_end, other)
    with message_under_way(rude, other, invite, response, b"cut off"):
        front_end.drop(other)
        # Noticed: the connection is gone before there is an answer.
        rude.gateway.await_handles(handles)
    rude_bo.message(body="cut off")
    answer_to(front_end, invite)
    assert front_end.transact(line, front_end.follow(
        line, invite, response, "MESSAGE", 3, b"and on", TEXT)
    ).status == 200
    rude_bo.message(body="and on")
    assert len(rude_bo.journal.all("message", body="cut off")) == 1
    bye(front_end, line, invite, response)
    rude.gateway.await_handles(handles)


def test_a_pool_that_goes_away_gets_its_answer_when_it_is_back(
        rude, rude_bo, front_end, line):
    """The message was delivered, so its sender must not be told that it was
    not: the answer waits for a connection."""
    log = rude.gateway.log
    invite, response = chat(front_end, line)
    mark = log.mark()
    with message_under_way(rude, line, invite, response, b"and away"):
        front_end.stop()
        log.wait("pool-unreachable", 5, mark)
    rude_bo.message(body="and away")
    log.wait("answer-not-sent status=200", 5, mark)
    front_end.start()
    answer_to(front_end, invite)
    log.wait("answer-sent-late", 5, mark)
    back = front_end.connect(rude.gateway)
    bye(front_end, back, invite, response)
    front_end.drop(back)
    assert len(rude_bo.journal.all("message", body="and away")) == 1


def test_an_answer_that_went_down_with_its_connection_comes_again(
        rude, rude_bo, front_end, line):
    """Nobody can know whether the pool had read it."""
    other = front_end.connect(rude.gateway)
    invite, response = chat(front_end, other)
    assert front_end.transact(other, front_end.follow(
        other, invite, response, "MESSAGE", 2, b"and gone", TEXT)
    ).status == 200
    front_end.drop(other)
    for _ in range(2):
        answer_to(front_end, invite)
    bye(front_end, line, invite, response)
    rude_bo.message(body="and gone")


def test_a_pool_that_hangs_up_between_invite_and_ack(
        rude, rude_bo, front_end, line):
    """An INVITE whose caller is gone leaves nothing that hinders a new one."""
    handles = rude.gateway.handles()
    for _ in range(5):
        other = front_end.connect(rude.gateway)
        front_end.write(other, front_end.invite(other, ANNA, BO))
        front_end.drop(other)
    invite, response = chat(front_end, line)
    assert front_end.transact(line, front_end.follow(
        line, invite, response, "MESSAGE", 2, b"the sixth", TEXT)
    ).status == 200
    rude_bo.message(body="the sixth")
    bye(front_end, line, invite, response)
    rude.gateway.await_handles(handles)


# --- messages without a dialog ---------------------------------------------

def page(front_end, line, to=BO, body=b"a page", headers=TEXT, user=ANNA):
    """A MESSAGE of an application that keeps no dialog: no tag in To."""
    host, port = line.local
    return front_end.transact(line, sip.Message(
        f"MESSAGE sip:{to} SIP/2.0", [
            ("Via", f"SIP/2.0/TLS {host}:{port};branch={sip.branch()}"),
            ("Max-Forwards", "70"),
            ("From", f"<sip:{user}>;tag={sip.token(4)}"),
            ("To", f"<sip:{to}>"), ("Call-ID", sip.token()),
            ("CSeq", "1 MESSAGE"), *headers], body))


def test_a_message_without_a_dialog_is_delivered(rude_bo, front_end, line):
    response = page(front_end, line, body="a page, Straße".encode())
    assert response.status == 200
    assert not response.get("Contact") and not response.get("Record-Route")
    rude_bo.message(body="a page, Straße", sender=lambda s:
                    s.startswith(ANNA))


@pytest.mark.parametrize("to, body, headers, user, statuses", [
    ("nobody@partner.example", b"x", TEXT, ANNA, (404, 480)),
    ("eve@stranger.example", b"x", TEXT, ANNA, (403, 404)),
    (BO, b"x", TEXT, "olaf@contoso.example", (403,)),
    (BO, b"x", TEXT, "mallory@partner.example", (403,)),
    ("partner.example", b"x", TEXT, ANNA, (404,)),
    (BO, b"GIF89a", [("Content-Type", "image/gif")], ANNA, (415,)),
    (BO, b"x" * 65537, TEXT, ANNA, (413,)),
], ids=["unknown", "unlisted", "not-permitted", "foreign-sender", "no-user",
        "image", "too-long"])
def test_a_message_without_a_dialog_is_refused_for_its_own_reason(
        rude_bo, front_end, line, to, body, headers, user, statuses):
    response = page(front_end, line, to, body, headers, user)
    assert response.status in statuses
    assert page(front_end, line, body=b"the next page").status == 200
    rude_bo.message(body="the next page")


def test_messages_without_a_dialog_leave_no_chat_behind(
        front_end, line, guest):
    """The partner's answer opens one, with an INVITE to the pool."""
    for text in ("call me", "please"):
        assert page(front_end, line, guest.jid, text.encode()).status == 200
        guest.message(body=text)
    guest.send(ANNA, "calling")
    front_end.journal.wait("request", method="MESSAGE",
                           request=lambda r: r.body == b"calling")
    assert len(requests_of(front_end, guest, "INVITE")) == 1
