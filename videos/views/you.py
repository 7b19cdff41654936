"""The dashboard: what one has made."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from .. import services
from ..charting import chart_of
from .request import StudioRequest


@require_GET
@login_required
def you(request: StudioRequest) -> HttpResponse:
    """Counts, waits and room, and a chart by day."""
    now = timezone.now()
    context = {
        "counts": services.counts_of(request.user, now),
        "left_today": services.left_today(request.user),
        "chart": chart_of(services.by_day(now, request.user)),
    }
    return TemplateResponse(request, "videos/you.html", context)
