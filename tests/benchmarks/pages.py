"""Pages and queries over few and over very many rows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import QUIET, TRIES, Line, interleaved
from tests.processes import ROOT

FEW, SOME, MANY = 100, 10_000, 1_000_000
FEWER_ROUNDS = 5
"""The admin's list counts all rows and skips half of them: of seconds, a few readings tell enough."""


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

    def asking(self, name: str) -> Callable[[], float]:
        """To be called for one reading."""
        return lambda: float(self.ask(name))

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
        few, same, large = children["few"], children["same"], children["many"]
        times = {}
        for thing in ("gallery", "gallery, deep", "callback", "due"):
            times[thing] = _quietly({name: child.asking(thing) for name, child in children.items()})
        # Side by side in one database, so that what disturbs one disturbs the other.
        times["admin"] = _quietly(
            {"few": few.asking("gallery"), "same": same.asking("gallery"), "admin": few.asking("admin")}
        )
        beside = {
            deep: interleaved({name: large.asking(name + deep) for name in ("gallery", "admin")}, FEWER_ROUNDS)
            for deep in ("", ", deep")
        }
    few_rows = {thing: found["few"] for thing, found in times.items()}
    lines = [
        (f"gallery, {many:,} ÷ {FEW} rows", "gallery", times["gallery"]["many"] / few_rows["gallery"], "<= 1.15"),
        (
            f"gallery, a deep page of {many:,} ÷ the first of {FEW} rows",
            "gallery, deep",
            times["gallery, deep"]["many"] / few_rows["gallery, deep"],
            "<= 1.15",
        ),
        (f"gallery ÷ admin's list, {FEW} rows", "admin", few_rows["admin"] / times["admin"]["admin"], "<= 0.8"),
        (
            f"callback, {many:,} ÷ {SOME:,} rows",
            "callback",
            times["callback"]["many"] / times["callback"]["some"],
            "<= 1.25",
        ),
        (f"sweep's due query, {many:,} ÷ {FEW} rows", "due", times["due"]["many"] / few_rows["due"], "<= 1.5"),
    ]
    found = [
        Line(f"{name}, {kind}", ratio, goal, note=f"({few_rows[thing] * 1000:.1f} ms at {FEW}; {_said(times[thing])})")
        for name, thing, ratio, goal in lines
    ]
    for deep, goal in (("", "<= 0.25"), (", deep", "<= 0.15")):
        gallery, admin = beside[deep]["gallery"], beside[deep]["admin"]
        note = f"({gallery * 1000:.0f} against {admin * 1000:.0f} ms)"
        found.append(Line(f"gallery ÷ admin's list, {many:,} rows{deep}, {kind}", gallery / admin, goal, note=note))
    most, least = max(counts.values()), min(counts.values())
    found.append(Line(f"queries for a gallery page of 24 cards, {kind}", most, "<= 3"))
    found.append(Line(f"queries for 24 cards ÷ for 1, {kind}", most / least, "= 1"))
    return found


def _said(found: dict[str, float]) -> str:
    noise = found["same"] / found["few"]
    return f"against itself {noise:.2f}" + ("" if QUIET[0] <= noise <= QUIET[1] else ": noisy")


def _quietly(readings: dict[str, Callable[[], float]]) -> dict[str, float]:
    """The times of these; repeated while `few` and `same`, which are equal, are not."""
    for _ in range(TRIES):
        found = interleaved(readings)
        if QUIET[0] <= found["same"] / found["few"] <= QUIET[1]:
            break
    return found
