"""Who is asking: the address of the client, seen through the proxies that are trusted, and the name it gives."""

from __future__ import annotations

import ipaddress
from typing import Any

from django.conf import settings
from django.http import HttpRequest

NAME_MOST = 150
"""Characters of the longest user name; what notes failed sign-ins has room for little more."""
UNKNOWN = "0.0.0.0"  # noqa: S104  nothing listens here


def address(request: HttpRequest) -> str:
    """The client's IP address; `UNKNOWN` where nobody tells it.

    Each of our `TRUSTED_PROXIES` has added the address of whoever called it to the end of X-Forwarded-For.
    What stands further in front was written by the client, and can be anything.
    """
    told = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    client = told[-settings.TRUSTED_PROXIES :][0] if settings.TRUSTED_PROXIES else ""
    return _plain(client) or _plain(str(request.META.get("REMOTE_ADDR", ""))) or UNKNOWN


def name(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str | None:
    """The user name that somebody tries to sign in with, cut to what can be a name; None where none is given."""
    given = (credentials or request.POST).get("username")
    return None if given is None else str(given).replace("\0", "")[:NAME_MOST]


def _plain(entry: str) -> str:
    """An address without port, brackets and zone; "" for what is none."""
    entry = entry.strip()
    if entry.startswith("["):
        entry = entry[1:].partition("]")[0]
    elif entry.count(":") == 1:
        entry = entry.partition(":")[0]
    try:
        return str(ipaddress.ip_address(entry.partition("%")[0]))
    except ValueError:
        return ""
