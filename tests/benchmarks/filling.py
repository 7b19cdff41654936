"""Very many finished generations with their videos, made by the database itself, be it SQLite or PostgreSQL."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, models
from django.utils import timezone

from tests import rows
from videos.models import Generation, User, Video
from videos.states import State

SPACING_SECONDS = 7
"""Between one generation and the next older one."""


def fill(owner: User, count: int, *, scattered: bool = True) -> None:
    """Give `owner` so many generations, one every few seconds up to now, and as many videos. One in ten has failed.

    `scattered` ids are as real ones: an index gets no help from their order, and takes longer to make. Not within a
    transaction.
    """
    newest = timezone.now()
    video = rows.video(owner, duration=5.0, width=1360, height=752, size=3_000_000, stored_at=newest, created_at=newest)
    model = rows.generation(owner, State.COMPLETED, video=video, created_at=newest, finished_at=newest)
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        connection.connection.create_function("md5", 1, _md5, deterministic=True)
        key = "md5('{kind}' || n)" if scattered else "printf('%%032x', n)"
        text = "printf('{kind}-%%08d', n)"
        time = f"strftime('%%Y-%%m-%%d %%H:%%M:%%f000', {{column}}, '-' || (n * {SPACING_SECONDS}) || ' seconds')"
        series = f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count}) SELECT n FROM s)"
    else:
        key = "md5('{kind}' || n)::uuid" if scattered else "lpad(to_hex(n), 32, '0')::uuid"
        text = "'{kind}-' || lpad(n::text, 8, '0')"
        time = f"{{column}} - n * interval '{SPACING_SECONDS} seconds'"
        series = f"(SELECT generate_series(1, {count}) AS n)"
    name = key.format
    for table, own in (
        (Video, {"id": name(kind="video"), "file": f"'videos/' || {name(kind='video')} || '.mp4'"}),
        (
            Generation,
            {
                "id": name(kind="generation"),
                "video_id": f"CASE WHEN n %% 10 <> 0 THEN {name(kind='video')} END",
                "state": "CASE WHEN n %% 10 <> 0 THEN 'completed' ELSE 'failed' END",
                "submission_key": name(kind="submission"),
                "task_id": text.format(kind="task"),
                "callback_token": text.format(kind="token"),
            },
        ),
    ):
        given = {**own, **{column: time.format(column=column) for column in ("created_at", "finished_at")}}
        with _in_bulk(table):
            _copy(table, given, series, (video if table is Video else model).pk)


@contextmanager
def _in_bulk(table: type[models.Model]) -> Iterator[None]:
    """Indexes are made anew after the rows, and what we made ourselves is not checked: that is many times as fast."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA cache_size = -1000000")
            cursor.execute("PRAGMA synchronous = OFF")
        else:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute("SET maintenance_work_mem = '512MB'")
    with connection.schema_editor() as editor:
        for index in table._meta.indexes:
            editor.remove_index(table, index)
    yield
    with connection.schema_editor() as editor:
        for index in table._meta.indexes:
            editor.add_index(table, index)


def analyse() -> None:
    """Let PostgreSQL know how its tables look, as it does by itself in time; SQLite never does."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")


def _copy(table: type[models.Model], given: dict[str, str], series: str, pk: Any) -> None:
    columns = [field.column for field in table._meta.concrete_fields]
    values = [given.get(column, column) for column in columns]
    field = table._meta.pk
    assert field is not None
    sql = (
        f"INSERT INTO {table._meta.db_table} ({', '.join(columns)})"
        f" SELECT {', '.join(values)} FROM {table._meta.db_table} AS model, {series} AS series WHERE model.id = %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [field.get_db_prep_value(pk, connection)])


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
