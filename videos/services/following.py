"""Running tasks are asked about, many in one request."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from ..luma import schema
from ..luma.errors import LumaError, Refused
from ..models import Generation
from ..states import State
from . import provider
from .results import apply_result

logger = logging.getLogger(__name__)

HOURLY = timedelta(hours=1)
GIVE_UP = timedelta(hours=48)
"""After this long without an end, a task is taken to have vanished at the provider."""
_ASKED_ABOUT = [State.PROCESSING, State.FAILED]


def ask_due(limit: int = schema.BATCH_MAX) -> list[uuid.UUID]:
    """Ask about at most `limit` due tasks; the generations that were asked about.

    Besides running ones these are failed ones that somebody wants asked about once more.
    """
    now = timezone.now()
    due = Generation.objects.due(now, *_ASKED_ABOUT).filter(task_id__isnull=False)
    found = due.order_by("next_check_at").values_list("pk", flat=True)[: min(limit, schema.BATCH_MAX)]
    claimed = [pk for pk in list(found) if Generation.objects.claim(pk, _ASKED_ABOUT, now, provider.LEASE)]
    if not claimed:
        return []
    rows = Generation.objects.filter(pk__in=claimed).values_list("task_id", "pk")
    task_ids = {task_id: pk for task_id, pk in rows if task_id}
    try:
        tasks = _ask(list(task_ids))
    except LumaError as fault:
        logger.warning("asking about %d tasks failed: %s", len(claimed), fault.message)
        tasks = []
    for task in tasks:
        if (pk := task_ids.get(task.id)) is not None:
            apply_result(pk, task.reading, "asked")
    for row in Generation.objects.filter(pk__in=claimed):
        _ask_again(row, timezone.now())
    return claimed


def _ask(task_ids: list[str]) -> Iterable[schema.Task]:
    """The tasks that the provider knows, one by one where it refuses the batch as a whole."""
    provider.wait_for_turn()
    with provider.talking() as luma:
        if len(task_ids) > 1:
            try:
                return luma.retrieve_batch(task_ids)
            except Refused as refusal:
                logger.warning("the provider refused a batch (%s): asking one by one", refusal.message)
        found = []
        for number, task_id in enumerate(task_ids):
            if number:
                provider.wait_for_turn()
            found.append(luma.retrieve(task_id))
    return [task for task in found if task is not None]


def _ask_again(row: Generation, now: datetime) -> None:
    if row.state == State.FAILED:
        Generation.objects.filter(pk=row.pk, state=State.FAILED).update(next_check_at=None)
    if row.state != State.PROCESSING:
        return
    if row.sent_at is not None and now - row.sent_at > GIVE_UP:
        Generation.objects.fail(row.pk, "never_answered", _("The provider took the task and never told its end."))
        logger.error("generation %s: never answered", row.pk)
        return
    holds_slot = row.slot_until is not None and row.slot_until > now
    wait = timedelta(seconds=settings.LUMA_POLL_SECONDS) if holds_slot else HOURLY
    Generation.objects.filter(pk=row.pk, state=State.PROCESSING).update(next_check_at=now + wait)
