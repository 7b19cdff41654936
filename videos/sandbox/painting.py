"""Moving pictures for prompts that come without a frame: landscapes of light, the same for the same prompt.

A picture is a function of `t`, which runs from 0.0 (first) to 1.0 (last), to an RGB image. What moves is moved
by resizing with a fractional box, since whole pixels would judder at these slow speeds.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw, ImageFilter

Picture = Callable[[float], Image.Image]
Colour = tuple[int, int, int]
Size = tuple[int, int]
Ink = Colour | Image.Image

HALF = [value // 2 for value in range(256)]

RIDGES = 5
TRAVEL = 0.22  # how far the nearest ridge moves, as a part of the width


@dataclass(frozen=True)
class Palette:
    """Colours of one hour of the day: the sky from top to horizon, its light, and the ground close by."""

    top: Colour
    middle: Colour
    horizon: Colour
    light: Colour
    near: Colour


PALETTES = (
    Palette((28, 30, 66), (150, 74, 108), (246, 164, 104), (255, 226, 178), (26, 18, 38)),  # dusk
    Palette((44, 92, 140), (132, 176, 196), (244, 220, 190), (255, 248, 226), (24, 52, 66)),  # clear morning
    Palette((8, 16, 40), (24, 58, 98), (96, 148, 164), (226, 238, 240), (4, 10, 22)),  # moonlight
    Palette((60, 26, 44), (176, 62, 52), (252, 176, 84), (255, 238, 190), (38, 12, 20)),  # red evening
    Palette((30, 56, 58), (92, 136, 116), (226, 222, 168), (255, 250, 214), (12, 32, 32)),  # green haze
    Palette((52, 44, 96), (140, 112, 176), (244, 190, 206), (255, 238, 236), (30, 22, 56)),  # lilac
    Palette((16, 44, 64), (40, 112, 122), (250, 190, 130), (255, 232, 190), (6, 22, 34)),  # teal and amber
    Palette((62, 72, 92), (142, 154, 168), (226, 224, 218), (255, 255, 250), (30, 36, 48)),  # mist
)


def moving_picture(prompt: str, size: Size, *, loop: bool = False) -> Picture:
    """The moving picture of a prompt, at `size` pixels; with `loop` it ends where it began."""
    digest = hashlib.sha256(prompt.strip().encode("utf-8", "surrogatepass")).digest()
    dice = random.Random(digest)
    palette = dice.choice(PALETTES)
    draw = dice.choice((_landscape, _sea))(dice, palette, size)

    def picture(t: float) -> Image.Image:
        # There and back for a loop; otherwise a steady drift, since an eased one looks stopped at both ends.
        turn = (1 - math.cos(2 * math.pi * t)) / 2 if loop else t
        return draw(turn)

    return picture


def _mix(a: Colour, b: Colour, part: float) -> Colour:
    red, green, blue = (round(x + (y - x) * part) for x, y in zip(a, b, strict=True))
    return red, green, blue


def _gradient(size: Size, stops: list[tuple[float, Colour]]) -> Image.Image:
    """A vertical gradient through `stops`, pairs of height (0.0 at the top) and colour."""
    height = size[1]
    column = Image.new("RGB", (1, height))
    for y in range(height):
        at = y / max(1, height - 1)
        pairs = itertools.pairwise(stops)
        (low, first), (high, second) = next((pair for pair in pairs if at <= pair[1][0]), (stops[-1], stops[-1]))
        part = min(1.0, max(0.0, (at - low) / max(1e-6, high - low)))
        column.putpixel((0, y), _mix(first, second, part * part * (3 - 2 * part)))
    return column.resize(size)


def _glow(size: Size, centre: tuple[float, float], radius: float, disc: float) -> Image.Image:
    """A mask of light around `centre` (pixels), with a soft disc of `disc` pixels in its middle."""
    mask = Image.new("L", size)
    halo = Image.radial_gradient("L").point([round(190 * (1 - min(1.0, v / 180)) ** 2.2) for v in range(256)])
    halo = halo.resize((round(radius * 2), round(radius * 2)), Image.Resampling.BICUBIC)
    mask.paste(halo, (round(centre[0] - radius), round(centre[1] - radius)))
    if disc:
        big = Image.new("L", (size[0] * 2, size[1] * 2))
        box = [2 * (centre[0] - disc), 2 * (centre[1] - disc), 2 * (centre[0] + disc), 2 * (centre[1] + disc)]
        ImageDraw.Draw(big).ellipse(box, fill=255)
        disc_mask = big.resize(size, Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(0.8))
        mask.paste(255, (0, 0), disc_mask)
    return mask


def _ridge(dice: random.Random, size: Size, base: float, rise: float, roughness: int) -> Image.Image:
    """A mask of a mountain ridge: solid below its line, whose height is `base` +- `rise` (parts of the height)."""
    width, height = size
    waves = [
        (dice.uniform(0.7, 1.4) * 1.9**octave, dice.uniform(0, math.tau), 0.52**octave) for octave in range(roughness)
    ]
    most = sum(strength for _, _, strength in waves)
    points = []
    for x in range(0, 2 * width + 4, 4):
        at = x / (2 * width) * math.tau
        level = sum(strength * math.sin(at * pace + phase) for pace, phase, strength in waves) / most
        points.append((x, 2 * height * (base - rise * level)))
    big = Image.new("L", (2 * width, 2 * height))
    ImageDraw.Draw(big).polygon([*points, (2 * width, 2 * height), (0, 2 * height)], fill=255)
    return big.resize(size, Image.Resampling.BOX)


def _clouds(dice: random.Random, size: Size) -> Image.Image:
    """A mask of long thin clouds, faint enough to let the sky through."""
    width, height = size
    mask = Image.new("L", (width // 4, height // 4))
    draw = ImageDraw.Draw(mask)
    for _ in range(16):
        x, y = dice.uniform(-0.1, 1.0) * width / 4, dice.uniform(0.06, 0.5) * height / 4
        long, thick = dice.uniform(0.06, 0.3) * width / 4, dice.uniform(0.004, 0.014) * height / 4
        draw.ellipse((x, y, x + long, y + 2 * thick + 1), fill=dice.randint(40, 120))
    return mask.filter(ImageFilter.GaussianBlur(2.2)).resize(size, Image.Resampling.BICUBIC)


def _sky(dice: random.Random, palette: Palette, size: Size, skyline: float, travel: int) -> tuple[Picture, float]:
    """The sky above `skyline` with its light rising and its clouds passing; and where the light stands, in pixels."""
    width, height = size
    back = _gradient(size, [(0.0, palette.top), (skyline * 0.55, palette.middle), (skyline + 0.12, palette.horizon)])
    short = min(width, height)
    x = width * dice.uniform(0.25, 0.75)
    y = height * (skyline - dice.uniform(0.04, 0.16))
    sun = _glow((width, round(height * 1.1)), (x, y), short * 0.75, short * dice.uniform(0.045, 0.075))
    clouds = _clouds(dice, (width + travel, height))
    cloud_colour = _mix(palette.horizon, palette.light, 0.5)
    top = round(height * 0.68)

    def draw(t: float) -> Image.Image:
        image = back.copy()
        rise = height * 0.05 * t
        mask = sun.resize((width, top), Image.Resampling.BILINEAR, box=(0, rise, width, rise + top))
        image.paste(palette.light, (0, 0), mask)
        _paste_moved(image, cloud_colour, clouds, travel * t, (0, top))
        return image

    return draw, x


def _paste_moved(image: Image.Image, ink: Ink, mask: Image.Image, x: float, rows: tuple[int, int]) -> None:
    """Paint `ink` through the part of `mask` that begins `x` pixels from its left, in `rows` alone."""
    top, bottom = rows
    size = (image.width, bottom - top)
    window = mask.resize(size, Image.Resampling.BILINEAR, box=(x, top, x + image.width, bottom))
    if isinstance(ink, Image.Image):
        ink = ink.crop((0, top, image.width, bottom))
    image.paste(ink, (0, top, image.width, bottom), window)


def _landscape(dice: random.Random, palette: Palette, size: Size) -> Picture:
    """Ridges in mist under a rising light, seen by a camera that passes sideways."""
    width, height = size
    travel = round(width * TRAVEL)
    right = dice.random() < 0.5
    skyline = dice.uniform(0.46, 0.56)
    sky, _ = _sky(dice, palette, size, skyline, round(travel * 0.4))
    ridges = []
    for number in range(RIDGES):
        depth = (number + 1) / RIDGES
        base = skyline + 0.04 + (0.92 - skyline) * (number / RIDGES) ** 1.15
        mask = _ridge(dice, (width + travel, height), base, 0.07 + 0.035 * depth, 5 if number < 3 else 4)
        crest = _mix(palette.horizon, palette.near, 0.18 + 0.82 * depth**1.1)
        foot = _mix(crest, palette.horizon, 0.55 * (1 - depth * 0.7))
        slope = _gradient(size, [(0.0, crest), (max(0.0, base - 0.06), crest), (min(1.0, base + 0.2), foot)])
        box = mask.getbbox()
        ridges.append((mask, slope, travel * (0.12 + 0.88 * depth**1.6), (box[1] if box else 0, height)))

    def draw(t: float) -> Image.Image:
        image = sky(t)
        for mask, slope, way, rows in ridges:
            _paste_moved(image, slope, mask, way * (t if right else 1 - t), rows)
        return image

    return draw


def _glints(dice: random.Random, size: Size, skyline: float) -> Image.Image:
    """A mask of flat ripples from `skyline` down, thin afar and broad near by."""
    width, height = size
    mask = Image.new("L", size)
    draw = ImageDraw.Draw(mask)
    for _ in range(width):
        near = dice.random() ** 1.7
        y = height * (skyline + (1 - skyline) * near)
        long, thick = width * (0.006 + 0.05 * near) * dice.uniform(0.5, 1.5), height * (0.001 + 0.007 * near)
        x = dice.uniform(-long, width)
        draw.ellipse((x, y, x + long, y + thick + 1), fill=dice.randint(110, 255))
    return mask.filter(ImageFilter.GaussianBlur(0.9))


def _sea(dice: random.Random, palette: Palette, size: Size) -> Picture:
    """A light over water, its reflection broken by ripples that cross each other."""
    width, height = size
    travel = round(width * TRAVEL)
    skyline = dice.uniform(0.56, 0.64)
    sky, sun_x = _sky(dice, palette, size, skyline, round(travel * 0.4))
    island = _ridge(dice, (width + travel, height), skyline + 0.015, 0.05, 5)
    island_colour = _mix(palette.horizon, palette.near, 0.4)
    top = round(height * skyline)
    deep = _mix(palette.near, palette.top, 0.45)
    far_water, mid_water = _mix(palette.horizon, palette.middle, 0.45), _mix(palette.middle, deep, 0.6)
    water = _gradient((width, height - top), [(0.0, far_water), (0.45, mid_water), (1.0, deep)])
    path = Image.new("L", (width, height))
    pen = ImageDraw.Draw(path)
    near, far = 0.2 * width, 0.035 * width
    pen.polygon([(sun_x - far, top), (sun_x + far, top), (sun_x + near, height), (sun_x - near, height)], fill=255)
    path = path.filter(ImageFilter.GaussianBlur(width * 0.03)).point([30 + round(v * 0.88) for v in range(256)])
    path = path.crop((0, top, width, height))
    ripples = [_glints(dice, (width + travel, height), skyline) for _ in range(2)]

    def draw(t: float) -> Image.Image:
        image = sky(t)
        _paste_moved(image, island_colour, island, travel * 0.15 * t, (0, height))
        image.paste(water, (0, top))
        waves = []
        for strip, x in zip(ripples, (travel * 0.8 * t, travel * (1 - 0.8 * t)), strict=True):
            box = (x, top, x + width, height)
            waves.append(strip.resize((width, height - top), Image.Resampling.BILINEAR, box=box))
        shine = ImageChops.multiply(ImageChops.screen(waves[0], waves[1].point(HALF)), path)
        image.paste(palette.light, (0, top), shine)
        return image

    return draw
