"""A Lync user signed in at two devices, forked to by a real proxy."""

import time

import pytest

pytestmark = pytest.mark.once

ANNA = "anna@contoso.example"
BO = "bo@partner.example"


@pytest.fixture
def devices(site):
    from conftest import leave
    pair = [site.lync_user("anna", answer_after=seconds)
            for seconds in (0.5, 4.0)]
    yield pair
    for device in pair:
        if not device.connection.closed:
            leave(device)


def test_both_ring_and_the_first_to_answer_has_the_chat(bo, devices):
    desk, phone = devices
    for text in ("one", "two", "three"):
        bo.send(ANNA, text)
    assert desk.message(body="three")
    # The proxy takes the other invitation back.
    phone.journal.wait("cancelled")
    assert [m.body for m in desk.journal.all("message")] == \
        ["one", "two", "three"]
    assert not phone.journal.all("message")
    assert len(desk.journal.all("invite")) == 1


def test_the_chat_goes_on_where_the_user_writes(bo, devices):
    desk, phone = devices
    bo.send(ANNA, "at the desk?")
    desk.message(body="at the desk?")
    phone.journal.wait("cancelled")
    assert phone.send(BO, "on the way").status == 200
    bo.message(body="on the way")
    bo.send(ANNA, "safe travels")
    phone.message(body="safe travels")
    # And back again.
    assert desk.send(BO, "arrived").status == 200
    bo.message(body="arrived")
    time.sleep(0.5)
    assert [m.body for m in bo.journal.all("message")] == \
        ["on the way", "arrived"]
    assert [m.body for m in desk.journal.all("message")] == ["at the desk?"]
    assert [m.body for m in phone.journal.all("message")] == ["safe travels"]


def test_a_device_that_is_switched_off_is_replaced_by_the_other(bo, devices):
    """It says no BYE; the next text finds nobody and is sent anew."""
    desk, phone = devices
    bo.send(ANNA, "hello")
    desk.message(body="hello")
    phone.journal.wait("cancelled")
    desk.logout()
    desk.current.clear()
    desk.close()
    desk.journal.wait("closed")
    bo.send(ANNA, "still there?")
    phone.message(body="still there?", timeout=40)
    assert not bo.journal.all("error")
