"""A sandbox on a free port, a client for it, and somebody who receives its callbacks."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from PIL import Image, ImageDraw

from videos.sandbox.server import Sandbox

PATIENCE = 30.0  # seconds: much more than anything here takes


def until(found: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """What `found` returns, once it is something; fails the test when that takes too long."""
    deadline = time.monotonic() + patience
    while not (value := found()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return value


class Client:
    """Talks to a sandbox the way a careful client does: a fresh connection for each request."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def post(self, path: str, body: Any = None, *, token: str = "any", **parts: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers.update(parts.pop("headers", {}))
        if body is not None:
            parts["data"] = json.dumps(body)
        return requests.post(self.sandbox.url + path, headers=headers, timeout=PATIENCE, **parts)

    def make(self, prompt: str = "a cat", **fields: Any) -> str:
        """The id of a new task."""
        fields = {"async": True, **fields}
        answer = self.post("/luma/videos", {"prompt": prompt, **fields})
        assert answer.status_code == 200, answer.text
        return answer.json()["task_id"]

    def finish(self, prompt: str = "a cat", **fields: Any) -> dict[str, Any]:
        """The result of a new task, waited for by the provider."""
        return self.post("/luma/videos", {"prompt": prompt, **fields}).json()

    def task(self, task_id: str) -> dict[str, Any]:
        return self.post("/luma/tasks", {"action": "retrieve", "id": task_id}).json()

    def ended(self, task_id: str) -> dict[str, Any]:
        """The task, once it has ended."""
        return until(lambda: (task := self.task(task_id)).get("finished_at") and task)


class Receiver:
    """A server that takes callbacks, keeps them in `seen`, and answers with `status`."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.status = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.paths.append(self.path)
                receiver.seen.append(json.loads(body))
                self.send_response(receiver.status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/callbacks/secret/"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., Client]]:
    """Start sandboxes, in the test's folder unless told otherwise; quick and short unless told otherwise."""
    running: list[Sandbox] = []

    def run(**options: Any) -> Client:
        options = {"data_dir": tmp_path / "provider", "seconds": 0.0, "quick": True, **options}
        running.append(Sandbox(**options).start())
        return Client(running[-1])

    yield run
    for sandbox in running:
        sandbox.stop()


@pytest.fixture
def client(start) -> Client:
    return start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


def picture(colour: tuple[int, int, int], size: tuple[int, int] = (800, 600)) -> Image.Image:
    """A picture with a corner and a disc, so that one sees where it lies."""
    image = Image.new("RGB", size, colour)
    draw = ImageDraw.Draw(image)
    draw.ellipse((size[0] // 3, size[1] // 3, size[0] // 3 + 150, size[1] // 3 + 150), fill=(240, 240, 200))
    return image


def png(image: Image.Image) -> bytes:
    target = io.BytesIO()
    image.save(target, "PNG")
    return target.getvalue()
