"""One HTTP connection to the sandbox: routes, answers, and the cutting of connections."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import socket
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from videos.sandbox import answers
from videos.sandbox.bodies import MAX_JSON, MAX_UPLOAD, SLACK, BadBody, TooLarge, file_in_form, read_body
from videos.sandbox.ledger import Ledger
from videos.sandbox.words import BadRequest, Refused

logger = logging.getLogger(__name__)

VIDEOS, TASKS, UPLOADS = "/luma/videos", "/luma/tasks", "/api/v1/files/"
POST_PATHS = (VIDEOS, TASKS, UPLOADS)
BAD_JSON = "The json payload is not valid to request the API"
GATEWAY_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"
# Nothing else is named, so that an uploaded page or script can't run here.
KINDS = {
    ".mp4": "video/mp4",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
}
PIECE = 64 * 1024


class Cut(Exception):
    """Cut the connection without an answer; `task_id` where a task was made before."""

    def __init__(self, task_id: str | None = None) -> None:
        super().__init__(task_id)
        self.task_id = task_id


class GatewayPage(Exception):
    """Answer as a gateway does that lost what is behind it: 502 and HTML."""

    def __init__(self, task_id: str | None = None) -> None:
        super().__init__(task_id)
        self.task_id = task_id


class Answerer(Protocol):
    """What stands behind the connections and knows the answers."""

    ledger: Ledger

    def authorize(self, token: str, *, upload: bool = False) -> None:
        """Raises `Refused` where the Bearer token is missing or wrong."""

    def videos(self, body: Any) -> tuple[int, dict[str, Any]]:
        """`POST /luma/videos`: status and body of the answer. Raises `Refused`, `Cut`, `GatewayPage`."""

    def tasks(self, body: Any) -> dict[str, Any]:
        """`POST /luma/tasks`: the answer. Raises `Refused`, `Cut`, `GatewayPage`."""

    def keep_upload(self, name: str, content: bytes) -> dict[str, Any]:
        """`POST /api/v1/files/`: the answer. Raises `Refused`."""

    def file_at(self, path: str) -> Path | None:
        """The file behind a link, or None. Raises `Refused` where the link has expired."""


class Answer(NamedTuple):
    """An answer before it is sent; without a status the connection is cut instead."""

    status: int | None
    body: bytes
    kind: str
    headers: dict[str, str]
    task_id: str | None


class Handler(BaseHTTPRequestHandler):
    """Reads requests, asks the sandbox, writes answers."""

    sandbox: Answerer  # set on the subclass that a server uses
    protocol_version = "HTTP/1.1"
    server_version = "LumaSandbox"
    sys_version = ""
    timeout = 75  # seconds that an idle connection is kept
    wbufsize = 256 * 1024  # headers and body leave together
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        try:
            body = read_body(self.rfile, self.headers, MAX_UPLOAD + SLACK if path == UPLOADS else MAX_JSON)
        except BadBody as problem:
            self.close_connection = True
            status = 413 if isinstance(problem, TooLarge) else 400
            self._send_json(status, answers.error("bad_request", str(problem)))
            return
        if path not in POST_PATHS:
            self._send_json(404, answers.error("no_api", "There is no API at this address."))
            return
        seen = f"<{len(body)} bytes>" if path == UPLOADS else body.decode("utf-8", "replace")
        seq = self.sandbox.ledger.add_post(path, seen)
        answer = self._answer_to_post(path, body)
        # Noted before it is sent, so that whoever has the answer finds it in the ledger.
        self.sandbox.ledger.answer_post(seq, answer.status, answer.task_id)
        if answer.status is None:
            self._cut()
        else:
            self._send(answer.status, answer.body, answer.kind, answer.headers)

    def _answer_to_post(self, path: str, body: bytes) -> Answer:
        try:
            status, told = self._result_of_post(path, body)
        except Refused as refused:
            return _json(refused.status, answers.error(refused.code, refused.message), headers=refused.headers)
        except Cut as cut:
            return Answer(None, b"", "", {}, cut.task_id)
        except GatewayPage as page:
            return Answer(502, GATEWAY_PAGE, "text/html", {}, page.task_id)
        except Exception:
            logger.exception("POST %s", path)
            return _json(500, answers.error("api_error", "Internal server error."))
        return _json(status, told, task_id=told.get("task_id"))

    def _result_of_post(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        token = self._token()
        if path == UPLOADS:
            self.sandbox.authorize(token, upload=True)
            return 200, self._upload(body)
        self.sandbox.authorize(token)
        request = _parsed(body)
        return self.sandbox.videos(request) if path == VIDEOS else (200, self.sandbox.tasks(request))

    def _upload(self, body: bytes) -> dict[str, Any]:
        found = file_in_form(body, self.headers.get("Content-Type", ""))
        if found is None or not found[1]:
            raise BadRequest("file is required")
        return self.sandbox.keep_upload(*found)

    def _token(self) -> str:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        try:
            file = self.sandbox.file_at(path)
        except Refused as refused:
            self._send_json(refused.status, answers.error(refused.code, refused.message))
            return
        if file is None:
            self._send_json(404, answers.error("no_api", "There is nothing at this address."))
            return
        self._send_file(file)

    do_HEAD = do_GET

    def _send_file(self, file: Path) -> None:
        size = file.stat().st_size
        status, first, last = 200, 0, size - 1
        wanted = _range(self.headers.get("Range", ""), size)
        headers = {"Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff"}
        if wanted is not None:
            first, last = wanted
            if first > last:
                self._send(416, b"", "text/plain", {"Content-Range": f"bytes */{size}"})
                return
            status = 206
            headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        self._send_head(status, last - first + 1, KINDS.get(file.suffix, "application/octet-stream"), headers)
        if self.command == "HEAD":
            return
        left = last - first + 1
        with file.open("rb") as source:
            source.seek(first)
            while left > 0 and (piece := source.read(min(PIECE, left))):
                self.wfile.write(piece)
                left -= len(piece)

    def _send_json(self, status: int, told: dict[str, Any]) -> None:
        self._send(status, json.dumps(told).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self._send_head(status, len(body), kind, headers or {})
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def _send_head(self, status: int, length: int, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _cut(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):  # the client may have been faster
            self.connection.shutdown(socket.SHUT_RDWR)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class refuses by itself (unknown methods, broken requests), in the provider's form."""
        self.close_connection = True
        if code == 501:
            self._send_json(404, answers.error("no_api", "There is no API at this address."))
        else:
            self._send_json(code, answers.error("bad_request", message or "The request is not valid."))

    def handle(self) -> None:
        """Serve the connection; clients that hang up are no news."""
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def finish(self) -> None:
        """Flush and close, whatever is left of the connection."""
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Quietly: the ledger has it all."""
        logger.debug(format, *args)


def _json(
    status: int, told: dict[str, Any], *, headers: dict[str, str] | None = None, task_id: str | None = None
) -> Answer:
    return Answer(status, json.dumps(told).encode(), "application/json", headers or {}, task_id)


def _parsed(body: bytes) -> Any:
    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no JSON")

    try:
        return json.loads(body, parse_constant=refuse)
    except (ValueError, RecursionError) as problem:
        raise BadRequest(BAD_JSON) from problem


def _range(header: str, size: int) -> tuple[int, int] | None:
    """First and last byte asked for; first > last where there are none; None: send everything."""
    match = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", header.replace(" ", ""), re.ASCII)
    if match is None or match.group(0) == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        return (max(0, size - int(last)), size - 1) if int(last) else (1, 0)
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        return 1, 0
    return int(first), min(int(last) if last else size - 1, size - 1)
