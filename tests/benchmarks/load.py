"""Many clients at once, in a process of their own: `python -m tests.benchmarks.load` with a plan on its input.

The plan is JSON: `port`; `clients`; `requests`, each a whole HTTP/1.1 request, sent in turn; `seconds` after which no
more is sent (0: each request once); `pause`, seconds of each client between two. The answer is JSON, too: `count`,
`seconds`, `statuses`, and `latencies` in seconds.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections import Counter
from typing import Any


async def client(plan: dict[str, Any], requests: Any, until: float, found: list[tuple[int, float]]) -> None:
    """One client on one connection, which it opens anew where the server has closed it."""
    reader = writer = None
    while until == 0 or time.perf_counter() < until:
        text = next(requests, None)
        if text is None:
            break
        began = time.perf_counter()
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", plan["port"])
            writer.write(text)
            status, closing = await _answer(reader)
        except (OSError, asyncio.IncompleteReadError):
            status, closing = 0, True
        found.append((status, time.perf_counter() - began))
        if closing and writer is not None:
            writer.close()
            reader = writer = None
        if plan.get("pause"):
            await asyncio.sleep(plan["pause"])
    if writer is not None:
        writer.close()


async def _answer(reader: Any) -> tuple[int, bool]:
    """The status of one answer, read to its end, and whether the server closes."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head[9:12])
    fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    if b"content-length" in fields:
        await reader.readexactly(int(fields[b"content-length"]))
    elif fields.get(b"transfer-encoding") == b"chunked":
        while (size := int(await reader.readline(), 16)) > 0:
            await reader.readexactly(size + 2)
        await reader.readline()
    return status, fields.get(b"connection") == b"close"


async def main(plan: dict[str, Any]) -> dict[str, Any]:
    """Carry the plan out."""
    texts = [text.encode() for text in plan["requests"]]
    requests = itertools.cycle(texts) if plan["seconds"] else iter(texts)
    found: list[tuple[int, float]] = []
    began = time.perf_counter()
    until = began + plan["seconds"] if plan["seconds"] else 0
    await asyncio.gather(*(client(plan, requests, until, found) for _ in range(plan["clients"])))
    return {
        "count": len(found),
        "seconds": time.perf_counter() - began,
        "statuses": Counter(str(status) for status, _ in found),
        "latencies": [latency for _, latency in found],
    }


if __name__ == "__main__":
    json.dump(asyncio.run(main(json.load(sys.stdin))), sys.stdout)
