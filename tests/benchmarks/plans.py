"""How the database finds what the product asks for: `python -m tests.benchmarks.plans FOLDER ROWS`.

Every statement of the gallery, the live poll, the callback and the sweep is taken down as it is really sent, and the
database explains it. Prints a JSON list of {"by", "sql", "plan", "scans", "visited"}: `scans` are tables that are read
from one end to the other, `visited` is the most rows that a step of the plan looked at (of SQLite it is guessed).
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks import world as worlds

SMALL = {"videos_site", "videos_user", "django_session", "videos_frame"}
"""Tables that have a handful of rows in this world."""
INSTRUCTIONS = 20
"""About so many instructions SQLite's machine needs for a row."""


def main(folder: Path, count: int) -> list[dict[str, Any]]:
    """Fill the database, use the product, have everything explained."""
    worlds.enter(folder, LUMA_MAX_IN_FLIGHT=1000)
    world = worlds.populate(count, scattered=False)
    found: dict[str, dict[str, Any]] = {}
    for by, use in uses(world).items():
        for sql in statements(use):
            # The same statement with other values is the same.
            alike = re.sub(r"(\?, )+\?", "?", re.sub(r"'[^']*'(::\w+)?|\b\d+\b", "?", sql))
            if alike not in found:
                found[alike] = {"by": by, "sql": sql} | explained(sql)
    return list(found.values())


def uses(world: worlds.World) -> dict[str, Callable[[], object]]:
    """What is done, by name; each raises where it fails."""
    from django.utils import timezone

    from tests import rows
    from videos import services, tasks
    from videos.models import Generation
    from videos.states import State

    client = world.client()
    latest = list(Generation.objects.filter(owner=world.ada).order_by("-created_at")[: worlds.NEWEST])
    seen = "&".join(f"seen={row.pk}:{row.stamp}" for row in latest)
    old = Generation.objects.filter(owner=world.ada).order_by("created_at")[world.rows // 2]
    film = Generation.objects.filter(owner=world.ada, video__isnull=False).values_list("video_id", flat=True).first()
    waiting = rows.generation(world.ada, State.QUEUED, aspect_ratio="16:9", next_check_at=timezone.now())
    running = Generation.objects.filter(owner=world.bob, task_id__isnull=False).first()
    assert running is not None
    callback = f"/callbacks/luma/{running.callback_token}/"
    body = {"success": True, "task_id": running.task_id, "video_url": "https://cdn.provider.example/x.mp4"}

    def page(path: str, *fits: int) -> Callable[[], object]:
        def load() -> None:
            assert client.get(path).status_code in (fits or (200,)), path

        return load

    def called_back(path: str, status: int) -> Callable[[], object]:
        def call() -> None:
            assert client.post(path, json.dumps(body), content_type="application/json").status_code == status

        return call

    def swept() -> None:
        worlds.lose_some(world)
        with worlds.provider() as provider:
            provider.create = lambda body: {"task_id": f"made-{uuid.uuid4()}"}
            tasks.sweep.call_local()
            for pk in services.due_rows():
                tasks.advance.call_local(str(pk))
            services.reconcile()

    return {
        "gallery": page("/"),
        "gallery, deep": page(world.deep_path()),
        "page of a generation": page(f"/generations/{old.pk}/"),
        "a film's file": page(f"/files/videos/{film}.mp4", 404, 302),
        "frames": page("/frames/"),
        "live poll": page(f"/generations/live/?{seen}", 286),
        "live poll, waiting": page(f"/generations/live/?seen={waiting.pk}:x"),
        "callback": called_back(callback, 200),
        "callback again": called_back(callback, 200),
        "callback, unknown": called_back("/callbacks/luma/nobody/", 404),
        "health": page("/healthz/", 200, 503),
        "sweep": swept,
    }


def statements(use: Callable[[], object]) -> list[str]:
    """What is sent to the database meanwhile, but for what only adds rows or bounds transactions."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        use()
    found = [query["sql"] for query in captured.captured_queries]
    return [sql for sql in found if re.match(r"(SELECT|UPDATE|DELETE)\b", sql)]


def explained(sql: str) -> dict[str, Any]:
    """The plan, whole; the tables that it scans; and the most rows that it visits in one step."""
    from django.db import connection, transaction

    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            steps = [row[3] for row in cursor.fetchall()]
            # Where a table has another name in the statement, the plan knows it by that.
            tables = {alias: table for table, alias in re.findall(r'"(\w+)" "?([UT]\d+)\b', sql)}
            found = [match[1] for step in steps if (match := re.match(r"SCAN (?!CONSTANT ROW)(\w+)", step))]
            scanned = {tables.get(name, name) for name in found}
            # The first of all in an index's order is found at once.
            scans = set() if re.search("ORDER BY .* LIMIT 1$", sql) and len(steps) == 1 else scanned - SMALL
            return {"plan": steps, "scans": sorted(scans), "visited": _visited(sql)}
        with transaction.atomic():
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
            (answer,) = cursor.fetchone()
            transaction.set_rollback(True)
    plan = answer[0]["Plan"]
    steps = list(_steps(plan))
    scanned = {step["Relation Name"] for step in steps if step["Node Type"] == "Seq Scan"}
    visited = max(
        (step["Actual Rows"] + step.get("Rows Removed by Filter", 0)) * step["Actual Loops"] for step in steps
    )
    return {"plan": plan, "scans": sorted(scanned - SMALL), "visited": visited}


def _visited(sql: str) -> int:
    """SQLite tells no rows, but how many instructions of its machine a statement took."""
    from django.db import connection, transaction

    ticks = 0

    def tick() -> int:
        nonlocal ticks
        ticks += 1
        return 0

    with transaction.atomic(), connection.cursor() as cursor:
        connection.connection.set_progress_handler(tick, INSTRUCTIONS)
        cursor.execute(sql)
        cursor.fetchall()
        connection.connection.set_progress_handler(None, 0)
        transaction.set_rollback(True)
    return ticks


def _steps(plan: dict[str, Any]) -> Any:
    yield plan
    for step in plan.get("Plans", ()):
        yield from _steps(step)


if __name__ == "__main__":
    json.dump(main(Path(sys.argv[1]), int(sys.argv[2])), sys.stdout)
