"""What a request may say: the magic words in a prompt, and the checks before a task is made.

Everything here is pure. The sandbox is stricter than the provider: a field it does not know is refused, so that a
misspelt one is found on a desk and not in production.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from videos.luma.schema import ASPECT_RATIOS

WORDS: dict[str, str] = {
    "[slow]": "The task takes 60 seconds.",
    "[moderated]": "The request is refused with 403, as moderation does; nothing is made or billed.",
    "[fail]": "The task is accepted and then fails; it is not billed.",
    "[lost callback]": "The task finishes, but its callback is never sent.",
    "[double callback]": "The callback is sent twice.",
    "[early callback]": "The callback arrives before the answer to the request.",
    "[drop]": "The task is made and billed, and the connection is cut without an answer.",
    "[rate limit]": "The request is refused with 429 twice; the third time it is accepted.",
    "[used up]": "This and every later request is refused with 403, until the sandbox is started again.",
    "[expired]": "The task finishes, but the links to its video answer 403.",
}

MODERATED = "Sorry! Our moderators feel your prompt might be against our community standards."
USED_UP = "Your balance is used up. (The sandbox refuses everything until its next start.)"
RATE_LIMITED = "You have exceeded the rate limit."

PROMPT_MAX = 5000
URL_MAX = 4096
NUMBER_MAX = 10**15
HISTORY_DEFAULT = 20
HISTORY_MAX = 1000
DEFAULT_RATIO = "16:9"
DEFAULT_TIMEOUT = 300.0  # seconds

# `model` and `image_urls` are in no document, but one of the provider's published clients sends them.
VIDEO_FIELDS: dict[str, type] = {
    "action": str,
    "prompt": str,
    "aspect_ratio": str,
    "start_image_url": str,
    "end_image_url": str,
    "loop": bool,
    "enhancement": bool,
    "video_id": str,
    "video_url": str,
    "timeout": float,
    "callback_url": str,
    "async": bool,
    "model": str,
    "image_urls": list,
}
TASK_FIELDS: dict[str, type] = {
    "action": str,
    "id": str,
    "ids": list,
    "limit": int,
    "offset": int,
    "created_at_min": float,
    "created_at_max": float,
}
TYPE_NAMES = {str: "a string", bool: "a boolean", float: "a number", int: "a whole number", list: "a list of strings"}


class Refused(Exception):
    """The provider says no, and makes nothing: an HTTP `status` with a `code` and a `message`."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


class BadRequest(Refused):
    """400: the request will never be accepted as it is."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "bad_request", message)


class RateLimited(Refused):
    """429: nothing was made; the same request may be sent again."""

    def __init__(self) -> None:
        super().__init__(429, "too_many_requests", RATE_LIMITED, {"Retry-After": "1"})


@dataclass(frozen=True)
class Asked:
    """What `POST /luma/tasks` asks for: one task, some by their ids, or a page of the history."""

    id: str | None = None
    ids: tuple[str, ...] | None = None
    limit: int = HISTORY_DEFAULT
    offset: int = 0
    created_at_min: float | None = None
    created_at_max: float | None = None


def says(request: dict[str, Any], word: str) -> bool:
    """Whether the request's prompt has this magic word, in any case."""
    if word not in WORDS:
        raise KeyError(word)
    return word in str(request.get("prompt", "")).lower()


def check_video_request(body: Any) -> dict[str, Any]:
    """The body of `POST /luma/videos`, as it was sent. Raises `BadRequest`."""
    request = _checked_fields(body, VIDEO_FIELDS)
    prompt = request.get("prompt")
    if prompt is None or not prompt.strip():
        raise BadRequest("prompt is required")
    if len(prompt) > PROMPT_MAX:
        raise BadRequest(f"prompt is longer than {PROMPT_MAX} characters")
    if request.get("aspect_ratio", DEFAULT_RATIO) not in ASPECT_RATIOS:
        raise BadRequest(f"aspect_ratio must be one of {', '.join(ASPECT_RATIOS)}")
    if request.get("timeout", DEFAULT_TIMEOUT) <= 0:
        raise BadRequest("timeout must be more than 0 seconds")
    for name in ("start_image_url", "end_image_url", "video_url", "callback_url"):
        if name in request:
            _check_url(name, request[name])
    _check_action(request)
    if request.get("loop") and "end_image_url" in request:
        raise BadRequest("loop and end_image_url exclude each other")
    return request


def check_task_request(body: Any) -> Asked:
    """The body of `POST /luma/tasks`. Raises `BadRequest`."""
    request = _checked_fields(body, TASK_FIELDS)
    action = request.get("action")
    if action == "retrieve":
        if not request.get("id"):
            raise BadRequest("id is required")
        return Asked(id=request["id"])
    if action != "retrieve_batch":
        raise BadRequest("action must be retrieve or retrieve_batch")
    if "ids" in request:
        return Asked(ids=tuple(request["ids"]))
    limit, offset = request.get("limit", HISTORY_DEFAULT), request.get("offset", 0)
    if not 1 <= limit <= HISTORY_MAX or offset < 0:
        raise BadRequest(f"limit must be 1 to {HISTORY_MAX}, and offset not negative")
    return Asked(
        limit=limit,
        offset=offset,
        created_at_min=request.get("created_at_min"),
        created_at_max=request.get("created_at_max"),
    )


def _checked_fields(body: Any, known: dict[str, type]) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise BadRequest("The json payload is not valid to request the API")
    for name, value in body.items():
        kind = known.get(name)
        if kind is None:
            raise BadRequest(f"{name[:64]!r} is not a field of this API")
        if not _is_a(value, kind):
            raise BadRequest(f"{name} must be {TYPE_NAMES[kind]}")
    return body


def _is_a(value: Any, kind: type) -> bool:
    if isinstance(value, bool):  # which Python takes for a number
        return kind is bool
    if kind is float:
        return isinstance(value, int | float) and abs(value) < NUMBER_MAX  # false for NaN, too
    if kind is int:
        return isinstance(value, int) and abs(value) < NUMBER_MAX
    if kind is list:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    return isinstance(value, kind)


def _check_action(request: dict[str, Any]) -> None:
    action = request.get("action", "generate")
    if action not in ("generate", "extend"):
        raise BadRequest("action must be generate or extend")
    if action == "extend":
        if not request.get("video_id") and not request.get("video_url"):
            raise BadRequest("extend needs video_id or video_url")
        if "start_image_url" in request:
            raise BadRequest("start_image_url is for generate only")
    elif "video_id" in request or "video_url" in request:
        raise BadRequest("video_id and video_url are for extend only")


def _check_url(name: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or len(url) > URL_MAX or any(letter.isspace() or not letter.isprintable() for letter in url):
        raise BadRequest(f"{name} must be an http or https URL")
