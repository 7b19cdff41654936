"""Ratios within one run: interleaved rounds, and a reading against itself that tells how noisy the machine was."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass

ROUNDS = 40
QUIET = (0.9, 1.1)
"""Where a reading against itself must lie."""
TRIES = 3


@dataclass(frozen=True)
class Line:
    """One line of the table; `value` is a ratio unless `unit` says otherwise, `goal` as `<= 1.15`, or "" for none."""

    name: str
    value: float
    goal: str = ""
    unit: str = ""
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if not self.goal:
            return None
        sign, _, limit = self.goal.partition(" ")
        holds = {"<=": operator.le, ">=": operator.ge, "=": operator.eq}[sign]
        return bool(holds(self.value, float(limit)))


def percentile(times: Iterable[float], part: float) -> float:
    """The value that `part` (0 to 1) of them don't pass."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, math.ceil(part * len(ordered)) - 1 if part else 0)]


def interleaved(readings: dict[str, Callable[[], float]], rounds: int = ROUNDS) -> dict[str, float]:
    """The 20th percentile of each reading (seconds), all taken in turns, so that what disturbs one disturbs all."""
    found: dict[str, list[float]] = {name: [] for name in readings}
    for number in range(rounds):
        # Back and forth: nobody always comes right after the same one.
        for name in list(readings)[:: 1 if number % 2 else -1]:
            found[name].append(readings[name]())
    return {name: percentile(times, 0.2) for name, times in found.items()}


def shown(lines: list[Line]) -> str:
    """The table, as text that is also Markdown."""
    verdicts = {True: "met", False: "**not met**", None: ""}
    rows = ["| what | measured | goal | |", "| --- | ---: | --- | --- |"]
    for line in lines:
        goal = line.goal.replace("<=", "≤").replace(">=", "≥")
        note = " ".join(filter(None, (verdicts[line.met], line.note)))
        rows.append(f"| {line.name} | {_number(line.value)}{line.unit} | {goal} | {note} |")
    return "\n".join(rows)


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.{2 if abs(value) >= 0.1 else 3}f}"
