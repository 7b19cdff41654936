"""What every answer tells the browser, and what no form does without its token."""

from __future__ import annotations

import importlib
import re

import pytest
from django.db import OperationalError
from django.test import Client

from tests import rows
from tests.people import Person, call_back, request_fields
from tests.security.routes import METHODS, ours, routes, send, staff
from videos.models import Callback, Generation, User, Video
from videos.states import State

pytestmark = pytest.mark.django_db

CALLBACKS = {"callback", "callbacks/luma/<str:token>"}


def guarded(answer) -> None:
    """No script of others', no frame around us, no guessing of types, no address told to others."""
    policy = answer.headers.get("Content-Security-Policy", "")
    found = dict(entry.strip().partition(" ")[::2] for entry in policy.split(";") if entry.strip())
    assert found.get("default-src") == "'self'"
    assert found.get("script-src", "'self'") == "'self'"
    assert found.get("style-src", "'self'") == "'self'"
    assert found.get("object-src") == "'none'"
    assert found.get("base-uri") == "'none'"
    assert found.get("form-action") == "'self'"
    assert found.get("frame-ancestors") == "'none'"
    assert not re.search(r"unsafe|\*(?!\.)|data:|http:\s", policy)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    text = answer.headers.get("Content-Type", "").startswith("text/html") and not answer.streaming
    if text:
        assert answer.headers.get("X-Frame-Options", "DENY") == "DENY"
        nothing_inline(answer.content.decode())


def nothing_inline(page: str) -> None:
    """Neither scripts nor styles in the page itself: the policy would stop them, and they would hide a hole."""
    for script in re.findall(r"<script\b([^>]*)>(.*?)</script>", page, re.DOTALL):
        assert "src=" in script[0] or 'type="application/json"' in script[0], script
    assert not re.search(r"<[^>]+\s(on\w+|style)\s*=", page)
    assert not re.search(r"(href|src|action)\s*=\s*[\"']?\s*(javascript|data|vbscript):", page, re.IGNORECASE)


@pytest.fixture
def rows_of_all(ada, operator):
    rows.stored_video(ada.user)
    for state in State:
        rows.generation(ada.user, state)
    rows.frame(ada.user)
    Callback.objects.create(generation=Generation.objects.first(), outcome="applied", body=b"{}")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_address_answers_with_them_whoever_asks(ada, bob, operator, rows_of_all, method):
    video = Video.objects.get(stored_at__isnull=False)
    values = {"pk": video.generation.pk, "name": video.file.name, "token": "x", "uidb64": "MQ", "object_id": 1}
    for route in routes():
        path = route.path(**values, app_label="videos", url="x", id=1, content_type_id=1)
        if "logout" in path:
            continue
        for person in (operator,) if path.startswith("/admin/") else (ada, operator, None):
            guarded(send(person, method, path))


def test_the_administrations_rows_answer_with_them(operator, rows_of_all):
    for model in (Generation, Video, Callback, User):
        for row in model.objects.all():
            name = model._meta.model_name
            for path in (f"/admin/videos/{name}/", f"/admin/videos/{name}/{row.pk}/change/"):
                answer = operator.get(path)
                assert answer.status_code == 200
                guarded(answer)


def failing(fault: Exception):
    def view(*args, **options):
        raise fault

    return view


def test_errors_answer_with_them(ada, monkeypatch, settings):
    ada.client.raise_request_exception = False
    anonymous = Client(enforce_csrf_checks=True, raise_request_exception=False)
    found = {
        404: ada.get("/nowhere/"),
        405: ada.get("/generations/"),
        403: anonymous.post("/generations/", {"prompt": "x"}),
        413: anonymous.post("/generations/", {}, headers={"Content-Length": str(65 * 1024 * 1024)}),
    }
    settings.ALLOWED_HOSTS = ["studio.example.com"]
    found[400] = anonymous.get("/", headers={"Host": "evil.example"})
    settings.ALLOWED_HOSTS = ["*"]
    gallery = importlib.import_module("videos.views.gallery")
    monkeypatch.setattr(gallery, "cards", failing(RuntimeError("a fault")))
    found[500] = ada.get("/")
    monkeypatch.setattr(gallery, "cards", failing(OperationalError("locked")))
    found[503] = ada.get("/")
    for status, answer in found.items():
        assert answer.status_code == status
        guarded(answer)


# --- forms of others ------------------------------------------------------------------------------


def test_only_the_callback_is_exempt_from_the_token():
    exempt = {route.name or route.pattern for route in routes() if getattr(route.view, "csrf_exempt", False)}
    assert exempt == CALLBACKS


