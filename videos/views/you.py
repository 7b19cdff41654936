"""The dashboard: what one has made."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
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
    counts = services.counts_of(request.user, now)
    if settings.LUMA_PRICE:
        # Failed tasks are generally not billed, so completed ones are what was paid for.
        amount, currency = settings.LUMA_PRICE
        month, whole = (f"{Decimal(amount) * n} {currency}" for n in (counts.month_completed, counts.completed))
        paid = {"paid_month": month, "paid_all": whole}
    else:
        paid = {}
    context = {
        **paid,
        "counts": counts,
        "left_today": services.left_today(request.user),
        "chart": chart_of(services.by_day(now, request.user)),
    }
    return TemplateResponse(request, "videos/you.html", context)
