"""The drill's own servers, and what befalls them: PostgreSQL and Redis start anew in its midst."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from tests.servers import Bucket, Postgres, Redis, started

EXPECTED = (
    "django.db.utils.OperationalError",
    "django.db.utils.InterfaceError",
    "psycopg.OperationalError",
    "psycopg.errors.AdminShutdown",
    "psycopg_pool.PoolTimeout",
    "redis.exceptions.ConnectionError",
    "ConnectionRefusedError",
    "ConnectionResetError",
)
"""What may be raised, and caught, while a server is away."""


class Upheaval:
    """The servers of one drill; the environment of this process then leads to them."""

    def __init__(self, drill: Any) -> None:
        self._drill = drill
        self._stack = ExitStack()
        self._postgres, self._redis, bucket = self._stack.enter_context(started(Postgres, Redis, Bucket))
        os.environ |= {
            "TEST_DATABASE_URL": self._postgres.url,
            "TEST_REDIS_URL": self._redis.url,
            "TEST_S3_URL": bucket.url,
        }
        from tests.ground import Ground

        os.environ |= Ground(drill.folder / "data").environ
        self._to_come: list[tuple[float, Callable[[], None]]] = [
            (0.25, self._restart_redis),
            (0.5, self._kill_one_of_each),
            (0.75, self._restart_postgres),
        ]
        self._happened: list[str] = []

    def come(self, at_rest: int) -> None:
        """Let happen what is to happen once so many generations are at rest."""
        while self._to_come and at_rest >= self._to_come[0][0] * self._drill.options.generations:
            _, befall = self._to_come.pop(0)
            befall()

    def told(self) -> list[tuple[str, Any, Any]]:
        """What happened, for the reckoning."""
        return [(f"restarts of {server}", self._happened.count(server), [1]) for server in ("Redis", "PostgreSQL")] + [
            ("killed half-way, of each kind", self._happened.count("kill"), [1])
        ]

    def end(self) -> None:
        """End the servers."""
        self._stack.close()

    def _restart_redis(self) -> None:
        self._redis.stop()
        self._redis.start()
        self._happened.append("Redis")

    def _kill_one_of_each(self) -> None:
        for kind in ("web", "worker"):
            mortal = next(mortal for mortal in self._drill.mortals if mortal.kind == kind)
            mortal.kill()
            mortal.start()
        self._happened.append("kill")

    def _restart_postgres(self) -> None:
        self._postgres.stop()
        self._postgres.start()
        self._happened.append("PostgreSQL")
