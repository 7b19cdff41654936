"""Looks into a film: `python -m videos.decoders.film inspect SIDE < film`, or `… cut SECONDS < film`."""

from __future__ import annotations

import io
import sys
from typing import IO, Any, cast

import av
from av.container import InputContainer

from .confined import MEGABYTE, Refused, answer

MEMORY = 3072 * MEGABYTE
SECONDS = 60
THREADS = 2
"""Each holds pictures of its own: with one for each core, large films would take room without end."""


def inspect(file: IO[bytes], side: int) -> tuple[dict[str, Any], bytes]:
    """The sides in pixels, the duration in seconds (or None), and the first picture as JPEG.

    Raises `Refused`: `undecodable`, also where a side is longer than `side`; `cut_short` where the index
    promises more than is there.
    """
    if file.read(12)[4:8] != b"ftyp":
        raise Refused("undecodable", "the file is no MP4")
    file.seek(0)
    try:
        with _open(file) as container:
            stream = _video(container)
            if not (0 < stream.codec_context.width <= side and 0 < stream.codec_context.height <= side):
                raise Refused("undecodable", "the video's sides are absurd")
            picture = next(container.decode(stream))
            duration = container.duration / av.time_base if container.duration else None
            image = picture.to_image()
            if duration and _reaches(container, stream) < duration * 0.9:
                raise Refused("cut_short", "the film is cut short")
    except (av.FFmpegError, StopIteration, IndexError, ValueError) as fault:
        raise Refused("undecodable", f"the file can't be decoded ({type(fault).__name__})") from fault
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85, progressive=True)
    return {"width": image.width, "height": image.height, "duration": duration}, out.getvalue()


def cut(file: IO[bytes], at: float) -> tuple[dict[str, Any], bytes]:
    """The picture that the film shows at `at` seconds, exactly, as PNG; past the end, the last one.

    Raises `Refused`: `undecodable`.
    """
    shown = None
    try:
        with _open(file) as container:
            stream = _video(container)
            if stream.time_base is not None:
                # Back to the key picture before it, then on to the very one: seeking alone is not exact.
                container.seek(int(at / stream.time_base), stream=stream, backward=True)
            for picture in container.decode(stream):
                # Half a millisecond for what players round.
                if shown is not None and picture.time is not None and picture.time > at + 0.0005:
                    break
                shown = picture
    except (av.FFmpegError, IndexError, ValueError) as fault:
        raise Refused("undecodable", f"the file can't be decoded ({type(fault).__name__})") from fault
    if shown is None:
        raise Refused("undecodable", "the film holds no picture")
    out = io.BytesIO()
    shown.to_image().save(out, "PNG", compress_level=1)
    return {}, out.getvalue()


def _open(file: IO[bytes]) -> InputContainer:
    # The format is fixed: probing would let a playlist make FFmpeg open further files and links.
    return cast(InputContainer, av.open(file, format="mp4"))


def _video(container: InputContainer) -> av.VideoStream:
    stream = container.streams.video[0]
    stream.codec_context.thread_count = THREADS
    return stream


def _reaches(container: InputContainer, stream: av.VideoStream) -> float:
    """Up to which second the file really holds pictures; its index may promise more."""
    ends = [
        float((packet.pts + (packet.duration or 0)) * packet.time_base)
        for packet in container.demux(stream)
        if packet.pts is not None and packet.time_base is not None and not packet.is_corrupt
    ]
    return max(ends, default=0.0)


if __name__ == "__main__":
    command, number = sys.argv[1:]
    film = sys.stdin.buffer
    answer(lambda: inspect(film, int(number)) if command == "inspect" else cut(film, float(number)), MEMORY, SECONDS)
