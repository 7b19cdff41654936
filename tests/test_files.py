"""Stored files, and who is served them: `/files/`."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone

from tests import rows
from tests.people import Person
from videos import links
from videos.models import Generation, User
from videos.views.files import PART_MOST

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("local_files")]
FILM = bytes(range(256)) * 4


@pytest.fixture
def film(ada) -> Generation:
    """Ada's finished video."""
    return rows.stored_video(ada.user, FILM)


def body(answer) -> bytes:
    return b"".join(answer) if answer.streaming else answer.content


def staff(name: str, *permissions: str) -> Person:
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return Person(user)


# --- who may see it -------------------------------------------------------------------------------


def test_the_owner_sees_the_video_and_its_poster(ada, film):
    answer = ada.get(film.video.play_url)
    assert (answer.status_code, body(answer)) == (200, FILM)
    poster = ada.get(film.video.poster_url)
    assert (poster.status_code, body(poster)) == (200, b"a poster")


def test_a_stranger_is_not_told_that_it_exists(bob, film):
    assert bob.get(film.video.play_url).status_code == 404
    assert bob.get(film.video.poster_url).status_code == 404


def test_nobody_sees_it_without_signing_in(client, film):
    assert client.get(film.video.play_url).status_code == 404


def test_a_disabled_account_sees_nothing(ada, film):
    User.objects.filter(pk=ada.user.pk).update(is_active=False)
    assert ada.get(film.video.play_url).status_code == 404


def test_staff_who_may_view_videos_see_it(film):
    assert staff("watcher", "view_video").get(film.video.play_url).status_code == 200


def test_staff_who_may_not_view_videos_do_not(film):
    assert staff("clerk", "view_frame", "change_video").get(film.video.play_url).status_code == 404


def test_who_may_view_videos_but_is_no_staff_does_not(bob, film):
    bob.user.user_permissions.set(Permission.objects.filter(codename="view_video"))
    assert bob.get(film.video.play_url).status_code == 404


def test_a_deleted_video_is_gone_for_its_owner_but_not_for_staff(ada, operator, film):
    Generation.objects.update(deleted_at=timezone.now())
    assert ada.get(film.video.play_url).status_code == 404
    assert ada.get(film.video.poster_url).status_code == 404
    assert operator.get(film.video.play_url).status_code == 200


def test_a_frame_is_seen_by_its_owner_and_by_staff_who_may(ada, bob):
    frame = rows.frame(ada.user)
    path = f"/files/{frame.file.name}"
    assert body(ada.get(path)) == b"a frame"
    assert bob.get(path).status_code == 404
    assert staff("watcher", "view_frame").get(path).status_code == 200
    assert staff("clerk", "view_video").get(path).status_code == 404


# --- signed links ---------------------------------------------------------------------------------


def test_the_provider_fetches_a_frame_by_its_signed_link(ada):
    frame = rows.frame(ada.user)
    answer = Client().get(links.signed_file_url(frame.file.name))
    assert (answer.status_code, body(answer)) == (200, b"a frame")


def test_a_signed_link_serves_a_signed_in_stranger_too(ada, bob):
    assert bob.get(links.signed_file_url(rows.frame(ada.user).file.name)).status_code == 200


def test_a_signed_link_is_no_key_to_another_frame(ada):
    one, other = rows.frame(ada.user), rows.frame(ada.user)
    signature = links.signed_file_url(one.file.name).partition("?")[2]
    assert Client().get(f"/files/{other.file.name}?{signature}").status_code == 404


def test_a_signed_link_ends(ada, monkeypatch):
    url = links.signed_file_url(rows.frame(ada.user).file.name)
    monkeypatch.setattr(links, "FRAME_LINK_SECONDS", -1)
    assert Client().get(url).status_code == 404


@pytest.mark.parametrize("signature", ["", "x", "a:b", "%00", "%ED%A0%80"])
def test_a_forged_signature_opens_nothing(signature, ada):
    assert Client().get(f"/files/{rows.frame(ada.user).file.name}?signature={signature}").status_code == 404


def test_a_signature_opens_no_video(film):
    assert Client().get(links.signed_file_url(film.video.file.name)).status_code == 404
    assert Client().get(links.signed_file_url(film.video.poster.name)).status_code == 404


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "",
        "videos/",
        "secret_key",
        "../secret_key",
        "videos/../../secret_key",
        "videos/..%2f..%2fsecret_key",
        "%2e%2e/secret_key",
        "/etc/passwd",
        "//etc/passwd",
        "videos//{pk}.mp4",
        "videos/{pk}.mp4/",
        "videos/{pk}.mp4%00",
        "videos/{pk}.mp4%0a",
        "videos/{pk}.MP4",
        "videos/{pk}.html",
        "videos/{pk}.jpg",
        "posters/{pk}.mp4",
        "frames/{pk}.mp4",
        "videos/{pk}-../x.mp4",
        "videos/{pk}x.mp4",
        "incoming/{pk}.mp4",
        "videos\\{pk}.mp4",
    ],
)
def test_another_name_opens_nothing(name, ada, film, settings):
    (Path(settings.DATA_DIR) / "secret_key").write_text("secret")
    assert ada.get("/files/" + name.format(pk=film.video.pk)).status_code == 404


def test_a_file_that_no_row_knows_is_not_served(operator):
    name = default_storage.save(f"videos/{uuid.uuid4()}.mp4", open(__file__, "rb"))  # noqa: SIM115
    assert operator.get(f"/files/{name}").status_code == 404


