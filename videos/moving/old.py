"""The old site: its database opened, judged, kept shut, and marked when it has moved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from ..models import Site, User
from ..services.health import WORKER_SILENT

OLD = "old"
"""The name of its database, while it is open."""
DATABASE = "studio.sqlite3"
MOVED = 1
"""`PRAGMA user_version` of a database whose site has moved; nothing else uses that number."""
BUSY_SECONDS = 5


class Refused(Exception):
    """The site can't be moved; the words say why, and what to do."""


@contextmanager
def opened(folder: Path, *, shut: bool) -> Iterator[None]:
    """The database in `folder` is open as `OLD`; `shut`: to nobody else. Raises `Refused`.

    To be shut is more than to be locked against writing: it finds out a process that only has it open.
    """
    path = folder / DATABASE
    if not path.is_file():
        raise Refused(f"{folder} holds no {DATABASE}: name the folder that is DATA_DIR of the old site.")
    options = {
        "timeout": BUSY_SECONDS,
        "transaction_mode": "EXCLUSIVE",
        "init_command": "PRAGMA synchronous=FULL;" + ("PRAGMA locking_mode=EXCLUSIVE;" if shut else ""),
    }
    entry = {
        "ENGINE": "django.db.backends.sqlite3",
        # mode=rw: never makes an empty one.
        "NAME": f"file:{quote(str(path.resolve()))}?mode=rw",
        "OPTIONS": options,
    }
    connection = DatabaseWrapper(connections.configure_settings({DEFAULT_DB_ALIAS: {}, OLD: entry})[OLD], OLD)
    connections[OLD] = connection
    try:
        _open(connection, path, shut)
        yield
    finally:
        connection.close()
        del connections[OLD]


def _open(connection: DatabaseWrapper, path: Path, shut: bool) -> None:
    try:
        connection.ensure_connection()
        # What is no UTF-8 must not hide the row that it stands in.
        connection.connection.text_factory = partial(str, encoding="utf-8", errors="replace")
        if shut:
            with transaction.atomic(using=OLD):
                Site.objects.using(OLD).exists()
        else:
            with connection.cursor() as cursor:
                cursor.execute("SELECT name FROM sqlite_master LIMIT 1")
    except DatabaseError as fault:
        if "locked" in str(fault):
            raise Refused(f"{path} is in use: end the old site's web server and worker first.") from fault
        raise Refused(f"{path} can't be used ({fault}): is it the old site's database?") from fault


def check(folder: Path, *, again: bool) -> None:
    """Raise `Refused` unless the open site is at an end, of this version and of this kind, and not moved yet."""
    check_migrations()
    if is_moved() and not again:
        raise Refused(
            "This site has moved already, or its move broke off at the very end. Were it moved to two places, both "
            "would send, and pay for, what waits in it. If there is no other place, or its database is empty, add "
            "--again."
        )
    site = Site.objects.using(OLD).get()
    now = timezone.now()
    if site.worker_seen_at and abs(now - site.worker_seen_at) < WORKER_SILENT:
        silent_at = site.worker_seen_at + WORKER_SILENT
        raise Refused(
            f"The old site's worker was alive at {site.worker_seen_at:%H:%M:%S} UTC: end it, and the web server. To be "
            f"sure that they have ended, this is refused until {silent_at:%H:%M:%S} UTC (it is {now:%H:%M:%S}). "
            "With --files-only the files can be copied at once."
        )
    sandbox = _is_sandbox(folder)
    if sandbox and not settings.SANDBOX:
        raise Refused(
            "The old site was a sandbox (it has a folder provider/, or the account demo with its known password), and "
            "ACEDATACLOUD_API_TOKEN is set: rows of a sandbox must never meet the real provider."
        )
    if settings.SANDBOX and not sandbox:
        raise Refused(
            "The old site was a live one, and this one is a sandbox: set ACEDATACLOUD_API_TOKEN, to the old site's."
        )


def check_migrations() -> None:
    """Raise `Refused` unless the open database is as this version's code has it."""
    if not is_migrated(connections[OLD]) or not Site.objects.using(OLD).exists():
        raise Refused(
            "The old site's database is of another version of Luma Studio. Bring both to the same one: with the old "
            "site's settings run manage.py migrate."
        )


def is_migrated(connection: BaseDatabaseWrapper) -> bool:
    """Whether the migrations that are applied are those of the code, neither fewer nor more."""
    executor = MigrationExecutor(connection)
    loader = executor.loader
    unknown = {key for key in loader.applied_migrations if key[0] in loader.migrated_apps} - set(loader.disk_migrations)
    return not unknown and not executor.migration_plan(loader.graph.leaf_nodes())


def other_key(folder: Path) -> bool | None:
    """Whether this site signs with another key than the one kept in `folder`; None where none can be read there."""
    try:
        return (folder / "secret_key").read_text().strip() != settings.SECRET_KEY
    except OSError:
        return None


def is_stopped() -> bool:
    """Whether an operator stopped the open site's submissions."""
    return Site.objects.using(OLD).get().stopped


def is_moved() -> bool:
    """Whether the open site was marked as moved."""
    with connections[OLD].cursor() as cursor:
        return bool(cursor.execute("PRAGMA user_version").fetchone() == (MOVED,))


def mark_moved() -> None:
    """The open site never again sends what waits in it, and is not moved a second time by oversight."""
    with transaction.atomic(using=OLD):
        Site.objects.using(OLD).update(stopped=True)
        with connections[OLD].cursor() as cursor:
            cursor.execute(f"PRAGMA user_version = {MOVED}")


def _is_sandbox(folder: Path) -> bool:
    if (folder / "provider").is_dir():
        return True
    kept = User.objects.using(OLD).filter(username="demo").values_list("password", flat=True).first()
    return kept is not None and check_password("demo", kept)
