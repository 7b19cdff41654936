"""Tokens go where they must, and nowhere else: not into pages, headers, the log, faults or the administration."""

from __future__ import annotations

import io
import json
import logging
import re
import uuid
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from werkzeug import Request, Response

from lumasite import logs
from tests import pictures
from tests.people import call_back
from tests.provider import completed
from tests.security.routes import staff
from videos.models import Callback, Frame, Generation, Site, User, Video

pytestmark = pytest.mark.django_db

API, PLATFORM = "sk-API-5ecret-0123456789", "platform-5ecret-0123456789"


class Telltale:
    """A provider that repeats, in whatever it says, all that it was sent."""

    def __init__(self, server, settings) -> None:
        settings.ACEDATACLOUD_API_BASE_URL = settings.ACEDATACLOUD_PLATFORM_BASE_URL = server.url_for("").rstrip("/")
        settings.ACEDATACLOUD_API_TOKEN, settings.ACEDATACLOUD_PLATFORM_TOKEN = API, PLATFORM
        self.statuses: list[tuple[int, str]] = []
        self.bodies: list[str] = []
        server.expect_request(re.compile("/luma/videos|/api/v1/files/")).respond_with_handler(self._answer)
        server.expect_request("/luma/tasks").respond_with_handler(self._tasks)

    def _answer(self, request: Request) -> Response:
        status, code = self.statuses.pop(0)
        body = request.get_data(as_text=True)
        self.bodies.append(body)
        if status == 200:
            return Response(json.dumps({"task_id": f"task-{uuid.uuid4().hex[:6]}"}))
        said = (
            f"Refused: {request.headers['Authorization']} ({request.headers['Authorization'].split()[1]}) {body[:1500]}"
        )
        return Response(json.dumps({"error": {"code": code, "message": said}}), status)

    def _tasks(self, request: Request) -> Response:
        said = f"Not now: {request.headers['Authorization']}"
        return Response(json.dumps({"error": {"code": "api_error", "message": said}}), 500)


@pytest.fixture
def written():
    """All that the handlers of a deployment would have written, with every logger as talkative as it can be."""
    stream = io.StringIO()
    handlers = [logging.StreamHandler(stream), logging.StreamHandler(stream)]
    handlers[0].setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handlers[1].setFormatter(logs.JsonFormatter())
    root, levels = logging.getLogger(), {}
    for handler in handlers:
        handler.addFilter(logs.RedactSecrets())
        root.addHandler(handler)
    for name in ("", "videos", "django", "django.request", "axes", "urllib3", "requests", "huey"):
        levels[name] = logging.getLogger(name).level
        logging.getLogger(name).setLevel(logging.DEBUG)
    logging.getLogger("django.db.backends").setLevel(logging.INFO)  # statements are never logged in a deployment
    yield stream
    for handler in handlers:
        root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def provider_that_tells(httpserver, settings) -> Telltale:
    return Telltale(httpserver, settings)


@contextmanager
def broken(monkeypatch, name: str, words: str):
    """The function `name` raises a fault that names what it was at."""

    def fault(*args, **options):
        raise RuntimeError(words)

    with monkeypatch.context() as patch:
        patch.setattr(name, fault)
        yield


def told_to(person, paths) -> str:
    """Everything that comes back on these pages, headers included."""
    found = []
    for path in paths:
        for headers in ({}, {"HX-Request": "true"}):
            answer = person.client.get(path, headers=headers)
            found += [path, str(dict(answer.headers)), answer.getvalue().decode("utf-8", "replace")]
    return "\n".join(found)


def admin_pages() -> list[str]:
    pages = [
        route.path(app_label="videos") for route in staff() if "<" not in route.pattern and "(" not in route.pattern
    ]
    for kind in (Generation, Video, Frame, Callback, Site, User):
        for row in kind.objects.all():
            pages += [f"/admin/videos/{kind._meta.model_name}/{row.pk}/{what}/" for what in ("change", "history")]
    return [page for page in pages if "logout" not in page]


