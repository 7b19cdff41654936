"""Full disks and bad links: no half of a video is ever seen, and what can still come home does."""

from __future__ import annotations

import errno
import os
from datetime import timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client
from django.utils import timezone

from tests.people import call_back, card
from tests.processes import wait_until
from tests.provider import failed
from tests.wire import reply, wire
from videos import services, storing
from videos.models import Callback, Generation, Video
from videos.services import bringing
from videos.states import State

GONE = {
    "forbidden": reply(b"", "403 Forbidden"),
    "not found": reply(b"", "404 Not Found"),
    "a page": reply(b"<html><body>Sorry</body></html>", Content_Type="text/html"),
    "too large": reply(b"", Content_Length=str(10**12)),
}


@pytest.fixture
def sent(ada, provider, work):
    """A generation whose task runs."""
    provider.accept("task-1")
    ada.generate()
    work()
    return ada.only()


def film_at(provider, settings, server, path="/film.mp4"):
    """Let the callback, and the tasks API, tell of a film on this server."""
    settings.LUMA_RESULT_HOSTS = [f"127.0.0.1:{server.port}"]
    return provider.task_completed("task-1", video_url=server.url + path)


def again(work) -> Video:
    """The next try, its time having come."""
    Generation.objects.update(next_check_at=timezone.now())
    work()
    return Video.objects.get()


def files(settings) -> list[str]:
    """All that lies in the storage, and among arrivals."""
    folders = (Path(settings.MEDIA_ROOT), Path(settings.DATA_DIR) / "incoming")
    return [str(path) for folder in folders for path in folder.rglob("*") if path.is_file()]


def full(*args, **options):
    raise OSError(errno.ENOSPC, "No space left on device")


# --- this machine's disk --------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_full_disk_is_waited_for_ever_longer_while_callbacks_are_taken(
    ada, provider, work, sent, settings, mp4, monkeypatch
):
    with wire(reply(mp4)) as server:
        told = film_at(provider, settings, server)
        with monkeypatch.context() as disk:
            disk.setattr(os, "fsync", full)
            assert call_back(sent, told).status_code == 200
            work()
            waits = []
            for tries in range(1, 8):
                video = Video.objects.get()
                assert (video.store_tries, video.stored_at) == (tries, None)
                assert "No space left on device" in video.store_error
                assert files(settings) == []
                waits.append(round((ada.only().next_check_at - timezone.now()).total_seconds()))
                # Not before its time.
                work()
                assert Video.objects.get().store_tries == tries
                again(work)
            assert waits == pytest.approx([*bringing.RETRY_AFTER, 3600, 3600], abs=2)
            assert call_back(sent, told).status_code == 200
            # Until it is home, the card plays the provider's link.
            assert server.url in card(ada.get("/"), sent)
        video = again(work)
    assert video.stored_at is not None
    assert video.store_error == ""
    assert f'src="/files/{video.file}"' in card(ada.get("/"), sent)
    assert ada.only().next_check_at is None


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_full_refuses_the_callback_whole_and_the_task_is_asked_about(
    ada, provider, work, sent, settings, mp4
):
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite can be told to be full")
    path = f"/callbacks/luma/{sent.callback_token}/"
    with wire(reply(mp4)) as server:
        told = film_at(provider, settings, server)
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA page_count")
            [pages] = cursor.fetchone()
            cursor.execute(f"PRAGMA max_page_count = {pages}")
            try:
                # So long that it needs pages of its own.
                body = told | {"padding": "x" * 60_000}
                answer = Client(raise_request_exception=False).post(path, body, content_type="application/json")
            finally:
                cursor.execute("PRAGMA max_page_count = 1073741823")
        assert answer.status_code == 503
        row = ada.only()
        assert row.state == State.PROCESSING
        assert (Video.objects.count(), Callback.objects.count()) == (0, 0)
        again(work)
        video = again(work)
    assert video.stored_at is not None


