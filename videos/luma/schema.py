"""The provider's words, parsed into ours. Pure: no I/O, no Django.

Everything that arrives is hostile until it has passed through here: every string is cut to
length and cleaned of NUL and lone surrogates (both raise inside a database), every number is
bounded, every link is http(s) with a host and without credentials.

Source of all facts: the provider's public documents, its OpenAPI file and the reading that its
own published clients give to tasks (there is no status field).
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

ASPECT_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "21:9", "9:21")
"""The shapes the provider makes, as width:height."""
ASPECT_RATIO_DEFAULT = "16:9"
PROMPT_MAX = 5000
"""Characters; upstream Luma takes no more."""
TIMEOUT_DEFAULT = 300
"""Seconds that the provider gives itself before it gives up."""
BATCH_MAX = 50
"""Task ids in one `retrieve_batch`: the provider's recommended most."""

FAILED_STATES = frozenset({"failed", "error", "cancelled"})
RUNNING_STATES = frozenset({"pending", "processing", "queued"})

_ID_MAX = 128
_URL_MAX = 4096
_CODE_MAX = 64
_MESSAGE_MAX = 2000
_PIXELS_MAX = 20_000
_EPOCH_MAX = 32_503_680_000  # the year 3000
_SECRET = re.compile(r"(callbacks/luma/|signature=|bearer )[^\s\"'&<>/]+", re.IGNORECASE)


@dataclass(frozen=True)
class Running:
    """The task is not finished; `task_id` is "" where the reply did not name it."""

    task_id: str = ""
    trace_id: str = ""


@dataclass(frozen=True)
class Completed:
    """A finished video. Widths and heights are pixels, None where not given or absurd."""

    task_id: str
    video_id: str
    video_url: str
    trace_id: str = ""
    video_width: int | None = None
    video_height: int | None = None
    thumbnail_url: str = ""


@dataclass(frozen=True)
class Failed:
    """The provider gave up on the task; `message` is in its own words."""

    task_id: str
    code: str
    message: str
    trace_id: str = ""


Reading = Running | Completed | Failed


@dataclass(frozen=True)
class Task:
    """One entry of `/luma/tasks`; times in Unix seconds, None where absent."""

    id: str
    request: dict[str, Any]
    reading: Reading
    created_at: float | None = None
    finished_at: float | None = None


def text(value: object, limit: int) -> str:
    """`value` as storable text of at most `limit` characters; "" for anything but a string or an int."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    if isinstance(value, int):
        return str(value) if abs(value) < 10**18 else ""
    return value[: limit * 2].replace("\x00", "").encode("utf-8", "ignore").decode("utf-8")[:limit].strip()


def url(value: object) -> str:
    """`value` where it is an http(s) link with a host, without credentials or white space; else ""."""
    if not isinstance(value, str) or len(value) > _URL_MAX:
        return ""
    if any(c.isspace() or ord(c) < 0x20 or 0xD800 <= ord(c) < 0xE000 or c in '"<>\\`' for c in value):
        return ""
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        return ""
    return value


def load(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`.

    Raises `ValueError` for anything else: bad UTF-8, no object at the top, nesting that exhausts the
    parser, numbers too long to convert.
    """
    try:
        found = json.loads(body.decode("utf-8-sig"))
    except RecursionError as deep:
        raise ValueError("nested too deeply") from deep
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found


def read_result(found: dict[str, Any]) -> Reading:
    """Read a finished or unfinished result: a POST's reply, a callback, or a task's `response`."""
    data = found.get("data")
    if isinstance(data, dict):
        # Some replies of the platform nest the result, and leave the ids outside.
        found = {**found, **{name: value for name, value in data.items() if value is not None}}
    task_id = text(found.get("task_id"), _ID_MAX)
    trace_id = text(found.get("trace_id"), _ID_MAX)
    link = url(found.get("video_url"))
    success = found.get("success")
    state = text(found.get("state"), _CODE_MAX).lower()
    error = found.get("error")
    structured = isinstance(error, dict) and bool(text(error.get("code"), _CODE_MAX))
    finished = _seconds(found.get("finished_at")) is not None

    if state in FAILED_STATES or (success is False and (structured or finished)) or (structured and success is None):
        code, message = read_error(found)
        return Failed(task_id, code or state or "failed", message, trace_id)
    if success is True and link and state not in RUNNING_STATES:
        return Completed(
            task_id=task_id,
            video_id=text(found.get("video_id"), _ID_MAX),
            video_url=link,
            trace_id=trace_id,
            video_width=_pixels(found.get("video_width")),
            video_height=_pixels(found.get("video_height")),
            thumbnail_url=url(found.get("thumbnail_url")),
        )
    return Running(task_id, trace_id)


def read_task(found: object) -> Task | None:
    """Read one task; None where nothing is known of it (an unknown id is answered by an empty object)."""
    if not isinstance(found, dict):
        return None
    data = found.get("data")
    if "id" not in found and isinstance(data, dict):
        found = data
    task_id = text(found.get("id"), _ID_MAX) or text(found.get("task_id"), _ID_MAX)
    if not task_id:
        return None
    response = found.get("response")
    finished_at = _seconds(found.get("finished_at"))
    reading: Reading = Running(task_id)
    if isinstance(response, dict) and response:
        words = dict(response) if finished_at is None else {**response, "finished_at": finished_at}
        reading = read_result(words)
        # The task's own words on who it is hold, whatever its response repeats of them.
        reading = replace(reading, task_id=task_id, trace_id=reading.trace_id or text(found.get("trace_id"), _ID_MAX))
    request = found.get("request")
    return Task(
        id=task_id,
        request=request if isinstance(request, dict) else {},
        reading=reading,
        created_at=_seconds(found.get("created_at")),
        finished_at=finished_at,
    )


def read_tasks(found: dict[str, Any]) -> list[Task]:
    """Read the items of a `retrieve_batch`, leaving out whatever is not a task."""
    data = found.get("data")
    if "items" not in found and isinstance(data, dict):
        found = data
    items = found.get("items", data if isinstance(data, list) else [])
    if not isinstance(items, list):
        return []
    return [task for task in map(read_task, items) if task is not None]


def read_error(found: dict[str, Any]) -> tuple[str, str]:
    """(code, message) of an error reply, in whatever shape: object, string, list or null.

    The message is for people: what it repeats of our request's secrets is left out.
    """
    code, message = _error(found)
    return code, _SECRET.sub(r"\1…", message)


def _error(found: dict[str, Any]) -> tuple[str, str]:
    error = found.get("error")
    if isinstance(error, list) and error:
        error = error[0]
    if isinstance(error, dict):
        message = text(error.get("message"), _MESSAGE_MAX) or text(error.get("detail"), _MESSAGE_MAX)
        return text(error.get("code"), _CODE_MAX), message
    if isinstance(error, str):
        return "", text(error, _MESSAGE_MAX)
    return text(found.get("code"), _CODE_MAX), text(found.get("message") or found.get("detail"), _MESSAGE_MAX)


def trace_of(found: dict[str, Any]) -> str:
    """The trace id of a reply, "" where there is none."""
    return text(found.get("trace_id"), _ID_MAX)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int) and abs(value) > 10**18:
        return None
    return float(value) if math.isfinite(value) else None


def _pixels(value: object) -> int | None:
    number = _number(value)
    return int(number) if number is not None and 1 <= number <= _PIXELS_MAX else None


def _seconds(value: object) -> float | None:
    number = _number(value)
    return number if number is not None and 0 <= number <= _EPOCH_MAX else None
