"""Images made to exhaust, to deceive or to tell too much: refused, or drawn anew."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from tests import pictures
from tests.heic import heic
from tests.processes import ROOT
from videos.decoders import FRAME_MAX_BYTES, SCANS_MOST
from videos.models import Frame, Generation

MEGAPIXELS = (8000, 5000)
"""The most that is taken: 40."""


# --- made by hand ---------------------------------------------------------------------------------


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(size: tuple[int, int], kind: int = 0, bits: int = 1, *more: bytes) -> bytes:
    """One colour, line by line; `kind` is the file's colour type: 0 grey, 2 RGB, 3 palette, 4 and 6 with alpha."""
    width, height = size
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    press, line = zlib.compressobj(9), bytes(1 + (width * samples * bits + 7) // 8)
    data = b"".join(press.compress(line) for _ in range(height)) + press.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    palette = chunk(b"PLTE", bytes(6)) if kind == 3 else b""
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + palette
    return start + b"".join(more) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def jpeg(size: tuple[int, int], **options) -> bytes:
    out = io.BytesIO()
    Image.new("L", size).save(out, "JPEG", **options)
    return out.getvalue()


def saved(size: tuple[int, int], kind: str, mode: str = "RGB", **options) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, kind, **options)
    return out.getvalue()


def taller(raw: bytes, size: tuple[int, int]) -> bytes:
    """A JPEG that says that it has other sides."""
    at = raw.index(b"\xff\xc0") + 5
    return raw[:at] + struct.pack(">HH", size[1], size[0]) + raw[at + 4 :]


def many_scans(size: tuple[int, int], more: int, before_end: bytes = b"") -> bytes:
    """A progressive JPEG whose last scan comes again and again: a few bytes each, and each draws the whole picture."""
    raw = jpeg(size, progressive=True)
    at, end = raw.rindex(b"\xff\xda"), raw.rindex(b"\xff\xd9")
    return raw[:end] + (before_end + raw[at:end]) * more + raw[end:]


def webp_canvas(side: int) -> bytes:
    """A WebP whose one small picture lies on a canvas of `side` × `side` pixels."""
    out = io.BytesIO()
    Image.new("RGB", (16, 16)).save(out, "WEBP", lossless=True)
    picture = out.getvalue()[12:]

    def part(kind: bytes, data: bytes) -> bytes:
        return kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)

    def three(number: int) -> bytes:
        return struct.pack("<I", number)[:3]

    header = part(b"VP8X", b"\x02\x00\x00\x00" + three(side - 1) + three(side - 1))
    frame = part(b"ANMF", three(0) + three(0) + three(15) + three(15) + three(100) + b"\x00" + picture)
    body = b"WEBP" + header + part(b"ANIM", bytes(6)) + frame
    return b"RIFF" + struct.pack("<I", len(body)) + body


def texts() -> list[bytes]:
    """Hidden texts, each of which swells to a megabyte."""
    swollen = zlib.compress(bytes(1024 * 1024 - 10), 9)
    return [chunk(b"zTXt", f"text {number}".encode() + b"\x00\x00" + swollen) for number in range(70)]


BOMBS = {
    "20,000 × 20,000 of one bit": lambda: png((20_000, 20_000)),
    "with a palette": lambda: png((10_000, 4_100), 3, 8),
    "of sixteen bits": lambda: png((8_000, 5_100), 2, 16),
    "just over the limit": lambda: png((8_001, 5_000)),
    "a line of two thousand million": lambda: (
        png((16, 16))[:16] + struct.pack(">II", 2**31 - 1, 16) + png((16, 16))[24:]
    ),
    "JPEG of 65,000 × 1,000": lambda: jpeg((65_000, 1_000), quality=1),
    "JPEG that says it is vast": lambda: taller(jpeg((64, 64)), (65_500, 65_500)),
    "JPEG of a thousand scans": lambda: many_scans((4_000, 2_000), 1000),
    "JPEG of a thousand scans behind junk": lambda: many_scans((4_000, 2_000), 1000, b"\xff\xe5\x00\x04\xff\xd9"),
    "WebP of 16,000 × 16,000": lambda: webp_canvas(16_000),
    "WebP of 65,000 × 65,000": lambda: webp_canvas(65_000),
    "PNG with swelling texts": lambda: png((64, 64), 0, 1, *texts()),
}
LEGIT = {
    "JPEG": lambda: saved(MEGAPIXELS, "JPEG"),
    "progressive JPEG": lambda: saved(MEGAPIXELS, "JPEG", progressive=True),
    "CMYK": lambda: saved(MEGAPIXELS, "JPEG", "CMYK"),
    "PNG with alpha": lambda: png(MEGAPIXELS, 6, 8),
    "PNG with a palette": lambda: png(MEGAPIXELS, 3, 8),
    "WebP": lambda: saved(MEGAPIXELS, "WEBP", method=0),
    "HEIC": lambda: heic(MEGAPIXELS),
    "JPEG of 25 MB": lambda: saved(MEGAPIXELS, "JPEG").ljust(FRAME_MAX_BYTES, b"x"),
}


