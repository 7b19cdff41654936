"""When something of ours does not work: said with the right status, and nothing half done."""

from __future__ import annotations

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.views.defaults import server_error


def fault(request: HttpRequest) -> HttpResponse:
    """503 where the database is locked or away: the same request may work in a moment. Else 500."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        response = server_error(request, "503.html")
        response.status_code = 503
        response["Retry-After"] = "5"
        return response
    return server_error(request)
