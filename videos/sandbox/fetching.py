"""Fetch what a request points at: frames, and videos to extend. Any address will do: this is a stand-in on a desk."""

from __future__ import annotations

import io
import time
import warnings
from pathlib import Path

import requests
from PIL import Image, ImageOps

IMAGE_BYTES = 25 * 1024 * 1024
VIDEO_BYTES = 512 * 1024 * 1024
PIXELS = 40_000_000
TIMEOUT = 10.0  # seconds, to connect and between two pieces
DEADLINE = 60.0  # seconds for the whole


class Unfetchable(Exception):
    """The address gave nothing that can be used; the message says why."""


def fetch_image(url: str) -> Image.Image:
    """The picture at `url`, upright and in RGB. Raises `Unfetchable`."""
    target = io.BytesIO()
    _download(url, target, IMAGE_BYTES)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(target) as image:
                if image.width * image.height > PIXELS:
                    raise Unfetchable(f"more than {PIXELS // 1_000_000} megapixels")
                return ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise Unfetchable("not an image") from error


def fetch_video(url: str, path: Path) -> None:
    """Write the file at `url` to `path`. Raises `Unfetchable`."""
    with path.open("wb") as target:
        _download(url, target, VIDEO_BYTES)


def _download(url: str, target: io.BufferedIOBase | io.BytesIO, limit: int) -> None:
    deadline = time.monotonic() + DEADLINE
    size = 0
    try:
        with requests.Session() as session:
            session.trust_env = False
            with session.get(url, stream=True, timeout=TIMEOUT) as answer:
                if answer.status_code != 200:
                    raise Unfetchable(f"it answered {answer.status_code}")
                for piece in answer.iter_content(64 * 1024):
                    size += len(piece)
                    if size > limit:
                        raise Unfetchable(f"larger than {limit // (1024 * 1024)} MB")
                    if time.monotonic() > deadline:
                        raise Unfetchable("too slow")
                    target.write(piece)
    except (requests.RequestException, UnicodeError, ValueError) as error:
        # The library's own message names addresses and objects; its kind is enough for people.
        raise Unfetchable(type(error).__name__) from error
    if not size:
        raise Unfetchable("it is empty")
