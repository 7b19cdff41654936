"""Every row arrives as it is, and what PostgreSQL can't hold does not get in its way."""

from __future__ import annotations

import ipaddress
import json
import os
import uuid
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from tests.processes import wait_until

pytestmark = pytest.mark.service

TABLES = [
    "videos_user",
    "videos_user_groups",
    "videos_frame",
    "videos_video",
    "videos_generation",
    "videos_callback",
    "videos_site",
    "auth_group",
    "django_session",
    "axes_accessattempt",
    "axes_accesslog",
]
RIGHTS = """
SELECT g.name, t.app_label, t.model, p.codename FROM auth_group g
JOIN auth_group_permissions gp ON gp.group_id = g.id JOIN auth_permission p ON p.id = gp.permission_id
JOIN django_content_type t ON t.id = p.content_type_id
UNION ALL
SELECT u.username, t.app_label, t.model, p.codename FROM videos_user u
JOIN videos_user_user_permissions up ON up.user_id = u.id JOIN auth_permission p ON p.id = up.permission_id
JOIN django_content_type t ON t.id = p.content_type_id
UNION ALL
SELECT l.object_repr, t.app_label, t.model, l.change_message FROM django_admin_log l
JOIN django_content_type t ON t.id = l.content_type_id
ORDER BY 1, 4
"""


def plain(value: Any) -> Any:
    """A value of either database, in one shape."""
    if isinstance(value, uuid.UUID):
        return value.hex
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, datetime):
        return str(value.astimezone(UTC).replace(tzinfo=None))
    if isinstance(value, ipaddress.IPv4Address):
        return str(value)
    if isinstance(value, str) and value.startswith("{"):
        return json.loads(value)
    return value


def table(site: Any, name: str) -> list[dict[str, Any]]:
    """All rows of a table, in the order of their keys."""
    columns = [
        "stopped" if column == "stopped" else column
        for (column,) in site.rows(f"SELECT name FROM pragma_table_info('{name}')")
    ]
    return [dict(zip(columns, map(plain, row), strict=True)) for row in site.rows(f"SELECT * FROM {name} ORDER BY 1")]


def copied(target: Any, name: str, columns: list[str]) -> list[dict[str, Any]]:
    """The same, on PostgreSQL."""
    listed = ", ".join(f'"{column}"' for column in columns)
    order = f'"{columns[0]}"' + (' COLLATE "C"' if columns[0] == "session_key" else "")
    rows = target.rows(f"SELECT {listed} FROM {name} ORDER BY {order}")
    return [dict(zip(columns, map(plain, row), strict=True)) for row in rows]


def test_every_row_of_every_table_arrives_as_it_was(old, target):
    before = {name: table(old, name) for name in TABLES}
    assert [name for name in TABLES if not before[name]] == []
    rights = old.rows(RIGHTS)
    assert len(rights) == 3
    said = target.move(old)
    for name in TABLES:
        assert copied(target, name, list(before[name][0])) == before[name]
        assert f"{name}: {len(before[name])}" in said
    assert target.rows(RIGHTS) == rights
    assert target.files() == old.files()
    assert old.marked


def test_rights_and_logs_follow_their_names_where_the_new_site_counts_otherwise(old, target):
    target.rows("UPDATE auth_permission SET id = id + 1000")
    old.rows("DELETE FROM django_admin_log WHERE content_type_id IS NULL")
    old.rows("INSERT INTO django_content_type (id, app_label, model) VALUES (900, 'gone', 'thing')")
    old.rows(
        "INSERT INTO auth_permission (id, content_type_id, codename, name) VALUES (901, 900, 'do_thing', 'Can do it')"
    )
    old.rows("UPDATE videos_user_user_permissions SET permission_id = 901")
    rights = old.rows(RIGHTS)
    assert ("helper", "gone", "thing", "do_thing") in rights
    target.move(old)
    assert target.rows(RIGHTS) == rights


def test_what_is_made_next_gets_a_number_of_its_own(old, target):
    old.rows("UPDATE videos_callback SET id = id + 5000")
    target.move(old)
    target.settings["DJANGO_SUPERUSER_PASSWORD"] = "a-long-secret"
    status, said = target.run("createsuperuser", "--noinput", "--username", "eve", "--email", "eve@example.com")
    assert status == 0, said
    assert target.rows("SELECT id FROM videos_user WHERE username = 'eve'") == [(3,)]
    assert target.rows("SELECT nextval(pg_get_serial_sequence('videos_callback', 'id'))") == [(5003,)]


