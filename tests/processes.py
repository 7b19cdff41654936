"""What everybody needs who starts processes; knows nothing of Django."""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
END_SECONDS = 60
"""A deadline for what takes a few seconds; generous, since test machines are busy."""
LOWEST_PORT, SHARES, SHARE = 11_000, 8, 2_500

_given: set[int] = set()


def free_port() -> int:
    """A port that is free, and so is the next one, also when a server is started on them again later.

    It lies below those from which systems give ports to callers, and no other test process picks from the same
    share: what was free here stays free until its server is up.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    start = LOWEST_PORT + worker % SHARES * SHARE
    while True:
        port = random.randrange(start, start + SHARE, 2)
        if port in _given:
            continue
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
        _given.add(port)
        return port


def answers(port: int) -> bool:
    """Whether something on this machine takes connections there."""
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def wait_until(found: Any, what: str | Callable[[], str], seconds: float = END_SECONDS) -> Any:
    """The first truthy answer of `found()`; fails after `seconds`, and says `what` it waited for."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = found()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what if isinstance(what, str) else what()}")
