"""Who is nobody, or somebody else, gets nothing: every address, every method."""

import uuid

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from tests import rows
from tests.people import request_fields
from tests.security.routes import METHODS, Route, ours, send, staff
from videos.models import Frame, Generation, Site, User, Video
from videos.states import State

pytestmark = pytest.mark.django_db

OWN_PAGE = {"gallery", "generate", "live", "extend_by_link", "status", "frames", "you"}
"""They show, or make, what belongs to whoever asks."""
OWN_OBJECT = {"generation", "retry", "delete", "extend", "use_frame"}
"""They are about one row, which has an owner."""
FILE = {"file"}
OPEN = {
    "callback",
    "callbacks/luma/<str:token>",
    "healthz",
    "signup",
    "login",
    "logout",
    "password_reset",
    "password_reset_done",
    "password_reset_confirm",
    "password_reset_complete",
    "set_language",
}
"""Meant for people without an account, or for machines; what they may do is told elsewhere."""
ACCOUNT = {"password_change", "password_change_done"}
"""One's own account, and no other's."""


class Owned:
    """What Ada has: one row of each kind that an address can name."""

    def __init__(self, owner: User) -> None:
        self.finished = rows.stored_video(owner, prompt="Ada's secret")
        self.failed = rows.generation(owner, State.FAILED, prompt="Ada's secret", error_code="api_error")
        self.queued = rows.generation(owner, prompt="Ada's secret")
        self.frame = rows.frame(owner)

    def paths(self, route: Route) -> list[str]:
        """The addresses of her rows on this route."""
        if route.name in FILE:
            video = self.finished.video
            return [f"/files/{name}" for name in (video.file.name, video.poster.name, self.frame.file.name)]
        if route.pattern.startswith("videos/"):
            return [route.path(pk=self.finished.video_id)]
        if route.name in OWN_OBJECT:
            return [route.path(pk=row.pk) for row in (self.finished, self.failed, self.queued)]
        return [route.path()]


def state() -> list:
    """All that anybody could have changed."""
    return [list(model.objects.order_by("pk").values()) for model in (Generation, Video, Frame, Site)] + [
        list(User.objects.order_by("pk").values("pk", "username", "password", "is_staff", "is_superuser"))
    ]


@pytest.fixture
def hers(ada) -> Owned:
    return Owned(ada.user)


FIELDS = request_fields(prompt="stolen", at="1", video_url="https://example.com/x.mp4", aspect_ratio="16:9")


def test_every_address_is_judged_here():
    judged = OWN_PAGE | OWN_OBJECT | FILE | OPEN | ACCOUNT
    assert set(ours()) == judged, "a new address: say above whose it is, and it is tried with every method"
    assert len(judged) == sum(map(len, (OWN_PAGE, OWN_OBJECT, FILE, OPEN, ACCOUNT)))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", sorted(OWN_OBJECT | FILE))
def test_a_stranger_is_not_even_told_that_it_exists(bob, hers, name, method):
    before = state()
    for path in hers.paths(ours()[name]):
        answer = send(bob, method, path, FIELDS)
        assert answer.status_code in (404, 405), path
        assert b"secret" not in answer.content
        # Word for word what is said of a row that nobody has.
        nobodys = send(bob, method, path.replace(path.split("/")[2], str(uuid.uuid4())), FIELDS)
        assert answer.status_code == nobodys.status_code
    assert state() == before


@pytest.mark.parametrize("name", sorted(OWN_OBJECT | FILE))
def test_its_owner_is_let_in_by_one_method_at_least(ada, bob, hers, name):
    """So that the refusals above are told to the stranger, and not to everybody."""
    for path in hers.paths(ours()[name]):
        hers_own = {send(ada, method, path, FIELDS).status_code for method in ("GET", "POST")}
        assert hers_own & {200, 302}, path
        assert {send(bob, method, path, FIELDS).status_code for method in ("GET", "POST")} & {404}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", sorted(OWN_PAGE | OWN_OBJECT | ACCOUNT | FILE))
