"""What the views know of a request."""

from __future__ import annotations

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from ..models import User


class StudioRequest(HttpRequest):
    """A request behind `login_required` and htmx's middleware."""

    user: User
    htmx: HtmxDetails


def wants_fragment(request: StudioRequest) -> bool:
    """Whether htmx asks for a part of the page. When it restores history it wants the whole."""
    return bool(request.htmx) and not request.htmx.history_restore_request and not request.htmx.boosted
