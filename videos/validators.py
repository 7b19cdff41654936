"""A frame's bytes, format and pixels: what comes in is hostile, what goes out was drawn by us."""

from __future__ import annotations

import hashlib
import io
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
FORMATS = ("JPEG", "PNG", "WEBP", "HEIF")
"""As Pillow calls them when it opens them: a phone's MPO begins as a JPEG, and is opened as one."""

pi_heif.register_heif_opener()


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
            picture = _first_picture(raw)
        except ValidationError:
            raise
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as fault:
            raise _too_many_pixels() from fault
        except Exception as fault:
            # Decoders of hostile bytes raise nearly anything: struct.error, SyntaxError, KeyError …
            raise _no_image() from fault
    return _encoded(picture)


def _check(raw: bytes) -> None:
    with Image.open(io.BytesIO(raw), formats=FORMATS) as image:
        if image.width * image.height > FRAME_MAX_PIXELS:
            raise _too_many_pixels()
        if min(image.size) < FRAME_MIN_SIDE:
            raise ValidationError(_("This image is too small: each side needs 16 pixels or more."), code="too_small")
        # A phone's MPO holds a second view of the same moment; only a WebP or PNG with more is an animation.
        if image.format in ("WEBP", "PNG") and getattr(image, "n_frames", 1) > 1:
            raise ValidationError(_("This image is animated. Save one picture of it, and use that."), code="animated")
        image.verify()


def _first_picture(raw: bytes) -> Image.Image:
    with Image.open(io.BytesIO(raw), formats=FORMATS) as image:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I"):
            # Sixteen bits of grey: converting alone would make all but the darkest of it white.
            upright = upright.point(lambda shade: shade / 256).convert("L")
            upright.info.clear()
        transparent = upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info
        plain = upright.convert("RGBA" if transparent else "RGB")
    # A fresh image carries nothing of the old one's metadata.
    clean = Image.new(plain.mode, plain.size)
    clean.paste(plain)
    return clean


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
