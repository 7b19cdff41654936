"""The sandbox's memory: tasks, charges, requests and callbacks, in one SQLite file.

It survives `kill -9`: what was answered was written before. One connection behind a lock serves all threads; other
processes may open the same file to look.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    video_id TEXT NOT NULL UNIQUE,
    trace_id TEXT NOT NULL,
    request TEXT NOT NULL,
    billed INTEGER NOT NULL DEFAULT 1,
    created_at REAL NOT NULL,
    due_at REAL NOT NULL,
    finished_at REAL,
    response TEXT,
    callbacks_left INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS tasks_created ON tasks (created_at);
CREATE INDEX IF NOT EXISTS tasks_open ON tasks (seq) WHERE finished_at IS NULL;
CREATE INDEX IF NOT EXISTS tasks_uncalled ON tasks (seq) WHERE callbacks_left > 0;
CREATE TABLE IF NOT EXISTS posts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    path TEXT NOT NULL,
    body TEXT NOT NULL,
    status INTEGER,
    task_id TEXT
);
CREATE TABLE IF NOT EXISTS callbacks (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    task_id TEXT NOT NULL,
    url TEXT NOT NULL,
    status INTEGER,
    error TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Task:
    """One row of the ledger; times are Unix seconds, `response` is None while the task runs."""

    id: str
    video_id: str
    trace_id: str
    request: dict[str, Any]
    billed: bool
    created_at: float
    due_at: float
    finished_at: float | None
    response: dict[str, Any] | None
    callbacks_left: int

    @property
    def callback_url(self) -> str | None:
        return self.request.get("callback_url")

    @property
    def failed(self) -> bool:
        return self.response is not None and not self.response.get("success")


class Ledger:
    """Open (or make) the ledger at `path`."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        # NORMAL survives the death of the process, and a power cut is nothing that a stand-in must survive.
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    # What tests and drills read

    def tasks(self) -> list[dict[str, Any]]:
        """All tasks, oldest first."""
        rows = self._all("SELECT * FROM tasks ORDER BY seq")
        return [{**row, "request": json.loads(row["request"]), "response": _loaded(row["response"])} for row in rows]

    def charges(self) -> dict[str, int]:
        """How many billed tasks each key has: its callback URL, or the task's id where it has none."""
        charges: dict[str, int] = {}
        for row in self._all("SELECT id, request FROM tasks WHERE billed ORDER BY seq"):
            key = json.loads(row["request"]).get("callback_url") or row["id"]
            charges[key] = charges.get(key, 0) + 1
        return charges

    def posts(self, path: str | None = None) -> list[dict[str, Any]]:
        """The POSTs received, oldest first; `status` is None where no answer was sent (yet)."""
        if path is None:
            return self._all("SELECT * FROM posts ORDER BY seq")
        return self._all("SELECT * FROM posts WHERE path = ? ORDER BY seq", path)

    def callbacks(self) -> list[dict[str, Any]]:
        """The callbacks sent, oldest first; `status` is None and `error` says why where none was answered."""
        return self._all("SELECT * FROM callbacks ORDER BY seq")

    @property
    def max_in_flight(self) -> int:
        """The most tasks that were ever unfinished at once."""
        return int(self.mark("max_in_flight") or 0)

    # What the sandbox writes and asks

    def add_task(self, task: Task, *, limit: int | None = None) -> bool:
        """Write down a new, billed task; False where `limit` tasks are unfinished already."""
        with self._lock:
            in_flight = self._all("SELECT COUNT(*) AS n FROM tasks WHERE finished_at IS NULL")[0]["n"]
            if limit is not None and in_flight >= limit:
                return False
            self._run(
                "INSERT INTO tasks (id, video_id, trace_id, request, created_at, due_at) VALUES (?, ?, ?, ?, ?, ?)",
                *(task.id, task.video_id, task.trace_id, json.dumps(task.request), task.created_at, task.due_at),
            )
            if in_flight + 1 > self.max_in_flight:
                self.set_mark("max_in_flight", str(in_flight + 1))
            return True

    def finish_task(self, task_id: str, response: dict[str, Any], *, callbacks: int) -> bool:
        """Write down how a task ended and how many callbacks are owed; False where it had ended before."""
        changed = self._run(
            "UPDATE tasks SET finished_at = ?, response = ?, billed = ?, callbacks_left = ?"
            " WHERE id = ? AND finished_at IS NULL",
            *(time.time(), json.dumps(response), bool(response.get("success")), callbacks, task_id),
        )
        return changed == 1

    def task(self, task_id: str) -> Task | None:
        return self._one("SELECT * FROM tasks WHERE id = ?", task_id)

    def task_of_video(self, video_id: str) -> Task | None:
        return self._one("SELECT * FROM tasks WHERE video_id = ?", video_id)

    def unfinished(self) -> list[str]:
        """Ids of the tasks that still run, oldest first."""
        return [row["id"] for row in self._all("SELECT id FROM tasks WHERE finished_at IS NULL ORDER BY seq")]

    def uncalled(self) -> list[str]:
        """Ids of the ended tasks whose callbacks are still owed, oldest first."""
        return [row["id"] for row in self._all("SELECT id FROM tasks WHERE callbacks_left > 0 ORDER BY seq")]

    def history(
        self, limit: int, offset: int, created_at_min: float | None, created_at_max: float | None
    ) -> tuple[list[Task], int]:
        """A page of tasks, newest first, and how many all pages have; bounds are Unix seconds, inclusive."""
        bounds = (created_at_min if created_at_min is not None else 0, created_at_max or 10**12)
        total = self._all("SELECT COUNT(*) AS n FROM tasks WHERE created_at BETWEEN ? AND ?", *bounds)[0]["n"]
        rows = self._all(
            "SELECT * FROM tasks WHERE created_at BETWEEN ? AND ? ORDER BY seq DESC LIMIT ? OFFSET ?",
            *(*bounds, limit, offset),
        )
        return [_task(row) for row in rows], total

    def add_post(self, path: str, body: str) -> int:
        """Write down a POST as it arrives; `answer_post` completes it."""
        with self._lock:
            self._run("INSERT INTO posts (at, path, body) VALUES (?, ?, ?)", time.time(), path, body)
            return int(self._all("SELECT last_insert_rowid() AS seq")[0]["seq"])

    def answer_post(self, seq: int, status: int | None, task_id: str | None) -> None:
        self._run("UPDATE posts SET status = ?, task_id = ? WHERE seq = ?", status, task_id, seq)

    def add_callback(self, task_id: str, url: str, status: int | None, error: str) -> None:
        """Write down a callback that was sent, whatever came of it; one less is owed."""
        with self._lock:
            self._run("BEGIN IMMEDIATE")
            self._run(
                "INSERT INTO callbacks (at, task_id, url, status, error) VALUES (?, ?, ?, ?, ?)",
                *(time.time(), task_id, url, status, error),
            )
            self._run("UPDATE tasks SET callbacks_left = MAX(0, callbacks_left - 1) WHERE id = ?", task_id)
            self._run("COMMIT")

    def mark(self, name: str) -> str | None:
        rows = self._all("SELECT value FROM marks WHERE name = ?", name)
        return rows[0]["value"] if rows else None

    def set_mark(self, name: str, value: str | None) -> None:
        """Remember a word under a name; None forgets it."""
        if value is None:
            self._run("DELETE FROM marks WHERE name = ?", name)
        else:
            self._run("INSERT OR REPLACE INTO marks (name, value) VALUES (?, ?)", name, value)

    def _run(self, sql: str, *values: Any) -> int:
        with self._lock:
            return self._connection.execute(sql, values).rowcount

    def _all(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        with self._lock:
            return [dict(row) for row in self._connection.execute(sql, values)]

    def _one(self, sql: str, *values: Any) -> Task | None:
        rows = self._all(sql, *values)
        return _task(rows[0]) if rows else None


def _loaded(text: str | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text)


def _task(row: dict[str, Any]) -> Task:
    return Task(
        id=row["id"],
        video_id=row["video_id"],
        trace_id=row["trace_id"],
        request=json.loads(row["request"]),
        billed=bool(row["billed"]),
        created_at=row["created_at"],
        due_at=row["due_at"],
        finished_at=row["finished_at"],
        response=_loaded(row["response"]),
        callbacks_left=row["callbacks_left"],
    )
