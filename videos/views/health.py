"""How the site is doing: for machines, and as a strip for people."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_safe

from .. import services, tasks
from ..models import Site
from .request import StudioRequest

COUNTS_CACHED_SECONDS = 30


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """200 where everything works; 503 where the database, the queue or the worker does not."""
    now = timezone.now()
    try:
        signs = services.vitals(now)
    except (DatabaseError, Site.DoesNotExist):
        return JsonResponse({"status": "error", "database": "unreachable"}, status=503)
    waiting = tasks.waiting()
    healthy = signs.worker_alive and waiting is not None
    found = {
        "status": "ok" if healthy else "error",
        "database": "ok",
        "queue": "unreachable" if waiting is None else "ok",
        "queue_length": waiting,
        "worker": "ok" if signs.worker_alive else "dead",
        "worker_seen_at": signs.site.worker_seen_at,
        "oldest_due_seconds": round((now - signs.oldest_due).total_seconds(), 1) if signs.oldest_due else 0,
        "last_callback_at": signs.last_callback_at,
        "provider": signs.provider,
        "submissions": signs.submissions,
    }
    return JsonResponse(found, status=200 if healthy else 503)


@require_GET
@login_required
def status(request: StudioRequest) -> HttpResponse:
    """The strip that says what holds up everybody, what this user has made this month and has left today."""
    user, now = request.user, timezone.now()
    context = {
        "counts": cache.get_or_set(f"counts:{user.pk}", lambda: services.counts_of(user, now), COUNTS_CACHED_SECONDS),
        "hold_up": services.hold_up(),
        "left_today": services.left_today(user),
        "usual_wait": services.usual_wait(),
    }
    return TemplateResponse(request, "videos/_status.html", context)
