"""A database that is locked, or fails at the worst moment: nothing half done, nothing lost, nothing twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
import requests
from django.db import OperationalError
from django.utils import timezone

from tests import rows
from tests.people import request_fields
from tests.processes import wait_until
from tests.provider import completed
from tests.studio import Studio, Visitor
from videos import services
from videos.luma.client import LumaClient
from videos.luma.errors import LostAnswer
from videos.management.commands.studio import THREADS
from videos.models import Generation, Site
from videos.services import submitting
from videos.states import State

pytestmark = pytest.mark.xdist_group("processes")
SLOW_ONES = (
    "SELECT g.id, g.state, count(c.id) FROM videos_generation g"
    " LEFT JOIN videos_callback c ON c.generation_id = g.id WHERE g.prompt LIKE '%slow%' GROUP BY 1, 2"
)


@pytest.fixture(scope="module")
def patient(tmp_path_factory) -> Iterator[Studio]:
    """A studio that waits for the database as long as the product does."""
    yield from running(Studio(tmp_path_factory.mktemp("patient"), quick=True, GENERATIONS_PER_DAY=0))


@pytest.fixture(scope="module")
def impatient(tmp_path_factory) -> Iterator[Studio]:
    """A studio that waits for one second."""
    folder = tmp_path_factory.mktemp("impatient")
    yield from running(Studio(folder, quick=True, GENERATIONS_PER_DAY=0, QUICK_DATABASE=1))


def running(studio: Studio) -> Iterator[Studio]:
    yield studio.start()
    assert studio.end() == 0


@contextmanager
def locked(studio: Studio) -> Iterator[None]:
    """Nobody else can write to the database."""
    with studio.ground.locked():
        yield


def ask(studio: Studio, sql: str, *values: object) -> list[tuple]:
    """Rows of the studio's database."""
    return [tuple(row.values()) for row in studio.rows(sql, *values)]


def call_back(studio: Studio, generation: str, body: object) -> requests.Response:
    """What the provider's callback is answered with."""
    [[token]] = ask(studio, "SELECT callback_token FROM videos_generation WHERE id = ?", generation.replace("-", ""))
    return requests.post(f"{studio.url}/callbacks/luma/{token}/", json=body, timeout=60)


def test_locked_for_two_seconds_everybody_waits_and_is_answered(patient):
    demo = Visitor(patient)
    slow = demo.generate("a slow one [slow]")
    demo.wait_for_state(slow, "processing")
    answers: dict[str, object] = {}

    def generate() -> None:
        answers["generate"] = demo.generate("while it was locked")

    def told() -> None:
        answers["callback"] = call_back(patient, slow, {"success": False, "error": {"code": "x", "message": "y"}})

    threads = [threading.Thread(target=each) for each in (generate, told)]
    with locked(patient):
        for thread in threads:
            thread.start()
        threads[0].join(2)
        assert answers == {}
    for thread in threads:
        thread.join()
    assert answers["callback"].status_code == 200
    demo.wait_for_state(slow, "failed")
    assert demo.wait_for_video(str(answers["generate"]))


def test_locked_for_long_it_says_503_changes_nothing_and_the_worker_lives_on(impatient):
    demo = Visitor(impatient)
    slow = demo.generate("a slow one [slow]")
    demo.wait_for_state(slow, "processing")
    under_way = demo.generate("sent before the lock")
    before = ask(impatient, SLOW_ONES)
    submission = {"csrfmiddlewaretoken": demo.session.cookies["csrftoken"], "aspect_ratio": "16:9"}
    submission |= request_fields(prompt="too late, too early")
    with locked(impatient):
        asked = demo.session.post(f"{impatient.url}/generations/", data=submission, allow_redirects=False, timeout=60)
        told = call_back(impatient, slow, {"success": False, "error": {"code": "x", "message": "y"}})
        assert (asked.status_code, told.status_code) == (503, 503)
        assert asked.headers["Retry-After"]
        # The gallery can still be looked at, by all threads at once, and nothing half done stands in it.
        with ThreadPoolExecutor(THREADS) as viewers:
            pages = list(viewers.map(lambda _: demo.get("/"), range(2 * THREADS)))
        assert {page.status_code for page in pages} == {200}
        assert "too late, too early" not in pages[0].text
        wait_until(lambda: "Unhandled exception in task" in impatient.log(), "a worker that met the lock")
    assert ask(impatient, SLOW_ONES) == before
    # The same form again makes its one row, and the worker does all that is to be done.
    again = demo.session.post(f"{impatient.url}/generations/", data=submission, allow_redirects=False, timeout=60)
    assert again.status_code == 302
    assert demo.wait_for_video(again.headers["Location"].partition("#generation-")[2], 120)
    assert demo.wait_for_video(under_way, 120)
    assert ask(impatient, "SELECT count(*) FROM videos_generation WHERE prompt = 'too late, too early'") == [(1,)]
    assert call_back(impatient, slow, {"success": False, "error": {"code": "x", "message": "y"}}).status_code == 200
    demo.wait_for_state(slow, "failed")


# --- at the worst moment, in this process -------------------------------------------------------------


def failing(*args: object, **words: object) -> None:
    raise OperationalError("database or disk is full")