@pytest.mark.parametrize("name", sorted(set(ours()) - CALLBACKS))
def test_no_form_is_taken_without_its_token(ada, rows_of_all, name):
    before = list(Generation.objects.order_by("pk").values())
    done = Generation.objects.get(video__stored_at__isnull=False)
    pk = done.video_id if ours()[name].pattern.startswith("videos/") else done.pk
    path = ours()[name].path(pk=pk, name=done.video.file.name)
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada.user, backend="django.contrib.auth.backends.ModelBackend")
    client.get("/")  # and so has the cookie: it is the field, or the header, that is missing
    for headers in ({}, {"HX-Request": "true"}, {"X-CSRFToken": "x" * 64}, {"Origin": "https://evil.example"}):
        for method in METHODS:
            if method in ("GET", "HEAD", "OPTIONS"):
                continue
            answer = client.generic(method, path, "prompt=x", "application/x-www-form-urlencoded", headers=headers)
            assert answer.status_code in (403, 405), (method, path)
    assert client.get("/").status_code == 200, "still signed in"
    assert list(Generation.objects.order_by("pk").values()) == before


def test_no_form_of_the_administration_is_taken_without_its_token(operator, rows_of_all):
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator.user, backend="django.contrib.auth.backends.ModelBackend")
    for route in staff():
        path = route.path(object_id=1, id=1, app_label="videos", url="x", content_type_id=1)
        answer = client.post(path, {"action": "mark_failed", "stopped": "on"})
        assert answer.status_code in (403, 404, 405), path


def test_a_form_on_another_site_is_not_taken_though_it_knows_the_token(ada, settings):
    settings.CSRF_TRUSTED_ORIGINS = ["https://studio.example.com"]
    ada.get("/")
    fields = request_fields(prompt="x", csrfmiddlewaretoken=ada.client.cookies["csrftoken"].value)
    answer = ada.client.post("/generations/", fields, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert not Generation.objects.exists()


def test_what_changes_something_is_never_done_by_following_a_link(ada, rows_of_all):
    done = Generation.objects.get(video__stored_at__isnull=False)
    for name in ("generate", "retry", "delete", "use_frame", "logout", "callback"):
        assert send(ada, "GET", ours()[name].path(pk=done.pk, token="x")).status_code == 405, name


# --- where one is sent ----------------------------------------------------------------------------

ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https://evil.example/",
    "https:evil.example",
    "http:///evil.example",
    "javascript:alert(1)",
    " //evil.example",
    "/\t/evil.example",
    "//evil.example@studio.example.com",
    "%2f%2fevil.example",
    "data:text/html,x",
]


@pytest.mark.parametrize("target", ELSEWHERE)
@pytest.mark.parametrize("how", ["sign in", "signed in already", "sign out", "sign up", "administration", "language"])
def test_one_is_never_sent_elsewhere(ada, operator, settings, how, target):
    settings.SIGNUP_OPEN = True
    fields = {"username": "ada", "password": "a-long-secret", "next": target}
    match how:
        case "sign in":
            answer = Person().post("/accounts/login/", fields, page="/accounts/login/")
        case "signed in already":
            answer = ada.client.get("/accounts/login/", {"next": target})
        case "sign out":
            answer = ada.post("/accounts/logout/", {"next": target})
        case "sign up":
            new = {"username": "new", "password1": "a-long-secret", "password2": "a-long-secret", "next": target}
            answer = Person().post("/accounts/signup/", new, page="/accounts/signup/")
        case "language":
            answer = ada.post(ours()["set_language"].path(), {"language": "en", "next": target})
        case "administration":
            answer = Person().post(
                "/admin/login/", {**fields, "username": "op"}, page="/admin/login/", query_params={"next": target}
            )
    assert answer.status_code == 302
    where = answer["Location"]
    assert re.match(r"/(?![/\\])", where) or where.startswith("%2f"), where
    assert "evil" not in where.lower() or where.startswith(("/accounts/login/%2f", "%2f", "/%2f", "/admin"))


def test_a_forged_host_stands_in_no_answer(ada, settings):
    settings.ALLOWED_HOSTS = ["studio.example.com"]
    for headers in ({"Host": "evil.example"}, {"Host": "studio.example.com", "X-Forwarded-Host": "evil.example"}):
        answer = ada.client.get("/", headers=headers)
        assert b"evil.example" not in answer.content
        assert "evil.example" not in str(answer.headers)


def test_the_callback_tells_nobody_whether_an_origin_may_read_it(ada, provider, work):
    ada.generate()
    work()
    answer = call_back(ada.only(), {}, headers={"Origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
