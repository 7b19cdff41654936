"""A database of so many rows in a process of its own, with the product's settings, and people who use it.

Used by child processes: `enter(folder, rows)` comes before anything of Django is imported.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests import environment
from tests.provider import API, FakeProvider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from videos.models import Generation, User

HOST = "127.0.0.1"
NEWEST = 24
"""Cards on the first page of the gallery."""
GIVEN: dict[str, str] = {}
"""What `enter` has put into the environment: whoever gets it stands on the same ground."""
QUEUED, RUNNING, LOST, RECENT_CALLBACKS = 300, 40, 3, 20_000


@dataclass
class World:
    """Ada has all the finished generations; Bob waits in line."""

    ada: User
    bob: User
    rows: int

    def client(self) -> Client:
        """Ada's browser."""
        from django.test import Client

        client = Client(SERVER_NAME=HOST)
        client.force_login(self.ada, backend="django.contrib.auth.backends.ModelBackend")
        return client

    def deep_path(self) -> str:
        """The address of a page in the middle of Ada's gallery."""
        from tests.benchmarks.filling import SPACING_SECONDS
        from videos.models import Generation
        from videos.views.gallery import write_cursor

        newest = Generation.objects.filter(owner=self.ada).order_by("-created_at").values_list("created_at").first()
        at = newest[0] - SPACING_SECONDS * (self.rows // 2) * _second()
        found = Generation.objects.filter(owner=self.ada, created_at__lte=at).order_by("-created_at", "-id").first()
        return f"/?after={write_cursor(found)}"


def _second() -> Any:
    from datetime import timedelta

    return timedelta(seconds=1)


def enter(folder: Path, **given: Any) -> None:
    """Make this process one of the product's, on ground of its own in `folder`; `given` are settings."""
    environment.clear()
    from tests.ground import Ground

    ground = Ground(folder / "data").environ | {
        "DJANGO_SETTINGS_MODULE": "lumasite.settings",
        "SECRET_KEY": "for-benchmarks-alone-" * 3,
        "ACEDATACLOUD_API_TOKEN": "token-for-tests",
        "ACEDATACLOUD_API_BASE_URL": API,
        "PUBLIC_BASE_URL": f"http://{HOST}:8000",
        "GENERATIONS_PER_DAY": "0",
        "DATA_DIR": str(folder / "data"),
        **{name: str(value) for name, value in given.items()},
    }
    GIVEN.update(ground)
    os.environ |= ground
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", interactive=False, verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)


def populate(count: int, *, scattered: bool = True) -> World:
    """So many finished generations, and what else a busy site has: a line, running tasks, callbacks."""
    from tests import rows
    from tests.benchmarks.filling import analyse, fill
    from videos.models import Callback, User
    from videos.states import State

    ada = User.objects.create_user("ada", password="a-long-secret")
    bob = User.objects.create_user("bob", password="a-long-secret")
    fill(ada, count - 1, scattered=scattered)
    for _ in range(min(QUEUED, count)):
        rows.generation(bob, State.QUEUED, aspect_ratio="16:9", next_check_at=_now())
    for number in range(min(RUNNING, count)):
        rows.generation(bob, State.PROCESSING, task_id=f"running-{number}", next_check_at=_now())
    first = rows.generation(ada, State.FAILED, error_code="task_failed")
    notices = (Callback(generation=first, outcome="applied", body=b"{}") for _ in range(min(RECENT_CALLBACKS, count)))
    Callback.objects.bulk_create(notices, batch_size=1000)
    analyse()
    return World(ada, bob, count)


def key(number: int) -> Any:
    """A UUID for each number."""
    import uuid

    return uuid.UUID(int=number + 1)


def _now() -> Any:
    from django.utils import timezone

    return timezone.now()


@contextmanager
def provider() -> Iterator[FakeProvider]:
    """The provider, faked at the transport."""
    import responses

    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield FakeProvider(mock)


def lose_some(world: World) -> list[Generation]:
    """Generations whose answers were lost, and one whose worker was killed while it sent."""
    from tests import rows
    from videos.states import State

    lost = [rows.generation(world.bob, State.UNCONFIRMED, next_check_at=_now()) for _ in range(LOST)]
    return [*lost, rows.generation(world.bob, State.SUBMITTING, next_check_at=_now())]
