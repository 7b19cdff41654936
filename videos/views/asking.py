"""Asking: generate, extend, retry, delete."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRedirect

from .. import services, tasks
from ..forms import ExtendByLinkForm, ExtendForm, GenerateForm, SubmissionForm
from ..models import Generation, Video
from ..states import State
from .composing import filled_in, read_uuid
from .gallery import cards
from .request import StudioRequest, wants_fragment


@require_POST
@login_required
def generate(request: StudioRequest) -> HttpResponse:
    """Ask for a new video."""
    form = GenerateForm(request.POST, request.FILES, owner=request.user)
    return _answer(request, form, "videos/generate.html", "videos/_composer.html", fresh=GenerateForm)


@require_http_methods(["GET", "POST"])
@login_required
@vary_on_headers("HX-Request")
def extend(request: StudioRequest, pk: uuid.UUID) -> HttpResponse:
    """Continue one of the user's videos by its ID."""
    own = Video.objects.filter(owner=request.user, generation__deleted_at__isnull=True)
    source = get_object_or_404(own.select_related("generation"), pk=pk)
    form = ExtendForm(*_bound(request), source=source, owner=request.user, initial=filled_in(request))
    return _answer(request, form, "videos/extend.html", "videos/_extend.html", source=source)


@require_http_methods(["GET", "POST"])
@login_required
@vary_on_headers("HX-Request")
def extend_by_link(request: StudioRequest) -> HttpResponse:
    """Continue a video that lies anywhere, by its link."""
    form = ExtendByLinkForm(*_bound(request), owner=request.user, initial=filled_in(request))
    return _answer(request, form, "videos/extend.html", "videos/_extend.html", source=None)


@require_POST
@login_required
def retry(request: StudioRequest, pk: uuid.UUID) -> HttpResponse:
    """Ask for the same again, after a failure."""
    generation = get_object_or_404(Generation.objects.shown_to(request.user).select_related("owner"), pk=pk)
    submission = read_uuid(request.POST.get("submission", ""))
    if generation.state != State.FAILED or submission is None:
        messages.error(request, _("Only a failed generation can be sent again."))
        return _to(request, "gallery")
    try:
        made, created = services.retry(generation, submission)
    except services.LimitReached as limit:
        messages.error(request, str(limit))
        return _to(request, "gallery")
    return _made(request, made, created, {})


@require_POST
@login_required
def delete(request: StudioRequest, pk: uuid.UUID) -> HttpResponse:
    """Hide a generation; a queued one is never sent."""
    generation = get_object_or_404(Generation.objects.shown_to(request.user), pk=pk)
    services.delete(generation)
    if wants_fragment(request):
        return HttpResponse()
    messages.success(request, _("Deleted."))
    return redirect("gallery")


def _bound(request: StudioRequest) -> tuple[Any, ...]:
    return (request.POST, request.FILES) if request.method == "POST" else ()


def _answer(
    request: StudioRequest,
    form: SubmissionForm,
    page: str,
    fragment: str,
    fresh: type[GenerateForm] | None = None,
    **context: Any,
) -> HttpResponse:
    if form.is_bound and form.is_valid():
        try:
            made, created = form.save()
        except services.LimitReached as limit:
            form.add_error(None, str(limit))
        except OSError:
            form.add_error(None, _("The frame could not be stored just now. Nothing was sent: please try again."))
        else:
            return _made(request, made, created, context | ({"form": fresh(owner=request.user)} if fresh else {}))
    template = fragment if wants_fragment(request) else page
    return TemplateResponse(request, template, {**context, "form": form})


def _made(request: StudioRequest, made: Generation, created: bool, context: dict[str, Any]) -> HttpResponse:
    if created:
        tasks.wake(made.pk)
    if not wants_fragment(request):
        return HttpResponseRedirect(f"{reverse('gallery')}#generation-{made.pk}")
    if not created:
        # Sent twice: whether the first answer was shown is unknown, the gallery is right in any case.
        return _to(request, "gallery")
    card = cards(Generation.objects.filter(pk=made.pk)).get()
    return TemplateResponse(request, "videos/_made.html", {**context, "card": card})


def _to(request: StudioRequest, name: str) -> HttpResponse:
    return HttpResponseClientRedirect(reverse(name)) if wants_fragment(request) else redirect(name)
