"""Fixtures that all tests share. Time and the provider are in the tests' hands; nothing sleeps."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
import responses
import time_machine
from django.core.cache import cache
from django.core.files.storage import storages
from django.utils import timezone
from huey.contrib.djhuey import HUEY

from tests import certificates, pictures
from tests.ground import SERVERS
from tests.people import Person
from tests.provider import FakeProvider
from tests.studio import Studio, Visitor
from videos import services
from videos.models import User
from videos.services import provider as provider_service


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Leave out what needs servers; keep groups of tests together.

    xdist 3.8 writes the groups' names where pytest 9.2 does not look for them any more.
    """
    for item in () if SERVERS else items:
        if item.get_closest_marker("service"):
            item.add_marker(pytest.mark.skip(reason="needs PostgreSQL, Redis and S3: make test-services"))
    for item in items if getattr(config.option, "loadgroup", False) else ():
        name = getattr(item, "_nodeid", "")
        if "@" in name.rpartition("]")[2] and hasattr(item, "_id"):
            item._id = type(item._id).parse(name)


@pytest.fixture(autouse=True)
def _quick(settings, monkeypatch, tmp_path):
    """Own files for each test, an empty queue, and no waiting for the provider's turn."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(provider_service, "ASK_INTERVAL", timedelta(0))
    if SERVERS:
        # The same storage for all, under another prefix: to make its client anew takes a moment.
        monkeypatch.setattr(storages["default"], "location", tmp_path.name + uuid.uuid4().hex)
        cache.clear()
    HUEY.flush()


@pytest.fixture
def local_files(settings):
    """Media in local files, also where the suite runs on servers: for what is so with local files alone."""
    settings.AWS_STORAGE_BUCKET_NAME = ""
    backend = "django.core.files.storage.FileSystemStorage"
    local = {"BACKEND": backend, "OPTIONS": {"base_url": "/files/"}}
    settings.STORAGES = {**settings.STORAGES, "default": local}


@pytest.fixture
def ada(db) -> Person:
    """A signed-in user."""
    return Person(User.objects.create_user("ada", "ada@example.com", "a-long-secret"))


@pytest.fixture
def bob(db) -> Person:
    """Another one."""
    return Person(User.objects.create_user("bob", "bob@example.com", "a-long-secret"))


@pytest.fixture
def operator(db) -> Person:
    """A superuser."""
    return Person(User.objects.create_superuser("op", "op@example.com", "a-long-secret"))


@pytest.fixture
def provider():
    """The provider's API, faked at the transport."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield FakeProvider(mock)


@pytest.fixture
def clock():
    """The time, standing still unless shifted."""
    with time_machine.travel(timezone.now(), tick=False) as traveller:
        yield traveller


@pytest.fixture
def work():
    """Let the worker do all that is due; once, or `times`."""

    def run(times: int = 1) -> None:
        for _ in range(times):
            services.reconcile()

    return run


@pytest.fixture(scope="session")
def mp4() -> bytes:
    """A small film, one second long."""
    return pictures.film()


@pytest.fixture
def result_server(httpserver, settings):
    """A server of results on this machine, listed with its port."""
    settings.LUMA_RESULT_HOSTS = [f"{httpserver.host}:{httpserver.port}"]
    return httpserver


@pytest.fixture(scope="session")
def own_certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 and cdn.provider.example that no client trusts by itself."""
    return certificates.make(tmp_path_factory.mktemp("certificate"), "127.0.0.1", "cdn.provider.example")


@pytest.fixture(scope="session")
def studio(tmp_path_factory):
    """One running studio on the sandbox for all who are in its group; what they make stays apart by prompt and user."""
    studio = Studio(tmp_path_factory.mktemp("studio"), small=True, GENERATIONS_PER_DAY=0)
    studio.start()
    yield studio
    assert studio.end() == 0
    assert "Traceback" not in studio.log()


@pytest.fixture
def own_studio(tmp_path):
    """Starts a studio of the test's own, which ends with it whatever happens."""
    started: list[Studio] = []

    def start(**options: object) -> Studio:
        started.append(Studio(tmp_path / f"studio-{len(started)}", **options))
        return started[-1].start()

    yield start
    for each in started:
        each.kill()


@pytest.fixture
def demo(studio):
    """The demo account, signed in."""
    return Visitor(studio)


@pytest.fixture(scope="session")
def kept_film(studio):
    """A finished video of the demo account in the running studio: its row in the database, joined with its video."""
    demo = Visitor(studio)
    made = demo.generate(f"a film to be kept {uuid.uuid4().hex[:6]}")
    demo.wait_for_video(made)
    return studio.rows(
        "SELECT g.id, g.task_id, v.id AS video_id, v.video_url, v.file FROM videos_generation g"
        " JOIN videos_video v ON v.id = g.video_id WHERE g.id = ?",
        uuid.UUID(made).hex,
    )[0]
