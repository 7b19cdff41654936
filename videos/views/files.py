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
from whitenoise.responders import NotARegularFileError, SlicedFile, StaticFile

from .. import links
from ..models import Frame, Video

_NAME = re.compile(r"(frames|videos|posters)/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})[\w-]*\.(mp4|jpg|png)")
_TYPES = {"mp4": "video/mp4", "jpg": "image/jpeg", "png": "image/png"}
_RANGE = re.compile(r"bytes=(?:(?P<first>[0-9]{1,18})-(?P<last>[0-9]{0,18})|-(?P<suffix>[0-9]{1,18}))")
PART_MOST = 4 * 1024 * 1024
"""Bytes in one 206: slow readers of whole files would hold all the server's threads."""


@require_safe
def file(request: HttpRequest, name: str) -> HttpResponse | FileResponse:
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
    return (
        Video.objects.select_related("generation")
        .filter(pk=pk, **{"file" if kind == "videos" else "poster": name})
        .first()
    )


def _may_see(request: HttpRequest, row: models.Model, name: str) -> bool:
    user = request.user
    if user.is_authenticated:
        if user.is_staff and user.has_perm(f"videos.view_{row._meta.model_name}"):
            return True
        if row.owner_id == user.pk:  # type: ignore[attr-defined]
            return isinstance(row, Frame) or row.generation.deleted_at is None  # type: ignore[attr-defined]
    return isinstance(row, Frame) and links.signature_fits(name, request.GET.get("signature", ""))


def _serve(request: HttpRequest, name: str, content_type: str) -> HttpResponse | FileResponse:
    if settings.AWS_STORAGE_BUCKET_NAME:
        return HttpResponseRedirect(default_storage.url(name))
    try:
        static = StaticFile(default_storage.path(name), [("Content-Type", content_type)])
        # WhiteNoise's own ranges know no single byte, and no bound.
        environ = {key: value for key, value in request.META.items() if key != "HTTP_RANGE"}
        answer = static.get_response(request.method, environ)
    except (OSError, ValueError, NotARegularFileError) as missing:
        raise Http404 from missing
    headers = dict(answer.headers)
    status, content = HTTPStatus(answer.status), answer.file
    part = _part(request, headers) if content is not None else None
    if part is not None and part[0] >= part[2]:
        content.close()
        headers = {"Content-Range": f"bytes */{part[2]}"}
        status, content = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, None
    elif part is not None:
        first, last, size = part
        headers |= {"Content-Range": f"bytes {first}-{last}/{size}", "Content-Length": str(last - first + 1)}
        status, content = HTTPStatus.PARTIAL_CONTENT, SlicedFile(content, first, last)
    response: HttpResponse | FileResponse
    response = HttpResponse(status=status) if content is None else FileResponse(content, status=status)
    for key, value in headers.items():
        response[key] = value
    response.setdefault("Accept-Ranges", "bytes")
    response["Content-Type"] = content_type
    return response


def _part(request: HttpRequest, headers: dict[str, str]) -> tuple[int, int, int] | None:
    """The first and last byte that a request wants of how many, at most `PART_MOST`; browsers ask for the rest.

    None where it wants all, or what is no single range.
    """
    match = _RANGE.fullmatch(request.headers.get("Range", "").replace(" ", ""))
    etag = headers.get("ETag", "")
    if match is None or request.headers.get("If-Range", etag) != etag:
        return None
    size = int(headers["Content-Length"])
    if match["first"]:
        first, last = int(match["first"]), int(match["last"] or size)
        if last < first and match["last"]:
            return None
    else:
        first, last = max(0, size - int(match["suffix"])), size
    return first, min(last, size - 1, first + PART_MOST - 1), size
