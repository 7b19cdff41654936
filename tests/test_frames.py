"""What becomes of an image that somebody chooses as a frame."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from functools import cache

import pytest
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage, storages
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, PngImagePlugin

from tests import pictures
from tests.heic import heic
from videos import services
from videos.decoders import confined, picture
from videos.models import Frame
from videos.validators import CleanFrame, clean_frame

TEAL = (0, 128, 128)


def clean(content: bytes) -> CleanFrame:
    return clean_frame(io.BytesIO(content), len(content))


def opened(frame: CleanFrame) -> Image.Image:
    """What was kept, as a stranger opens it."""
    image = Image.open(io.BytesIO(frame.content))
    image.load()
    return image


def saved(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def near(colour: tuple[int, ...], other: tuple[int, ...], slack: int = 6) -> bool:
    return len(colour) == len(other) and all(abs(a - b) <= slack for a, b in zip(colour, other, strict=True))


def refused(content: bytes, code: str, advice: str) -> None:
    """Raise unless the image is refused with this code and a message that says this."""
    with pytest.raises(ValidationError) as caught:
        clean(content)
    assert caught.value.code == code
    assert advice in caught.value.message


# --- what is taken --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_taken(kind):
    frame = clean(pictures.image((320, 180), TEAL, kind))
    image = opened(frame)
    assert (image.format, frame.extension) == ("JPEG", "jpg")
    assert (frame.width, frame.height) == image.size == (320, 180)
    assert near(image.getpixel((160, 90)), TEAL)


def test_a_phones_heic_is_taken():
    image = opened(clean(heic((64, 48), (200, 30, 30))))
    assert image.size == (64, 48)
    assert near(image.getpixel((32, 24)), (200, 30, 30))


def test_of_a_phones_double_picture_the_first_is_taken():
    first, second = (Image.new("RGB", (64, 48), colour) for colour in ("red", "blue"))
    mpo = saved(first, "MPO", save_all=True, append_images=[second])
    assert Image.open(io.BytesIO(mpo)).n_frames == 2
    image = opened(clean(mpo))
    assert image.format == "JPEG"
    assert near(image.getpixel((32, 24)), (254, 0, 0))
    assert getattr(image, "n_frames", 1) == 1


def test_a_transparent_picture_keeps_its_transparency():
    frame = clean(pictures.image((64, 48), (255, 0, 0, 100)))
    assert frame.extension == "png"
    assert opened(frame).getpixel((5, 5)) == (255, 0, 0, 100)


def test_a_palettes_transparent_colour_stays_transparent():
    palette = Image.new("P", (64, 48), 0)
    palette.putpalette([255, 0, 0, 0, 255, 0])
    palette.paste(1, (0, 0, 32, 48))
    image = opened(clean(saved(palette, "PNG", transparency=0)))
    assert image.getpixel((5, 5)) == (0, 255, 0, 255)
    assert image.getpixel((60, 5))[3] == 0


def test_a_print_shops_cmyk_is_turned_into_rgb():
    image = opened(clean(saved(Image.new("CMYK", (64, 48), (255, 0, 0, 0)), "JPEG")))
    assert image.mode == "RGB"
    assert near(image.getpixel((5, 5)), (0, 255, 255), 10)


@pytest.mark.parametrize(("mode", "light", "dark"), [("1", 1, 0), ("L", 200, 20), ("LA", (200, 255), (20, 255))])
def test_a_picture_without_colours_is_taken(mode, light, dark):
    grey = Image.new(mode, (64, 48), dark)
    grey.paste(light, (0, 0, 32, 48))
    image = opened(clean(saved(grey, "PNG")))
    assert image.getpixel((5, 5))[0] > 190
    assert image.getpixel((60, 5))[0] < 30


def test_a_scanners_sixteen_bits_of_grey_keep_their_shades():
    deep = Image.new("I;16", (256, 32))
    for x in range(256):
        deep.paste(x * 257, (x, 0, x + 1, 32))
    image = opened(clean(saved(deep, "PNG")))
    assert [near(image.getpixel((x, 16)), (x, x, x)) for x in (10, 64, 128, 200, 250)] == [True] * 5


def wide_profile() -> bytes:
    """The profile of a camera with Adobe RGB's colours: its green is far greener than a screen's."""

    def fixed(number: float) -> bytes:
        return struct.pack(">i", round(number * 65536))

    white = (0.9642, 1.0, 0.8249)
    columns = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))
    parts = {b"wtpt": b"XYZ \0\0\0\0" + b"".join(map(fixed, white)), b"desc": b"desc\0\0\0\0" + bytes(82)}
    for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True):
        parts[name] = b"XYZ \0\0\0\0" + b"".join(map(fixed, column))
    for name in (b"rTRC", b"gTRC", b"bTRC"):
        parts[name] = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + bytes(2)
    at, table, data = 128 + 4 + 12 * len(parts), b"", b""
    for name, part in parts.items():
        part += bytes(-len(part) % 4)
        table += name + struct.pack(">II", at + len(data), len(part))
        data += part
    size = at + len(data)
    head = struct.pack(">I", size) + b"lcms" + b"\x02\x40\0\0" + b"mntrRGB XYZ " + bytes(12) + b"acsp"
    head += bytes(28) + b"".join(map(fixed, white)) + bytes(48)
    return head + struct.pack(">I", len(parts)) + table + data


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("alpha", [(), (100,)], ids=["opaque", "transparent"])
def test_a_cameras_wide_colours_are_shown_as_they_were_meant(kind, alpha):
    if kind == "JPEG":
        alpha = ()
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95}
    raw = pictures.image((64, 48), (200, 160, 120, *alpha), kind, icc_profile=wide_profile(), **options)
    red, green, blue, *rest = opened(clean(raw)).getpixel((32, 24))
    # Worked out by hand from the profile's numbers.
    assert near((red, green, blue), (215, 161, 119), 4)
    assert tuple(rest) == alpha


def test_a_profile_of_another_kind_of_colours_changes_nothing():
    raw = pictures.image((64, 48), TEAL, icc_profile=wide_profile().replace(b"mntrRGB ", b"mntrCMYK"))
    assert near(opened(clean(raw)).getpixel((5, 5)), TEAL)


def test_the_smallest_picture_is_taken():
    assert clean(pictures.image((16, 16))).width == 16


# --- what is taken off ----------------------------------------------------------------------------


def telling_exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "SECRET-CAMERA"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0)})
    return exif


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_taken_sideways_is_turned_upright(kind):
    sideways = Image.new("RGB", (64, 32), "blue")
    sideways.paste("red", (0, 0, 32, 32))
    image = opened(clean(saved(sideways, kind, exif=telling_exif(6), quality=95)))
    assert image.size == (32, 64)
    assert image.getpixel((16, 8))[0] > 200
    assert image.getpixel((16, 56))[2] > 200


@pytest.mark.parametrize("colour", [(0, 128, 128), (0, 128, 128, 100)], ids=["opaque", "transparent"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_nothing_tells_where_a_picture_was_taken(kind, colour):
    if kind == "JPEG":
        colour = colour[:3]
    options = {"exif": telling_exif(1), "icc_profile": b"SECRET-PROFILE", "xmp": b"<x>SECRET-XMP</x>"}
    if kind == "JPEG":
        options["comment"] = b"SECRET-COMMENT"
    if kind == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_text("Comment", "SECRET-COMMENT")
    raw = pictures.image((64, 48), colour, kind, **options)
    assert b"SECRET" in raw
    frame = clean(raw)
    assert b"SECRET" not in frame.content
    assert b"Exif" not in frame.content
    assert not opened(frame).getexif()
    assert set(opened(frame).info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_what_hangs_behind_a_picture_is_gone():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("evil.js", "alert(1)")
    page = b"<html><script>alert(1)</script></html>"
    frame = clean(pictures.image(kind="JPEG") + page + archive.getvalue())
    assert b"script" not in frame.content
    assert not zipfile.is_zipfile(io.BytesIO(frame.content))
    assert frame.content.endswith(b"\xff\xd9")


def test_a_page_hidden_in_a_pictures_text_is_gone():
    words = PngImagePlugin.PngInfo()
    words.add_text("Title", "<script>alert(1)</script>")
    assert b"script" not in clean(pictures.image(kind="PNG", pnginfo=words)).content


# --- what is refused, and what to do then ---------------------------------------------------------

CHOOSE = "Choose a JPEG, PNG, WebP or HEIC picture."


def animation(kind: str) -> bytes:
    first, second = (Image.new("RGB", (64, 48), colour) for colour in ("red", "blue"))
    return saved(first, kind, save_all=True, append_images=[second], duration=100)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animation_is_refused(kind):
    refused(animation(kind), "animated", "Save one picture of it")


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><script>alert(1)</script></svg>'
NO_IMAGES = {
    "text": b"I am called frame.png, and that is all.",
    "nothing": b"",
    "an SVG": SVG,
    "a GIF": pictures.image(kind="GIF"),
    "an animated GIF": animation("GIF"),
    "a BMP": pictures.image(kind="BMP"),
    "a TIFF": pictures.image(kind="TIFF"),
    "a PDF": pictures.image(kind="PDF"),
    "a film": b"\x00\x00\x00\x20ftypisom" + bytes(100),
    "a page": b"<html><body>404</body></html>",
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n",
    "a PNG's first bytes": b"\x89PNG\r\n\x1a\n",
}


@pytest.mark.parametrize("content", NO_IMAGES.values(), ids=NO_IMAGES)
def test_what_is_no_picture_is_refused(content):
    refused(content, "no_image", CHOOSE)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIC"])
def test_half_a_file_is_refused(kind):
    noise = Image.effect_noise((200, 200), 80).convert("RGB")
    whole = heic() if kind == "HEIC" else saved(noise, kind)
    refused(whole[: len(whole) // 2], "no_image", CHOOSE)


def test_a_damaged_file_is_refused():
    raw = bytearray(pictures.image(kind="PNG"))
    raw[raw.index(b"IDAT") + 10] ^= 0xFF
    refused(bytes(raw), "no_image", CHOOSE)


@pytest.mark.parametrize("size", [(15, 15), (15, 400), (400, 1)])
def test_a_tiny_picture_is_refused(size):
    refused(pictures.image(size), "too_small", "each side needs 16 pixels or more")


def black(width: int, height: int) -> bytes:
    """A PNG of one bit a pixel, made line by line: a vast one is a small file."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    press = zlib.compressobj(9)
    line = bytes(1 + (width + 7) // 8)
    data = b"".join(press.compress(line) for _ in range(height)) + press.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(20_000, 20_000), (10_000, 10_000), (8_001, 5_000), (2**31 - 1, 16)])
