"""Mishaps by chance, for drills: what networks, gateways and providers do on a bad day."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass

KINDS = ("drop", "hang", "500", "504", "502", "429", "early")
CALLBACKS = ("lost", "double")


@dataclass(frozen=True)
class Mishap:
    """What befalls a request; `made`: only after the task was made, so that the money is spent."""

    kind: str
    made: bool
    seconds: float = 0.0  # how long a hang lasts


class Dice:
    """Decides by chance, the same way for the same seed and order of requests. Safe to share among threads."""

    def __init__(self, chance: float, seed: int, hang_seconds: tuple[float, float]) -> None:
        if not 0.0 <= chance <= 1.0:
            raise ValueError("chaos is a probability, from 0 to 1")
        self.chance = chance
        self._hang = hang_seconds
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def request(self) -> Mishap | None:
        """What befalls the next request, or None."""
        with self._lock:
            if self._random.random() >= self.chance:
                return None
            kind = self._random.choice(KINDS)
            made = self._random.random() < 0.5
            seconds = self._random.uniform(*self._hang)
        # A refusal by rate is a promise that nothing was made, and an early callback needs a task.
        return Mishap(kind, made=kind == "early" or (made and kind != "429"), seconds=seconds)

    def callbacks(self) -> int:
        """How many times the next callback is sent: once, on bad days not at all or twice."""
        with self._lock:
            if self._random.random() >= self.chance:
                return 1
            return 0 if self._random.choice(CALLBACKS) == "lost" else 2
