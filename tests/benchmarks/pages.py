"""Pages and queries over few and over very many rows."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import QUIET, ROUNDS, TRIES, Line, interleaved
from tests.processes import ROOT

FEW, SOME, MANY = 100, 10_000, 1_000_000
FEWER_ROUNDS = {"admin": 10, "admin, deep": 5}
"""Its list counts all rows and skips half of them: of seconds, a few readings tell enough."""


class Child:
    """A process with a database of its own; asked for one reading at a time."""

    def __init__(self, folder: Path, name: str, rows: int) -> None:
        self._log = (folder / f"{name}.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.child", str(folder / name), str(rows)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def wait(self) -> None:
        """Return when its database is filled."""
        assert self._answer() == "ready"

    def ask(self, name: str) -> Any:
        """One reading: seconds, or counts."""
        assert self._process.stdin is not None
        self._process.stdin.write(name + "\n")
        self._process.stdin.flush()
        return self._answer()

    def end(self) -> None:
        """Nothing more is asked for."""
        self._process.kill()
        self._process.wait()
        self._log.close()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"a child has ended; see {self._log.name}"
        return json.loads(line)


def measure(folder: Path, kind: str, many: int = MANY) -> list[Line]:
    """The lines of pages and queries on this kind of database, whose ground the environment names."""
    with ExitStack() as stack:
        children = {}
        # One after the other: filling them at once would take as long, and much memory.
        for name, rows in (("few", FEW), ("same", FEW), ("some", SOME), ("many", many)):
            children[name] = Child(folder, f"{kind}-{name}", rows)
            stack.callback(children[name].end)
            children[name].wait()
        counts = children["few"].ask("queries")
        times = {}
        for thing in ("gallery", "gallery, deep", "admin", "admin, deep", "callback", "due"):
            times[thing], noise = _quietly(children, thing)
            times[thing]["noise"] = noise
    few = {thing: found["few"] for thing, found in times.items()}
    lines = [
        (f"gallery, {many:,} ÷ {FEW} rows", "gallery", times["gallery"]["many"] / few["gallery"], "<= 1.15"),
        (
            f"gallery, a deep page of {many:,} ÷ the first of {FEW} rows",
            "gallery, deep",
            times["gallery, deep"]["many"] / times["gallery, deep"]["few"],
            "<= 1.15",
        ),
        (f"gallery ÷ admin's list, {FEW} rows", "admin", few["gallery"] / few["admin"], "<= 0.8"),
        (
            f"gallery ÷ admin's list, {many:,} rows",
            "admin",
            times["gallery"]["many"] / times["admin"]["many"],
            "<= 0.25",
        ),
        (
            f"the same, a deep page of {many:,} rows",
            "admin, deep",
            times["gallery, deep"]["many"] / times["admin, deep"]["many"],
            "<= 0.15",
        ),
        (
            f"callback, {many:,} ÷ {SOME:,} rows",
            "callback",
            times["callback"]["many"] / times["callback"]["some"],
            "<= 1.25",
        ),
        (f"sweep's due query, {many:,} ÷ {FEW} rows", "due", times["due"]["many"] / few["due"], "<= 1.5"),
    ]
    found = [
        Line(f"{name}, {kind}", ratio, goal, note=f"({few[thing] * 1000:.1f} ms at {FEW} rows; {_said(times[thing])})")
        for name, thing, ratio, goal in lines
    ]
    most, least = max(counts.values()), min(counts.values())
    found.append(Line(f"queries for a gallery page of 24 cards, {kind}", most, "<= 3"))
    found.append(Line(f"queries for 24 cards ÷ for 1, {kind}", most / least, "= 1"))
    return found


def _said(found: dict[str, float]) -> str:
    noise = found["noise"]
    return f"against itself {noise:.2f}" + ("" if QUIET[0] <= noise <= QUIET[1] else ": noisy")


def _quietly(children: dict[str, Child], thing: str) -> tuple[dict[str, float], float]:
    """The times of one thing in all databases, and of two equal ones against each other; repeated while that is off."""
    for _ in range(TRIES):
        found = interleaved(
            {name: lambda child=child: child.ask(thing) for name, child in children.items()},
            FEWER_ROUNDS.get(thing, ROUNDS),
        )
        noise = found["same"] / found["few"]
        if QUIET[0] <= noise <= QUIET[1]:
            break
    return found, noise
