"""Looking: the gallery, one generation, and what changed since."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.db.models import Exists, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HTMX_STOP_POLLING

from .. import services
from ..forms import GenerateForm
from ..models import Generation, GenerationQuerySet
from ..reading import code_of, request_of, timeline_of
from ..states import State
from .composing import filled_in, read_uuid
from .request import StudioRequest, wants_fragment

PAGE = 24
LIVE_MOST = 200
"""Cards that one page may ask about at once."""
_FILM = ("video_url", "thumbnail_url", "width", "height", "file", "poster", "created_at", "stored_at", "expired_at")
_SHOWN = (
    *("action", "prompt", "aspect_ratio", "loop", "source_url", "state", "task_id", "trace_id"),
    *("error_code", "error_message", "created_at", "sent_at"),
    *(f"video__{name}" for name in _FILM),
    *(f"source__{name}" for name in _FILM),
    *("source__generation__aspect_ratio", "source__generation__deleted_at"),
    *("start_frame__file", "start_frame__width", "start_frame__height"),
)
"""What cards show, less than half of all columns: the rest would be a good part of the work of a page's one query."""
_STAMPED = ("owner", "deleted_at", "state", "error_code", "video__stored_at", "video__expired_at")
"""What tells whether a card shows something else, and may yet."""


def cards(queryset: GenerationQuerySet) -> GenerationQuerySet:
    """What a card shows, in one query."""
    rows = queryset.select_related("video", "start_frame", "source__generation").only(*_SHOWN)
    return _with_held(rows)


def _with_held(rows: GenerationQuerySet) -> GenerationQuerySet:
    return rows.annotate(held=Q(state=State.QUEUED) & Exists(services.held(timezone.now())))  # type: ignore[no-redef]


@require_GET
@login_required
@gzip_page
@vary_on_headers("HX-Request")
def gallery(request: StudioRequest) -> HttpResponse:
    """The user's generations, newest first; with `after`, the page that follows it."""
    rows = cards(Generation.objects.shown_to(request.user)).order_by("-created_at", "-id")
    cursor = read_cursor(request.GET.get("after", ""))
    if cursor is not None:
        at, pk = cursor
        # The first term is redundant; without it SQLite scans the user's whole index.
        rows = rows.filter(Q(created_at__lte=at) & (Q(created_at__lt=at) | Q(created_at=at, id__lt=pk)))
    found = list(services.with_hold_up(rows)[: PAGE + 1])
    page = found[:PAGE]
    context: dict[str, Any] = {
        "cards": page,
        "next_url": "?" + urlencode({"after": write_cursor(page[-1])}) if len(found) > PAGE else "",
        "later_page": cursor is not None,
    }
    if wants_fragment(request):
        return TemplateResponse(request, "videos/_card_list.html", context)
    form = GenerateForm(owner=request.user, initial=filled_in(request))
    context |= {"form": form, "hold_up": services.hold_up_beside(page)}
    return TemplateResponse(request, "videos/gallery.html", context)


@require_GET
@login_required
def live(request: StudioRequest) -> HttpResponse:
    """The cards among `seen` (each `<uuid>:<stamp>`) that look different now.

    204 where none does; 286, which ends htmx's polling, once none of them can change any more.
    """
    seen: dict[uuid.UUID, str] = {}
    for entry in request.GET.getlist("seen")[:LIVE_MOST]:
        key, _, stamp = entry.partition(":")
        if (pk := read_uuid(key)) is not None:
            seen[pk] = stamp
    # Nearly every time nothing has changed, and stamps take a fraction of the time of cards. Whose they are is looked
    # at here: SQLite, told the owner, would go through all rows of theirs rather than look up three.
    asked = _with_held(Generation.objects.filter(pk__in=seen).select_related("video").only(*_STAMPED))
    rows = [row for row in asked if row.owner_id == request.user.pk and row.deleted_at is None]
    places = services.places_in_line(rows)
    for row in rows:
        row.place = places.get(row.pk)
    changed = [row.pk for row in rows if row.stamp != seen[row.pk]]
    still_open = any(row.open for row in rows)
    if still_open and not changed:
        return HttpResponse(status=204)
    found = list(cards(Generation.objects.filter(pk__in=changed, deleted_at__isnull=True))) if changed else []
    for card in found:
        card.place = places.get(card.pk)
    status = 200 if still_open else HTMX_STOP_POLLING
    return TemplateResponse(request, "videos/_changed_cards.html", {"cards": found}, status=status)


@require_GET
@login_required
@vary_on_headers("HX-Request")
def generation_detail(request: StudioRequest, pk: uuid.UUID) -> HttpResponse:
    """One generation: state, timeline, request, error, video, source and extensions."""
    whole = cards(Generation.objects.shown_to(request.user)).select_related("end_frame").defer(None)
    generation = get_object_or_404(whole, pk=pk)
    if wants_fragment(request) and request.GET.get("seen") == generation.stamp:
        return HttpResponse(status=204 if generation.open else HTMX_STOP_POLLING)
    extensions: list[Generation] = []
    if generation.video is not None:
        # Nobody but its owner can extend a video. SQLite, told the owner, would go through all that they have.
        found = cards(Generation.objects.filter(source=generation.video, deleted_at__isnull=True))
        extensions = list(found.order_by("created_at")[:PAGE])
    generation.place = services.places_in_line([generation]).get(generation.pk)
    newer, older = _neighbours(request, generation)
    context = {
        "newer": newer,
        "older": older,
        "generation": generation,
        "timeline": timeline_of(generation),
        "request_fields": request_of(generation),
        "code": code_of(generation),
        "extensions": extensions,
    }
    template = "videos/_generation_detail.html" if wants_fragment(request) else "videos/generation_detail.html"
    return TemplateResponse(request, template, context)


def _neighbours(request: StudioRequest, generation: Generation) -> tuple[Generation | None, Generation | None]:
    """The ones beside it in the gallery, the newer first."""
    rows, at = Generation.objects.shown_to(request.user), generation.created_at
    newer = rows.filter(Q(created_at__gte=at) & (Q(created_at__gt=at) | Q(created_at=at, id__gt=generation.pk)))
    older = rows.filter(Q(created_at__lte=at) & (Q(created_at__lt=at) | Q(created_at=at, id__lt=generation.pk)))
    return newer.order_by("created_at", "id").first(), older.order_by("-created_at", "-id").first()


def read_cursor(text: str) -> tuple[datetime, uuid.UUID] | None:
    """The place that `write_cursor` wrote; None for anything else."""
    micros, _, key = text.partition("_")
    pk = read_uuid(key)
    if pk is None or not micros.isascii() or not micros.isdecimal() or len(micros) > 17:
        return None
    seconds, rest = divmod(int(micros), 1_000_000)
    try:
        return datetime.fromtimestamp(seconds, tz=timezone.get_default_timezone()).replace(microsecond=rest), pk
    except (ValueError, OverflowError, OSError):
        return None


def write_cursor(generation: Generation) -> str:
    """The place right after `generation`: microseconds since 1970 and its id."""
    at = generation.created_at
    return f"{int(at.timestamp()) * 1_000_000 + at.microsecond}_{generation.pk}"
