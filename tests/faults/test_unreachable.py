"""The provider can't be reached: nothing was sent, so it is tried again until it can, and sent once."""

import json
import socket

import pytest
from django.utils import timezone

from tests import rows
from tests.people import state_on
from tests.wire import refused_port, reply, wire
from videos.models import Generation
from videos.states import State

pytestmark = pytest.mark.django_db


def unknown_name(host, *rest, **options):
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.fixture(params=["refused", "no such name", "no TLS"])
def away(request, settings, monkeypatch):
    """The provider's address leads nowhere; call it to put that right."""
    with wire(reply(json.dumps({"task_id": "task-1"}))) as server:
        match request.param:
            case "refused":
                settings.ACEDATACLOUD_API_BASE_URL = f"http://127.0.0.1:{refused_port()}"
            case "no such name":
                settings.ACEDATACLOUD_API_BASE_URL = "http://api.provider.example"
                monkeypatch.setattr(socket, "getaddrinfo", unknown_name)
            case "no TLS":
                settings.ACEDATACLOUD_API_BASE_URL = server.url.replace("http:", "https:")

        def back():
            monkeypatch.undo()
            settings.ACEDATACLOUD_API_BASE_URL = server.url
            return server

        yield back


def test_it_is_kept_tried_again_and_sent_once(ada, work, clock, away):
    ada.generate()
    for _ in range(3):
        work(2)
        row = ada.only()
        assert (row.state, row.sent_at) == (State.QUEUED, None)
        page = ada.get("/")
        assert state_on(page, row) == "queued"
        assert b"The provider can&#x27;t be reached. Your request is kept" in page.content
        clock.shift(70)
    assert json.loads(ada.get("/healthz/").content)["provider"] == "unreachable"
    server = away()
    paid = [request for request in server.requests if request.startswith(b"POST")]
    assert paid == []
    work(3)
    paid = [request for request in server.requests if request.startswith(b"POST /luma/videos")]
    assert len(paid) == 1
    assert (ada.only().state, ada.only().task_id) == (State.PROCESSING, "task-1")


def test_a_long_queue_does_not_wait_for_each_of_its_rows_in_vain(ada, work, settings):
    """A provider that takes no connections costs seconds a try: one a pass is enough."""
    settings.ACEDATACLOUD_API_BASE_URL = f"http://127.0.0.1:{refused_port()}"
    for number in range(10):
        rows.generation(ada.user, prompt=f"film {number}", aspect_ratio="16:9", next_check_at=timezone.now())
    work()
    assert Generation.objects.exclude(error_code="").count() == 1
