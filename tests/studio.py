"""The whole product in a process of its own, and visitors who use it over HTTP."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import requests

from tests import environment
from tests.ground import Ground
from tests.people import request_fields
from tests.processes import END_SECONDS, ROOT, free_port, wait_until


class Studio:
    """`manage.py studio` with a data folder of its own; `settings` go into its environment.

    `quick` has short times, `small` draws small films.
    """

    collected: Path | None = None
    """The static files of an earlier one: collecting and compressing them takes some seconds."""

    def __init__(self, folder: Path, *, quick: bool = False, small: bool = False, **settings: Any) -> None:
        self.program = ["-m", "tests.quick"] if quick else ["-m", "tests.small"] if small else ["manage.py"]
        self.port = free_port()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.url = f"http://127.0.0.1:{self.port}"
        self.environ = dict(os.environ)
        environment.clear(self.environ)
        self.ground = Ground(folder / "data")
        self.environ |= self.ground.environ | {"PORT": str(self.port), "LUMA_POLL_SECONDS": "2"}
        self.environ |= {"DJANGO_SETTINGS_MODULE": "lumasite.settings"}
        self.environ |= {name: str(value) for name, value in settings.items()}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Studio:
        """Start it and wait until it is healthy."""
        static = self.folder / "data" / "static"
        if Studio.collected and not static.exists():
            shutil.copytree(Studio.collected, static)
        log = (self.folder / "log.txt").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, *self.program, "studio"], cwd=ROOT, env=self.environ, stdout=log, stderr=log
        )
        wait_until(self._healthy, lambda: f"a healthy studio; its log:\n{self.log()}")
        Studio.collected = Studio.collected or static
        return self

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal and wait for its end; its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(END_SECONDS)

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def manage(self, *words: str) -> str:
        """Run another of its commands; what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *words], cwd=ROOT, env=self.environ, capture_output=True, timeout=120
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """What its database holds; a statement that writes is committed."""
        return self.ground.rows(sql, *values)

    def posts(self) -> list[dict[str, Any]]:
        """The paid requests that its sandbox has received, with their bodies read."""
        with closing(sqlite3.connect(self.folder / "data" / "provider" / "sandbox.sqlite3", timeout=20)) as connection:
            rows = connection.execute("SELECT body, status, task_id FROM posts WHERE path = '/luma/videos'").fetchall()
        return [{"body": json.loads(body), "status": status, "task_id": task_id} for body, status, task_id in rows]

    def log(self) -> str:
        """What it has printed so far."""
        return (self.folder / "log.txt").read_text(errors="replace")

    def _healthy(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the studio ended by itself:\n{self.log()}"
        try:
            return requests.get(f"{self.url}/healthz/", timeout=2).status_code == 200
        except requests.RequestException:
            return False


class Visitor:
    """Somebody with a browser that knows forms and cookies, and no JavaScript."""

    def __init__(self, studio: Studio, name: str = "demo", password: str = "demo") -> None:
        self.studio = studio
        self.session = requests.Session()
        self.session.trust_env = False
        if name:
            answer = self.post("/accounts/login/", page="/accounts/login/", username=name, password=password)
            assert answer.status_code == 302, answer.text

    def get(self, path: str, **options: Any) -> requests.Response:
        """Load a page, or a file."""
        return self.session.get(self.studio.url + path, timeout=30, allow_redirects=False, **options)

    def post(self, path: str, *, page: str = "/", files: Any = None, **fields: Any) -> requests.Response:
        """Send a form that stands on `page`."""
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.get(page).text)
        data = {"csrfmiddlewaretoken": token[1] if token else "", **fields}
        return self.session.post(self.studio.url + path, data=data, files=files, timeout=60, allow_redirects=False)

    def generate(self, prompt: str, files: Any = None, **fields: Any) -> str:
        """Ask for a video; its generation's id."""
        fields.setdefault("aspect_ratio", "16:9")
        answer = self.post("/generations/", files=files, **request_fields(prompt=prompt, **fields))
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"].partition("#generation-")[2]

    def extend(self, path: str, prompt: str, files: Any = None, **fields: Any) -> str:
        """Ask for an extension at `path`; its generation's id."""
        answer = self.post(path, page=path, files=files, **request_fields(prompt=prompt, **fields))
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"].partition("#generation-")[2]

    def card(self, generation: str) -> str:
        """The HTML of a card on the first page of the gallery; "" where it is not there."""
        match = re.search(
            rf'<article[^>]*id="generation-{uuid.UUID(generation)}".*?</article>', self.get("/").text, re.DOTALL
        )
        return match[0] if match else ""

    def state(self, generation: str) -> str:
        """The state that the card shows."""
        match = re.search(r'data-state="(\w+)"', self.card(generation))
        return match[1] if match else ""

    def wait_for_state(self, generation: str, state: str, seconds: float = END_SECONDS) -> str:
        """The card's HTML once it shows `state`."""
        there = lambda: f"{state} (it is {self.state(generation)})"  # noqa: E731
        wait_until(lambda: self.state(generation) == state, there, seconds)
        return self.card(generation)

    def wait_for_video(self, generation: str, seconds: float = END_SECONDS) -> bytes:
        """The film, once it is stored here."""

        def home() -> str:
            match = re.search(r'<video[^>]*src="(/files/videos/[^"]+)"', self.card(generation))
            return match[1] if match else ""

        path = wait_until(home, lambda: f"a stored video; the card says:\n{self.card(generation)}", seconds)
        answer = self.get(path)
        if answer.status_code == 302:
            answer = requests.get(answer.headers["Location"], timeout=30)
        assert answer.status_code == 200
        return answer.content

    def extend_path(self, generation: str) -> str:
        """Where the card's Extend control leads."""
        match = re.search(r'<a[^>]*data-action="extend"[^>]*>', self.card(generation))
        assert match, "no Extend control"
        found = re.search(r'href="([^"]+)"', match[0])
        assert found
        return found[1]
