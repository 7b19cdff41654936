"""The sandbox: a stand-in for the provider over real HTTP, for use without an account and for tests."""

from __future__ import annotations

import hashlib
import re
import threading
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any

from videos.sandbox import answers
from videos.sandbox.bodies import MAX_UPLOAD
from videos.sandbox.chaos import Dice, Mishap
from videos.sandbox.engine import Engine
from videos.sandbox.handler import Cut, GatewayPage, Handler
from videos.sandbox.ledger import Ledger, Task
from videos.sandbox.listener import Server
from videos.sandbox.words import (
    DEFAULT_TIMEOUT,
    MODERATED,
    USED_UP,
    RateLimited,
    Refused,
    check_task_request,
    check_video_request,
    says,
)

EARLY_WAIT = 25.0  # seconds that an answer waits for its early callback: clients read for 30
RATE_LIMITED_TIMES = 2
FAILURE_STATUS = {"bad_request": 400, "forbidden": 403}


class Sandbox:
    """The stand-in on `host` and `port` (0: any free one), with its files and its ledger in `data_dir`.

    `seconds` a task takes at least, `slow_seconds` one that says [slow]; `token` is the only Bearer token taken
    (None: any); `limit_in_flight` unfinished tasks before a 429; `quick` copies one tiny video instead of rendering;
    `chaos` the chance that a request or a callback goes wrong, the same way for the same `seed`; `hang_seconds`
    from and to. Raises `OSError` where the port is taken; connections are refused until `start`.
    """

    def __init__(
        self,
        data_dir: Path | str,
        port: int = 0,
        seconds: float = 2.0,
        token: str | None = None,
        chaos: float = 0.0,
        seed: int = 0,
        quick: bool = False,
        *,
        host: str = "127.0.0.1",
        slow_seconds: float = 60.0,
        limit_in_flight: int | None = None,
        hang_seconds: tuple[float, float] = (2.0, 40.0),
    ) -> None:
        self.folder = Path(data_dir)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ledger = Ledger(self.folder / "sandbox.sqlite3")
        self._host, self._port = host, port
        self._token = token
        self._dice = Dice(chaos, seed, hang_seconds)
        self._engine_options = {
            "seconds": seconds,
            "slow_seconds": slow_seconds,
            "quick": quick,
            "dice": self._dice,
            "limit_in_flight": limit_in_flight,
        }
        self._uploads = self.folder / "uploads"
        self._uploads.mkdir(exist_ok=True)
        self._lock = threading.Lock()
        self._limited: dict[str, int] = {}
        self._used_up = False
        self._run = ""
        self._serving = False
        self._server: Server | None = self._bound()

    @property
    def url(self) -> str:
        """Our address, without a slash at its end."""
        port = self._server.server_port if self._server else self._port
        host = "127.0.0.1" if self._host in ("", "0.0.0.0") else self._host  # noqa: S104 (compared, not bound)
        return f"http://{host}:{port}"

    def start(self) -> Sandbox:
        """Serve in the background, and take up unfinished tasks. Raises `OSError` where the port was taken since."""
        self._server = self._server or self._bound()
        self._server.server_activate()
        self._serving = True
        self._used_up, self._run = False, uuid.uuid4().hex
        self._engine = Engine(self.ledger, self.folder, lambda: self.url, **self._engine_options)  # type: ignore[arg-type]
        self._engine.start()
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True, name="sandbox").start()
        return self

    def stop(self) -> None:
        """Close the port, cut all connections, and leave unfinished tasks for the next start."""
        if self._server is None:
            return
        server, self._server = self._server, None
        if not self._serving:
            server.server_close()
            return
        self._serving = False
        server.shutdown()
        server.server_close()
        server.cut_connections()
        self._engine.stop()

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _bound(self) -> Server:
        handler = type("BoundHandler", (Handler,), {"sandbox": self})
        server = Server((self._host, self._port), handler)
        self._port = server.server_port
        return server

    # What the handler asks

    def authorize(self, token: str, *, upload: bool = False) -> None:
        """Raises `Refused` where the Bearer token is missing or wrong; uploads take platform tokens, too."""
        if not token:
            raise Refused(401, "no_token", "No token is given.")
        if self._token is None or token == self._token or (upload and token.startswith("platform-")):
            return
        raise Refused(401, "invalid_token", "The specified token is invalid or wrong.")

    def videos(self, body: Any) -> tuple[int, dict[str, Any]]:
        """`POST /luma/videos`: status and body of the answer. Raises `Refused`, `Cut`, `GatewayPage`."""
        request = check_video_request(body)
        self._refuse(request)
        mishap = self._dice.request()
        if mishap and not mishap.made:
            self._suffer(mishap, None)
        early = says(request, "[early callback]") or (mishap is not None and mishap.kind == "early")
        early = early and "callback_url" in request
        task = self._engine.make(request, early=early)
        if says(request, "[drop]"):
            raise Cut(task.id)
        if early:
            self._engine.wait(task.id, EARLY_WAIT, called=True)
        if mishap and mishap.made:
            self._suffer(mishap, task.id)
        if "callback_url" in request or request.get("async"):
            return 200, {"success": True, "task_id": task.id}
        return self._finished(task, request.get("timeout", DEFAULT_TIMEOUT))

    def tasks(self, body: Any) -> dict[str, Any]:
        """`POST /luma/tasks`: the answer. Raises `Refused`, `Cut`, `GatewayPage`."""
        asked = check_task_request(body)
        mishap = self._dice.request()
        if mishap:
            self._suffer(mishap, None)
        if asked.id is not None:
            task = self.ledger.task(asked.id)
            if task is None:
                return {}
            return {**answers.task_object(task, self.url), "data": answers.summary(task, self.url)}
        if asked.ids is None:
            found, count = self.ledger.history(asked.limit, asked.offset, asked.created_at_min, asked.created_at_max)
            return {"items": [answers.task_object(task, self.url) for task in found], "count": count}
        known = [task for task_id in dict.fromkeys(asked.ids) if (task := self.ledger.task(task_id))]
        told = {"items": [answers.task_object(task, self.url) for task in known], "count": len(known)}
        return {**told, "data": [answers.summary(task, self.url) for task in known]}

    def keep_upload(self, name: str, content: bytes) -> dict[str, Any]:
        """`POST /api/v1/files/`: keep the file, and tell its address. Raises `Refused`."""
        if len(content) > MAX_UPLOAD:
            raise Refused(413, "bad_request", f"The file is larger than {MAX_UPLOAD} bytes")
        suffix = Path(name).suffix.lower()
        kept = f"{uuid.uuid4()}{suffix if re.fullmatch(r'[.][a-z0-9]{1,5}', suffix) else '.bin'}"
        (self._uploads / kept).write_bytes(content)
        return {"url": f"{self.url}/uploads/{kept}"}

    def file_at(self, path: str) -> Path | None:
        """The file behind a link that we gave out, or None. Raises `Refused` where the link has expired."""
        match = re.fullmatch(r"/(files|uploads)/([0-9a-f-]{36})([.][a-z0-9]{1,5})", path)
        if match is None:
            return None
        folder, stem, suffix = match.groups()
        if folder == "uploads":
            file = self._uploads / f"{stem}{suffix}"
        else:
            task = self.ledger.task_of_video(stem)
            if task is None or suffix not in (".mp4", ".jpg"):
                return None
            if says(task.request, "[expired]"):
                raise Refused(403, "forbidden", "This link has expired.")
            file = self._engine.studio.files / f"{stem}{suffix}"
        return file if file.is_file() else None

    def _finished(self, task: Task, timeout: float) -> tuple[int, dict[str, Any]]:
        ended = self._engine.wait(task.id, min(timeout, threading.TIMEOUT_MAX))
        if ended is None:
            if self._server is None:
                raise Cut(task.id)
            return 504, {**answers.error("timeout", "Timeout to generate the video."), "task_id": task.id}
        told = answers.result(ended, self.url)
        return (FAILURE_STATUS.get(told["error"]["code"], 500) if ended.failed else 200), told

    def _refuse(self, request: dict[str, Any]) -> None:
        """Raises `Refused` where the magic words, now or earlier, say so."""
        words = f"{request['prompt']}\0{request.get('callback_url', '')}"
        key = hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()
        with self._lock:
            if says(request, "[used up]") and not self._used_up:
                # What used up an earlier run may pass in this one; otherwise whoever sends it again would never be rid
                # of it.
                refused_in = self.ledger.mark(f"used up {key}")
                self._used_up = refused_in in (None, self._run)
                self.ledger.set_mark(f"used up {key}", self._run if self._used_up else None)
            if self._used_up:
                raise Refused(403, "used_up", USED_UP)
            if says(request, "[moderated]"):
                raise Refused(403, "forbidden", MODERATED)
            if says(request, "[rate limit]"):
                times = self._limited.pop(key, 0)
                if times < RATE_LIMITED_TIMES:
                    self._limited[key] = times + 1
                    raise RateLimited()

    def _suffer(self, mishap: Mishap, task_id: str | None) -> None:
        """Let a mishap happen; returns where the request goes on."""
        match mishap.kind:
            case "drop":
                raise Cut(task_id)
            case "hang":
                self._engine.pause(mishap.seconds)
            case "500":
                raise Refused(500, "api_error", "Internal server error.")
            case "504":
                raise Refused(504, "timeout", "Timeout to generate the video.")
            case "502":
                raise GatewayPage(task_id)
            case "429":
                raise RateLimited()
