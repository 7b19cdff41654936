"""What is judged before a view sees it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

logger = logging.getLogger(__name__)

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


class RefuseNonsense:
    """Refuses what no database can be asked for.

    A NUL in a header or a cookie: no text has one, and PostgreSQL gives up at it. Forms judge their own fields, and
    views their own addresses. And filters of the admin that somebody wrote by hand: it takes most nonsense for no
    filter at all, but trips over some.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        headers = [str(value) for name, value in request.META.items() if name.startswith("HTTP_")]
        if any("\0" in text for text in (*headers, *request.COOKIES.values())):
            return _refusal()
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: Any) -> HttpResponse | None:
        """400 for a NUL in a filter; the admin's search judges its own."""
        filters = [value for name, values in request.GET.lists() if name != "q" for value in values]
        return _refusal() if _is_list(request) and any("\0" in str(value) for value in filters) else None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """400 for a filter that can't be; None, so that it is a 500, for any fault of ours."""
        fits = isinstance(exception, ValueError | TypeError | OverflowError | DataError)
        if fits and request.GET and _is_list(request):
            logger.warning("a filter can't be: %s", request.GET.urlencode()[:200], exc_info=exception)
            return _refusal()
        return None


def _is_list(request: HttpRequest) -> bool:
    match = request.resolver_match
    return match is not None and match.view_name.endswith("_changelist") and request.method == "GET"


def _refusal() -> HttpResponse:
    return HttpResponse(_("This request can't be understood."), status=400, content_type="text/plain")