together = pytest.mark.xdist_group("images")
"""Making them takes a while: once is enough."""


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory) -> dict[str, tuple[str, float, float]]:
    """All of them given to a process of its own: what came out, megabytes, seconds."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("only Linux tells how much memory a process took at the most")
    folder = tmp_path_factory.mktemp("images")
    for name, make in {**BOMBS, **LEGIT}.items():
        (folder / name).write_bytes(make())
        assert (folder / name).stat().st_size <= FRAME_MAX_BYTES, name
    # Bombs first: room that the others have taken and given back would hide theirs.
    paths = [str(folder / name) for name in (*BOMBS, *LEGIT)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.security.cleaning", *paths], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return {name: (outcome, room, took) for name, outcome, room, took in map(json.loads, done.stdout.splitlines())}


@pytest.mark.pure
@together
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_and_takes_neither_room_nor_time(cleaned, name):
    outcome, room, took = cleaned[name]
    assert outcome in ("too_many_pixels", "no_image", "animated")
    assert room < 100, "megabytes"
    assert took < 5, "seconds"


@pytest.mark.pure
@together
@pytest.mark.parametrize("name", LEGIT)
def test_the_largest_picture_that_is_taken_takes_no_room_either(cleaned, name):
    outcome, room, _ = cleaned[name]
    assert outcome == ""
    assert room < 100, "megabytes"


@pytest.mark.pure
def test_a_progressive_jpeg_of_the_usual_kind_is_taken_and_so_is_what_looks_like_scans_behind_it():
    from videos.validators import clean_frame

    # A phone's film hangs behind its picture: any bytes at all.
    raw = jpeg((640, 480), progressive=True) + b"\xff\xda\x00\x02" * (2 * SCANS_MOST)
    assert clean_frame(io.BytesIO(raw), len(raw)).width == 640


# --- what it pretends to be -----------------------------------------------------------------------

PAGE = b"<!doctype html><script>alert(1)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def gif() -> bytes:
    out = io.BytesIO()
    Image.new("P", (64, 64)).save(out, "GIF")
    return out.getvalue()


def other(kind: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64)).save(out, kind)
    return out.getvalue()


NO_IMAGES = {
    "svg": lambda: SVG,
    "svg with a byte order mark": lambda: b"\xef\xbb\xbf" + SVG,
    "page": lambda: PAGE,
    "page that begins as a GIF": lambda: b"GIF89a/*" + PAGE,
    "GIF": gif,
    "BMP": lambda: other("BMP"),
    "TIFF": lambda: other("TIFF"),
    "ICO": lambda: other("ICO"),
    "EPS": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n(x) run\n",
    "PDF": lambda: b"%PDF-1.7\n" + pictures.image(),
    "ImageMagick": lambda: b"push graphic-context\nfill 'url(https://127.0.0.1/)'\n",
    "film": lambda: b"\x00\x00\x00\x18ftypisom" + bytes(100),
    "zip": lambda: b"PK\x03\x04" + pictures.image(),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", NO_IMAGES)
@pytest.mark.parametrize("told", [("frame.png", "image/png"), ("x.svg", "image/svg+xml"), ("x.html", "text/html")])
def test_what_is_no_picture_is_not_kept_whatever_it_says(ada, provider, name, told):
    answer = ada.generate(start_image=pictures.upload(NO_IMAGES[name](), *told))
    assert answer.status_code == 200
    assert b"be read as an image" in answer.content
    assert b"<script>alert" not in answer.content
    assert not Frame.objects.exists()
    assert not Generation.objects.exists()


def telling() -> Iterator[bytes]:
    """Pictures that tell where they were taken, and carry a page."""
    exif = Image.Exif()
    exif[0x010F] = "SECRET-CAMERA"
    exif[0x9286] = PAGE.decode()
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    words = PngImagePlugin.PngInfo()
    words.add_text("Comment", PAGE.decode())
    words.add_itxt("XML:com.adobe.xmp", "SECRET-XMP")
    yield pictures.image(kind="JPEG", exif=exif, comment=PAGE) + PAGE
    yield pictures.image(kind="PNG", exif=exif, pnginfo=words) + PAGE
    yield pictures.image(kind="WEBP", exif=exif, xmp=PAGE) + PAGE
    yield pictures.image(colour=(1, 2, 3, 100), kind="PNG", exif=exif, pnginfo=words) + PAGE


@pytest.mark.django_db
@pytest.mark.parametrize("number", range(4))
@pytest.mark.usefixtures("local_files")
def test_what_the_provider_fetches_tells_no_place_and_carries_nothing(ada, provider, work, client, number):
    raw = list(telling())[number]
    assert b"SECRET" in raw
    file = pictures.upload(raw, "<script>alert(1)</script>.php", "text/html")
    assert ada.generate(start_image=file).status_code == 302
    work()
    link = provider.created[0]["start_image_url"]
    assert "script" not in link
    fetched = client.get(link.removeprefix("https://studio.example.com"))
    assert fetched["Content-Type"] in ("image/jpeg", "image/png")
    assert fetched["X-Content-Type-Options"] == "nosniff"
    content = fetched.getvalue()
    for secret in (b"SECRET", b"script", b"Exif", b"GPS", PAGE):
        assert secret not in content
    assert not Image.open(io.BytesIO(content)).getexif()
