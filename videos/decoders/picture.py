"""Draws an image anew: `python -m videos.decoders.picture < image`."""

from __future__ import annotations

import io
import re
import sys
import warnings
from typing import Any

import pi_heif
from PIL import Image, ImageCms, ImageOps

from . import FRAME_MAX_BYTES, FRAME_MAX_PIXELS, FRAME_MIN_SIDE, SCANS_MOST
from .confined import MEGABYTE, Refused, answer

FORMATS = ("JPEG", "PNG", "WEBP", "HEIF")
"""As Pillow calls them when it opens them: a phone's MPO begins as a JPEG, and is opened as one."""
MEMORY = 2048 * MEGABYTE
"""Of addresses: WebP with alpha, the hungriest, takes 900 MB of it."""
SECONDS = 60

_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")

pi_heif.register_heif_opener()


def redraw(raw: bytes) -> tuple[dict[str, Any], bytes]:
    """The picture as we keep it (re-encoded, upright, in sRGB, without metadata): what it is, and its bytes.

    Raises `Refused` with `no_image`, `too_many_pixels`, `too_small` or `animated`; `MemoryError`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            _check(raw)
            return _encoded(_first_picture(raw))
        except (Refused, MemoryError):
            raise
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as fault:
            raise Refused("too_many_pixels") from fault
        except Exception as fault:
            # Decoders of hostile bytes raise nearly anything: struct.error, SyntaxError, KeyError …
            raise Refused("no_image") from fault


def _check(raw: bytes) -> None:
    with Image.open(io.BytesIO(raw), formats=FORMATS) as image:
        if image.width * image.height > FRAME_MAX_PIXELS:
            raise Refused("too_many_pixels")
        if min(image.size) < FRAME_MIN_SIDE:
            raise Refused("too_small")
        # A phone's MPO holds a second view of the same moment; only a WebP or PNG with more is an animation.
        if image.format in ("WEBP", "PNG") and getattr(image, "n_frames", 1) > 1:
            raise Refused("animated")
        if image.format in ("JPEG", "MPO") and _has_many_scans(raw):
            raise Refused("no_image")
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
        profile = image.info.get("icc_profile")
        ImageOps.exif_transpose(image, in_place=True)
        plain: Image.Image = image
        if plain.mode.startswith("I"):
            # Sixteen bits of grey: converting alone would make all but the darkest of it white.
            plain = plain.point(lambda shade: shade / 256).convert("L")
            plain.info.clear()
        if profile and plain.mode == "CMYK":
            plain = _in_srgb(plain, profile)
        mode = "RGBA" if plain.mode in ("RGBA", "LA", "PA") or "transparency" in plain.info else "RGB"
        if plain.mode != mode:
            plain = plain.convert(mode)
        elif profile:
            plain = _in_srgb(plain, profile)
    # Encoders take metadata from here, and from nowhere else unless told to.
    plain.info = {}
    return plain


def _in_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """The picture with the colours that its profile means: a phone's are wider than what we say they are."""
    try:
        told = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if told.profile.xcolor_space.strip() != picture.mode.removesuffix("A"):
            return picture
        if "sRGB" in (told.profile.profile_description or ""):
            return picture
        mode = "RGB" if picture.mode == "CMYK" else picture.mode
        drawn = ImageCms.profileToProfile(picture, told, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return picture
    return drawn or picture


def _encoded(picture: Image.Image) -> tuple[dict[str, Any], bytes]:
    out = io.BytesIO()
    if picture.mode == "RGBA":
        picture.save(out, "PNG", compress_level=6)
        extension = "png"
    else:
        picture.save(out, "JPEG", quality=95, subsampling=0)
        extension = "jpg"
    if out.tell() > FRAME_MAX_BYTES:
        flat = picture.convert("RGB")
        out = io.BytesIO()
        flat.save(out, "JPEG", quality=88)
        extension = "jpg"
    return {"extension": extension, "width": picture.width, "height": picture.height}, out.getvalue()


if __name__ == "__main__":
    answer(lambda: redraw(sys.stdin.buffer.read()), MEMORY, SECONDS)
