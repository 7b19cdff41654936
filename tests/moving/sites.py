"""Old sites on SQLite and files, and new ones on PostgreSQL and a bucket, for them to move to."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from tests import environment
from tests.ground import KEYS, s3
from tests.processes import END_SECONDS, ROOT

MAKE_OLD = """
import django
django.setup()
from datetime import timedelta
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from tests import rows
from videos.models import Generation, Site, User
from videos.states import State
call_command("migrate", interactive=False, verbosity=0)
ada = User.objects.create_user("ada", "ada@example.com", "a-long-secret", generations_per_day=7)
helper = User.objects.create_user("helper", password="another-secret", is_staff=True)
group = Group.objects.create(name="helpers")
group.permissions.add(Permission.objects.get(codename="view_generation"))
helper.groups.add(group)
helper.user_permissions.add(Permission.objects.get(codename="view_frame"))
LogEntry.objects.create(user=helper, content_type=ContentType.objects.get_for_model(User), object_id="1",
    object_repr="ada", action_flag=ADDITION, change_message="[]")
for password in ("a-long-secret", "a-wrong-secret"):
    browser = Client(raise_request_exception=False, SERVER_NAME="localhost")
    browser.post("/accounts/login/", {"username": "ada", "password": password})
film = rows.stored_video(ada, b"a film of ada's", prompt="a fox")
frame = rows.frame(ada)
rows.generation(ada, State.QUEUED, prompt="waits", start_frame=frame, end_frame=frame)
rows.generation(ada, State.PROCESSING, prompt="runs", task_id="task-1", trace_id="trace-1",
    action="extend", source=film.video, accepted_at=timezone.now(), next_check_at=timezone.now())
rows.generation(ada, State.UNCONFIRMED, prompt="lost", error_code="answer_lost", next_check_at=timezone.now())
rows.generation(ada, State.FAILED, prompt="failed", error_code="moderated", error_message="No \\u2603.",
    deleted_at=timezone.now())
film.callbacks.create(outcome="applied", task_id="task-0", body=bytes(range(256)))
film.callbacks.create(outcome="unreadable", received_at=timezone.now() - timedelta(days=3))
Site.objects.update(paused_code="used_up", paused_at=timezone.now(), worker_seen_at=timezone.now() - timedelta(hours=1))
"""


class Servers:
    """PostgreSQL with a migrated database in it, and an S3 look-alike."""

    def __init__(self, postgres: str, bucket: str, folder: Path) -> None:
        self.postgres, self.s3 = postgres, bucket
        self.migrated = self.database()
        python(self.settings(self.migrated), folder, "manage.py", "migrate", "--verbosity", "0")

    def database(self, template: str = "") -> str:
        """The address of a new database, a copy of `template` if that is given."""
        name = f"moving_{uuid.uuid4().hex}"
        copied = f" TEMPLATE {urlsplit(template).path[1:]}" if template else ""
        with psycopg.connect(self.postgres, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}{copied}")
        return urlsplit(self.postgres)._replace(path=f"/{name}").geturl()

    def settings(self, database: str, bucket: str = "") -> dict[str, str]:
        """What a new site needs in its environment."""
        kept = {"AWS_STORAGE_BUCKET_NAME": bucket, "AWS_S3_ENDPOINT_URL": self.s3, **KEYS} if bucket else {}
        return {"DATABASE_URL": database, "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required", **kept}


class Target:
    """A new site: migrated, empty, with a bucket. `settings` are its environment."""

    def __init__(self, servers: Servers, folder: Path) -> None:
        self.url = servers.database(servers.migrated)
        self.bucket = f"moving-{uuid.uuid4().hex}"
        self.s3 = s3(servers.s3)
        self.s3.create_bucket(Bucket=self.bucket)
        self.folder, self._server = folder, servers.postgres
        self.settings = servers.settings(self.url, self.bucket)

    def drop(self) -> None:
        """Its database goes: many of them would fill a test machine's disk."""
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {urlsplit(self.url).path[1:]} WITH (FORCE)")

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """What its database holds."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql, values)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def files(self) -> dict[str, bytes]:
        """What its bucket holds."""
        listed = self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", ())
        return {
            entry["Key"]: self.s3.get_object(Bucket=self.bucket, Key=entry["Key"])["Body"].read() for entry in listed
        }

    def put(self, name: str, content: bytes) -> None:
        """Lay something into its bucket."""
        self.s3.put_object(Bucket=self.bucket, Key=name, Body=content)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """One of its commands, under way."""
        return subprocess.Popen(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=environ(self.settings, self.folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str) -> tuple[int, str]:
        """The exit status of one of its commands, and what it said."""
        process = self.start(*words)
        said = process.communicate(timeout=END_SECONDS)[0]
        assert "Traceback" not in said, said
        return process.returncode, said

    def move(self, old: Old, *words: str) -> str:
        """Move `old` here; what was said."""
        status, said = self.run("moveup", str(old.data), *words)
        assert status == 0, said
        return said

    def refuse(self, old: Old, *words: str) -> str:
        """Try to; why it was refused."""
        status, said = self.run("moveup", str(old.data), *words)
        assert status == 1, said
        return said


class Old:
    """A live site on SQLite and files that has ended, with rows of every kind."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """What its database holds; a statement that writes is committed."""
        with closing(sqlite3.connect(self.data / "studio.sqlite3")) as connection, connection:
            return connection.execute(sql, values).fetchall()

    def damage(self, sql: str) -> None:
        """Do what the database itself would not let happen."""
        with closing(sqlite3.connect(self.data / "studio.sqlite3")) as connection:
            connection.executescript(f"PRAGMA ignore_check_constraints = 1; {sql};")

    def files(self) -> dict[str, bytes]:
        """Its media."""
        media = self.data / "media"
        return {str(path.relative_to(media)): path.read_bytes() for path in media.rglob("*") if path.is_file()}

    @property
    def marked(self) -> bool:
        """Whether it is marked as moved, and stopped."""
        stopped, moved = self.rows("SELECT stopped FROM videos_site"), self.rows("PRAGMA user_version")
        assert (stopped[0][0], moved[0][0]) in ((0, 0), (1, 1))
        return moved == [(1,)]


def environ(settings: dict[str, str], folder: Path) -> dict[str, str]:
    """The environment of a live site's process, deaf to this machine's."""
    clean = dict(os.environ)
    environment.clear(clean)
    usual = {"DJANGO_SETTINGS_MODULE": "lumasite.settings", "DATA_DIR": str(folder), "PYTHONUNBUFFERED": "1"}
    return clean | usual | {"ACEDATACLOUD_API_TOKEN": "of-nobody"} | settings


def python(settings: dict[str, str], folder: Path, *words: str) -> None:
    """Run a program of a site that must succeed."""
    done = subprocess.run([sys.executable, *words], cwd=ROOT, env=environ(settings, folder), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
