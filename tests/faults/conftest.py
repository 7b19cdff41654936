"""A place where real processes of the product run against a sandbox, may die, and are looked at from outside."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import environment
from tests.ground import SERVERS, Ground
from tests.processes import ROOT, free_port, wait_until
from videos.sandbox.server import Sandbox

PATIENCE = 60
"""Seconds; much more than anything here takes, since test machines are busy."""
MAKE_ROWS = """
import sys, uuid
from tests import quick
quick.set_up()
from django.core.management import call_command
from videos import services
from videos.models import User
call_command("migrate", interactive=False, verbosity=0)
ada = User.objects.create_user("ada", password="a-long-secret")
services.submit(ada, services.Asked(prompt="a red fox", aspect_ratio="16:9"), uuid.uuid4())
"""


class Place:
    """A data folder with one queued generation, a sandbox, and processes of the product.

    `settings` go into the environment of the processes; `provider` are the sandbox's options.
    """

    def __init__(self, folder: Path, prepared: Ground, provider: dict[str, Any] | None = None, **settings: Any) -> None:
        self.folder = folder
        self.data = folder / "data"
        shutil.copytree(prepared.data, self.data)
        self.ground = Ground(self.data, prepared)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environ = quick_environ(self.ground, self.port) | {name: str(value) for name, value in settings.items()}
        options = {"seconds": 0.2, "quick": True, **(provider or {})}
        self.sandbox = Sandbox(folder / "provider", self.port + 1, **options).start()
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *words: str, at: str = "", **settings: Any) -> subprocess.Popen[bytes]:
        """One of the product's commands; `at` is the step where it dies, or stays for `CRASHING_PAUSE`."""
        program = ["tests.faults.crashing", at, str(self.marker)] if at else ["tests.quick"]
        with (self.folder / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *program, *words],
                cwd=ROOT,
                env=self.environ | {name: str(value) for name, value in settings.items()},
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    @property
    def marker(self) -> Path:
        """Is there as soon as the fatal moment has come."""
        return self.folder / "the moment"

    def log(self) -> str:
        """What the processes have printed."""
        return (self.folder / "log.txt").read_text(errors="replace")

    def ask(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of the product's database."""
        return self.ground.rows(sql, *values)

    def row(self) -> dict[str, Any]:
        """The generation, with its video's `stored_at` and `file`."""
        return self.ask(
            "SELECT g.*, v.stored_at, v.file, v.poster FROM videos_generation g"
            " LEFT JOIN videos_video v ON v.id = g.video_id"
        )[0]

    def wait_for(self, fits: Callable[[dict[str, Any]], bool], what: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """The generation's row once it fits."""
        try:
            wait_until(lambda: fits(self.row()), what, seconds)
        except AssertionError as late:
            raise AssertionError(f"{late}; the row is {self.row()}; the log:\n{self.log()}") from late
        return self.row()

    def wait_for_rest(self, seconds: float = PATIENCE) -> dict[str, Any]:
        """The generation's row once it is terminal and nothing is left to do for it."""

        def at_rest(row: dict[str, Any]) -> bool:
            return row["state"] in ("completed", "failed") and row["next_check_at"] is None

        return self.wait_for(at_rest, "at rest", seconds)

    def posts(self) -> int:
        """How many paid requests have reached the provider."""
        return len(self.sandbox.ledger.posts("/luma/videos"))

    def charges(self) -> list[int]:
        """How often each callback URL was charged for."""
        return list(self.sandbox.ledger.charges().values())

    def stored(self) -> list[str]:
        """The names of all files in the storage."""
        return self.ground.files()

    def end(self) -> None:
        """End all that is left."""
        for process in self.processes:
            process.kill()
            process.wait()
        self.sandbox.stop()


def quick_environ(ground: Ground, port: int) -> dict[str, str]:
    """The environment of processes with short times."""
    environ = dict(os.environ)
    environment.clear(environ)
    return environ | {
        **ground.environ,
        "DJANGO_SETTINGS_MODULE": "lumasite.settings",
        "PORT": str(port),
        "GENERATIONS_PER_DAY": "0",
        "LUMA_POLL_SECONDS": "1",
        "LUMA_CONFIRM_SECONDS": "8",
        "QUICK_CONNECT": "1",
        "QUICK_READ": "2",
        "QUICK_LEASE": "4",
        "QUICK_ASK": "0.2",
    }


@pytest.fixture(scope="session")
def prepared(tmp_path_factory) -> Ground:
    """A data folder and a database that holds one queued generation."""
    ground = Ground(tmp_path_factory.mktemp("prepared") / "data")
    environ = quick_environ(ground, free_port())
    subprocess.run([sys.executable, "-c", MAKE_ROWS], cwd=ROOT, env=environ, check=True, timeout=120)
    if not SERVERS:
        ground.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    return ground


@pytest.fixture
def place(tmp_path, prepared) -> Iterator[Callable[..., Place]]:
    """Makes places that end with the test."""
    made: list[Place] = []

    def make(**options: Any) -> Place:
        made.append(Place(tmp_path / f"place-{len(made)}", prepared, **options))
        return made[-1]

    yield make
    for each in made:
        each.end()


def terminate(process: subprocess.Popen[bytes]) -> int:
    """End it politely; its exit status."""
    process.send_signal(signal.SIGTERM)
    return process.wait(PATIENCE)
