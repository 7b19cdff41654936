"""What has been made: for the strip and the dashboard."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median

from django.core.cache import cache
from django.db.models import Count, DurationField, ExpressionWrapper, F, Q, Sum
from django.db.models.functions import TruncDate

from ..models import Frame, Generation, User, Video
from ..states import State

RECENT = 50
CACHED_SECONDS = 60
LINE_MOST = 1000
CHART_DAYS = 30
_WAIT = ExpressionWrapper(F("finished_at") - F("sent_at"), output_field=DurationField())


@dataclass(frozen=True)
class Day:
    """One bar of the chart."""

    date: date
    completed: int
    failed: int


@dataclass(frozen=True)
class Counts:
    """Of one user, deleted ones included: they were made, and paid. `wait` in seconds, `room` in bytes."""

    month: int
    month_completed: int
    all: int
    completed: int
    failed: int
    wait: float | None
    room: int

    @property
    def success_percent(self) -> int | None:
        """Completed ones among the ended ones."""
        ended = self.completed + self.failed
        return round(100 * self.completed / ended) if ended else None


def usual_wait() -> float | None:
    """The median time from sending to the end, in seconds, of this site's latest videos; None before the first."""
    found = cache.get("usual-wait")
    if found is None:
        waits = (
            Generation.objects.filter(state=State.COMPLETED, sent_at__isnull=False, finished_at__isnull=False)
            .order_by("-created_at")
            .values_list(_WAIT, flat=True)[:RECENT]
        )
        seconds = [wait.total_seconds() for wait in waits if wait is not None and wait >= timedelta(0)]
        found = median(seconds) if seconds else 0
        cache.set("usual-wait", found, CACHED_SECONDS)
    return found or None


def places_in_line(generations: list[Generation]) -> dict[uuid.UUID, int]:
    """How many stand before each queued one, itself included; by age, which is close to the fair order."""
    queued = [row.pk for row in generations if row.state == State.QUEUED]
    if not queued:
        return {}
    line = Generation.objects.filter(state=State.QUEUED).order_by("created_at", "id")
    places = {pk: place for place, pk in enumerate(line.values_list("pk", flat=True)[:LINE_MOST], start=1)}
    return {pk: places[pk] for pk in queued if pk in places}


def counts_of(user: User, now: datetime) -> Counts:
    """What `user` has made since the first of the month (UTC), and in all."""
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    found = Generation.objects.filter(owner=user).aggregate(
        month=Count("pk", filter=Q(created_at__gte=month)),
        month_completed=Count("pk", filter=Q(created_at__gte=month, state=State.COMPLETED)),
        all=Count("pk"),
        completed=Count("pk", filter=Q(state=State.COMPLETED)),
        failed=Count("pk", filter=Q(state=State.FAILED) & ~Q(error_code="cancelled")),
    )
    waits = Generation.objects.filter(owner=user, state=State.COMPLETED, sent_at__isnull=False)
    recent = [w.total_seconds() for w in waits.order_by("-created_at").values_list(_WAIT, flat=True)[:RECENT] if w]
    room = sum(model.objects.filter(owner=user).aggregate(room=Sum("size"))["room"] or 0 for model in (Video, Frame))
    return Counts(**found, wait=median(recent) if recent else None, room=room)


def by_day(now: datetime, user: User | None = None) -> list[Day]:
    """Completed and failed ones of the last `CHART_DAYS` days, oldest first; of one user, or of all."""
    first = (now - timedelta(days=CHART_DAYS - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = Generation.objects.filter(created_at__gte=first, state__in=[State.COMPLETED, State.FAILED])
    if user is not None:
        rows = rows.filter(owner=user)
    counted = rows.annotate(day=TruncDate("created_at")).values_list("day", "state").annotate(n=Count("pk"))
    numbers: Counter[tuple[date, str]] = Counter({(day, state): n for day, state, n in counted})
    days = [(first + timedelta(days=n)).date() for n in range(CHART_DAYS)]
    return [Day(day, numbers[day, State.COMPLETED], numbers[day, State.FAILED]) for day in days]
