"""A frame's bytes, format and pixels: what comes in is hostile, what goes out was drawn by us."""

from __future__ import annotations

import hashlib
import io
import re
import threading
import warnings
from dataclasses import dataclass
from typing import BinaryIO

import pi_heif
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from PIL import Image, ImageOps

FRAME_MAX_BYTES = 25 * 1024 * 1024
"""The provider's own limit."""
FRAME_MAX_PIXELS = 40_000_000
FRAME_MIN_SIDE = 16
SCANS_MOST = 50
"""A progressive JPEG has about ten scans; with thousands, a small file would take hours to draw."""
AT_ONCE = 2
"""Pictures drawn at once in this process: one of 40 megapixels takes 170 MB, as WebP 650 MB."""
FORMATS = ("JPEG", "PNG", "WEBP", "HEIF")
"""As Pillow calls them when it opens them: a phone's MPO begins as a JPEG, and is opened as one."""

_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")

pi_heif.register_heif_opener()
_room = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True)
class CleanFrame:
    """An image as we keep it: re-encoded, upright, without metadata. Sides in pixels."""

    content: bytes
    sha256: str
    extension: str
    width: int
    height: int


def clean_frame(upload: BinaryIO, size: int) -> CleanFrame:
    """Check the `size` bytes of `upload` and draw the picture anew.

    Raises `ValidationError` with a message for the person who chose the file.
    """
    if size > FRAME_MAX_BYTES:
        raise ValidationError(
            _("This image has %(size)d MB. The most is 25 MB: make it smaller or save it as JPEG.")
            % {"size": -(-size // (1024 * 1024))},
            code="too_large",
        )
    raw = upload.read(FRAME_MAX_BYTES + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            _check(raw)
            with _room:
                return _encoded(_first_picture(raw))
        except ValidationError:
            raise
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as fault:
            raise _too_many_pixels() from fault
        except Exception as fault:
            # Decoders of hostile bytes raise nearly anything: struct.error, SyntaxError, KeyError …
            raise _no_image() from fault


def _check(raw: bytes) -> None:
    with Image.open(io.BytesIO(raw), formats=FORMATS) as image:
        if image.width * image.height > FRAME_MAX_PIXELS:
            raise _too_many_pixels()
        if min(image.size) < FRAME_MIN_SIDE:
            raise ValidationError(_("This image is too small: each side needs 16 pixels or more."), code="too_small")
        # A phone's MPO holds a second view of the same moment; only a WebP or PNG with more is an animation.
        if image.format in ("WEBP", "PNG") and getattr(image, "n_frames", 1) > 1:
            raise ValidationError(_("This image is animated. Save one picture of it, and use that."), code="animated")
        if image.format in ("JPEG", "MPO") and _has_many_scans(raw):
            raise _no_image()
        image.verify()


def _has_many_scans(raw: bytes) -> bool:
    """Whether the first picture of a JPEG is drawn in more than `SCANS_MOST` rounds."""
    at = scans = 0
    while scans <= SCANS_MOST and (found := _MARKER.search(raw, at)):
        kind, at = raw[found.end() - 1], found.end()
        if kind == 0xD9:
            return False
        scans += kind == 0xDA
        if kind >= 0xC0 and kind != 0xD8:
            at += int.from_bytes(raw[at : at + 2])
    return scans > SCANS_MOST


def _first_picture(raw: bytes) -> Image.Image:
    # Every needless copy of a large picture would be another 160 MB.
    with Image.open(io.BytesIO(raw), formats=FORMATS) as image:
        ImageOps.exif_transpose(image, in_place=True)
        plain: Image.Image = image
        if plain.mode.startswith("I"):
            # Sixteen bits of grey: converting alone would make all but the darkest of it white.
            plain = plain.point(lambda shade: shade / 256).convert("L")
            plain.info.clear()
        mode = "RGBA" if plain.mode in ("RGBA", "LA", "PA") or "transparency" in plain.info else "RGB"
        if plain.mode != mode:
            plain = plain.convert(mode)
    # Encoders take metadata from here, and from nowhere else unless told to.
    plain.info = {}
    return plain


def _encoded(picture: Image.Image) -> CleanFrame:
    out = io.BytesIO()
    if picture.mode == "RGBA":
        picture.save(out, "PNG", compress_level=6)
        extension = "png"
    else:
        picture.save(out, "JPEG", quality=95, subsampling=0)
        extension = "jpg"
    content = out.getvalue()
    if len(content) > FRAME_MAX_BYTES:
        flat = picture.convert("RGB")
        out = io.BytesIO()
        flat.save(out, "JPEG", quality=88)
        content, extension = out.getvalue(), "jpg"
    return CleanFrame(content, hashlib.sha256(content).hexdigest(), extension, *picture.size)


def _no_image() -> ValidationError:
    return ValidationError(
        _("This file can't be read as an image. Choose a JPEG, PNG, WebP or HEIC picture."), code="no_image"
    )


def _too_many_pixels() -> ValidationError:
    return ValidationError(
        _("This image has too many pixels. The most is 40 megapixels: make it smaller first."), code="too_many_pixels"
    )