def test_a_vast_picture_is_refused_before_any_pixel_is_drawn(size, monkeypatch):
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("it was drawn"))
    raw = black(size[0], min(size[1], 20_000)) if size[0] < 10**6 else black(16, 16)
    raw = raw[:16] + struct.pack(">II", *size) + raw[24:]
    raw = raw[:29] + struct.pack(">I", zlib.crc32(raw[12:29])) + raw[33:]
    assert len(raw) < 200_000
    with pytest.raises(confined.Refused, match="too_many_pixels"):
        picture.redraw(raw)
    refused(raw, "too_many_pixels", "make it smaller first")


def test_a_file_of_26_mb_is_refused_unread():
    class Unread(io.BytesIO):
        def read(self, *args):
            pytest.fail("it was read")

    with pytest.raises(ValidationError) as caught:
        clean_frame(Unread(), 26 * 1024 * 1024)
    assert caught.value.code == "too_large"
    assert "This image has 26 MB. The most is 25 MB: make it smaller or save it as JPEG." in caught.value.message


def test_a_file_that_is_larger_than_it_says_is_not_read_to_its_end():
    with pytest.raises(ValidationError):
        clean_frame(io.BytesIO(bytes(30 * 1024 * 1024)), 5)


@cache
def sound_pictures() -> list[bytes]:
    kinds = ("JPEG", "PNG", "WEBP")
    return [pictures.image((32, 32), kind=kind, exif=telling_exif(3)) for kind in kinds] + [heic((32, 32))]


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=80, deadline=None)
@given(st.integers(0, 3), st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=12), st.binary())
def test_damage_of_any_kind_is_refused_politely_or_does_no_harm(which, damage, tail):
    raw = bytearray(sound_pictures()[which] + tail)
    for at, value in damage:
        raw[at % len(raw)] = value
    try:
        assert picture.redraw(bytes(raw))[1]
    except confined.Refused as refusal:
        code = refusal.code
    else:
        code = None
    assert code in {None, "no_image", "too_small", "too_many_pixels", "animated"}