# --- bad links ------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("answer", GONE.values(), ids=GONE)
def test_a_link_that_leads_nowhere_is_asked_for_anew_and_in_the_end_expired_with_all_data(
    ada, provider, work, sent, settings, mp4, answer
):
    with wire(answer) as server:
        told = film_at(provider, settings, server)
        call_back(sent, told)
        asked = len(provider.asked)
        work()
        for _ in range(1, bringing.GONE_MOST):
            assert Video.objects.get().expired_at is None
            again(work)
        assert len(provider.asked) - asked == bringing.GONE_MOST
        assert server.connections == bringing.GONE_MOST
        assert Video.objects.get().expired_at is not None
        for _ in range(bringing.GONE_MOST, bringing.GONE_LAST):
            assert ada.only().next_check_at is not None  # it may come back, and is tried for another day
            again(work)
    row, video = ada.only(), Video.objects.get()
    assert (row.state, row.next_check_at) == (State.COMPLETED, None)
    assert (video.stored_at, video.expired_at is not None) == (None, True)
    assert video.store_error
    assert (row.task_id, video.video_id, video.video_url) == ("task-1", told["video_id"], told["video_url"])
    assert row.prompt in card(ada.get("/"), row)
    assert files(settings) == []

    # An operator has it stored again, and the tasks API now names a link that works.
    with wire(reply(mp4)) as server:
        assert services.store_again([row]) == 1
        film_at(provider, settings, server)
        Video.objects.update(video_url=server.url + "/film.mp4")
        work()
    video = Video.objects.get()
    assert (video.stored_at is not None, video.expired_at) == (True, None)
    assert f'src="/files/{video.file}"' in card(ada.get("/"), row)


@pytest.mark.django_db
@pytest.mark.usefixtures("local_files")
def test_a_video_that_is_home_stays_there_though_it_is_stored_again_from_a_dead_link(
    ada, provider, work, sent, settings, mp4
):
    with wire(reply(mp4), reply(b"", "404 Not Found")) as server:
        call_back(sent, film_at(provider, settings, server))
        work()
        before = files(settings)
        services.store_again([ada.only()])
        work()
        for _ in range(1, bringing.GONE_MOST):
            video = again(work)
    assert (video.stored_at is not None, video.expired_at) == (True, None)
    assert files(settings) == before
    assert ada.film(video.play_url) == mp4


def broken_bucket(*args, **options):
    raise ClientError({"Error": {"Code": "SlowDown"}}, "PutObject")


@pytest.mark.usefixtures("local_files")
@pytest.mark.django_db
@pytest.mark.parametrize("fails", ["videos", "posters", "both"])
@pytest.mark.parametrize("fault", [full, broken_bucket], ids=["disk", "bucket"])
def test_a_video_that_is_stored_again_keeps_its_old_files_until_the_new_ones_are_in_place(
    ada, provider, work, sent, settings, mp4, monkeypatch, fails, fault
):
    real = default_storage.save

    def save(name, content, **options):
        return fault() if fails == "both" or name.startswith(fails) else real(name, content, **options)

    with wire(reply(mp4)) as server:
        call_back(sent, film_at(provider, settings, server))
        work()
        before, kept = Video.objects.get(), files(settings)
        services.store_again([ada.only()])
        with monkeypatch.context() as storage:
            storage.setattr(default_storage, "save", save)
            work()
        assert Video.objects.get().store_tries == 1
        assert files(settings) == kept
        assert ada.film(f"/files/{before.file}") == mp4
        # Then it works; and the third time the first names are free again.
        names = []
        for _ in range(2):
            services.store_again([ada.only()])
            video = again(work)
            names.append(str(video.file))
            assert video.stored_at is not None
            assert ada.film(video.play_url) == mp4
            assert len(ada.film(video.poster_url)) > 100
            assert len(files(settings)) == 2, "the old ones are gone"
    assert names[0] != str(before.file) == names[1]


@pytest.mark.usefixtures("local_files")
@pytest.mark.django_db
def test_what_killed_tries_to_store_again_left_behind_does_not_pile_up(ada, provider, work, sent, settings, mp4):
    with wire(reply(mp4)) as server:
        call_back(sent, film_at(provider, settings, server))
        work()
        for folder, ending in (("videos", "mp4"), ("posters", "jpg")):
            default_storage.save(f"{folder}/{Video.objects.get().pk}-again.{ending}", ContentFile(b"half of it"))
        for _ in range(3):
            services.store_again([ada.only()])
            video = again(work)
            assert ada.film(video.play_url) == mp4
            assert len(files(settings)) == 2


