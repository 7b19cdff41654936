"""The provider's notices: whatever comes, each video appears once, and nothing breaks."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from huey.contrib.djhuey import HUEY

from tests.people import call_back, state_on
from tests.provider import completed, failed
from videos.models import Callback, Generation, Video
from videos.states import State

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(ada, provider, work):
    """A generation that the provider works on as task-1."""
    ada.generate()
    work()
    return ada.only()


def outcomes():
    return list(Callback.objects.order_by("id").values_list("outcome", flat=True))


def test_a_failure_is_told_in_the_providers_words(ada, sent):
    call_back(sent, failed(message="The <b>upstream</b> is ill."))
    page = ada.get("/")
    assert state_on(page, sent) == "failed"
    assert b"The &lt;b&gt;upstream&lt;/b&gt; is ill." in page.content


def test_twice_is_once(sent):
    call_back(sent, completed())
    call_back(sent, completed())
    assert Video.objects.count() == 1
    assert outcomes() == ["applied", "unchanged"]


def test_a_failure_after_success_changes_nothing(ada, sent):
    call_back(sent, completed())
    call_back(sent, failed())
    assert ada.only().state == State.COMPLETED
    assert ada.only().error_message == ""


def test_a_success_after_failure_completes_it(ada, sent):
    call_back(sent, failed())
    call_back(sent, completed())
    assert ada.only().state == State.COMPLETED


def test_it_may_come_before_the_answer_to_the_post(ada, provider, work):
    def early(body):
        call_back(ada.only(), completed("task-early"))
        return {"task_id": "task-early"}

    provider.create = early
    ada.generate()
    work()
    row = ada.only()
    assert row.state == State.COMPLETED
    assert row.task_id == "task-early"
    assert row.accepted_at is not None
    assert Video.objects.count() == 1


def test_it_works_without_the_last_slash(sent):
    sent.refresh_from_db()
    path = f"/callbacks/luma/{sent.callback_token}"
    assert Client().post(path, b"{}", content_type="application/json").status_code == 200


def test_a_forged_token_is_unknown_and_nothing_is_stored(sent):
    answer = Client().post("/callbacks/luma/forged/", b"{}", content_type="application/json")
    assert answer.status_code == 404
    assert not Callback.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_strangers_make_no_writer_wait():
    with CaptureQueriesContext(connection) as found:
        assert Client().post("/callbacks/luma/forged/", b"{}", content_type="application/json").status_code == 404
    assert [query["sql"].partition(" ")[0] for query in found] == ["SELECT"]


def test_another_tasks_result_is_recorded_and_our_own_task_is_asked_about(ada, provider, sent, work):
    call_back(sent, completed("task-of-somebody"))
    assert ada.only().state == State.PROCESSING
    assert outcomes() == ["other_task"]
    work()
    assert provider.asked[-1] == {"action": "retrieve", "id": "task-1"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'"text"',
        b'{"task_id": "a\\u0000b", "success": true}',
        b'{"task_id": "\\ud800", "video_url": "\\udfff"}',
        b'{"success": true, "video_width": ' + b"9" * 40 + b"}",
        b'{"success": true, "video_width": ' + b"9" * 5000 + b"}",
        b'{"success": true, "video_width": NaN, "video_url": "javascript:alert(1)"}',
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b"\x00" * 1000,
    ],
    ids=lambda body: repr(body[:30]),
)
def test_nonsense_is_recorded_and_the_task_is_asked_about(ada, provider, sent, work, body):
    assert call_back(sent, body).status_code == 200
    assert Callback.objects.count() == 1
    assert bytes(Callback.objects.get().body) == body
    assert ada.only().state == State.PROCESSING
    work()
    assert provider.asked == [{"action": "retrieve", "id": "task-1"}]


def test_more_than_64_kib_is_refused(sent):
    assert call_back(sent, b"0" * (64 * 1024 + 1)).status_code == 413
    assert not Callback.objects.exists()


def test_weeks_late_it_changes_nothing(ada, sent):
    call_back(sent, completed())
    before = Generation.objects.values().get()
    call_back(sent, completed())
    assert Generation.objects.values().get() == before


def test_after_deletion_the_video_comes_home_and_stays_hidden(ada, sent, work, result_server, mp4):
    result_server.expect_request("/film.mp4").respond_with_data(mp4)
    ada.post(f"/generations/{sent.pk}/delete/")
    call_back(sent, completed(video_url=result_server.url_for("/film.mp4")))
    work()
    video = Video.objects.get()
    assert video.stored_at is not None
    assert state_on(ada.get("/"), sent) == ""
    assert ada.get(video.play_url).status_code == 404


def test_a_get_is_not_a_callback(sent):
    sent.refresh_from_db()
    assert Client().get(f"/callbacks/luma/{sent.callback_token}/").status_code == 405


def test_a_sender_gone_mad_does_not_fill_the_disk(sent, monkeypatch):
    from videos.services import results

    monkeypatch.setattr(results, "CALLBACKS_KEPT", 3)
    for _ in range(5):
        assert call_back(sent, b"{}").status_code == 200
    assert Callback.objects.count() == 3


@pytest.mark.parametrize(
    ("notice", "others", "woken"),
    [
        (failed(), False, []),
        (failed(), True, ["fill"]),
        (completed(), False, ["advance"]),
        (completed(), True, ["advance", "fill"]),
        (b"nonsense", False, ["advance"]),
    ],
)
def test_the_worker_is_woken_for_what_there_is_to_do(
    bob, sent, django_capture_on_commit_callbacks, notice, others, woken
):
    if others:
        bob.generate()
    HUEY.flush()
    with django_capture_on_commit_callbacks(execute=True):
        call_back(sent, notice)
    assert sorted(task.name for task in HUEY.pending()) == woken