def test_characters_that_postgresql_cannot_hold_lose_no_row(old, target):
    old.rows("UPDATE videos_generation SET prompt = 'a' || char(0) || 'b' WHERE prompt = 'waits'")
    old.rows("UPDATE videos_generation SET error_message = CAST(x'61ff62eda080' AS TEXT) WHERE prompt = 'failed'")
    old.rows(
        "UPDATE videos_generation SET request_body = ? WHERE prompt = 'runs'",
        json.dumps({"prompt\0": ["\ud800", {"n": 1.5, "text": "☃\0"}, None, True]}),
    )
    old.rows("UPDATE axes_accessattempt SET get_data = 'q=' || char(0), user_agent = ?", "x" * 300)
    old.rows("UPDATE axes_accesslog SET ip_address = 'unknown'")
    said = target.move(old)
    assert "6 texts" in said, said
    prompts = {prompt for (prompt,) in target.rows("SELECT prompt FROM videos_generation")}
    assert prompts == {"a fox", "a\ufffdb", "runs", "lost", "failed"}
    assert target.rows("SELECT error_message FROM videos_generation WHERE prompt = 'failed'")[0][0].startswith(
        "a\ufffd"
    )
    body = target.rows("SELECT request_body FROM videos_generation WHERE prompt = 'runs'")[0][0]
    assert body == {"prompt\ufffd": ["\ufffd", {"n": 1.5, "text": "☃\ufffd"}, None, True]}
    assert target.rows("SELECT get_data, user_agent FROM axes_accessattempt") == [("q=\ufffd", "x" * 255)]
    assert target.rows("SELECT ip_address FROM axes_accesslog") == [(None,)]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("UPDATE videos_frame SET created_at = 'yesterday'", "videos_frame"),
        ("UPDATE videos_frame SET sha256 = x'00ff'", "videos_frame"),
        ("UPDATE videos_video SET owner_id = 99", "videos_video"),
        ("UPDATE videos_user SET username = hex(zeroblob(100)) WHERE id = 1", "videos_user, line 1, column username)"),
    ],
)
def test_a_row_that_cannot_be_one_there_stops_the_move_before_anything_has_changed(old, target, damage, told):
    old.damage(damage)
    assert told in target.refuse(old)
    assert target.rows("SELECT count(*) FROM videos_user") == [(0,)]
    assert not old.marked


def test_a_move_that_is_killed_halfway_leaves_nothing_and_can_be_run_again(old, target):
    with psycopg.connect(target.url) as other:
        # Reading goes on, writing waits: so the move stands in the middle of its rows.
        other.execute("LOCK TABLE videos_callback IN SHARE MODE")
        process = target.start("moveup", str(old.data))
        waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        wait_until(lambda: target.rows(waiting) or process.poll() is not None, "a move that waits")
        process.kill()
        said = process.communicate()[0]
    assert "videos_generation: 5" in said
    assert target.rows("SELECT count(*) FROM videos_user") == [(0,)]
    assert not old.marked
    assert "0 copied, 3 there already" in target.move(old)
    assert target.rows("SELECT count(*) FROM videos_generation") == [(5,)]
    assert old.marked


def test_many_rows_need_no_more_memory_than_few(old, target, new_site):
    def peak(into: Any) -> int:
        process = into.start("moveup", str(old.data))
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        assert status == 0, said
        return usage.ru_maxrss

    few = peak(target)
    columns = [name for (name,) in old.rows("SELECT name FROM pragma_table_info('videos_generation')")]
    new = {
        "id": "lower(hex(randomblob(16)))",
        "submission_key": "lower(hex(randomblob(16)))",
        "callback_token": "lower(hex(randomblob(20)))",
        "error_message": "hex(randomblob(2000))",
    }
    chosen = ", ".join(new.get(name, f'"{name}"') for name in columns)
    old.rows(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
        f"INSERT INTO videos_generation SELECT {chosen} FROM videos_generation, n WHERE prompt = 'failed'"
    )
    old.rows("PRAGMA user_version = 0")
    other = new_site()
    many = peak(other)
    assert other.rows("SELECT count(*), sum(length(error_message)) > 80000000 FROM videos_generation") == [
        (20005, True)
    ]
    assert many - few < 30_000, "KiB more for 20,000 rows of 4 KiB"