@pytest.mark.usefixtures("local_files")
@pytest.mark.django_db
def test_of_two_who_store_the_same_video_again_neither_takes_the_others_file(
    ada, provider, work, sent, settings, mp4, monkeypatch
):
    """A lease ended though its holder lives: both come home, one after the other."""
    with wire(reply(mp4)) as server:
        call_back(sent, film_at(provider, settings, server))
        work()
        services.store_again([ada.only()])
        real, first = storing._inspect, []

        def inspect(*paths):
            if not first:
                first.append(1)
                Generation.objects.update(next_check_at=timezone.now())
                work()
                assert Video.objects.get().stored_at is not None
            return real(*paths)

        monkeypatch.setattr(storing, "_inspect", inspect)
        work()
    assert ada.film(Video.objects.get().play_url) == mp4
    assert len(files(settings)) == 2


@pytest.mark.django_db
def test_the_fresh_link_is_the_one_that_is_tried_next(ada, provider, work, sent, settings, mp4):
    with wire(reply(b"", "403 Forbidden")) as dead, wire(reply(mp4)) as alive:
        call_back(sent, film_at(provider, settings, dead))
        settings.LUMA_RESULT_HOSTS.append(f"127.0.0.1:{alive.port}")
        provider.task_completed("task-1", video_url=alive.url + "/film.mp4")
        work()
        assert Video.objects.get().video_url.startswith(alive.url)
        video = again(work)
        assert (dead.connections, alive.connections) == (1, 1)
    assert video.stored_at is not None


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["cut", "stalled", "down"])
def test_a_network_at_fault_is_never_taken_for_an_expired_link(
    ada, provider, work, sent, settings, mp4, monkeypatch, kind
):
    monkeypatch.setattr(storing, "STALL_SECONDS", 0.2)

    def half(link):
        link.send(reply(mp4)[: len(mp4) // 2])
        link.stall() if kind == "stalled" else link.reset()

    bad = reply(b"", "503 Service Unavailable") if kind == "down" else half
    tries = bringing.GONE_MOST + 2
    with wire(*[bad] * tries, reply(mp4)) as server:
        call_back(sent, film_at(provider, settings, server))
        work()
        for _ in range(1, tries):
            video = again(work)
            assert (video.stored_at, video.expired_at) == (None, None)
            assert files(settings) == []
        video = again(work)
    assert video.stored_at is not None


@pytest.mark.django_db
def test_after_forty_days_a_network_at_fault_counts_as_expired(ada, provider, work, sent, settings):
    with wire(reply(b"", "503 Service Unavailable")) as server:
        call_back(sent, film_at(provider, settings, server))
        work()
        Video.objects.update(created_at=timezone.now() - bringing.LINKS_LIVE - timedelta(days=1))
        video = again(work)
    assert video.expired_at is not None
    assert ada.only().next_check_at is None


@pytest.mark.django_db
def test_a_failure_told_while_the_video_is_on_its_way_takes_nothing_away(ada, provider, work, sent, settings, mp4):
    with wire(reply(mp4)) as server:
        call_back(sent, film_at(provider, settings, server))
        call_back(sent, failed("task-1"))
        work()
    assert Video.objects.get().stored_at is not None


# --- a worker of its own --------------------------------------------------------------------------


@pytest.mark.xdist_group("processes")
def test_a_worker_with_nowhere_to_put_the_video_lives_on_and_brings_it_home_once_there_is_room(place):
    here = place()
    (here.data / "incoming").write_text("in the way")
    worker = here.start("run_huey", "-w", "2")
    here.wait_for(lambda row: row["state"] == "completed", "a completed generation")
    wait_until(lambda: here.ask("SELECT 1 FROM videos_video WHERE store_tries > 0"), "a try")
    assert here.row()["stored_at"] is None
    assert here.stored() == []
    (here.data / "incoming").unlink()
    row = here.wait_for_rest()
    assert row["stored_at"] is not None
    assert here.stored() == sorted([row["file"], row["poster"]])
    assert (here.posts(), worker.poll()) == (1, None)
