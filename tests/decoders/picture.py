"""A decoder that does what its file says: dies, hangs, takes all memory, or tells nonsense."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

from videos.decoders.confined import MEGABYTE, answer


def misbehave(words: list[str]) -> tuple[dict[str, Any], bytes]:
    match words:
        case ["die", number]:
            os.kill(os.getpid(), int(number))
        case ["hang"]:
            time.sleep(60)
        case ["compute"]:
            while True:
                pass
        case ["take", megabytes]:
            return {"extension": "jpg", "width": 1, "height": 1}, bytes(int(megabytes) * MEGABYTE)[:9]
        case ["exit"]:
            sys.exit("a library is missing")
        case ["overflow"]:
            return {"extension": "jpg", "width": 1, "height": 1}, bytes(26 * MEGABYTE)
        case ["nonsense"]:
            os.write(1, b"[1, 2]\n")
            os._exit(0)
        case ["evil"]:
            return {"extension": "html", "width": 1, "height": 1}, b"<script>"
        case ["session"]:
            return {"extension": "jpg", "width": os.getsid(0), "height": 1}, b"x"
    signal.raise_signal(signal.SIGKILL)
    raise AssertionError


if __name__ == "__main__":
    answer(lambda: misbehave(sys.stdin.read().split()), 200 * MEGABYTE, 1)
