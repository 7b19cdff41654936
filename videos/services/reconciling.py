"""One pass over all rows that are due; the sweep derives all work from rows, never from the queue."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from ..models import Generation, Site, Video
from ..states import TERMINAL, State
from .bringing import bring_home
from .confirming import confirm_due
from .following import ask_due
from .submitting import lose, submit_due


def due_rows(limit: int = 500) -> list[uuid.UUID]:
    """The rows that need work now, but queued ones: those wait for slots, and `submit_due` knows them."""
    due = Generation.objects.due(timezone.now()).exclude(state=State.QUEUED)
    return list(due.order_by("next_check_at").values_list("pk", flat=True)[:limit])


def due_soon(within: timedelta) -> list[uuid.UUID]:
    """The rows that need work between now and `within`."""
    now = timezone.now()
    return list(
        Generation.objects.filter(next_check_at__gt=now, next_check_at__lte=now + within).values_list("pk", flat=True)
    )


def advance(pk: uuid.UUID) -> list[uuid.UUID]:
    """Do what a sent generation needs now, together with all that goes in the same request; who was touched."""
    try:
        row = Generation.objects.only("state", "next_check_at", "task_id").get(pk=pk)
    except Generation.DoesNotExist:
        return []
    if row.state == State.COMPLETED:
        return [pk] if bring_home(pk) else []
    if row.state == State.SUBMITTING:
        _end_lease(pk)
        return confirm_due()
    if row.state == State.UNCONFIRMED or (row.state == State.FAILED and not row.task_id):
        return confirm_due()
    if row.state in (State.PROCESSING, State.FAILED):
        return ask_due()
    return []


def reconcile() -> list[uuid.UUID]:
    """One pass: end leases, ask, confirm, store, send. Safe to run at any time, anywhere, twice."""
    touched: list[uuid.UUID] = []
    for pk in Generation.objects.due(timezone.now()).filter(state=State.SUBMITTING).values_list("pk", flat=True):
        _end_lease(pk)
    while asked := ask_due():
        touched += asked
    touched += confirm_due()
    for pk in due_rows():
        touched += [pk] if bring_home(pk) else []
    return touched + submit_due()


def beat() -> None:
    """Note that a worker is alive."""
    Site.objects.update(worker_seen_at=timezone.now())


def ask_now(generations: Iterable[Generation]) -> int:
    """Make the provider be asked about these at once, failed ones too; how many that makes sense for."""
    return (
        Generation.objects.filter(pk__in=[g.pk for g in generations])
        .filter(Q(state__in=[State.PROCESSING, State.UNCONFIRMED]) | Q(state=State.FAILED, sent_at__isnull=False))
        .update(next_check_at=timezone.now())
    )


def store_again(generations: Iterable[Generation]) -> int:
    """Bring the videos of these home anew, also those given up or stored; how many there are."""
    rows = Generation.objects.filter(pk__in=[g.pk for g in generations], state=State.COMPLETED)
    keys = list(rows.values_list("video_id", flat=True))
    Video.objects.filter(pk__in=keys).update(stored_at=None, expired_at=None, store_tries=0, store_error="")
    return rows.update(next_check_at=timezone.now(), tries=0)


def mark_failed(generation: Generation) -> bool:
    """End an open generation by hand; whether it was open. A success that comes later still completes it."""
    return Generation.objects.fail(generation.pk, "marked_failed", _("Ended by an operator."))


def after_restore() -> int:
    """End what waited when a backup was made, and let submissions go; how many generations that ended.

    Since then they may have been sent and charged: sending them again is for their owners to decide. A
    callback, whose address is in the backup too, still completes them.
    """
    ended = 0
    for pk in Generation.objects.filter(state=State.QUEUED).values_list("pk", flat=True):
        ended += Generation.objects.fail(
            pk, "restored", _("This site was restored from a backup that was made before this request was sent.")
        )
    Site.objects.update(stopped=False)
    return ended


def oldest_due(now: datetime) -> datetime | None:
    """When the row that has waited longest for the worker became due; None where none waits."""
    due = Generation.objects.filter(next_check_at__lte=now).exclude(state__in=[State.QUEUED, *TERMINAL])
    return due.order_by("next_check_at").values_list("next_check_at", flat=True).first()


def _end_lease(pk: uuid.UUID) -> None:
    if Generation.objects.due(timezone.now()).filter(pk=pk, state=State.SUBMITTING).exists():
        lose(pk, _("The worker was ended before the answer came."))
