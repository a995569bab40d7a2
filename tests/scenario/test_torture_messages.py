"""The torture messages of RFC 4475 and RFC 5118, sent by a trusted front end.

Messages and what is to become of each are in tests/torture-messages.  Whatever
was sent, the pool's people chat on.
"""

import json
import os
import time

import pytest

from lib import sip

pytestmark = pytest.mark.once

FOLDER = os.path.join(os.path.dirname(__file__), "..", "torture-messages")
ANNA = "anna@contoso.example"
BO = "bo@partner.example"

with open(os.path.join(FOLDER, "expected.json"), encoding="utf-8") as f:
    ROWS = json.load(f)["messages"]


def data(row):
    with open(os.path.join(FOLDER, row["name"] + ".sip"), "rb") as f:
        return f.read()


def first_head(raw):
    return sip.Message.parse(
        raw.split(b"\r\n\r\n", 1)[0].decode("utf-8", "replace"))


def statuses(front_end, mark):
    """What came back, 100 aside."""
    return [e.response for e in front_end.journal.all("response")[mark:]
            if e.response.status >= 200]


def finish(front_end, conn, raw, response):
    """An INVITE that was accepted gets its ACK, and ends."""
    request = first_head(raw)
    for number, method in ((0, "ACK"), (1, "BYE")):
        host, port = conn.local
        front_end.write(conn, sip.Message(
            f"{method} {sip.uri_of(response.get('Contact'))} SIP/2.0", [
                ("Via", f"SIP/2.0/TLS {host}:{port};branch={sip.branch()}"),
                ("Max-Forwards", "69"),
                ("From", request.get("From")), ("To", response.get("To")),
                ("Call-ID", response.call_id),
                ("CSeq", f"{response.cseq + number} {method}")]))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_each_has_its_answer_and_harms_nobody(
        rude, rude_bo, front_end, row):
    conn = front_end.connect(rude.gateway)
    other = front_end.connect(rude.gateway)
    mark = len(front_end.journal.all("response"))
    raw = data(row)
    want = row["answer"]
    want = [] if want is None else want if isinstance(want, list) else [want]
    front_end.write(conn, raw)
    if row["frame"] == ["lost"]:
        end = time.monotonic() + 5
        while not conn.closed and time.monotonic() < end:
            time.sleep(0.02)
        assert conn.closed
    # What is asked behind it on the same connection is answered, unless it
    # still belongs to the message; then the connection beside it serves.
    whole = row["frame"][-1] == "message"
    probe = front_end.transact(conn if whole else other,
                               options(conn if whole else other))
    assert probe.status == 200
    end = time.monotonic() + 5
    got = []
    while time.monotonic() < end:
        got = [r for r in statuses(front_end, mark)
               if r.call_id != probe.call_id]
        if len(got) >= len(want):
            break
        time.sleep(0.02)
    assert [r.status for r in got] == want
    if got:
        assert got[0].all("Via") == vias(raw)
    if want == [200] and got[0].method == "INVITE":
        finish(front_end, conn, raw, got[0])
    front_end.drop(conn)
    front_end.drop(other)
    text = f"after {row['name']}"
    rude_bo.send(ANNA, text)
    front_end.journal.wait("request", method="MESSAGE",
                           request=lambda r: r.body == text.encode())


def vias(raw):
    """Values of the first message's Via lines, folds as blanks."""
    head = raw.split(b"\r\n\r\n", 1)[0].decode("utf-8", "replace")
    for fold in ("\r\n ", "\r\n\t"):
        head = head.replace(fold, "   ")
    return sip.Message.parse(head).all("Via")


def options(conn):
    host, port = conn.local
    uri = "sip:gw1.contoso.example"
    return sip.Message(f"OPTIONS {uri} SIP/2.0", [
        ("Via", f"SIP/2.0/TLS {host}:{port};branch={sip.branch()}"),
        ("Max-Forwards", "70"),
        ("From", f"<sip:fe1.contoso.example>;tag={sip.token(4)}"),
        ("To", f"<{uri}>"), ("Call-ID", sip.token()),
        ("CSeq", "1 OPTIONS")])


def test_a_message_whose_end_comes_later_is_read_then(
        rude, front_end):
    """A length beyond what was sent holds up its own connection only."""
    row = next(r for r in ROWS if r["name"] == "length-beyond-the-end")
    raw = data(row)
    conn = front_end.connect(rude.gateway)

    def answers(response):
        return response.call_id.startswith("length-beyond-the-end")

    front_end.write(conn, raw)
    front_end.journal.none("response", 0.5, response=answers)
    body = len(raw) - raw.index(b"\r\n\r\n") - 4
    front_end.write(conn, b" " * (9999 - body))
    # Blanks are no lines of a session description.
    assert front_end.journal.wait(
        "response", response=answers).response.status == 488
    front_end.drop(conn)
