"""A site on SQLite and local files moves up: its rows to PostgreSQL, its files to where the new site keeps its own.

Files first, so that no row ever names what is not there; then all rows in one transaction, so that a move that
breaks off leaves none and is simply run again. The old site is kept shut meanwhile, and sends nothing after.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from botocore.exceptions import BotoCoreError, ClientError
from django.db import DatabaseError, transaction

from . import files, old, rows
from .old import Refused

__all__ = ["Moved", "Refused", "copy_files", "move_up"]

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Moved:
    """What became of a move. `texts_changed` held what PostgreSQL can't; `stopped`: submissions are, as before."""

    files: files.Outcome
    texts_changed: int
    stopped: bool


def copy_files(folder: Path, warn: Tell) -> files.Outcome:
    """Copy the files alone, while the site of `folder` (its DATA_DIR) may go on; raises `Refused`."""
    with _in_words(), old.opened(folder, shut=False):
        old.check_migrations()
        return files.copy(folder, warn)


def move_up(folder: Path, tell: Tell, warn: Tell, *, again: bool = False) -> Moved:
    """Move the site of `folder` (its DATA_DIR) into this one, which is migrated and empty.

    `again`: even where it was moved before. Raises `Refused`; then this site has none of its rows.
    """
    with _in_words(), old.opened(folder, shut=True):
        old.check(folder, again=again)
        rows.check_target()
        copied = files.copy(folder, warn)
        tell(str(copied))
        with transaction.atomic():
            texts_changed = rows.copy(tell)
            stopped = old.is_stopped()
            # This is committed before the new rows are: broken off in between, neither site sends anything.
            old.mark_moved()
        return Moved(copied, texts_changed, stopped)


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except DatabaseError as fault:
        cause = fault.__cause__
        whose = "old" if isinstance(cause, sqlite3.Error) else "new"
        context = cause.diag.context if isinstance(cause, psycopg.Error) else None
        # Which row, and not what stands in it: that may be a secret.
        where = f" ({context.partition(':')[0]})" if context and context.startswith("COPY ") else ""
        raise Refused(f"The {whose} site's database failed: {str(fault).partition(chr(10))[0]}{where}.") from fault
    except (BotoCoreError, ClientError, OSError) as fault:
        raise Refused(
            f"The files could not be copied: {fault}. No row was moved; run this again, it goes on from there."
        ) from fault
