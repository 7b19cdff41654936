"""One database of so many rows, and what is measured in it: `python -m tests.benchmarks.child FOLDER ROWS`.

Says "ready", then for each line on its input does what is named there and says how many seconds that took.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks import world as worlds

REPEATS = 3


def things(world: worlds.World) -> dict[str, Callable[[], object]]:
    """What can be measured, by name."""
    from django.test import Client
    from django.utils import timezone

    from tests import rows
    from videos import services
    from videos.admin import GenerationAdmin
    from videos.models import Generation, User
    from videos.states import State

    GenerationAdmin.list_per_page = 24
    ada = world.client()
    staff = Client(SERVER_NAME=worlds.HOST)
    staff.force_login(User.objects.create_superuser("op"), backend="django.contrib.auth.backends.ModelBackend")
    admin = "/admin/videos/generation/"
    deep_page = world.rows // 2 // 24 + 1
    notice = {"success": True, "video_url": "https://cdn.provider.example/x.mp4", "video_id": "v"}
    waiting: list[Generation] = []

    def loaded(client: Client, path: str) -> Callable[[], object]:
        def load() -> None:
            assert client.get(path).status_code == 200

        return load

    def called_back() -> None:
        row = waiting.pop()
        path, body = f"/callbacks/luma/{row.callback_token}/", json.dumps({**notice, "task_id": row.task_id})
        assert client.post(path, body, content_type="application/json").status_code == 200

    def prepare() -> None:
        """Tasks that run, for the callbacks to come: making them is not measured."""
        while len(waiting) < REPEATS:
            waiting.append(rows.generation(world.bob, State.PROCESSING, task_id=f"t-{timezone.now().timestamp()}"))

    def due() -> None:
        services.due_rows()

    client = Client(SERVER_NAME=worlds.HOST)
    # Of less than a millisecond, three say little.
    due.repeats = 10 * REPEATS  # type: ignore[attr-defined]
    called_back.prepare = prepare  # type: ignore[attr-defined]
    return {
        "gallery": loaded(ada, "/"),
        "gallery, deep": loaded(ada, world.deep_path()),
        "admin": loaded(staff, admin),
        "admin, deep": loaded(staff, f"{admin}?p={deep_page}"),
        "callback": called_back,
        "due": due,
    }


def queries(world: worlds.World) -> dict[str, int]:
    """How many queries a gallery page takes, by the number of its cards."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from tests import rows
    from videos.models import User
    from videos.states import State

    found = {}
    for cards in (1, 24):
        owner = User.objects.create_user(f"owner of {cards}")
        for _ in range(cards):
            rows.generation(owner, State.COMPLETED)
        client = worlds.World(owner, world.bob, cards).client()
        client.get("/")
        with CaptureQueriesContext(connection) as captured:
            assert client.get("/").content.count(b"<article") == cards
        found[str(cards)] = len(captured)
    return found


def main(folder: Path, count: int) -> None:
    """Fill the database, then measure what is asked for until nobody asks any more."""
    worlds.enter(folder)
    world = worlds.populate(count)
    known = things(world)
    say("ready")
    for line in sys.stdin:
        name = line.strip()
        say(queries(world) if name == "queries" else _timed(known[name]))


def _timed(thing: Any) -> float:
    getattr(thing, "prepare", lambda: None)()
    repeats = getattr(thing, "repeats", REPEATS)
    began = time.perf_counter()
    for _ in range(repeats):
        thing()
    return (time.perf_counter() - began) / repeats


def say(found: object) -> None:
    """One line for whoever asked."""
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
