"""Pictures as the encoder takes them: one plane of light (Y) and two of colour (U, V) at half size.

Zooming and mixing these costs half of what RGB does, and nothing has to be converted for the encoder.
"""

from __future__ import annotations

from dataclasses import dataclass

from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image, ImageOps

Size = tuple[int, int]


@dataclass(frozen=True)
class Planes:
    """One picture in 4:2:0; its width and height are even."""

    y: Image.Image
    u: Image.Image
    v: Image.Image

    @property
    def size(self) -> Size:
        return self.y.size

    def zoomed(self, zoom: float) -> Planes:
        """The middle of the picture, enlarged `zoom` (>= 1.0) times to the same size."""
        if zoom <= 1.0:
            return self
        return Planes(*(_zoom(plane, zoom) for plane in (self.y, self.u, self.v)))

    def mixed(self, other: Planes, part: float) -> Planes:
        """This picture dissolved into `other`: 0.0 is this one, 1.0 the other."""
        if part <= 0.0:
            return self
        if part >= 1.0:
            return other
        pairs = ((self.y, other.y), (self.u, other.u), (self.v, other.v))
        return Planes(*(Image.blend(mine, theirs, part) for mine, theirs in pairs))

    def marked(self, mark: Image.Image, shade: Image.Image, place: tuple[int, int]) -> Planes:
        """A copy with `mark` painted white over `shade` painted black, masks of one even size, at `place` (even)."""
        y, u, v = self.y.copy(), self.u.copy(), self.v.copy()
        y.paste(16, place, shade)
        y.paste(235, place, mark)
        half = mark.resize((mark.width // 2, mark.height // 2), Image.Resampling.BOX)
        for plane in (u, v):
            plane.paste(128, (place[0] // 2, place[1] // 2), half)
        return Planes(y, u, v)

    def frame(self) -> VideoFrame:
        """As a video frame, BT.709 in the limited range, and labelled so."""
        frame = VideoFrame(*self.size, "yuv420p")
        for plane, image in zip(frame.planes, (self.y, self.u, self.v), strict=True):
            if plane.line_size != image.width:  # rows are padded to please the processor
                padded = Image.new("L", (plane.line_size, image.height))
                padded.paste(image)
                image = padded
            plane.update(image.tobytes())
        frame.colorspace = Colorspace.ITU709
        frame.color_range = ColorRange.MPEG
        return frame

    def image(self) -> Image.Image:
        """As an RGB image."""
        return rgb(self.frame())


def rgb(frame: VideoFrame) -> Image.Image:
    """A frame as an image, by the colours that its labels say."""
    image: Image.Image = frame.to_image(interpolation="BICUBIC")
    return image


def planes_of(image: Image.Image, size: Size) -> Planes:
    """An RGB image scaled (not cropped) to `size`, whose sides must be even."""
    frame = VideoFrame.from_image(image).reformat(
        *size,
        format="yuv420p",
        src_colorspace=Colorspace.ITU709,
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation="BICUBIC",
    )
    planes = (
        Image.frombuffer("L", (plane.width, plane.height), bytes(plane), "raw", "L", plane.line_size, 1)
        for plane in frame.planes
    )
    return Planes(*planes)


def filled(image: Image.Image, size: Size) -> Planes:
    """An image cropped about its middle to the shape of `size`, and scaled to it."""
    return planes_of(ImageOps.fit(image.convert("RGB"), size, Image.Resampling.LANCZOS), size)


def _zoom(plane: Image.Image, zoom: float) -> Image.Image:
    left, top = plane.width * (1 - 1 / zoom) / 2, plane.height * (1 - 1 / zoom) / 2
    return plane.resize(plane.size, Image.Resampling.BICUBIC, box=(left, top, plane.width - left, plane.height - top))
