"""Nobody makes the studio's own machine knock on doors inside: a canary listens on loopback and hears nothing."""

from __future__ import annotations

import socket

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone
from urllib3.util import connection

from tests import rows
from tests.people import call_back, request_fields
from tests.provider import completed
from tests.wire import reply, wire
from videos import storing
from videos.models import Generation, Video
from videos.states import State

pytestmark = pytest.mark.django_db

HOSTS = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.8.8.8",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "0",
    "0.0.0.0",
    "localhost",
    "LOCALHOST.",
    "a.localhost",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:7f00:0001]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "10.0.0.1",
    "192.168.0.1",
    "172.16.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "[fd00::1]",
    "[fe80::1]",
    "public@127.0.0.1",
    "127.0.0.1#public.example.com",
    "127.0.0.1\\@public.example.com",
]


PUBLIC = "1.1.1.1"
ANSWERS = [["127.0.0.1"], ["169.254.169.254"], ["10.0.0.1"], [PUBLIC, "127.0.0.1"]]
"""Of a name server that is the attacker's."""


@pytest.fixture
def canary(monkeypatch, mp4):
    """A server on loopback that would gladly answer with a film."""
    monkeypatch.setattr(storing, "CONNECT_SECONDS", 0.3)
    with wire(reply(mp4)) as server:
        yield server
        assert server.connections == 0, "somebody knocked"


def addresses(canary) -> list[str]:
    """The canary's, in every spelling."""
    found = [f"{scheme}://{host}:{canary.port}/film.mp4" for host in HOSTS for scheme in ("http", "https")]
    return [
        *found,
        f"//127.0.0.1:{canary.port}/",
        f"ftp://127.0.0.1:{canary.port}/",
        "file:///etc/passwd",
        "gopher://x",
    ]


def names_lead_to(monkeypatch, *answers: str) -> list[str]:
    """From now on each look-up of a name gets the next answer, the last one for ever; the names that were asked for."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host, port, *rest, **options):
        if host == "127.0.0.1":
            return real(host, port, *rest, **options)
        asked.append(host)
        address = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_the_canary_would_be_heard(ada, provider, work, settings, mp4):
    """Listed with its port it is fetched from: so silence means something."""
    with wire(reply(mp4)) as server:
        settings.LUMA_RESULT_HOSTS = [f"127.0.0.1:{server.port}"]
        ada.generate()
        work()
        call_back(ada.only(), completed(video_url=f"{server.url}/film.mp4"))
        work()
        assert server.connections == 1
        assert Video.objects.get().stored_at is not None


# --- results --------------------------------------------------------------------------------------


def live(work, clock, link: str) -> None:
    """Let the worker try for some days."""
    for _ in range(8):
        work()
        clock.shift(3700)
    for video in Video.objects.all():
        assert video.stored_at is None, link
        assert video.video_url == link


@pytest.mark.parametrize("vouched", [False, True], ids=["by callback", "by the provider's own word"])
def test_a_result_at_an_address_inside_is_never_fetched(ada, provider, work, clock, canary, vouched):
    for number, link in enumerate(addresses(canary)):
        task_id = f"task-{number}"
        row = rows.generation(ada.user, State.PROCESSING, task_id=task_id, next_check_at=timezone.now())
        result = completed(task_id, video_url=link, thumbnail_url=link)
        if vouched:
            provider.task_replies[task_id] = {"id": task_id, "request": {}, "response": result}
        else:
            call_back(row, result)
    for _ in range(2):
        work()
        clock.shift(3700)
    assert Video.objects.count() > len(HOSTS) / 2
    assert not Video.objects.filter(stored_at__isnull=False).exists()


def test_an_unlisted_host_by_callback_is_not_even_looked_up(ada, provider, work, clock, canary, monkeypatch):
    asked = names_lead_to(monkeypatch, "127.0.0.1")
    ada.generate()
    work()
    link = f"https://films.example.com:{canary.port}/film.mp4"
    call_back(ada.only(), completed(video_url=link))
    live(work, clock, link)
    assert asked == []


@pytest.mark.parametrize("answers", ANSWERS, ids=str)
def test_a_listed_name_that_leads_inside_is_not_followed(
    ada, provider, work, clock, canary, monkeypatch, settings, answers
):
    """Nor one that answers otherwise at the second look-up: the address that was judged is the one connected to."""
    settings.LUMA_RESULT_HOSTS = ["films.example.com"]
    link = f"https://films.example.com:{canary.port}/film.mp4"
    asked = names_lead_to(monkeypatch, *answers)
    connected, connect = [], connection.create_connection

    def create_connection(address, *rest, **options):
        connected.append(address[0])
        if address[0] == PUBLIC:
            raise OSError("no test leaves this machine")
        return connect(address, *rest, **options)

    monkeypatch.setattr(connection, "create_connection", create_connection)
    ada.generate()
    work()
    provider.task_completed("task-1", video_url=link)
    clock.shift(16)
    live(work, clock, link)
    assert asked
    assert set(connected) <= {PUBLIC}
    assert bool(connected) == (answers[0] == PUBLIC)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "2130706433", "films.example.com"])
def test_a_redirect_inward_is_not_followed(
    ada, provider, work, clock, canary, httpserver, settings, monkeypatch, status, host
):
    names_lead_to(monkeypatch, "127.0.0.1")
    settings.LUMA_RESULT_HOSTS = [f"127.0.0.1:{httpserver.port}", "films.example.com"]
    target = f"http://{host}:{canary.port}/film.mp4"
    httpserver.expect_request("/film.mp4").respond_with_data("", status, {"Location": target})
    ada.generate()
    work()
    link = f"http://127.0.0.1:{httpserver.port}/film.mp4"
    call_back(ada.only(), completed(video_url=link))
    live(work, clock, link)
    assert httpserver.log


# --- what users give ------------------------------------------------------------------------------

FORMS = [
    ("/generations/", "start_image_url"),
    ("/generations/", "end_image_url"),
    ("/generations/extend/", "video_url"),
    ("/generations/extend/", "end_image_url"),
]


@pytest.mark.parametrize(("path", "field"), FORMS)
def test_an_address_inside_is_refused_in_the_form(ada, provider, work, canary, path, field):
    # Which links are refused, one field shows for all; that the others refuse as well, a few links.
    for link in addresses(canary)[:: 1 if field == "start_image_url" else 8]:
        usual = {"prompt": "x", "aspect_ratio": "16:9", "video_url": "https://example.com/x.mp4"}
        answer = ada.post(path, request_fields(**{**usual, field: link}))
        assert answer.status_code == 200, link
        assert b"Give a public web address" in answer.content or b"Enter a valid" in answer.content, link
    work()
    assert not Generation.objects.exists()
    assert provider.created == []


@pytest.mark.parametrize(("path", "field"), FORMS)
def test_what_is_taken_is_passed_on_and_never_fetched_by_us(
    ada, provider, work, clock, canary, monkeypatch, path, field
):
    asked = names_lead_to(monkeypatch, "127.0.0.1")
    link = f"https://public.example.com:{canary.port}/x.png"
    usual = {"prompt": "x", "aspect_ratio": "16:9", "video_url": "https://example.com/x.mp4"}
    assert ada.post(path, request_fields(**{**usual, field: link})).status_code == 302
    work()
    assert provider.created[0][field] == link
    for page in ("/", f"/generations/{ada.only().pk}/", "/frames/"):
        ada.get(page)
    clock.shift(60)
    work()
    assert asked == []
    assert ada.only().state == State.PROCESSING
    assert not default_storage.exists("frames")
