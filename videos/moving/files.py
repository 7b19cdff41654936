"""The files that rows name, copied under their very names into the new site's storage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import models

from ..models import Frame, Video
from .old import OLD

AT_ONCE = 8
"""Files copied at the same time: a bucket answers slowly, and many at once."""
BATCH = 1000


class Named(NamedTuple):
    """A file that a row of the old site names; its size in bytes, where the row tells it."""

    name: str
    size: int | None


@dataclass
class Outcome:
    """How many files were copied, were there already, or are not as their rows have it (`lost`)."""

    copied: int = 0
    there: int = 0
    lost: int = 0

    def __str__(self) -> str:
        return f"Files: {self.copied} copied, {self.there} there already, {self.lost} missing or damaged."


def copy(folder: Path, warn: Callable[[str], None]) -> Outcome:
    """Copy what rows of the open site name from `folder`/media; what is there with the right size stays.

    A file that is missing there, or not of its row's size, is told to `warn`. Raises what the new storage raises.
    """
    outcome = Outcome()
    media = FileSystemStorage(folder / "media")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for batch in _batches():
            for copied, fault in pool.map(partial(_copy_one, media), batch):
                outcome.copied += copied
                outcome.there += not copied and not fault
                outcome.lost += bool(fault)
                if fault:
                    warn(fault)
    return outcome


def _batches() -> Iterator[list[Named]]:
    for model, name, size in ((Frame, "file", "size"), (Video, "file", "size"), (Video, "poster", None)):
        for rows in _pages(model, name, *([size] if size else [])):
            yield [Named(row[1], row[2] if size else None) for row in rows if row[1]]


def _pages(model: type[models.Model], *fields: str) -> Iterator[list[tuple]]:  # type: ignore[type-arg]
    # Page by page: a read that lasts for hours would keep a running site's journal growing.
    left = model._base_manager.using(OLD).order_by("pk").values_list("pk", *fields)
    page = list(left[:BATCH])
    while page:
        yield page
        page = list(left.filter(pk__gt=page[-1][0])[:BATCH])


def _copy_one(media: FileSystemStorage, named: Named) -> tuple[bool, str]:
    """Whether it was copied, and what is wrong with it."""
    name = named.name
    try:
        size = media.size(name)
        file = media.open(name)
    except FileNotFoundError:
        # It may have been brought over by other means.
        there = _size_there(name)
        as_told = there is not None and named.size in (None, there)
        return False, "" if as_told else f"missing: {name}"
    except (OSError, ValueError, SuspiciousFileOperation) as fault:
        return False, f"unreadable: {name} ({fault})"
    copied = False
    with file:
        there = _size_there(name)
        if there != size:
            if there is not None:
                default_storage.delete(name)
            kept = default_storage.save(name, file)
            if kept != name or _size_there(name) != size:
                raise OSError(f"{name} did not arrive as it is")
            copied = True
    if named.size not in (None, size):
        return copied, f"damaged: {name} has {size} bytes, its row says {named.size}"
    return copied, ""


def _size_there(name: str) -> int | None:
    try:
        return default_storage.size(name)
    except FileNotFoundError:
        return None
