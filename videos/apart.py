"""Decoders run apart from us: in short-lived processes that have little room and little time.

Whatever one takes is given back when it ends, and what crashes it, or takes it over, leaves the site standing.
"""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "videos.decoders"
HEAD_MOST = 4096
_ENDED_BY_US = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL}
"""A machine that shuts down, or runs out of memory; no fault of the bytes."""


class Refused(Exception):
    """The bytes are not what they should be, or the decoder came to grief over them; `code` says in which way."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Hindered(Exception):
    """This machine was at fault, or too slow: the same bytes may do another time."""


class Busy(Hindered):
    """So many are at it that another would have to wait too long."""


class Room:
    """Lets `most` in at once; `waiting` more may wait for `seconds`, so that the rest of the threads stay free."""

    def __init__(self, most: int, *, waiting: int, seconds: float) -> None:
        self._seconds = seconds
        self._line = threading.BoundedSemaphore(most + waiting)
        self._room = threading.BoundedSemaphore(most)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Hold a place. Raises `Busy` where there is none to be had."""
        if not self._line.acquire(blocking=False):
            raise Busy("too many at once")
        try:
            if not self._room.acquire(timeout=self._seconds):
                raise Busy("too many at once")
            try:
                yield
            finally:
                self._room.release()
        finally:
            self._line.release()


@contextmanager
def decoded(decoder: str, source: Any, *words: str, seconds: float) -> Iterator[tuple[dict[str, Any], IO[bytes]]]:
    """What a decoder of `videos.decoders` made of `source`, an open file with a descriptor: its head, and its result.

    The result is a file that ends with the block. Raises `Refused`; `Hindered`, also when it takes longer
    than `seconds`.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        try:
            source.flush()
            source.seek(0)
            done = subprocess.run(  # noqa: S603  our own program; what is hostile is in a file
                [sys.executable, "-m", f"{PACKAGE}.{decoder}", *words],
                cwd=ROOT,
                stdin=source.fileno(),
                stdout=out,
                stderr=errors,
                timeout=seconds,
                # Ctrl-C in a terminal is meant for us: we end when the step is done.
                start_new_session=True,
            )
        except subprocess.TimeoutExpired as fault:
            raise Hindered("it takes too long") from fault
        except OSError as fault:
            raise Hindered(f"no process could be started ({fault.strerror})") from fault
        if done.returncode:
            _explain(decoder, done.returncode, errors)
        out.seek(0)
        head = _head(out.readline(HEAD_MOST))
        if "refused" in head:
            raise Refused(str(head["refused"]), str(head.get("message", "")))
        yield head, out


def _explain(decoder: str, status: int, errors: IO[bytes]) -> None:
    errors.seek(max(0, errors.seek(0, 2) - 500))
    told = errors.read().decode(errors="replace").strip()
    logger.warning("the decoder of a %s ended with %d: %s", decoder, status, told)
    if status > 0 or -status in _ENDED_BY_US:
        raise Hindered(f"the decoder ended with {status}")
    raise Refused("crash", f"the decoder ended with {status}")


def _head(line: bytes) -> dict[str, Any]:
    try:
        head = json.loads(line)
    except ValueError as fault:
        raise Refused("crash", "the decoder said nothing") from fault
    if not isinstance(head, dict):
        raise Refused("crash", "the decoder said nothing")
    return head
