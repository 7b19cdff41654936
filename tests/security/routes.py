"""Every address that the URL configuration knows, found by walking it: a new one can't be forgotten."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.people import Person

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@dataclass(frozen=True)
class Route:
    """One entry: its pattern as written, its name within its namespace, the view that answers."""

    pattern: str
    name: str
    view: Any

    def path(self, **values: Any) -> str:
        """An address that fits the pattern; what `values` doesn't name becomes a 1."""
        text = re.sub(r"\(\?P<(\w+)>[^()]*(?:\([^()]*\)[^()]*)*\)", r"<\1>", self.pattern)
        text = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: str(values.get(match[1], 1)), text)
        return "/" + re.sub(r"\\([-./])", r"\1", text).replace("^", "").replace("$", "").replace("\\Z", "")


def routes() -> list[Route]:
    """All of them, the admin's too."""
    return list(_walk(get_resolver().url_patterns, "", ""))


def ours() -> dict[str, Route]:
    """All but the admin's, by name; a second address of the same view is named after its pattern."""
    found: dict[str, Route] = {}
    for route in routes():
        if not route.pattern.startswith("admin/"):
            found[route.name or route.pattern] = route
    return found


def staff() -> list[Route]:
    """The admin's."""
    return [route for route in routes() if route.pattern.startswith("admin/")]


def _walk(entries: list[Any], pattern: str, namespace: str) -> Iterator[Route]:
    for entry in entries:
        here = pattern + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _walk(entry.url_patterns, here, entry.namespace or namespace)
        elif isinstance(entry, URLPattern):
            yield Route(here, entry.name or "", entry.callback)


def send(person: Person | None, method: str, path: str, data: dict[str, Any] | None = None) -> Any:
    """A request with any method, by somebody whose CSRF token is right; `None` is a visitor without an account."""
    client: Client = person.client if person else Client(enforce_csrf_checks=True)
    if "csrftoken" not in client.cookies:
        client.get("/accounts/password/" if person else "/accounts/login/")
    headers = {"X-CSRFToken": client.cookies["csrftoken"].value}
    if method == "POST":
        return client.post(path, data or {}, headers=headers)
    return client.generic(method, path, headers=headers)
