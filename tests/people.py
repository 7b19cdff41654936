"""People at a browser without JavaScript: they load a page, fill in its form and send it, CSRF and all."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import urllib3
from django.http import HttpResponse
from django.test import Client

from videos.models import Generation, User


class Person:
    """A signed-in user with a client that checks CSRF."""

    def __init__(self, user: User | None = None) -> None:
        self.user = user
        self.client = Client(enforce_csrf_checks=True)
        if user is not None:
            self.client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    def get(self, path: str, **options: Any) -> HttpResponse:
        """Load a page."""
        return self.client.get(path, **options)

    def film(self, path: str) -> bytes:
        """A file's content, from here or from the bucket that the answer leads to."""
        answer = self.client.get(path)
        if answer.status_code == 302:
            return urllib3.request("GET", answer["Location"]).data
        assert answer.status_code == 200
        return answer.getvalue()

    def post(self, path: str, fields: dict[str, Any] | None = None, *, page: str = "/", **options: Any) -> HttpResponse:
        """Send a form with the token of the page that it stands on."""
        self.client.get(page)
        cookie = self.client.cookies.get("csrftoken")
        token = {"csrfmiddlewaretoken": cookie.value} if cookie else {}
        return self.client.post(path, {**token, **(fields or {})}, **options)

    def generate(self, prompt: str = "a red fox in the snow", **fields: Any) -> HttpResponse:
        """Fill in the composer and send it. Fields set to None are left out."""
        return self.post("/generations/", request_fields(**{"prompt": prompt, "aspect_ratio": "16:9", **fields}))

    def extend(self, video_pk: uuid.UUID, prompt: str = "it goes on", **fields: Any) -> HttpResponse:
        """Extend one of one's videos."""
        path = f"/videos/{video_pk}/extend/"
        return self.post(path, request_fields(prompt=prompt, **fields))

    def only(self) -> Generation:
        """This person's one generation."""
        return Generation.objects.get(owner=self.user)


def request_fields(**fields: Any) -> dict[str, Any]:
    """A form's fields, as a browser sends them."""
    whole = {"enhancement": "on", "timeout": "300", "submission": str(uuid.uuid4()), **fields}
    return {name: value for name, value in whole.items() if value is not None}


def card(page: HttpResponse, generation: Generation) -> str:
    """The HTML of a generation's card; "" where the page has none."""
    match = re.search(rf'<article[^>]*id="generation-{generation.pk}".*?</article>', page.content.decode(), re.DOTALL)
    return match[0] if match else ""


def state_on(page: HttpResponse, generation: Generation) -> str:
    """The state that the generation's card shows."""
    match = re.search(r'data-state="(\w+)"', card(page, generation))
    return match[1] if match else ""


def call_back(generation: Generation, body: Any, **options: Any) -> HttpResponse:
    """The provider's POST to the generation's own URL; `body` is an object, or raw bytes."""
    generation.refresh_from_db()
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    path = f"/callbacks/luma/{generation.callback_token}/"
    return Client(enforce_csrf_checks=True).post(path, raw, content_type="application/json", **options)
