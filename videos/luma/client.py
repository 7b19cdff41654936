"""The HTTP client of the provider. One method per call, typed results, the error tree of `errors`."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import requests
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    SSLError,
)

from . import schema
from .errors import AccountProblem, LostAnswer, LumaError, RateLimited, Rejected, Unreachable

CONNECT_SECONDS = 5
READ_SECONDS = 30
REPLY_SECONDS = 45
REPLY_MAX = 4 * 1024 * 1024
"""Bytes of a reply that we are willing to read: a page of history with long prompts fits many times."""

ACCOUNT_CODES = frozenset(
    {"no_token", "token_mismatched", "invalid_token", "token_expired", "used_up", "disabled", "no_api"}
)
HISTORY_PAGE = 100
TOKEN_LEAST = 12
"""Characters; what is shorter is no secret, but a word that a message may well hold."""


class LumaClient:
    """Calls to AceDataCloud's Luma API with one token.

    Every method may raise any `LumaError`; the class raised says whether the call may be repeated.
    Only `create` and `upload` do anything at the provider, and only `create` costs money.
    """

    def __init__(
        self,
        token: str,
        base_url: str,
        *,
        platform_token: str = "",
        platform_base_url: str = "",
        connect_seconds: float = CONNECT_SECONDS,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._token = token
        self._base_url = base_url.rstrip("/")
        self._platform_token = platform_token
        self._platform_base_url = platform_base_url.rstrip("/")
        self._timeout = (connect_seconds, read_seconds)

    def create(self, body: Mapping[str, Any]) -> schema.Reading:
        """POST /luma/videos, once: the paid call.

        `body` holds the documented fields only. Answers `Running` with a `task_id`, or the finished
        result where the provider chose to wait. Raises `LostAnswer` whenever the task may exist all
        the same, an answer without a task among them.
        """
        found = self._post("/luma/videos", body)
        reading = schema.read_result(found)
        if isinstance(reading, schema.Failed) and reading.code in ACCOUNT_CODES and not reading.task_id:
            raise AccountProblem(reading.message, code=reading.code, trace_id=reading.trace_id, status=200)
        if isinstance(reading, schema.Running) and not reading.task_id:
            raise LostAnswer("The answer names no task.", trace_id=reading.trace_id)
        return reading

    def retrieve(self, task_id: str) -> schema.Task | None:
        """The task, or None where the provider does not know it (yet)."""
        found = self._post("/luma/tasks", {"action": "retrieve", "id": task_id})
        return schema.read_task(found)

    def retrieve_batch(self, task_ids: Sequence[str]) -> list[schema.Task]:
        """The known ones among at most `schema.BATCH_MAX` tasks, in any order."""
        if not 1 <= len(task_ids) <= schema.BATCH_MAX:
            raise ValueError(f"between 1 and {schema.BATCH_MAX} task ids, not {len(task_ids)}")
        found = self._post("/luma/tasks", {"action": "retrieve_batch", "ids": list(task_ids)})
        return schema.read_tasks(found)

    def recent(self, created_at_min: float, *, offset: int = 0, limit: int = HISTORY_PAGE) -> list[schema.Task]:
        """One page of the account's own tasks made since `created_at_min` (Unix seconds).

        The provider's web front end uses this; no document of the provider's names it.
        """
        found = self._post(
            "/luma/tasks",
            {"action": "retrieve_batch", "limit": limit, "offset": offset, "created_at_min": int(created_at_min)},
        )
        return schema.read_tasks(found)

    def upload(self, file: BinaryIO, name: str, content_type: str) -> str:
        """Hand a frame to the provider's own storage (platform token); answers the link to send.

        The provider may let such links expire within days, so a link serves one request.
        """
        response = self._send(
            self._platform_base_url + "/api/v1/files/",
            headers={"Authorization": _bearer(self._platform_token)},
            files={"file": (name, file, content_type)},
        )
        found = _read(response, self._platform_token)
        link = schema.url(found.get("url")) or schema.url(found.get("file_url"))
        if not link:
            raise LostAnswer("The answer to the upload names no link.", trace_id=schema.trace_of(found))
        return link

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        response = self._send(
            self._base_url + path,
            headers={"Authorization": _bearer(self._token), "Content-Type": "application/json"},
            data=_Body(json.dumps(body).encode()),
        )
        return _read(response, self._token)

    def _send(self, url: str, **parts: Any) -> _Reply:
        parts["headers"]["Accept"] = "application/json"
        body = parts.get("data")
        # A fresh session for each call: a stale kept-alive connection looks like a lost answer.
        with _Session() as session:
            # No proxy or .netrc of the environment: they could redirect or repeat a paid request.
            session.trust_env = False
            try:
                with session.post(url, timeout=self._timeout, allow_redirects=False, stream=True, **parts) as response:
                    return _Reply(response.status_code, response.headers.get("Retry-After", ""), _take(response))
            except (requests.RequestException, HTTPError, OSError) as fault:
                if not (isinstance(body, _Body) and body.touched) and _before_sending(fault):
                    raise Unreachable(f"The provider could not be reached: {_kind(fault)}.") from fault
                raise LostAnswer(f"The connection failed before the answer came: {_kind(fault)}.") from fault


class _Session(requests.Session):
    """Knows of no redirects: `allow_redirects=False` alone would still read where they lead, and fail on nonsense."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class _Body(io.BytesIO):
    """A request body that knows whether any of it was asked for, and so may have been sent."""

    touched = False

    def read(self, size: int | None = -1, /) -> bytes:
        self.touched = True
        return super().read(size)

    def __iter__(self) -> _Body:
        self.touched = True
        return self


