"""Bring one file home, or say `Gone` or `Later`. Moves no state.

The link is hostile: the name is looked up once, private addresses are refused, the connection goes
to that very address, each redirect is judged anew, the size is bounded, and what arrives must be a
playable MP4 before it gets a name that anybody can see.
"""

from __future__ import annotations

import io
import logging
import os
import shutil
import socket
import tempfile
import time
import uuid
from collections.abc import Callable, Collection
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import certifi
import urllib3
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from urllib3.exceptions import HTTPError

from . import apart, links
from .luma import schema

logger = logging.getLogger(__name__)

REDIRECTS_MOST = 5
CHUNK = 256 * 1024
CONNECT_SECONDS = 5
STALL_SECONDS = 30
TOTAL_SECONDS = 30 * 60
KEEP_ALIVE_SECONDS = 20
SIDE_MOST = 8192
INSPECT_SECONDS = 80
"""Shorter than a lease: nothing renews it meanwhile."""
LEFTOVER_SECONDS = 24 * 3600


class Gone(Exception):
    """What the link leads to is no video of ours: only a fresh link can help."""


class Later(Exception):
    """The network or this machine was at fault: the same link may do."""


@dataclass(frozen=True)
class Stored:
    """A video at home. Names in the storage; sides in pixels, duration in seconds, size in bytes."""

    file: str
    poster: str
    width: int
    height: int
    duration: float | None
    size: int


def fetch(
    key: uuid.UUID,
    link: str,
    keep_alive: Callable[[], None] = lambda: None,
    taken: Callable[[], Collection[str]] = tuple,
) -> Stored:
    """Download `link`, check it, and store it with a poster under names made of `key`.

    `keep_alive` is called now and then while bytes arrive. Files that `taken` names are left as they are, so
    that there is one at any time; whatever else has our names was left by a try that was killed. Raises
    `Gone` or `Later`; then nothing is left behind.
    """
    try:
        incoming = _incoming_folder()
        with tempfile.TemporaryDirectory(dir=incoming) as folder:
            path = Path(folder) / "video.mp4"
            poster = Path(folder) / "poster.jpg"
            size = _download(link, path, keep_alive)
            keep_alive()
            width, height, duration = _inspect(path, poster)
            keep_alive()
            with ExitStack() as undo:
                file = _put(path, f"videos/{key}", ".mp4", taken(), undo)
                picture = _put(poster, f"posters/{key}", ".jpg", taken(), undo)
                undo.pop_all()
            return Stored(file, picture, width, height, duration, size)
    except OSError as fault:
        raise Later(f"this machine could not keep it ({fault.strerror or type(fault).__name__})") from fault
    except (BotoCoreError, ClientError) as fault:
        raise Later(f"the bucket could not keep it ({type(fault).__name__})") from fault


def forget(name: str) -> None:
    """Delete a file that no row names any more, if the storage lets us."""
    with suppress(OSError, BotoCoreError, ClientError):
        default_storage.delete(name)


def _incoming_folder() -> Path:
    """A folder on the same disk as local media, so that moving a file into place is one step."""
    folder: Path = settings.DATA_DIR / "incoming"
    folder.mkdir(parents=True, exist_ok=True)
    for entry in folder.iterdir():
        with suppress(OSError):
            if time.time() - entry.stat().st_mtime > LEFTOVER_SECONDS:
                shutil.rmtree(entry, ignore_errors=True)
    return folder


def _put(path: Path, stem: str, ending: str, taken: Collection[str], undo: ExitStack) -> str:
    # Of two names one is always free: the film's row names no more than one.
    name = next(name for name in (f"{stem}{ending}", f"{stem}-again{ending}") if name not in taken)
    if default_storage.exists(name):
        default_storage.delete(name)
    undo.callback(forget, name)
    with path.open("rb") as file:
        return str(default_storage.save(name, _Movable(file, path)))


class _Movable(File):  # type: ignore[type-arg]
    """Lets a local storage rename the file instead of copying it."""

    def __init__(self, file: io.BufferedReader, path: Path) -> None:
        super().__init__(file, path.name)
        self._path = path

    def temporary_file_path(self) -> str:
        return str(self._path)