# --- what is kept ---------------------------------------------------------------------------------


def test_the_same_picture_is_kept_once_for_each_owner(ada, bob):
    plain, tagged = pictures.image((64, 48)), pictures.image((64, 48), exif=telling_exif(1))
    assert plain != tagged
    one = services.keep_frame(ada.user, clean(plain))
    assert services.keep_frame(ada.user, clean(tagged)) == one
    other = services.keep_frame(bob.user, clean(plain))
    assert other != one
    assert Frame.objects.count() == 2
    assert len(default_storage.listdir("frames")[1]) == 2


def test_what_is_kept_can_be_opened(ada):
    frame = services.keep_frame(ada.user, clean(pictures.image((64, 48))))
    with frame.file.open() as file:
        content = file.read()
    assert frame.size == len(content)
    assert Image.open(io.BytesIO(content)).size == (frame.width, frame.height) == (64, 48)
    assert str(frame.pk) in frame.file.name


def test_of_two_uploads_at_the_same_moment_one_file_stays(ada, monkeypatch):
    picture = clean(pictures.image((64, 48)))
    first = services.keep_frame(ada.user, picture)
    unaware = Frame.objects.none()
    monkeypatch.setattr(Frame.objects, "filter", lambda **words: unaware)
    assert services.keep_frame(ada.user, picture) == first
    assert len(default_storage.listdir("frames")[1]) == 1


def test_a_full_disk_leaves_no_row(ada, monkeypatch):
    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(storages["default"]), "save", full)
    with pytest.raises(OSError, match="No space"):
        services.keep_frame(ada.user, clean(pictures.image()))
    assert not Frame.objects.exists()
