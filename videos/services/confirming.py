"""Lost answers: the task is looked for in the account's history, never sent again."""

from __future__ import annotations

import logging
import uuid
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from ..luma import schema
from ..luma.client import HISTORY_PAGE
from ..luma.errors import LostAnswer, LumaError, NotSent, Rejected
from ..models import Generation
from ..states import State
from . import provider
from .following import GIVE_UP
from .results import apply_result

logger = logging.getLogger(__name__)

ASK_AFTER = (0, 5, 15, 45, 120, 300)
"""Seconds after the loss at which the history is asked; then every 300 s."""
CLOCK_SLACK = timedelta(hours=2)
"""The provider's clock and ours may be far apart; what is too old is told apart by its task."""
PAGES_MOST = 20
AT_ONCE = 100
_LOOKED_FOR = [State.UNCONFIRMED, State.FAILED]


def confirm_due() -> list[uuid.UUID]:
    """Look for the tasks of due unconfirmed generations; the generations that were looked for."""
    now = timezone.now()
    due = (
        Generation.objects.due(now, *_LOOKED_FOR)
        .filter(sent_at__isnull=False)
        # An expression, since SQLite would rather go through all that never had a task than through what is due.
        .alias(task=Coalesce("task_id", Value("")))
        .filter(task="")
    )
    found = due.values_list("pk", flat=True)[:AT_ONCE]
    claimed = [pk for pk in list(found) if Generation.objects.claim(pk, _LOOKED_FOR, now, provider.LEASE)]
    if not claimed:
        return []
    rows = list(Generation.objects.filter(pk__in=claimed).order_by("sent_at"))
    history = _history(min(row.sent_at or now for row in rows) - CLOCK_SLACK, rows)
    for row in rows:
        task = _match(row, history.tasks, history.complete)
        if task is not None:
            logger.warning("generation %s: found as task %s", row.pk, task.id)
            apply_result(row.pk, _named(task), "asked")
        running = task is not None and isinstance(task.reading, schema.Running)
        _look_again(row, timezone.now(), sure=history.read and not running)
    return claimed


class _History(NamedTuple):
    """What the account's history told; `complete`: these are all tasks; `read`: asking again would tell no more."""

    tasks: list[schema.Task]
    complete: bool
    read: bool


def _history(since: datetime, rows: list[Generation]) -> _History:
    """The account's tasks since `since`, the newest first, until all that `rows` may need are there."""
    wanted = {(row.request_body or {}).get("callback_url") for row in rows}
    found: dict[str, schema.Task] = {}
    try:
        for page in range(PAGES_MOST):
            # One page that went wrong must not undo the reading of a long history.
            tasks = _page(since, page, tries=3 if found else 1)
            fresh = [task for task in tasks if task.id not in found]
            found |= {task.id: task for task in fresh}
            if not fresh or len(tasks) < HISTORY_PAGE:
                return _History(list(found.values()), complete=True, read=True)
            if wanted <= {task.request.get("callback_url") for task in found.values()} - {None}:
                break
    except LumaError as fault:
        logger.warning("the account's history could not be read: %s", fault.message)
        # What came before the fault may be all that is needed. A provider that keeps no history says so for good.
        return _History(list(found.values()), complete=False, read=isinstance(fault, Rejected))
    return _History(list(found.values()), complete=False, read=True)


def _page(since: datetime, page: int, tries: int) -> list[schema.Task]:
    for left in reversed(range(tries)):
        provider.wait_for_turn()
        try:
            with provider.talking() as luma:
                return luma.recent(since.timestamp(), offset=page * HISTORY_PAGE)
        except (NotSent, LostAnswer):
            if not left:
                raise
    return []


def _match(row: Generation, tasks: list[schema.Task], complete: bool) -> schema.Task | None:
    """The one task that must be this generation's; None in any doubt.

    Never one user's video in another's gallery: without the callback URL, which is ours alone, all
    that was sent must be equal, and one free task must stand against one row that it can belong to.
    """
    sent: dict[str, Any] = row.request_body or {}
    callback = sent.get("callback_url")
    with transaction.atomic():
        taken = set(
            Generation.objects.filter(task_id__in=[task.id for task in tasks]).values_list("task_id", flat=True)
        )
        free = [task for task in tasks if task.id not in taken]
        own = [task for task in free if callback and task.request.get("callback_url") == callback]
        if own:
            return own[0]
        alike = [task for task in free if "callback_url" not in task.request and _same(sent, task.request)]
        rivals = [
            other
            for other in Generation.objects.filter(
                prompt=row.prompt,
                task_id__isnull=True,
                # Nothing is looked for after so long.
                sent_at__gt=timezone.now() - GIVE_UP - CLOCK_SLACK,
                request_body__isnull=False,
                state__in=[State.SUBMITTING, State.UNCONFIRMED, State.FAILED],
            )
            .exclude(pk=row.pk)
            .exclude(state=State.FAILED, sent_at__lt=timezone.now() - 2 * CLOCK_SLACK)
            .values_list("request_body", flat=True)
            if _same(sent, other or {})
        ]
    return alike[0] if complete and len(alike) == 1 and not rivals else None


def _same(sent: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(other.get(name) == value for name, value in sent.items() if name not in ("callback_url", "async"))


def _named(task: schema.Task) -> schema.Reading:
    return schema.Running(task.id) if isinstance(task.reading, schema.Running) else task.reading


def _look_again(row: Generation, now: datetime, sure: bool) -> None:
    """When to look next; `sure`: the history was read, and nothing in it is still to end."""
    sent = row.sent_at or now
    # Given up in the user's eyes, but not before the history was read: what was paid for may be there.
    late = None if sure or now - sent > GIVE_UP else now + timedelta(seconds=ASK_AFTER[-1])
    if row.state == State.FAILED:
        Generation.objects.filter(pk=row.pk, state=State.FAILED).update(next_check_at=late)
        return
    deadline = sent + timedelta(seconds=settings.LUMA_CONFIRM_SECONDS)
    if now >= deadline:
        with transaction.atomic():
            if Generation.objects.select_for_update().get(pk=row.pk).state == State.UNCONFIRMED:
                Generation.objects.move(
                    row.pk,
                    State.FAILED,
                    error_code="not_confirmed",
                    error_message=_("The provider's answer was lost, and the video was not found in the account."),
                    finished_at=now,
                    next_check_at=late,
                )
                logger.error("generation %s: not confirmed", row.pk)
        return
    step = min(row.tries + 1, len(ASK_AFTER) - 1)
    wait = ASK_AFTER[step] - (ASK_AFTER[step - 1] if row.tries + 1 < len(ASK_AFTER) else 0)
    # A deadline before the next turn is a turn too, so that the history is asked a last time.
    Generation.objects.filter(pk=row.pk, state=State.UNCONFIRMED).update(
        tries=row.tries + 1, next_check_at=min(now + timedelta(seconds=wait), deadline)
    )
