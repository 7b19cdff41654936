"""What is judged before a view sees it."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

BODY_MAX = 64 * 1024 * 1024
"""Bytes of a request: two frames of 25 MB and what surrounds them, so that a larger frame still gets its message."""


class LimitBody:
    """Refuses a body that nothing here can want, before anything reads it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        told = request.META.get("CONTENT_LENGTH") or "0"
        if not told.isdecimal() or len(told) > 15 or int(told) > BODY_MAX:
            return HttpResponse(
                _("This is too much at once: 64 MB at the most."), status=413, content_type="text/plain"
            )
        return self.get_response(request)
