"""A copy of an SQLite site, made while it runs."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection


class Command(BaseCommand):
    help = (
        "Copy database, media and secret key into a new folder, which can serve as DATA_DIR. For SQLite and local "
        "files; a PostgreSQL and S3 site is backed up by their own means."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="a folder that does not exist yet")

    def handle(self, *args: Any, folder: Path, **options: Any) -> None:
        if connection.vendor != "sqlite":
            raise CommandError("The database is not SQLite: use pg_dump, and your bucket's own versions or copies.")
        try:
            folder.mkdir(parents=True)
            self._copy_database(folder / "studio.sqlite3")
            # After the database: media are only ever added, so every file that a copied row names is there.
            if settings.MEDIA_ROOT.exists():
                shutil.copytree(settings.MEDIA_ROOT, folder / "media")
            key = settings.DATA_DIR / "secret_key"
            if key.exists():
                shutil.copy2(key, folder / "secret_key")
        except FileExistsError as fault:
            raise CommandError(f"{folder} is there already: name a new folder.") from fault
        except OSError as fault:
            raise CommandError(f"The backup is not complete: {fault}.") from fault
        self.stdout.write(f"Copied to {folder}. After restoring it, run manage.py restored before anything else.")

    def _copy_database(self, path: Path) -> None:
        connection.ensure_connection()
        with closing(sqlite3.connect(path)) as copy:
            connection.connection.backup(copy)
            # Requests that wait now may be sent after this copy is made: it must not send them a second time.
            with copy:
                copy.execute("UPDATE videos_site SET stopped = 1")