def test_a_file_that_is_lost_is_not_found(ada, film):
    default_storage.delete(film.video.file.name)
    assert ada.get(film.video.play_url).status_code == 404


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_files_are_only_read(method, ada, film):
    answer = getattr(ada.client, method)(film.video.play_url)
    assert answer.status_code in (403, 405)
    assert default_storage.exists(film.video.file.name)


# --- how it is served -----------------------------------------------------------------------------


def test_a_video_is_served_as_one_and_not_to_be_guessed_at(ada, film):
    answer = ada.get(film.video.play_url)
    assert answer["Content-Type"] == "video/mp4"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Accept-Ranges"] == "bytes"
    assert answer["Content-Length"] == "1024"
    assert "private" in answer["Cache-Control"]
    assert "attachment" not in answer.get("Content-Disposition", "")
    assert ada.get(film.video.poster_url)["Content-Type"] == "image/jpeg"


def test_a_download_has_a_name_of_its_own(ada, film):
    answer = ada.get(film.video.play_url + "?download")
    assert answer["Content-Disposition"] == f'attachment; filename="luma-{film.video.pk}.mp4"'
    assert body(answer) == FILM


def test_a_head_tells_the_size_and_sends_nothing(ada, film):
    answer = ada.client.head(film.video.play_url)
    assert (answer.status_code, body(answer)) == (200, b"")
    assert answer["Content-Length"] == "1024"
    assert answer["Accept-Ranges"] == "bytes"


def test_what_the_browser_has_already_is_not_sent_again(ada, film):
    etag = ada.get(film.video.play_url)["ETag"]
    answer = ada.get(film.video.play_url, headers={"If-None-Match": etag})
    assert (answer.status_code, body(answer)) == (304, b"")


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-", 0, 1023),
        ("bytes=0-1", 0, 1),
        ("bytes=0-0", 0, 0),
        ("bytes=1023-", 1023, 1023),
        ("bytes=1023-1023", 1023, 1023),
        ("bytes=100-199", 100, 199),
        ("bytes=1000-99999", 1000, 1023),
        ("bytes=-1", 1023, 1023),
        ("bytes=-100", 924, 1023),
        ("bytes=-99999", 0, 1023),
        ("bytes = 5 - 6", 5, 6),
    ],
)
def test_a_part_is_served(asked, first, last, ada, film):
    answer = ada.get(film.video.play_url, headers={"Range": asked})
    assert answer.status_code == 206
    assert answer["Content-Range"] == f"bytes {first}-{last}/1024"
    assert answer["Content-Length"] == str(last - first + 1)
    assert answer["Content-Type"] == "video/mp4"
    assert body(answer) == FILM[first : last + 1]


@pytest.mark.parametrize("asked", ["bytes=1024-", "bytes=5000-6000", "bytes=-0", "bytes=999999999999999999-"])
def test_a_part_beyond_the_end_is_refused_with_the_size(asked, ada, film):
    answer = ada.get(film.video.play_url, headers={"Range": asked})
    assert (answer.status_code, body(answer)) == (416, b"")
    assert answer["Content-Range"] == "bytes */1024"


@pytest.mark.parametrize(
    "asked", ["bytes=5-2", "bytes=-", "bytes=a-b", "items=0-5", "bytes=0-1,5-6", "0-5", "bytes=" + "9" * 40 + "-"]
)
def test_what_is_no_single_part_is_answered_with_the_whole(asked, ada, film):
    answer = ada.get(film.video.play_url, headers={"Range": asked})
    assert (answer.status_code, body(answer)) == (200, FILM)


def test_a_part_of_another_version_is_answered_with_the_whole(ada, film):
    same = ada.get(film.video.play_url)["ETag"]
    for version, status in ((same, 206), ('"older"', 200)):
        answer = ada.get(film.video.play_url, headers={"Range": "bytes=0-9", "If-Range": version})
        assert answer.status_code == status


VAST = 3 * 1024 * 1024 * 1024


@pytest.fixture
def vast(ada, film) -> str:
    """The path of a video of 3 GB, most of it a hole."""
    with open(default_storage.path(film.video.file.name), "r+b") as file:
        file.truncate(VAST)
    return film.video.play_url


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ("bytes=0-", 0),
        ("bytes=1000-", 1000),
        (f"bytes=0-{VAST}", 0),
        (f"bytes={VAST - PART_MOST - 7}-", VAST - PART_MOST - 7),
        (f"bytes=-{VAST}", 0),
        (f"bytes=-{PART_MOST + 1}", VAST - PART_MOST - 1),
    ],
)
def test_a_slow_reader_gets_at_most_four_megabytes_at_a_time(asked, first, ada, vast):
    answer = ada.get(vast, headers={"Range": asked})
    assert answer.status_code == 206
    assert answer["Content-Range"] == f"bytes {first}-{first + PART_MOST - 1}/{VAST}"
    assert answer["Content-Length"] == str(PART_MOST)
    assert sum(map(len, answer)) == PART_MOST


def test_without_a_range_the_whole_is_served_piece_by_piece(ada, vast):
    answer = ada.get(vast)
    assert (answer.status_code, answer["Content-Length"]) == (200, str(VAST))
    assert len(next(iter(answer))) < 1024 * 1024
    answer.close()
