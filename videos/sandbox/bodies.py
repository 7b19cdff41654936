"""Read what a client sends: bodies with a length or in chunks, and the file in a multipart form."""

from __future__ import annotations

import re
from email.message import Message
from email.parser import BytesHeaderParser
from io import BufferedIOBase

MAX_JSON = 1024 * 1024
MAX_UPLOAD = 25 * 1024 * 1024
SLACK = 64 * 1024  # the multipart wrapping around a file of the greatest size
DRAIN = 128 * 1024 * 1024
PIECE = 64 * 1024


class BadBody(Exception):
    """The body can't be read, so the connection can't be used any further."""


class TooLarge(BadBody):
    """The body is over the limit; it was read to its end, so that the client hears our answer."""


def read_body(source: BufferedIOBase, headers: Message, limit: int) -> bytes:
    """The request's body, at most `limit` bytes. Raises `BadBody`, `TooLarge`."""
    encoding = headers.get("Transfer-Encoding", "").strip().lower()
    if encoding:
        if encoding != "chunked":
            raise BadBody(f"transfer encoding {encoding[:40]!r} is not supported")
        return _read_chunks(source, limit)
    length = headers.get("Content-Length", "0").strip()
    if not length.isascii() or not length.isdigit():
        raise BadBody("Content-Length is not a number")
    size = int(length[:18])
    if size > limit:
        _drain(source, size)
        raise TooLarge(f"The body is larger than {limit} bytes")
    return _read(source, size)


def _read_chunks(source: BufferedIOBase, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while (length := _chunk_size(source)) > 0:
        size += length
        if size > limit:
            # Keep counting without keeping, up to the same bound as for a known length.
            pieces.clear()
        if size > DRAIN:
            raise TooLarge(f"The body is larger than {limit} bytes")
        piece = _read(source, length)
        if size <= limit:
            pieces.append(piece)
        if source.readline(3) not in (b"\r\n", b"\n"):
            raise BadBody("a chunk does not end where it says")
    while source.readline(PIECE) not in (b"\r\n", b"\n", b""):
        pass  # trailers
    if size > limit:
        raise TooLarge(f"The body is larger than {limit} bytes")
    return b"".join(pieces)


def _chunk_size(source: BufferedIOBase) -> int:
    digits = source.readline(1024).split(b";")[0].strip()
    if not re.fullmatch(rb"[0-9a-fA-F]{1,8}", digits):
        raise BadBody("a chunk without a size")
    size = int(digits, 16)
    if size > DRAIN:
        raise BadBody("a chunk of absurd size")
    return size


def _read(source: BufferedIOBase, size: int) -> bytes:
    body = source.read(size)
    if len(body) < size:
        raise BadBody("the body ends early")
    return body


def _drain(source: BufferedIOBase, size: int) -> None:
    left = min(size, DRAIN)
    while left > 0 and (piece := source.read(min(PIECE, left))):
        left -= len(piece)


def file_in_form(body: bytes, content_type: str) -> tuple[str, bytes] | None:
    """Name and content of the form field `file`, or None where there is none."""
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str) or not boundary:
        return None
    delimiter = b"\r\n--" + boundary.encode("latin-1", "replace")
    # A delimiter begins with the line's end before it; the first one has no line before it.
    for part in (b"\r\n" + body).split(delimiter)[1:]:
        if part.startswith(b"--"):
            break
        head, blank, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        fields = BytesHeaderParser().parsebytes(head)
        if blank and fields.get_param("name", header="Content-Disposition") == "file":
            return fields.get_filename() or "", content
    return None
