"""From SQLite and local files to PostgreSQL and a bucket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from videos import moving
from videos.moving import old


class Command(BaseCommand):
    help = (
        "Move a site on SQLite and local files into this one: all rows into its PostgreSQL database (DATABASE_URL), "
        "which is migrated and still empty, all files to where it keeps them. The old site must have ended; its "
        "folder stays as it is, but sends nothing any more."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="DATA_DIR of the old site")
        parser.add_argument(
            "--files-only", action="store_true", help="copy the files and nothing else, while the old site still runs"
        )
        parser.add_argument("--again", action="store_true", help="even though it was moved before")

    def handle(self, *args: Any, folder: Path, files_only: bool, again: bool, **options: Any) -> None:
        tell, warn = self.stdout.write, lambda line: self.stderr.write(self.style.WARNING(line))
        self._tell_of_key(folder)
        try:
            if files_only:
                copied = moving.copy_files(folder, warn)
                tell(str(copied))
            else:
                moved = moving.move_up(folder, tell, warn, again=again)
                copied = moved.files
                self._conclude(moved)
        except moving.Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        if copied.lost:
            raise CommandError(
                f"{copied.lost} files are missing or damaged in {folder / 'media'}; they are listed above. All else is "
                "done. A film whose link still lives comes back by 'store again' in the admin."
            )

    def _tell_of_key(self, folder: Path) -> None:
        differs = old.other_key(folder)
        if differs:
            self.stderr.write(
                self.style.WARNING(
                    f"SECRET_KEY is not the old site's: set it to what {folder / 'secret_key'} holds. Else all have "
                    "to sign in again, and frames of requests under way can't be fetched by the provider."
                )
            )
        elif differs is None:
            self.stdout.write("The old site keeps no secret key in its folder: leave SECRET_KEY as it was there.")

    def _conclude(self, moved: moving.Moved) -> None:
        if moved.texts_changed:
            self.stdout.write(
                f"{moved.texts_changed} texts had characters that PostgreSQL can't hold (U+FFFD stands for each), or "
                "were longer than their columns (they are cut)."
            )
        self.stdout.write(self.style.SUCCESS("The site has moved. Start this one; the old one must not run again."))
        if moved.stopped:
            self.stdout.write(
                "Submissions are stopped, as they were on the old site: let them go in the admin. If its folder was "
                "a backup, run manage.py restored instead."
            )
