"""Render a task's video: a real H.264 file that browsers play, with "SANDBOX" in a corner of every frame."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from videos.luma.schema import ASPECT_RATIOS
from videos.sandbox.painting import moving_picture
from videos.sandbox.planes import Planes, filled, planes_of, rgb

Size = tuple[int, int]
Shot = Callable[[float], Planes]

RATE = 24  # frames a second
SECONDS = 5.0
QUICK_SECONDS = 0.5
QUICK_SHRINK = 8
ZOOM = 0.08  # how far a still is zoomed into over a whole video
SIZES: dict[str, Size] = {
    "16:9": (1360, 752),
    "9:16": (752, 1360),
    "1:1": (1008, 1008),
    "4:3": (1168, 880),
    "3:4": (880, 1168),
    "21:9": (1552, 656),
    "9:21": (656, 1552),
}
if set(SIZES) != set(ASPECT_RATIOS):
    raise RuntimeError("the sandbox has no size for every aspect ratio")


@dataclass(frozen=True)
class Scene:
    """What a video shows: where it begins and ends, images where they are given, else what the prompt inspires."""

    prompt: str
    size: Size
    start: Image.Image | None = None
    end: Image.Image | None = None
    loop: bool = False
    extends: bool = False
    seconds: float = SECONDS


def size_for(image: Image.Image) -> Size:
    """The one of `SIZES` whose shape is nearest to the image's."""
    shape = math.log(image.width / image.height)
    return min(SIZES.values(), key=lambda size: abs(math.log(size[0] / size[1]) - shape))


def quick_size(size: Size) -> Size:
    """The same shape, small: for drills with thousands of tasks."""
    width, height = size
    return width // QUICK_SHRINK // 2 * 2, height // QUICK_SHRINK // 2 * 2


def render(scene: Scene, video: Path, thumbnail: Path, *, stopped: Callable[[], bool] = lambda: False) -> Image.Image:
    """Write the MP4 and its thumbnail, whole or not at all, and return the last picture, unmarked.

    Raises `InterruptedError` soon after `stopped` becomes true.
    """
    count = round(scene.seconds * RATE)
    shot = _shot(scene)
    mark = _mark(scene.size)
    poster_at = 0 if scene.start else count * 2 // 5
    unfinished = video.with_suffix(".part")
    last: Planes | None = None

    def frames() -> Iterator[VideoFrame]:
        nonlocal last
        for number in range(count):
            if stopped():
                raise InterruptedError("the sandbox was stopped")
            last = shot(number / (count - 1))
            marked = last.marked(*mark)
            if number == poster_at:
                _save_jpeg(marked.image(), thumbnail, quality=88)
            yield marked.frame()

    try:
        _encode(frames(), scene.size, unfinished)
        os.replace(unfinished, video)
    finally:
        unfinished.unlink(missing_ok=True)
    if last is None:
        raise ValueError("a video needs at least one frame")
    return last.image()


def last_picture(video: Path | str) -> Image.Image:
    """The last picture of any video file. Raises `ValueError` where there is none to be had."""
    try:
        with av.open(str(video)) as container:
            stream = container.streams.video[0]
            # Decoding the last part is enough, where the file can be searched; else it is decoded whole.
            for start in (max(0, (container.duration or 0) - 2 * av.time_base), 0):
                container.seek(start)
                last = deque(container.decode(stream), maxlen=1)
                if last:
                    return rgb(last[0])
            raise ValueError("no picture in it")
    except (av.FFmpegError, IndexError) as error:
        raise ValueError(f"not a video: {error}") from error


def save_still(image: Image.Image, path: Path) -> None:
    """Keep a picture for later extensions, at a quality that does not show."""
    _save_jpeg(image, path, quality=95)


def _save_jpeg(image: Image.Image, path: Path, *, quality: int) -> None:
    unfinished = path.with_suffix(".part.jpg")
    image.save(unfinished, "JPEG", quality=quality, subsampling=0)
    os.replace(unfinished, path)


def _encode(frames: Iterator[VideoFrame], size: Size, path: Path) -> None:
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "22", "x264-params": "bframes=1:b-adapt=0:subme=1"}
        context = stream.codec_context
        context.time_base = Fraction(1, RATE)
        context.thread_count = 1  # two tasks render at once
        context.colorspace = Colorspace.ITU709
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.BT709
        context.color_range = ColorRange.MPEG
        for number, frame in enumerate(frames):
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _shot(scene: Scene) -> Shot:
    """Which picture stands at `t`, from 0.0 to 1.0: exactly the start at 0.0 and exactly the end at 1.0."""
    start = filled(scene.start, scene.size) if scene.start else None
    end = filled(scene.end, scene.size) if scene.end else None
    painted = _painted(scene)
    if start is None:
        return painted if end is None else _dissolve(painted, _still(end, ends=True))
    if end is not None:
        return _dissolve(_still(start), _still(end, ends=True))
    if scene.extends:
        return _dissolve(_still(start, turns=scene.loop), painted, returns=scene.loop)
    return _still(start, turns=scene.loop)


def _painted(scene: Scene) -> Shot:
    small = (scene.size[0] // 2, scene.size[1] // 2)
    picture = moving_picture(scene.prompt, small, loop=scene.loop)
    return lambda t: planes_of(picture(t), scene.size)


def _still(planes: Planes, *, ends: bool = False, turns: bool = False) -> Shot:
    """A slow zoom into a picture; `ends`: out of it, to rest on it; `turns`: in and out again."""

    def shot(t: float) -> Planes:
        way = math.sin(math.pi * t) if turns else 1 - t if ends else t
        return planes.zoomed(1 + ZOOM * max(0.0, way if 0 < t < 1 or not turns else 0.0))

    return shot


def _dissolve(first: Shot, second: Shot, *, returns: bool = False) -> Shot:
    """From `first` into `second`, and back again where it `returns`."""

    def shot(t: float) -> Planes:
        at = 1 - abs(2 * t - 1) if returns else t
        part = min(1.0, max(0.0, (at - 0.3) / 0.4))
        part = part * part * (3 - 2 * part)
        if part == 0.0:
            return first(t)
        return second(t) if part == 1.0 else first(t).mixed(second(t), part)

    return shot


def _mark(size: Size) -> tuple[Image.Image, Image.Image, tuple[int, int]]:
    """The word SANDBOX as a mask, its shade for bright pictures, and their place in the lower right corner."""
    height = max(6, min(size) // 48)
    font = ImageFont.load_default(height)
    word = " ".join("SANDBOX")
    box = font.getbbox(word)
    margin = height // 2
    mask = Image.new("L", (math.ceil(box[2] / 2 + margin) * 2, math.ceil(box[3] / 2 + margin) * 2))
    ImageDraw.Draw(mask).text((margin, margin), word, fill=190, font=font)
    shade = mask.filter(ImageFilter.GaussianBlur(height / 6)).point([min(140, value * 2) for value in range(256)])
    left, top = size[0] - mask.width - height // 2, size[1] - mask.height - height // 2
    return mask, shade, (left // 2 * 2, top // 2 * 2)
