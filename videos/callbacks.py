"""The one machine-facing view: the provider tells how a task ended.

===============================  ====================================================
what comes                       what is answered
===============================  ====================================================
unknown token                    404; nothing stored
more than 64 KiB                 413; nothing stored
anything else with a good token  200; recorded, and applied as far as the state allows
===============================  ====================================================

Never a 5xx for what the sender did: nobody knows whether the provider tries again.
"""

from __future__ import annotations

import uuid

from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from . import services, tasks

BODY_MAX = 64 * 1024
"""Bytes; the results in the provider's documents have less than 1 KiB."""


@csrf_exempt
@require_POST
def callback(request: HttpRequest, token: str) -> HttpResponse:
    """Take a notice on a generation's own URL; `token` is its secret."""
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = 0
    if length > BODY_MAX:
        return JsonResponse({"error": "too large"}, status=413)
    try:
        body = request.read(BODY_MAX + 1)
    except OSError:
        # The sender went away in the middle of its body: what came is nothing to go by.
        body = b""
    if len(body) > BODY_MAX:
        return JsonResponse({"error": "too large"}, status=413)
    # PostgreSQL refuses to compare anything with a NUL.
    pk = None if "\0" in token else _taken(token, body)
    if pk is None:
        return JsonResponse({"error": "unknown"}, status=404)
    tasks.wake(pk)
    return JsonResponse({"received": True})


def _taken(token: str, body: bytes) -> uuid.UUID | None:
    connection.ensure_connection()
    used = connection.connection
    try:
        return services.take_callback(token, body)
    except (OperationalError, InterfaceError):
        if connection.connection is used and connection.is_usable():
            raise
        # The database was restarted just now. Taking it twice changes nothing, and the sender may not come twice.
        connection.close()
        return services.take_callback(token, body)
