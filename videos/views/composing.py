"""Filling in a form before it is shown: from an earlier request, from one's frames, from a film."""

from __future__ import annotations

import math
import uuid
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from .. import services
from ..models import Frame, Generation, Video
from .request import StudioRequest

FRAMES_SHOWN = 60
FILM_SECONDS_MOST = 1e6
"""Longer than any film; much larger numbers don't fit into a decoder."""
_REUSED = ("prompt", "aspect_ratio", "loop", "enhancement", "timeout", "start_image_url", "end_image_url")


def read_uuid(text: str) -> uuid.UUID | None:
    """A UUID in its usual spelling, else None."""
    try:
        found = uuid.UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None


def filled_in(request: StudioRequest) -> dict[str, Any]:
    """The initial values that the query string asks for: `reuse`, `start_frame` and `end_frame`, each a UUID.

    What is not the user's own, or nonsense, fills in nothing.
    """
    initial: dict[str, Any] = {}
    if pk := read_uuid(request.GET.get("reuse", "")):
        earlier = Generation.objects.shown_to(request.user).select_related("start_frame", "end_frame").filter(pk=pk)
        if (found := earlier.first()) is not None:
            initial |= {name: getattr(found, name) for name in _REUSED if getattr(found, name) != ""}
            initial |= {"start_frame": found.start_frame, "end_frame": found.end_frame, "video_url": found.source_url}
    for side in ("start_frame", "end_frame"):
        if pk := read_uuid(request.GET.get(side, "")):
            initial[side] = Frame.objects.filter(owner=request.user, pk=pk).first()
    return initial


@require_GET
@login_required
def frames(request: StudioRequest) -> HttpResponse:
    """The user's latest frames, to choose as `side` (start or end) of a new video or of an extension of `source`."""
    side = "end" if request.GET.get("side") == "end" else "start"
    source = read_uuid(request.GET.get("source", ""))
    latest = Frame.objects.filter(owner=request.user).order_by("-created_at")[:FRAMES_SHOWN]
    template = "videos/_frames.html" if request.htmx else "videos/frames.html"
    return TemplateResponse(request, template, {"frames": latest, "side": side, "source": source})


@require_POST
@login_required
def use_frame(request: StudioRequest, pk: uuid.UUID) -> HttpResponse:
    """Cut a frame from one's film: POST `at` (seconds) and `side` (start or end).

    Answers with the composer that holds it; a script that asks for JSON gets its id, address and sides.
    """
    own = Video.objects.filter(owner=request.user, generation__deleted_at__isnull=True)
    video = get_object_or_404(own, pk=pk)
    side = "end" if request.POST.get("side") == "end" else "start"
    status = 400
    wants_json = request.get_preferred_type(["text/html", "application/json"]) == "application/json"
    try:
        at = float(request.POST.get("at", ""))
        if not math.isfinite(at) or at < 0:
            raise ValueError
        frame = services.cut_frame(video, min(at, FILM_SECONDS_MOST))
    except ValueError:
        words = _("Choose a moment within the film.")
    except services.NotHome:
        words = _("This film is not stored here yet: wait until it is, then choose a frame.")
    except services.TooBusy:
        words, status = _("Frames are being cut already. Please try again in a few seconds."), 503
    except OSError:
        words = _("The frame could not be cut just now. Please try again.")
    else:
        if wants_json:
            return JsonResponse(
                {
                    "frame": str(frame.pk),
                    "url": f"/files/{frame.file.name}",
                    "width": frame.width,
                    "height": frame.height,
                }
            )
        return redirect(f"{reverse('gallery')}?{urlencode({f'{side}_frame': frame.pk})}")
    if wants_json:
        headers = {"Retry-After": "5"} if status == 503 else {}
        return JsonResponse({"error": words}, status=status, headers=headers)
    messages.error(request, words)
    return redirect("generation", Generation.objects.get(video=video).pk)
