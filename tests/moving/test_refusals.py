"""What can't be moved is refused, in words that say what to do, and nothing has changed."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from tests.moving.sites import Old, Target

pytestmark = pytest.mark.service


def untouched(old: Old, target: Target) -> bool:
    """Whether neither site has changed."""
    return target.rows("SELECT count(*) FROM videos_user") == [(0,)] and target.files() == {} and not old.marked


def test_a_folder_without_a_database(target, tmp_path):
    assert "holds no studio.sqlite3" in target.refuse(Old(tmp_path / "elsewhere"))
    assert not (tmp_path / "elsewhere").exists()


def test_a_database_that_is_none(old, target):
    (old.data / "studio.sqlite3").write_bytes(b"no database" * 1000)
    assert "is it the old site's database?" in target.refuse(old)


def test_a_database_that_is_damaged_within(old, target):
    path = old.data / "studio.sqlite3"
    old.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    page = old.rows("SELECT rootpage FROM sqlite_master WHERE name = 'videos_video'")[0][0] - 1
    size = old.rows("PRAGMA page_size")[0][0]
    content = bytearray(path.read_bytes())
    content[page * size : (page + 1) * size] = b"\xff" * size
    path.write_bytes(content)
    assert "The old site's database failed: database disk image is malformed" in target.refuse(old)
    assert target.rows("SELECT count(*) FROM videos_user") == [(0,)]


def test_a_site_whose_database_is_open_even_where_nothing_is_written(old, target):
    with closing(sqlite3.connect(old.data / "studio.sqlite3")) as web:
        web.execute("SELECT count(*) FROM videos_user").fetchall()
        assert "is in use: end the old site's web server and worker" in target.refuse(old)
    assert untouched(old, target)


def test_a_site_whose_worker_was_alive_just_now(old, target):
    seen = datetime.now(UTC) - timedelta(seconds=100)
    old.rows("UPDATE videos_site SET worker_seen_at = ?", str(seen.replace(tzinfo=None)))
    said = target.refuse(old)
    assert f"refused until {seen + timedelta(minutes=3):%H:%M:%S} UTC" in said
    assert untouched(old, target)


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM django_migrations WHERE app = 'videos'",
        "DELETE FROM videos_site",
        "INSERT INTO django_migrations (app, name, applied) VALUES ('videos', '9999_future', '2030-01-01')",
    ],
)
def test_a_site_of_another_version(old, target, change):
    old.rows(change)
    assert "of another version of Luma Studio" in target.refuse(old)
    assert target.rows("SELECT count(*) FROM videos_user") == [(0,)]
    assert target.files() == {}


@pytest.mark.parametrize("sign", ["the provider's folder", "the demo account"])
def test_a_sandbox_never_meets_the_real_provider(old, target, sign):
    if sign == "the provider's folder":
        (old.data / "provider").mkdir()
    else:
        target.settings["ACEDATACLOUD_API_TOKEN"] = ""
        target.settings["DJANGO_SUPERUSER_PASSWORD"] = "demo"
        there = Target.__new__(Target)
        there.settings, there.folder = {**target.settings, "DATABASE_URL": ""}, old.data
        assert there.run("createsuperuser", "--noinput", "--username", "demo", "--email", "d@example.com")[0] == 0
        target.settings["ACEDATACLOUD_API_TOKEN"] = "of-nobody"
    assert "rows of a sandbox must never meet the real provider" in target.refuse(old)
    assert untouched(old, target)


def test_a_live_site_never_meets_the_sandbox(old, target):
    target.settings["ACEDATACLOUD_API_TOKEN"] = ""
    assert "set ACEDATACLOUD_API_TOKEN" in target.refuse(old)
    assert untouched(old, target)


def test_a_new_site_on_sqlite(old, target):
    target.settings["DATABASE_URL"] = ""
    assert "set DATABASE_URL" in target.refuse(old)
    assert untouched(old, target)


def test_a_new_site_that_is_not_migrated(old, servers, target):
    target.settings["DATABASE_URL"] = servers.database()
    assert "run manage.py migrate first" in target.refuse(old)
    assert untouched(old, target)


def test_a_new_site_whose_database_cannot_be_reached(old, target):
    target.settings["DATABASE_URL"] += "_that_is_not_there"
    assert "The new site's database failed" in target.refuse(old)
    assert untouched(old, target)


def test_a_new_site_that_has_rows_already(old, target):
    target.settings["DJANGO_SUPERUSER_PASSWORD"] = "a-long-secret"
    assert target.run("createsuperuser", "--noinput", "--username", "eve", "--email", "eve@example.com")[0] == 0
    assert "is not empty (there are rows in videos_user)" in target.refuse(old)
    assert target.rows("SELECT username FROM videos_user") == [("eve",)]
    assert target.files() == {}
    assert not old.marked


def test_a_site_moves_once(old, target, new_site):
    target.move(old)
    other = new_site()
    for place in (target, other):
        assert "has moved already" in place.refuse(old)
    assert "is not empty" in target.refuse(old, "--again")
    assert other.rows("SELECT count(*) FROM videos_user") == [(0,)]


def test_an_operator_who_knows_that_the_first_try_is_gone_can_move_again(old, target, new_site):
    target.move(old)
    other = new_site()
    assert "Submissions are stopped" in other.move(old, "--again")
    assert other.rows("SELECT stopped FROM videos_site") == [(True,)]
    assert target.rows("SELECT stopped FROM videos_site") == [(False,)]


def test_a_copy_made_after_the_move_is_known_as_moved(old, target, new_site, tmp_path):
    target.move(old)
    shutil.copytree(old.data, tmp_path / "copy")
    assert "has moved already" in new_site().refuse(Old(tmp_path / "copy"))


def test_the_secret_key_is_asked_for(old, target):
    assert "SECRET_KEY is not the old site's" in target.move(old)


def test_with_the_old_secret_key_nothing_is_asked(old, target):
    target.settings["SECRET_KEY"] = (old.data / "secret_key").read_text()
    assert "SECRET_KEY" not in target.move(old)
