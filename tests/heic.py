"""A phone's HEIC picture, put together by hand: Pillow and pi-heif only read the format."""

from __future__ import annotations

import io
import struct

import av
from PIL import Image


def heic(size: tuple[int, int] = (64, 48), colour: tuple[int, int, int] = (200, 30, 30)) -> bytes:
    """One HEVC picture of one colour in a HEIF container (ISO/IEC 23008-12)."""
    film = io.BytesIO()
    with av.open(film, "w", format="mp4") as container:
        options = {"x265-params": "log-level=none:keyint=1", "tag": "hvc1"}
        stream = container.add_stream("libx265", rate=1, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_image(Image.new("RGB", size, colour))))
        container.mux(stream.encode())
    settings, picture = (_content(film.getvalue(), kind) for kind in (b"hvcC", b"mdat"))
    start = _box(b"ftyp", b"heic\x00\x00\x00\x00mif1heic")
    header = len(start) + len(_meta(0, len(picture), settings, size)) + 8
    return start + _meta(header, len(picture), settings, size) + _box(b"mdat", picture)


def _meta(offset: int, length: int, settings: bytes, size: tuple[int, int]) -> bytes:
    entry = _box(b"infe", struct.pack(">HH4sx", 1, 0, b"hvc1"), 2 << 24)
    properties = _box(b"ipco", _box(b"hvcC", settings) + _box(b"ispe", struct.pack(">II", *size), 0))
    return _box(
        b"meta",
        _box(b"hdlr", struct.pack(">I4s13x", 0, b"pict"), 0)
        + _box(b"pitm", struct.pack(">H", 1), 0)
        + _box(b"iinf", struct.pack(">H", 1) + entry, 0)
        + _box(b"iloc", struct.pack(">BBHHHHII", 0x44, 0, 1, 1, 0, 1, offset, length), 0)
        + _box(b"iprp", properties + _box(b"ipma", struct.pack(">IHBBB", 1, 1, 2, 0x81, 0x02), 0)),
        0,
    )


def _box(kind: bytes, data: bytes, version_and_flags: int | None = None) -> bytes:
    if version_and_flags is not None:
        data = struct.pack(">I", version_and_flags) + data
    return struct.pack(">I4s", len(data) + 8, kind) + data


def _content(film: bytes, kind: bytes) -> bytes:
    at = film.index(kind)
    return film[at + 4 : at - 4 + struct.unpack(">I", film[at - 4 : at])[0]]