def _download(link: str, path: Path, keep_alive: Callable[[], None]) -> int:
    started = time.monotonic()
    for _ in range(REDIRECTS_MOST + 1):
        with closing(_open(link)) as response:
            if response.status in (301, 302, 303, 307, 308):
                link = _target(link, response.headers.get("Location", ""))
                continue
            if response.status in (401, 403, 404, 410):
                raise Gone(f"the link answers {response.status}")
            if response.status != 200:
                raise Later(f"the link answers {response.status}")
            return _receive(response, path, keep_alive, started)
    raise Gone("the link redirects too often")


def _target(link: str, location: str) -> str:
    try:
        return urljoin(link, location)
    except ValueError:
        return ""


def _open(link: str) -> urllib3.BaseHTTPResponse:
    if not schema.url(link):
        raise Gone("the link is no http address")
    parts = urlsplit(link)
    trusted = links.listed_with_port(link)
    if parts.scheme != "https" and not trusted:
        raise Gone("the link is not https")
    host, port = parts.hostname or "", links.port_of(link)
    address = _address(host, port, trusted)
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=STALL_SECONDS)
    # Connected by address, so that a second look-up can't lead elsewhere; named in TLS and Host.
    pool: urllib3.HTTPConnectionPool
    if parts.scheme == "https":
        pool = urllib3.HTTPSConnectionPool(
            address,
            port,
            timeout=timeout,
            retries=False,
            server_hostname=host,
            assert_hostname=host,
            cert_reqs="CERT_REQUIRED",
            ca_certs=certifi.where(),
        )
    else:
        pool = urllib3.HTTPConnectionPool(address, port, timeout=timeout, retries=False)
    target = parts.path or "/"
    try:
        return pool.urlopen(
            "GET",
            f"{target}?{parts.query}" if parts.query else target,
            headers={"Host": parts.netloc, "User-Agent": "luma-studio", "Accept-Encoding": "identity"},
            redirect=False,
            preload_content=False,
        )
    except HTTPError as fault:
        raise Later(f"the connection failed ({type(fault).__name__})") from fault
    except UnicodeError as fault:
        raise Gone("the link is no http address") from fault


def _address(host: str, port: int, trusted: bool) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as fault:
        raise Later(f"the name {host} could not be looked up") from fault
    addresses = [str(entry[4][0]) for entry in found]
    if not trusted and not all(map(links.public_address, addresses)):
        raise Gone(f"the name {host} leads to a private address")
    return addresses[0]


def _receive(response: urllib3.BaseHTTPResponse, path: Path, keep_alive: Callable[[], None], started: float) -> int:
    most = settings.LUMA_MAX_VIDEO_BYTES
    told = response.headers.get("Content-Length", "")
    expected = int(told) if told.isdecimal() and len(told) < 16 else None
    if expected is not None and expected > most:
        raise Gone(f"the file is larger than {most} bytes")
    size, alive = 0, time.monotonic()
    try:
        with path.open("wb") as file:
            while chunk := response.read(CHUNK):
                size += len(chunk)
                if size > most:
                    raise Gone(f"the file is larger than {most} bytes")
                file.write(chunk)
                if time.monotonic() - started > TOTAL_SECONDS:
                    raise Later("the download took too long")
                if time.monotonic() - alive > KEEP_ALIVE_SECONDS:
                    alive = time.monotonic()
                    keep_alive()
            file.flush()
            os.fsync(file.fileno())
    except HTTPError as fault:
        raise Later(f"the download broke off ({type(fault).__name__})") from fault
    if expected is not None and size != expected:
        raise Later(f"the download broke off after {size} of {expected} bytes")
    return size


def _inspect(path: Path, poster: Path) -> tuple[int, int, float | None]:
    """(width, height, duration) of the video, its first picture written to `poster`."""
    try:
        with (
            path.open("rb") as film,
            apart.decoded("film", film, "inspect", str(SIDE_MOST), seconds=INSPECT_SECONDS) as (head, picture),
            poster.open("wb") as file,
        ):
            shutil.copyfileobj(picture, file)
            return _known(head)
    except apart.Refused as refusal:
        raise (Later if refusal.code == "cut_short" else Gone)(str(refusal)) from refusal
    except apart.Hindered as fault:
        raise Later(f"this machine could not look into it ({fault})") from fault


def _known(head: dict[str, object]) -> tuple[int, int, float | None]:
    width, height, duration = head.get("width"), head.get("height"), head.get("duration")
    # The decoder is ours, but hostile bytes went through it.
    if not (isinstance(width, int) and isinstance(height, int) and max(width, height) <= SIDE_MOST):
        raise Gone("the file can't be decoded")
    return width, height, float(duration) if isinstance(duration, int | float) else None