@pytest.mark.usefixtures("local_files")
def test_a_whole_life_tells_no_secret(ada, operator, work, clock, settings, written, provider_that_tells, monkeypatch):
    said = provider_that_tells
    anonymous = Client(raise_request_exception=False)

    # Refused, with all its secrets repeated.
    said.statuses = [(400, "bad_request"), (403, "forbidden"), (200, ""), (200, ""), (401, "invalid_token")]
    for number in range(4):
        ada.generate(
            f"film {number}",
            start_image=pictures.upload(pictures.image(colour=(number, 9, 9))),
            end_image=pictures.upload(pictures.image(colour=(9, number, 9))),
        )
    work(2)
    assert all(API not in body and "signature=" in body for body in said.bodies)
    done, running = Generation.objects.filter(task_id__isnull=False).order_by("created_at")
    ada.generate("refused account")
    work(2)
    assert Site.objects.get().paused_at is not None

    # Called back, by one who repeats the request; by one who forges; by one who asks in the wrong way.
    call_back(done, completed(done.task_id, request=done.request_body))
    call_back(running, {"success": False, "error": json.dumps(done.request_body), "task_id": "x"})
    call_back(
        running,
        {"success": False, "task_id": running.task_id, "error": {"code": "x", "message": str(running.request_body)}},
    )
    anonymous.get(f"/callbacks/luma/{done.callback_token}/")
    anonymous.post(f"/callbacks/luma/{done.callback_token}/nowhere/")
    anonymous.post(f"/callbacks/luma/{done.callback_token}?x", b"0" * 70_000, content_type="application/json")
    clock.shift(20)
    work(2)

    # Faults of our own, in the middle of it.
    secrets_of_a_fault = f"at /callbacks/luma/{done.callback_token}/ with Bearer {API}"
    with broken(monkeypatch, "videos.services.take_callback", secrets_of_a_fault):
        answer = anonymous.post(f"/callbacks/luma/{done.callback_token}/", b"{}", content_type="application/json")
    assert answer.status_code == 500
    ada.client.raise_request_exception = False
    link = json.loads(said.bodies[0])["start_image_url"].removeprefix(settings.PUBLIC_BASE_URL)
    with broken(monkeypatch, "videos.links.signature_fits", f"with {link}"):
        fault_page = anonymous.get(link)
    assert fault_page.status_code == 500
    assert "Traceback" in written.getvalue()
    assert "Traceback" not in fault_page.content.decode()

    # The other way for frames, refused too.
    settings.PUBLIC_BASE_URL = ""
    clock.shift(61)
    said.statuses = [(200, ""), (401, "invalid_token"), (500, "api_error")] * 3
    ada.generate("uploaded", start_image=pictures.upload(pictures.image(colour="red")))
    work(2)

    everything = "\n".join(
        [
            told_to(
                ada,
                ["/", "/status/", "/you/", "/frames/", "/generations/extend/", "/healthz/", "/nowhere/"]
                + [f"/generations/{row.pk}/" for row in Generation.objects.all()]
                + [f"/?reuse={row.pk}" for row in Generation.objects.all()]
                + [f"/videos/{row.pk}/extend/" for row in Video.objects.all()],
            ),
            told_to(operator, [*admin_pages(), "/status/"]),
            answer.content.decode(),
            fault_page.content.decode(),
            written.getvalue(),
            "\n".join(Generation.objects.values_list("error_message", flat=True)),
        ]
    )
    signatures = {
        signature
        for body in map(json.loads, (body for body in said.bodies if body.startswith("{")))
        for name in ("start_image_url", "end_image_url")
        for signature in parse_qs(urlsplit(body.get(name, "")).query).get("signature", [])
    }
    assert len(signatures) >= 4
    secrets = {
        "the API token": API,
        "the platform token": PLATFORM,
        "the site's key": settings.SECRET_KEY,
        **{
            f"a callback token {n}": t
            for n, t in enumerate(Generation.objects.values_list("callback_token", flat=True))
        },
        **{f"a frame's signature {n}": signature for n, signature in enumerate(signatures)},
    }
    for name, secret in secrets.items():
        at = everything.find(secret)
        assert at < 0, f"{name}: …{everything[max(0, at - 300) : at]}"
    # What was left out has left the rest to read.
    assert "Refused: " in everything
    assert "Bearer {token}" in everything.replace("&#x27;", "'")


def test_the_studio_passes_nobodys_address_on(ada, provider, work):
    """A link that leads away tells nothing of where it stood."""
    ada.post(
        "/generations/extend/",
        {"prompt": "x", "video_url": "https://example.com/film.mp4", "submission": str(uuid.uuid4())},
    )
    page = ada.get(f"/generations/{ada.only().pk}/")
    assert page["Referrer-Policy"] == "same-origin"
    (link,) = re.findall(r'<a href="https?://[^>]*>', page.content.decode())
    assert "noreferrer" in link