@pytest.mark.django_db
def test_an_answer_that_cannot_be_written_down_is_looked_for_and_never_sent_again(
    ada, provider, work, monkeypatch, result_server, mp4
):
    result_server.expect_request("/film.mp4").respond_with_data(mp4)
    ada.generate()
    with monkeypatch.context() as broken:
        broken.setattr(submitting, "apply_result", failing)
        with pytest.raises(OperationalError):
            work()
    row = ada.only()
    assert row.state == State.SUBMITTING
    provider.history = [
        {
            "id": "task-1",
            "request": row.request_body,
            "response": completed(video_url=result_server.url_for("/film.mp4")),
            "created_at": 1.0,
        }
    ]
    work()
    assert ada.only().state == State.SUBMITTING, "its lease has not ended"
    Generation.objects.update(next_check_at=timezone.now())
    work(2)
    row = ada.only()
    assert row.state == State.COMPLETED
    assert row.video.stored_at is not None
    assert len(provider.created) == 1


@pytest.mark.django_db
def test_what_cannot_be_committed_is_not_sent(ada, provider, work, monkeypatch):
    ada.generate()
    with monkeypatch.context() as broken:
        broken.setattr(submitting, "_launch", failing)
        with pytest.raises(OperationalError):
            work()
    assert provider.created == []
    assert ada.only().state == State.QUEUED
    Generation.objects.update(next_check_at=timezone.now())
    work()
    assert len(provider.created) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("where", ["provider_failed_at", "provider_answered_at"])
def test_a_note_that_cannot_be_written_changes_nothing_of_what_the_answer_means(
    ada, provider, work, monkeypatch, where
):
    real = Site.objects.all().update

    def update(queryset, **fields):
        if where in fields:
            failing()
        return real.__func__(queryset, **fields)

    monkeypatch.setattr(type(Site.objects.all()), "update", update)
    provider.create = requests.ConnectionError("cut") if where == "provider_failed_at" else None
    ada.generate()
    work()
    assert ada.only().state == (State.UNCONFIRMED if where == "provider_failed_at" else State.PROCESSING)


@pytest.mark.django_db
def test_while_the_history_cannot_be_read_nothing_is_given_up_for_good(
    ada, provider, work, monkeypatch, settings, result_server, mp4
):
    result_server.expect_request("/film.mp4").respond_with_data(mp4)
    row = rows.generation(ada.user, State.UNCONFIRMED, task_id=None)
    callback = {"callback_url": "https://studio.example.com/callbacks/luma/x/"}
    long_ago = timezone.now() - timedelta(seconds=settings.LUMA_CONFIRM_SECONDS + 1)
    Generation.objects.update(request_body=callback, sent_at=long_ago, next_check_at=timezone.now())
    provider.history = requests.ConnectionError("down")
    work()
    row.refresh_from_db()
    # The user is told, and may send it again; but it is still looked for.
    assert (row.state, row.error_code) == (State.FAILED, "not_confirmed")
    assert row.next_check_at is not None
    running = {"id": "task-1", "request": callback, "response": {}, "created_at": 1.0}
    provider.history = [running]
    Generation.objects.update(next_check_at=timezone.now())
    work()
    row.refresh_from_db()
    assert row.next_check_at is not None, "its task is there, and has not ended"
    provider.history = [{**running, "response": completed(video_url=result_server.url_for("/film.mp4"))}]
    Generation.objects.update(next_check_at=timezone.now())
    work(2)
    row.refresh_from_db()
    assert row.state == State.COMPLETED
    assert row.video.stored_at is not None
    assert row.next_check_at is None


@pytest.mark.django_db
def test_a_provider_without_a_history_is_not_asked_for_ever(ada, provider, work, settings):
    rows.generation(ada.user, State.UNCONFIRMED)
    long_ago = timezone.now() - timedelta(seconds=settings.LUMA_CONFIRM_SECONDS + 1)
    Generation.objects.update(sent_at=long_ago, next_check_at=timezone.now())
    provider.history = (400, {}, '{"error": {"code": "bad_request", "message": "id or ids"}}')
    work()
    row = ada.only()
    assert (row.state, row.error_code, row.next_check_at) == (State.FAILED, "not_confirmed", None)
    assert services.reconcile() == []


@pytest.mark.django_db
def test_one_page_that_goes_wrong_does_not_undo_the_reading_of_a_long_history(ada, provider, work, monkeypatch):
    rows.generation(ada.user, State.UNCONFIRMED)
    callback = {"callback_url": "https://studio.example.com/callbacks/luma/x/"}
    Generation.objects.update(request_body=callback, next_check_at=timezone.now())
    others = [{"id": f"other-{n}", "request": {}, "response": {}, "created_at": 1.0} for n in range(150)]
    provider.history = [*others, {"id": "task-1", "request": callback, "response": {}, "created_at": 1.0}]
    faults = iter([False, True, True, False])
    real = LumaClient.recent

    def recent(*args: object, **words: object) -> object:
        if next(faults):
            raise LostAnswer("cut")
        return real(*args, **words)

    monkeypatch.setattr(LumaClient, "recent", recent)
    work()
    row = ada.only()
    assert (row.state, row.task_id) == (State.PROCESSING, "task-1")
