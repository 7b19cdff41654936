"""Media, for their owner, for staff who may view them, and for the provider by signed link."""

from __future__ import annotations

import re
import uuid
from http import HTTPStatus

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import models
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe
from whitenoise.responders import StaticFile

from .. import links
from ..models import Frame, Video

_NAME = re.compile(r"(frames|videos|posters)/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})[\w-]*\.(mp4|jpg|png)")
_TYPES = {"mp4": "video/mp4", "jpg": "image/jpeg", "png": "image/png"}
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{0,18})")
PART_MOST = 4 * 1024 * 1024
"""Bytes in one 206: slow readers of whole files would hold all the server's threads."""


@require_safe
def file(request: HttpRequest, name: str) -> HttpResponse:
    """One stored file, with HTTP Range where it is ours to serve."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise Http404
    row = _row(match[1], uuid.UUID(match[2]), name)
    if row is None or not _may_see(request, row, name):
        raise Http404
    response = _serve(request, name, _TYPES[match[3]])
    patch_cache_control(response, private=True, max_age=3600)
    if "download" in request.GET:
        response["Content-Disposition"] = f'attachment; filename="luma-{row.pk}.{match[3]}"'
    return response


def _row(kind: str, pk: uuid.UUID, name: str) -> Frame | Video | None:
    if kind == "frames":
        return Frame.objects.filter(pk=pk, file=name).first()
    return Video.objects.select_related("generation").filter(pk=pk, **{"file" if kind == "videos" else "poster": name}).first()


def _may_see(request: HttpRequest, row: models.Model, name: str) -> bool:
    user = request.user
    if user.is_authenticated:
        if user.is_staff and user.has_perm(f"videos.view_{row._meta.model_name}"):
            return True
        if row.owner_id == user.pk:  # type: ignore[attr-defined]
            return isinstance(row, Frame) or row.generation.deleted_at is None  # type: ignore[attr-defined]
    return isinstance(row, Frame) and links.signature_fits(name, request.GET.get("signature", ""))


def _serve(request: HttpRequest, name: str, content_type: str) -> HttpResponse:
    if settings.AWS_STORAGE_BUCKET_NAME:
        return HttpResponseRedirect(default_storage.url(name))
    try:
        path = default_storage.path(name)
        static = StaticFile(path, [("Content-Type", content_type)])
    except (OSError, ValueError) as missing:
        raise Http404 from missing
    environ = dict(request.META)
    if "HTTP_RANGE" in environ:
        environ["HTTP_RANGE"] = _bounded(str(environ["HTTP_RANGE"]))
    answer = static.get_response(request.method, environ)
    status = int(HTTPStatus(answer.status))
    response: HttpResponse | FileResponse
    if answer.file is None:
        response = HttpResponse(status=status)
    else:
        response = FileResponse(answer.file, status=status)
    for key, value in answer.headers:
        response[key] = value
    response.setdefault("Accept-Ranges", "bytes")
    response["Content-Type"] = content_type
    return response


def _bounded(asked: str) -> str:
    """A range header that asks for no more than `PART_MOST` bytes; browsers ask for the rest."""
    match = _RANGE.fullmatch(asked.replace(" ", ""))
    if match is None:
        return asked
    first = int(match[1])
    last = first + PART_MOST - 1
    if match[2]:
        if int(match[2]) < first:
            return asked
        last = min(last, int(match[2]))
    return f"bytes={first}-{last}"
