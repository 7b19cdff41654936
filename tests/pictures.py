"""Images and films, drawn in memory."""

from __future__ import annotations

import io
from typing import Any

import av
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image


def image(size: tuple[int, int] = (320, 180), colour: Any = "teal", kind: str = "PNG", **options: Any) -> bytes:
    """A picture of one colour."""
    out = io.BytesIO()
    mode = "RGBA" if isinstance(colour, tuple) and len(colour) == 4 else "RGB"
    Image.new(mode, size, colour).save(out, kind, **options)
    return out.getvalue()


def bomb(side: int = 20_000) -> bytes:
    """A PNG of `side` × `side` pixels in a few kilobytes."""
    out = io.BytesIO()
    Image.new("1", (side, side)).save(out, "PNG")
    return out.getvalue()


def upload(
    content: bytes | None = None, name: str = "frame.png", content_type: str = "image/png"
) -> SimpleUploadedFile:
    """A file as a browser sends it."""
    return SimpleUploadedFile(name, image() if content is None else content, content_type)


def film(size: tuple[int, int] = (128, 72), frames: int = 24) -> bytes:
    """An H.264 MP4 of one second."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(frames):
            picture = Image.new("RGB", size, (number * 10 % 255, 80, 120))
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode())
    return out.getvalue()