def test_without_an_account_one_is_sent_to_sign_in(hers, name, method):
    before = state()
    for path in hers.paths(ours()[name]):
        answer = send(None, method, path, FIELDS)
        if name in FILE:
            assert answer.status_code in (404, 405), path
        elif answer.status_code != 405:
            assert answer.status_code == 302, path
            assert answer["Location"].startswith("/accounts/login/?next=/"), path
    assert state() == before


@pytest.mark.parametrize("name", sorted(OWN_PAGE))
def test_pages_show_a_stranger_nothing_of_hers(bob, hers, name):
    video = hers.finished.video
    path = ours()[name].path()
    query = {
        "seen": [f"{row.pk}:x" for row in (hers.finished, hers.failed, hers.queued)],
        "reuse": str(hers.failed.pk),
        "start_frame": str(hers.frame.pk),
        "end_frame": str(hers.frame.pk),
    }
    for htmx in ({}, {"HX-Request": "true"}):
        answer = bob.client.get(path, query, headers=htmx)
        for secret in ("secret", str(video.pk), hers.frame.file.name, str(hers.frame.pk), str(hers.failed.pk)):
            assert secret not in answer.content.decode()


def test_nobody_uses_anothers_frame_video_or_owner(ada, bob, hers):
    video = hers.finished.video
    tries = [
        ("/generations/", {"start_frame": hers.frame.pk}),
        ("/generations/", {"end_frame": hers.frame.pk}),
        (f"/videos/{video.pk}/extend/", {"end_frame": hers.frame.pk}),
        ("/generations/extend/", {"end_frame": hers.frame.pk, "video_url": "https://example.com/x.mp4"}),
    ]
    for path, fields in tries:
        bob.post(path, request_fields(prompt="stolen", aspect_ratio="16:9", **fields))
    assert not Generation.objects.filter(owner=bob.user).exists()
    # Fields that no form has say nothing.
    extra = {"owner": ada.user.pk, "owner_id": ada.user.pk, "state": "completed", "source_id": video.pk, "task_id": "x"}
    bob.post("/generations/", request_fields(prompt="mine", aspect_ratio="16:9", **extra))
    mine = Generation.objects.get(prompt="mine")
    assert (mine.owner, mine.state, mine.source, mine.task_id) == (bob.user, State.QUEUED, None, None)


def test_the_same_submission_is_no_key_to_anothers_row(ada, bob):
    fields = request_fields(prompt="the same", aspect_ratio="16:9")
    ada.post("/generations/", fields)
    answer = bob.post("/generations/", fields, headers={"HX-Request": "true"})
    assert str(ada.only().pk).encode() not in answer.content
    assert bob.only().pk != ada.only().pk


def test_no_path_leads_out_of_the_storage(ada, operator, settings):
    default_storage.save("videos/notes.txt", ContentFile(b"secret"))
    for name in (
        "../secret_key",
        "..%2fsecret_key",
        "%2e%2e/secret_key",
        "videos/../../secret_key",
        "videos/notes.txt",
        "/etc/passwd",
        "//etc/passwd",
        "videos/%00.mp4",
        f"videos/{uuid.uuid4()}.mp4/../notes.txt",
    ):
        for person in (ada, operator):
            assert person.get(f"/files/{name}").status_code in (301, 404), name


# --- the administration ---------------------------------------------------------------------------


def test_the_administration_lets_nobody_in_but_staff(ada, hers):
    routes = staff()
    assert len(routes) > 40
    before = state()
    for route in routes:
        path = route.path(
            object_id=hers.failed.pk, id=ada.user.pk, app_label="videos", content_type_id=1, url="x", final_subpath="x"
        )
        if path in ("/admin/login/",):
            continue
        fields = {"action": "mark_failed", "_selected_action": [str(hers.queued.pk)]}
        for person in (ada, None):
            for method in ("GET", "POST"):
                answer = send(person, method, path, fields)
                assert answer.status_code in (302, 301, 404, 405), (path, method)
                assert b"secret" not in answer.content
                if answer.status_code == 302 and path != "/admin/logout/":
                    assert answer["Location"].startswith("/admin/login/"), (path, method)
        if path == "/admin/logout/":
            ada.client.force_login(ada.user, backend="django.contrib.auth.backends.ModelBackend")
    assert state() == before
