"""A frame is cut from a film of ours."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from botocore.exceptions import BotoCoreError, ClientError
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage

from .. import apart
from ..models import Frame, Video
from ..validators import CleanFrame, clean_frame
from .asking import keep_frame

SECONDS_MOST = 30
_room = apart.Room(2, waiting=1, seconds=10)
_owners: set[int] = set()
_owners_lock = threading.Lock()


class NotHome(Exception):
    """The film is not stored here, so there is nothing to cut from."""


class TooBusy(Exception):
    """So many frames are being cut, or one by the same owner, that this one must wait."""


def cut_frame(video: Video, at: float) -> Frame:
    """The picture that the film shows at `at` seconds, exactly, kept as a frame of its owner.

    A moment past the end gives the last picture. Raises `NotHome`, `TooBusy`, `ValueError` where the film holds
    no picture, `OSError` where the storage fails.
    """
    if video.stored_at is None:
        raise NotHome
    try:
        with _one_for_each(video.owner_id), _room.entered():
            clean = _cut(str(video.file), at)
    except apart.Refused as refusal:
        raise ValueError(str(refusal)) from refusal
    except apart.Busy as fault:
        raise TooBusy from fault
    except (apart.Hindered, BotoCoreError, ClientError) as fault:
        raise OSError(str(fault)) from fault
    return keep_frame(video.owner, clean)


def _cut(name: str, at: float) -> CleanFrame:
    # A local film is read where it lies; one in a bucket is copied to this machine's disk first.
    with default_storage.open(name) as film, tempfile.TemporaryFile() as file:
        with apart.decoded("film", film, "cut", str(at), seconds=SECONDS_MOST) as (_, picture):
            shutil.copyfileobj(picture, file)
        size = file.tell()
        file.seek(0)
        try:
            return clean_frame(cast(BinaryIO, file), size)
        except ValidationError as refusal:
            raise (apart.Busy if refusal.code == "busy" else ValueError)(refusal.message) from refusal


@contextmanager
def _one_for_each(owner: int) -> Iterator[None]:
    """Whoever asks for many at once gets them one by one, and leaves room for others."""
    with _owners_lock:
        if owner in _owners:
            raise TooBusy
        _owners.add(owner)
    try:
        yield
    finally:
        with _owners_lock:
            _owners.discard(owner)