class _Reply:
    def __init__(self, status: int, retry_after: str, content: bytes | None) -> None:
        self.status = status
        self.retry_after = float(retry_after) if retry_after.isdecimal() and len(retry_after) < 6 else None
        self.content = content


def _bearer(token: str) -> str:
    # Headers are Latin-1: any other letter, as typed by mistake, is for the provider to refuse.
    return "Bearer " + token.encode().decode("latin-1")


def _take(response: requests.Response) -> bytes | None:
    """The body, or None where it is larger than we read."""
    chunks: list[bytes] = []
    size = 0
    # The read timeout bounds each wait alone: an answer that drips must not outlive the caller's lease.
    deadline = time.monotonic() + REPLY_SECONDS
    for chunk in response.iter_content(64 * 1024):
        size += len(chunk)
        if time.monotonic() > deadline:
            raise requests.ReadTimeout("the answer took too long")
        if size > REPLY_MAX:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _before_sending(fault: BaseException) -> bool:
    """Whether `fault` is one that only happens before a request's body leaves."""
    if isinstance(fault, requests.ConnectTimeout):
        return True
    reason = fault.args[0] if fault.args else None
    if isinstance(reason, MaxRetryError):
        reason = reason.reason
    return isinstance(reason, NewConnectionError | NameResolutionError | ConnectTimeoutError | SSLError)


def _kind(fault: BaseException) -> str:
    # Never the fault's own text: it repeats the URL, and so what may be secret in it.
    return type(fault).__name__


def _read(reply: _Reply, token: str) -> dict[str, Any]:
    """The JSON object of a 200; raises the right `LumaError` for everything else, without our `token` in its words."""
    found: dict[str, Any] = {}
    try:
        found = schema.load(reply.content or b"")
        parsed = True
    except ValueError:
        parsed = False
    if reply.status == 200 and parsed:
        return found
    raise _error(reply, found, token)


def _error(reply: _Reply, found: dict[str, Any], token: str) -> LumaError:
    code, message = schema.read_error(found)
    if len(token) >= TOKEN_LEAST:
        message = message.replace(token, "…")
    status = reply.status
    words: dict[str, Any] = {"code": code, "trace_id": schema.trace_of(found), "status": status}
    message = message or f"The provider answered with status {status}."
    if status == 429:
        return RateLimited(message, retry_after=reply.retry_after, **words)
    if status in (401, 402, 404, 405) or (status in (400, 403) and code in ACCOUNT_CODES):
        return AccountProblem(message, **words)
    # 408 is a proxy's word for "I waited too long": what lies behind it may have gone ahead.
    if 400 <= status < 500 and status != 408:
        return Rejected(message, **words)
    if status == 200:
        message = "The answer could not be read."
    return LostAnswer(message, **words)
