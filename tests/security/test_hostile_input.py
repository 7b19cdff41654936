"""Whatever anybody writes into an address, a field or a cookie: never a 500, and the database stays well.

What breaks here is mostly seen on PostgreSQL: it takes no NUL in a text, and no number that is too large.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest
from django.contrib import admin
from django.contrib.auth.forms import PasswordChangeForm, PasswordResetForm, SetPasswordForm
from django.db.models import Model
from django.forms import BaseForm
from django.test import Client

from tests import rows
from tests.ground import SERVERS
from tests.people import Person
from tests.processes import ROOT
from tests.security.routes import Route, ours, staff
from videos import forms, services
from videos.models import User
from videos.states import State

pytestmark = pytest.mark.django_db

HOSTILE = {
    "NUL": b"\x00",
    "NUL within": b"admin\x00",
    "lone surrogate": b"\xed\xa0\x80",
    "no UTF-8": b"\xff\xfe",
    "40 digits": b"9" * 40,
    "5,000 digits": b"9" * 5000,
    "negative": b"-1",
    "1e400": b"1e400",
    "digits of another script": "²٣".encode(),
    "very long": b"x" * 20_000,
    "a UUID and NUL": b"00000000-0000-0000-0000-000000000000\x00",
    "moment": b"1700000000000000_\x00",
}
ALONE = ("NUL within", "40 digits") if SERVERS else ()
"""These are tried field by field on PostgreSQL, which takes least; all are tried in all fields at once."""


def read_by_views(method: str) -> set[str]:
    """The names of all fields that our views look for by themselves."""
    sources = [path.read_text() for path in (Path(ROOT) / "videos").rglob("*.py")]
    return set(re.findall(rf"{method}\.(?:get|getlist|pop)\(\s*[\"'](\w+)", "\n".join(sources)))


def form_fields() -> set[str]:
    """The names of all fields of our forms, and of those of Django's that we use."""
    kinds = [kind for kind in vars(forms).values() if isinstance(kind, type) and issubclass(kind, BaseForm)]
    kinds += [PasswordChangeForm, PasswordResetForm, SetPasswordForm]
    return {name for kind in kinds for name in kind.base_fields} | {"next", "language"}


def admin_fields(model: type[Model] | None) -> set[str]:
    """What the admin's pages about `model` read: filters, searches, actions, and the fields of its form."""
    known = {"q", "p", "o", "e", "all", "_facets", "_to_field", "_popup", "_changelist_filters", "next", "action"}
    known |= {"_selected_action", "select_across", "index", "app_label", "model_name", "term", "field_name"}
    known |= {"username", "password", "password1", "password2", "old_password", "new_password1"}
    if model is not None:
        options = admin.site._registry[model]
        for entry in options.list_filter:
            name = entry if isinstance(entry, str) else getattr(entry, "parameter_name", "")
            known |= {name, f"{name}__exact", f"{name}__gte", f"{name}__lt", f"{name}__isnull", f"{name}__id__exact"}
        known |= {field.name for field in model._meta.fields} | {"generation__id__exact", "owner__id__exact"}
        known.add(f"{options.date_hierarchy}__year")
    return known


@pytest.fixture
def everything(operator) -> Person:
    """A superuser who owns one of everything, so that no request ends before the value is read."""
    rows.stored_video(operator.user)
    rows.generation(operator.user, State.FAILED, error_code="api_error")
    rows.generation(operator.user)
    services.beat()
    return operator


def paths(route: Route, person: Person) -> list[str]:
    """Addresses of rows that exist, so that its view does its work."""
    video = person.user.videos.get()
    values = {"pk": video.generation.pk, "object_id": video.pk, "name": video.file.name}
    if route.pattern.startswith("videos/"):
        values["pk"] = video.pk
    if "generation" in route.pattern:
        values["object_id"] = video.generation.pk
    return [route.path(**values)]


def well(answer, where: str) -> None:
    """Raise unless this is an answer in order, and the database still answers."""
    assert answer.status_code < 500, where
    assert User.objects.filter(username="op").exists(), where


