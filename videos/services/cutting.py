"""A frame is cut from a film of ours."""

from __future__ import annotations

import io
import tempfile
from typing import IO, cast

import av
from av.container import InputContainer
from django.core.files.storage import default_storage
from PIL import Image

from ..models import Frame, Video
from ..validators import clean_frame
from .asking import keep_frame


class NotHome(Exception):
    """The film is not stored here, so there is nothing to cut from."""


def cut_frame(video: Video, at: float) -> Frame:
    """The picture that the film shows at `at` seconds, exactly, kept as a frame of its owner.

    A moment past the end gives the last picture. Raises `NotHome`, `ValueError` where the film holds no
    picture, `OSError` where the storage fails.
    """
    if video.stored_at is None:
        raise NotHome
    with tempfile.TemporaryFile() as local:
        with default_storage.open(str(video.file)) as stored:
            for chunk in stored.chunks():
                local.write(chunk)
        local.seek(0)
        picture = _picture_at(local, at)
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    size = out.tell()
    out.seek(0)
    return keep_frame(video.owner, clean_frame(out, size))


def _picture_at(file: IO[bytes], at: float) -> Image.Image:
    with cast(InputContainer, av.open(file, format="mp4")) as container:
        stream = container.streams.video[0]
        if stream.time_base is not None:
            # Back to the key picture before it, then on to the very one: seeking alone is not exact.
            container.seek(int(at / stream.time_base), stream=stream, backward=True)
        shown = None
        for picture in container.decode(stream):
            # Half a millisecond for what players round.
            if shown is not None and picture.time is not None and picture.time > at + 0.0005:
                break
            shown = picture
        if shown is None:
            raise ValueError("no picture")
        return cast(Image.Image, shown.to_image())
