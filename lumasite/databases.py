"""How the database is used: what SQLite and PostgreSQL need for that nothing is lost and nobody waits for ever."""

from __future__ import annotations

from typing import Any

LOCK_SECONDS = 20
"""So long somebody waits for another's lock; then they are told to come again."""
CONNECTIONS_MOST = 20
"""Of one process: more than it has threads, so that no request waits for another's connection."""


def used(entry: dict[str, Any]) -> dict[str, Any]:
    """Django's database entry with what its engine needs; options that it has already stay."""
    sqlite = "sqlite" in entry["ENGINE"]
    options = _SQLITE if sqlite else _POSTGRESQL
    return {
        **entry,
        "OPTIONS": {**options, **entry.get("OPTIONS", {})},
        "CONN_MAX_AGE": None if sqlite else 0,
        # A connection that a restart of the server has cut is replaced, not used.
        "CONN_HEALTH_CHECKS": not sqlite,
    }


_SQLITE: dict[str, Any] = {
    # IMMEDIATE: a transaction that reads and then writes can't find the lock taken in between.
    "transaction_mode": "IMMEDIATE",
    "timeout": LOCK_SECONDS,
    # FULL: a claim lost in a power cut would mean a second charge.
    "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;",
}
_POSTGRESQL: dict[str, Any] = {
    "pool": {"min_size": 1, "max_size": CONNECTIONS_MOST, "timeout": 10},
    "options": f"-c lock_timeout={LOCK_SECONDS}s",
}
