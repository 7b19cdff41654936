"""A frame's bytes, format and pixels: what comes in is hostile, what goes out was drawn by us."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from typing import IO, BinaryIO

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from . import apart
from .decoders import FRAME_MAX_BYTES

AT_ONCE = 2
"""Pictures drawn at once for this process: one of 40 megapixels takes 200 MB, as WebP 650 MB, while it is drawn."""
SECONDS_MOST = 60
CHUNK = 256 * 1024
_room = apart.Room(AT_ONCE, waiting=2, seconds=20)


@dataclass(frozen=True)
class CleanFrame:
    """An image as we keep it: re-encoded, upright, without metadata. Sides in pixels."""

    content: bytes
    sha256: str
    extension: str
    width: int
    height: int


def clean_frame(upload: BinaryIO, size: int) -> CleanFrame:
    """Check the `size` bytes of `upload` and have the picture drawn anew.

    Raises `ValidationError` with a message for the person who chose the file.
    """
    if size > FRAME_MAX_BYTES:
        raise ValidationError(
            _("This image has %(size)d MB. The most is 25 MB: make it smaller or save it as JPEG.")
            % {"size": -(-size // (1024 * 1024))},
            code="too_large",
        )
    try:
        with _room.entered(), tempfile.TemporaryFile() as raw:
            _copy(upload, raw)
            with apart.decoded("picture", raw, seconds=SECONDS_MOST) as (head, drawn):
                return _frame(head, drawn.read(FRAME_MAX_BYTES + 1))
    except apart.Refused as refusal:
        raise _refusal(refusal.code) from refusal
    except (apart.Hindered, OSError) as fault:
        raise ValidationError(
            _("This image could not be checked just now. Please try again in a moment."), code="busy"
        ) from fault


def _copy(upload: BinaryIO, file: IO[bytes]) -> None:
    left = FRAME_MAX_BYTES
    while left and (chunk := upload.read(min(CHUNK, left))):
        file.write(chunk)
        left -= len(chunk)


def _frame(head: dict[str, object], content: bytes) -> CleanFrame:
    extension, width, height = (head.get(name) for name in ("extension", "width", "height"))
    # Not even our own decoder is believed: hostile bytes went through it.
    if extension not in ("jpg", "png") or not isinstance(width, int) or not isinstance(height, int):
        raise apart.Refused("crash", "the decoder told nonsense")
    if not 0 < len(content) <= FRAME_MAX_BYTES:
        raise apart.Refused("crash", "the decoder drew nothing, or too much")
    return CleanFrame(content, hashlib.sha256(content).hexdigest(), str(extension), width, height)


def _refusal(code: str) -> ValidationError:
    words = {
        "too_many_pixels": _("This image has too many pixels. The most is 40 megapixels: make it smaller first."),
        "too_small": _("This image is too small: each side needs 16 pixels or more."),
        "animated": _("This image is animated. Save one picture of it, and use that."),
        "no_image": _("This file can't be read as an image. Choose a JPEG, PNG, WebP or HEIC picture."),
    }
    code = code if code in words else "no_image"
    return ValidationError(words[code], code=code)
