"""How the site is doing: for machines, and as a strip for people."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.decorators import login_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_safe

from .. import services
from ..models import Callback, Site
from .request import StudioRequest

WORKER_SILENT = timedelta(minutes=3)
"""The worker notes itself once a minute."""


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """200 where everything works; 503 with the reason where the database or the worker does not."""
    now = timezone.now()
    try:
        site = Site.objects.get()
        oldest = services.oldest_due(now)
        last = Callback.objects.order_by("-received_at").values_list("received_at", flat=True).first()
    except (DatabaseError, Site.DoesNotExist):
        return JsonResponse({"status": "error", "database": "unreachable"}, status=503)
    seen = site.worker_seen_at
    alive = seen is not None and now - seen < WORKER_SILENT
    found = {
        "status": "ok" if alive else "error",
        "database": "ok",
        "worker": "ok" if alive else "dead",
        "worker_seen_at": seen,
        "oldest_due_seconds": round((now - oldest).total_seconds(), 1) if oldest else 0,
        "last_callback_at": last,
        "submissions": "stopped" if site.stopped else "paused" if site.paused_at else "ok",
    }
    return JsonResponse(found, status=200 if alive else 503)


@require_GET
@login_required
def status(request: StudioRequest) -> HttpResponse:
    """The strip that says what holds up everybody, and what this user has left today."""
    context = {"site": Site.objects.get(), "left_today": services.left_today(request.user)}
    return TemplateResponse(request, "videos/_status.html", context)