def send_all(client: Client, path: str, read: set[str], posted: set[str], alone: Collection[str] = ALONE) -> None:
    """All values in all fields at once, and some in each field, by GET and by POST."""
    if "csrftoken" not in client.cookies:
        client.get("/accounts/login/")
        client.get("/accounts/password/")
    headers = {"X-CSRFToken": client.cookies["csrftoken"].value}
    for name, value in HOSTILE.items():
        for method, fields in (("GET", read), ("POST", posted)):
            single = [{field} for field in fields] if name in alone else []
            for some in [fields, *single]:
                text = "&".join(f"{field}={quote_from_bytes(value)}" for field in sorted(some))
                if method == "GET":
                    answer = client.get(f"{path}?{text}")
                else:
                    answer = client.post(path, text, content_type="application/x-www-form-urlencoded", headers=headers)
                well(answer, f"{method} {path} {name}: {text[:80]}")


@pytest.mark.parametrize("name", sorted(set(ours()) - {"logout"}))
def test_no_field_of_ours_breaks_anything(everything, provider, settings, name):
    settings.MAIL_CONFIGURED = settings.SIGNUP_OPEN = True
    posted = read_by_views("POST") | form_fields()
    for path in paths(ours()[name], everything):
        send_all(everything.client, path, read_by_views("GET"), posted)
        send_all(Client(enforce_csrf_checks=True), path, {"next", "signature"}, posted)


def test_the_fields_are_found():
    assert {"reuse", "after", "seen", "signature", "side", "source"} <= read_by_views("GET")
    assert {"at", "side"} <= read_by_views("POST")
    assert {"prompt", "submission", "start_frame", "video_url", "username", "new_password1"} <= form_fields()
    assert len(staff()) > 40


@pytest.mark.parametrize("route", staff(), ids=lambda route: route.pattern)
def test_no_field_of_the_admin_breaks_anything(everything, provider, route):
    models = [model for model in admin.site._registry if f"/{model._meta.model_name}/" in route.pattern]
    known = admin_fields(models[0] if models else None)
    for path in paths(route, everything):
        send_all(everything.client, path, known, known, ALONE if route.name.endswith("changelist") else ())
    if route.name == "login":
        send_all(Client(enforce_csrf_checks=True), route.path(), known, known)


@pytest.mark.parametrize("route", [*ours().values(), *staff()], ids=lambda route: route.pattern)
def test_no_part_of_an_address_breaks_anything(everything, provider, route):
    names = re.findall(r"<(?:\w+:)?(\w+)>", route.pattern)
    for value in HOSTILE.values():
        path = route.path(**{name: quote_from_bytes(value, safe="") for name in names})
        for method in ("GET", "POST"):
            answer = everything.client.generic(method, path)
            well(answer, f"{method} {path[:80]}")


COOKIES = ("sessionid", "csrftoken", "django_language", "messages")


@pytest.mark.parametrize("name", COOKIES)
def test_no_cookie_breaks_anything(everything, name):
    for value in HOSTILE.values():
        octal = "".join(f"\\{byte:03o}" for byte in value[:2000])
        for written in (octal, octal + "a" * 32, "a" * 32 + octal):
            for path in ("/", "/accounts/login/", "/admin/"):
                client = Client()
                if name != "sessionid":
                    client.cookies = everything.client.cookies.copy()
                    client.cookies.pop(name, None)
                others = "; ".join(f"{key}={morsel.value}" for key, morsel in client.cookies.items())
                client.cookies.clear()
                well(client.get(path, headers={"Cookie": f'{name}="{written}"; {others}'}), f"{name} {written[:60]}")


HEADERS = ("Accept-Language", "HX-Current-URL", "HX-Target", "Referer", "User-Agent", "X-Forwarded-For", "Range")


@pytest.mark.parametrize("name", HEADERS)
def test_no_header_breaks_anything(everything, settings, name):
    settings.TRUSTED_PROXIES = 1
    for value in HOSTILE.values():
        headers = {name: value.decode("latin-1"), "HX-Request": "true"}
        for path in ("/", "/accounts/login/", everything.user.videos.get().play_url):
            well(everything.client.get(path, headers=headers), f"{name} {value[:60]!r}")
        fields = {"username": "op", "password": "wrong"}
        well(Client().post("/accounts/login/", fields, headers=headers), f"{name} {value[:60]!r}")
