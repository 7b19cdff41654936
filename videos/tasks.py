"""huey tasks: thin, each calls one service and wakes the worker for what comes next.

The queue may lose everything: all work is derived from rows, once a minute, by `sweep`.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from huey import crontab
from huey.contrib.djhuey import HUEY, db_periodic_task, db_task

from . import services
from .models import Generation
from .states import State

logger = logging.getLogger(__name__)

SOON_SECONDS = 100
"""What is due later than this, the sweep finds by itself; longer than a lease."""
QUEUE_LONG = 200
"""So many waiting tasks are enough: the sweep adds none for rows that nobody comes for, as they may be among these."""

DOWNLOAD_WAIT_SECONDS = 3

_started = threading.Lock()
_downloads = threading.BoundedSemaphore(max(1, settings.HUEY["consumer"]["workers"] // 2))
"""Slow downloads must leave threads for sending and asking."""


def wake(pk: uuid.UUID) -> None:
    """Once the present transaction is committed, have a worker look at this generation, and fill slots."""
    transaction.on_commit(lambda: _enqueue(pk))


def _enqueue(pk: uuid.UUID) -> None:
    try:
        again([pk], freed=True)
    except Exception:
        # The row says what it needs; without the queue the sweep finds it within a minute.
        logger.exception("generation %s: the queue can't be reached", pk)


@db_task()
def advance(pk: str) -> None:
    """Do what one sent generation needs now, and come again for all that were touched."""
    key = uuid.UUID(pk)
    downloads = Generation.objects.filter(pk=key, state=State.COMPLETED).exists()
    if downloads and not _downloads.acquire(blocking=False):
        advance.schedule(args=(pk,), delay=DOWNLOAD_WAIT_SECONDS)
        return
    try:
        touched = services.advance(key)
    finally:
        if downloads:
            _downloads.release()
    again(touched, freed=True)


@db_task()
def fill() -> None:
    """Send queued generations while slots are free."""
    again(services.submit_due())


@db_task()
def mail_reset(address: str, host: str, secure: bool, language: str) -> None:
    """Mail a link for a new password, if somebody has this address; apart, so that the time tells nobody whether."""
    services.mail_reset(address, host, secure, language)


@db_periodic_task(crontab(minute="*"))
def sweep() -> None:
    """Pick up whatever is due and nobody is coming for."""
    services.beat()
    services.prune_callbacks(timezone.now())
    # Rows whose turn has not come are due in the next minute, too: unbounded, a long queue would grow by them for ever.
    if (waiting() or 0) < QUEUE_LONG:
        for pk in services.due_rows():
            advance(str(pk))
    fill()


@HUEY.on_startup()
def start() -> None:
    """Don't leave what the last run left behind waiting for the minute.

    Besides due rows these are those of a killed worker, whose leases are about to end.
    """
    # huey calls this in each of its threads.
    if _started.acquire(blocking=False):
        sweep()
        again(services.due_soon(timedelta(seconds=SOON_SECONDS)))


def again(touched: Iterable[uuid.UUID], *, freed: bool = False) -> None:
    """Enqueue the next step of each generation, where it has one soon; `freed`: a slot may be free for others, too.

    Nothing is enqueued where nothing is to do: in a burst of callbacks the worker has the same processors.
    """
    now, fills = timezone.now(), False
    rows = Generation.objects.filter(pk__in=list(touched)).annotate(others=services.anybody_waits(now))
    for pk, state, due, others in rows.values_list("pk", "state", "next_check_at", "others"):
        fills |= freed and others
        if due is None:
            continue
        delay = (due - now).total_seconds()
        if state != State.QUEUED:
            _at(delay, advance, str(pk))
        elif delay <= 0:
            fills = True
        else:
            _at(delay, fill)
    if fills:
        fill()


def _at(delay: float, task: Any, *args: str) -> None:
    if delay <= 0:
        task(*args)
    elif delay <= SOON_SECONDS:
        task.schedule(args=args, delay=delay)


def waiting() -> int | None:
    """How many tasks wait for a worker; None where the queue can't be reached."""
    try:
        return int(HUEY.pending_count())
    except Exception:
        logger.exception("the queue can't be reached")
        return None
