"""How a chat ends, and how the next one begins."""

import pytest

pytestmark = pytest.mark.once

ANNA = "anna@contoso.example"
BO = "bo@partner.example"


def test_after_a_bye_the_partners_next_message_opens_a_new_chat(bo, anna):
    bo.send(ANNA, "before")
    anna.message(body="before")
    first = anna.journal.wait("invite")
    assert anna.bye(BO).status == 200
    bo.send(ANNA, "after")
    second = anna.journal.wait("invite")
    anna.message(body="after")
    assert second.call_id != first.call_id
    # The same id would make a real client refuse: 488 with 52035.
    assert second.conversation != first.conversation


def test_after_a_bye_the_lync_user_opens_a_new_chat(bo, anna):
    anna.send(BO, "before")
    bo.message(body="before")
    assert anna.bye(BO).status == 200
    assert anna.send(BO, "after").status == 200
    bo.message(body="after")
    assert len(anna.journal.all("opened")) == 2


def test_an_idle_chat_is_closed_and_the_next_message_opens_a_new_one(
        hasty_bo, hasty_anna):
    hasty_bo.send(ANNA, "before")
    first = hasty_anna.message(body="before")
    bye = hasty_anna.journal.wait("bye", 15)
    assert bye.call_id == first.call_id
    hasty_bo.send(ANNA, "after")
    assert hasty_anna.message(body="after").call_id != first.call_id


def test_a_chat_in_use_is_not_idle(hasty_bo, hasty_anna):
    import time
    for i in range(4):
        hasty_bo.send(ANNA, f"still here {i}")
        hasty_anna.message(body=f"still here {i}")
        time.sleep(1)
    assert len(hasty_anna.journal.all("invite")) == 1


def test_a_message_in_a_chat_that_the_gateway_closed_finds_a_new_one(
        hasty_bo, hasty_anna):
    hasty_anna.send(BO, "before")
    hasty_bo.message(body="before")
    hasty_anna.journal.wait("bye", 15)
    assert hasty_anna.send(BO, "after").status == 200
    hasty_bo.message(body="after")


def test_a_message_that_the_client_no_longer_knows_is_sent_anew(bo, anna):
    """481 to a MESSAGE: a new INVITE carries the text."""
    bo.send(ANNA, "before")
    first = anna.message(body="before")
    # The client forgot, as after a crash, and told nobody.
    anna._forget(anna.dialogs[first.call_id])
    bo.send(ANNA, "after")
    again = anna.message(body="after")
    assert again.call_id != first.call_id
