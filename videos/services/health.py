"""How the site is doing, for operators and for machines."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import requests
from django.conf import settings
from django.db.models import Count, Q
from django.utils.translation import gettext as _

from .. import links
from ..models import Callback, Generation, Site
from ..states import State
from .reconciling import oldest_due
from .submitting import held

WORKER_SILENT = timedelta(minutes=3)
"""The worker notes itself once a minute."""
WINDOW = timedelta(days=7)
CALLBACKS_KEPT = timedelta(days=90)
PRUNED_AT_ONCE = 1000


@dataclass(frozen=True)
class Vitals:
    """What a machine asks for. `oldest_due` is when the row waiting longest for the worker became due."""

    site: Site
    worker_alive: bool
    oldest_due: datetime | None
    last_callback_at: datetime | None

    @property
    def submissions(self) -> str:
        """`ok`, `paused` (the provider refuses the account) or `stopped` (by an operator)."""
        return "stopped" if self.site.stopped else "paused" if self.site.paused_at else "ok"

    @property
    def provider(self) -> str:
        """`ok`, `unreachable`, or `unknown` where it was never asked."""
        answered, failed = self.site.provider_answered_at, self.site.provider_failed_at
        if failed and (answered is None or failed > answered):
            return "unreachable"
        return "ok" if answered else "unknown"


@dataclass(frozen=True)
class Report:
    """What an operator wants to see of the last days (`WINDOW`)."""

    vitals: Vitals
    held: bool
    queued: int
    in_flight: int
    unconfirmed: int
    completed: int
    only_found: int
    not_stored: int
    errors: list[tuple[str, int]]


def vitals(now: datetime) -> Vitals:
    """The signs of life, in three quick queries."""
    site = Site.objects.get()
    seen = site.worker_seen_at
    return Vitals(
        site=site,
        worker_alive=seen is not None and now - seen < WORKER_SILENT,
        oldest_due=oldest_due(now),
        last_callback_at=Callback.objects.order_by("-received_at").values_list("received_at", flat=True).first(),
    )


def report(now: datetime) -> Report:
    """The signs of life, and counts."""
    recent = Generation.objects.filter(created_at__gt=now - WINDOW)
    counts = recent.aggregate(
        completed=Count("pk", filter=Q(state=State.COMPLETED)),
        only_found=Count("pk", filter=Q(state=State.COMPLETED, notified_at__isnull=True, found_at__isnull=False)),
        not_stored=Count("pk", filter=Q(state=State.COMPLETED, video__stored_at__isnull=True)),
    )
    errors = recent.filter(state=State.FAILED).values_list("error_code").annotate(count=Count("pk"))
    return Report(
        vitals=vitals(now),
        held=held(now).exists(),
        queued=Generation.objects.filter(state=State.QUEUED).count(),
        in_flight=Generation.objects.in_flight(now).count(),
        unconfirmed=Generation.objects.filter(state=State.UNCONFIRMED).count(),
        errors=sorted(errors.values_list("error_code", "count"), key=lambda entry: -entry[1]),
        **counts,
    )


def self_test() -> tuple[bool, str]:
    """Call our own callback address the way the provider would; whether it arrives here, and in words why not."""
    address = links.callback_url(f"self-test-{uuid.uuid4()}")
    if not address:
        return False, _("PUBLIC_BASE_URL is not set: no callbacks, results are found by asking alone.")
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(address, json={}, timeout=(5, 10), allow_redirects=False)
    except requests.RequestException as fault:
        return False, _("%(address)s can't be reached: %(fault)s.") % {
            "address": settings.PUBLIC_BASE_URL,
            "fault": type(fault).__name__,
        }
    # The callback view's own words for a token that it does not know.
    if answer.status_code == 404 and answer.content == b'{"error": "unknown"}':
        return True, _("%s reaches this site: callbacks can come in.") % settings.PUBLIC_BASE_URL
    return False, _("%(address)s answers, but not as this site does (status %(status)d).") % {
        "address": settings.PUBLIC_BASE_URL,
        "status": answer.status_code,
    }


def prune_callbacks(now: datetime) -> int:
    """Drop raw callbacks older than `CALLBACKS_KEPT`, some at a time; how many."""
    old = Callback.objects.filter(received_at__lt=now - CALLBACKS_KEPT).order_by("received_at")
    return Callback.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:PRUNED_AT_ONCE])).delete()[0]
