"""What a decoder may take of this machine, and how it answers."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

MEGABYTE = 1024 * 1024
OUTPUT_MOST = 256 * MEGABYTE


class Refused(Exception):
    """The bytes are not what they should be; `code` says in which way."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.code = code


def answer(decode: Callable[[], tuple[dict[str, Any], bytes]], memory: int, seconds: int) -> None:
    """Decode with at most `memory` bytes of address space and `seconds` of computing, and print what came out.

    The line of JSON tells of the result that follows; or holds `refused`, a code, and `message`.
    """
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, OUTPUT_MOST),
        (resource.RLIMIT_CORE, 0),
    ):
        # Not every system knows, or lets us set, each of them: the caller's time limit is there in any case.
        with suppress(ValueError, OSError):
            resource.setrlimit(what, (most, resource.getrlimit(what)[1]))
    content = b""
    try:
        told, content = decode()
    except Refused as refusal:
        told = {"refused": refusal.code, "message": str(refusal)}
    except MemoryError:
        told = {"refused": "memory", "message": "it takes too much memory"}
    sys.stdout.buffer.write(json.dumps(told).encode() + b"\n")
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
