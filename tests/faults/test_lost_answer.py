"""The answer to the paid request is lost: it is never sent again by itself, and the video is still found.

Told by a server at the level of sockets, which counts what really arrives. Further losses, and the search in the
account's history, stand in tests/test_following.py.
"""

import json
from datetime import timedelta

import pytest
import requests

from tests.people import call_back, card, state_on
from tests.provider import completed, failed
from tests.wire import Connection, reply, wire
from videos.luma import client
from videos.models import Generation, Video
from videos.states import State

pytestmark = pytest.mark.django_db

HTML = "<html><title>It works</title></html>"
LOSSES = {
    "reset after sending": Connection.reset,
    "closed without a word": b"",
    "read timeout": Connection.stall,
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    "500": reply('{"error": {"code": "api_error", "message": "Oh."}}', "500 Internal Server Error"),
    "504": reply(HTML, "504 Gateway Timeout"),
    "200 that is HTML": reply(HTML),
    "200 without a task": reply('{"success": true, "trace_id": "trace-1"}'),
    "200 with nothing": reply(""),
    "redirect": reply("", "307 Temporary Redirect", Location="/luma/videos"),
}


@pytest.fixture
def impatient(monkeypatch):
    """Half a second is a long time."""
    monkeypatch.setitem(client.LumaClient.__init__.__kwdefaults__, "read_seconds", 0.4)


def paid(server) -> int:
    return sum(request.startswith(b"POST /luma/videos") for request in server.requests)


@pytest.fixture(params=LOSSES)
def lost(request, ada, work, settings, impatient):
    """A server to which the paid request has gone, and whose answer did not come."""
    empty = reply(json.dumps({"items": [], "count": 0}))
    with wire(LOSSES[request.param], empty) as server:
        settings.ACEDATACLOUD_API_BASE_URL = server.url
        ada.generate()
        work(3)
        assert ada.only().state == State.UNCONFIRMED
        assert paid(server) == 1
        yield server


def test_it_is_not_sent_again_and_the_callback_brings_the_video(ada, work, lost):
    page = ada.get("/")
    assert state_on(page, ada.only()) == "unconfirmed"
    assert "It is not sent a second time" in card(page, ada.only())
    assert 'data-action="retry"' not in card(page, ada.only())
    call_back(ada.only(), completed("task-7"))
    work(3)
    row = ada.only()
    assert (row.state, row.task_id, row.error_code) == (State.COMPLETED, "task-7", "")
    assert Video.objects.count() == 1
    assert paid(lost) == 1


# --- how it ends ----------------------------------------------------------------------------------


@pytest.fixture
def unconfirmed(ada, provider, work, clock):
    """A generation whose answer was lost; ever after the provider has nothing to tell."""
    provider.create = lambda body: requests.ReadTimeout()
    ada.generate()
    work()
    assert ada.only().state == State.UNCONFIRMED
    return ada.only()


@pytest.fixture
def given_up(ada, unconfirmed, work, clock):
    """It was not found in time."""
    for _ in range(40):
        work()
        clock.shift(30)
    row = ada.only()
    assert (row.state, row.error_code) == (State.FAILED, "not_confirmed")
    return row


def test_a_failure_by_callback_ends_it_without_a_warning_of_a_second_charge(ada, unconfirmed, provider, work):
    call_back(unconfirmed, failed("task-7", message="The model is ill."))
    work(3)
    words = card(ada.get("/"), ada.only())
    assert "The model is ill." in words
    assert "charged" not in words
    assert len(provider.created) == 1


def test_it_is_given_up_honestly_and_sending_again_is_the_users_own_choice(ada, given_up, provider, work, clock):
    words = card(ada.get("/"), given_up)
    assert "It may have been charged all the same" in words
    assert "may be charged a second time" in words
    assert "Send again" in words
    clock.shift(timedelta(days=3))
    work(5)
    assert len(provider.created) == 1, "not by itself"
    provider.create = None
    ada.post(f"/generations/{given_up.pk}/retry/", {"submission": "7e7ad2e8-2f1a-4e5c-8a4e-0d3c40a1b2c3"})
    work()
    assert len(provider.created) == 2
    assert Generation.objects.count() == 2


def test_found_too_late_it_appears_all_the_same(ada, given_up, provider, work, clock):
    call_back(given_up, completed("task-7"))
    work()
    assert ada.only().state == State.COMPLETED
    assert "charged" not in card(ada.get("/"), ada.only())
    assert len(provider.created) == 1
