"""Fixtures that all tests share. Time and the provider are in the tests' hands; nothing sleeps."""

from __future__ import annotations

from datetime import timedelta

import pytest
import responses
from huey.contrib.djhuey import HUEY

from tests import certificates, pictures
from tests.people import Person
from tests.provider import FakeProvider
from videos import services
from videos.models import User
from videos.services import provider as provider_service


@pytest.fixture(autouse=True)
def _quick(monkeypatch, settings, tmp_path):
    """Own files for each test, an empty queue, and no waiting for the provider's turn."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(provider_service, "ASK_INTERVAL", timedelta(0))
    HUEY.flush()


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
