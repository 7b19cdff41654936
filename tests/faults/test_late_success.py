"""A success that comes when nobody expects it any more: the video was paid for, so it is kept, and nothing is sent."""

import pytest
import requests

from tests.people import call_back, state_on
from tests.provider import completed
from videos import services
from videos.luma import schema
from videos.models import Callback, Generation, Video
from videos.states import State

pytestmark = pytest.mark.django_db


def queued(ada, operator, provider, work, clock):
    ada.generate()


def queued_again(ada, operator, provider, work, clock):
    provider.create = lambda body: (429, {}, "")
    ada.generate()
    work()
    provider.create = None
    assert ada.only().state == State.QUEUED


def not_confirmed(ada, operator, provider, work, clock):
    provider.create = lambda body: requests.ReadTimeout()
    ada.generate()
    for _ in range(40):
        work()
        clock.shift(30)
    provider.create = None
    assert ada.only().error_code == "not_confirmed"


def marked_failed(ada, operator, provider, work, clock):
    ada.generate()
    work()
    action = {"action": "mark_failed", "_selected_action": [str(ada.only().pk)]}
    operator.post("/admin/videos/generation/", action, page="/admin/")
    assert ada.only().error_code == "marked_failed"


def vanished(ada, operator, provider, work, clock):
    ada.generate()
    work()
    clock.shift(49 * 3600)
    work()
    assert ada.only().error_code == "never_answered"


def deleted(ada, operator, provider, work, clock):
    ada.generate()
    work()
    ada.post(f"/generations/{ada.only().pk}/delete/")


def deleted_unsent(ada, operator, provider, work, clock):
    ada.generate()
    ada.post(f"/generations/{ada.only().pk}/delete/")
    assert ada.only().error_code == "cancelled"


def told_to_have_failed(ada, operator, provider, work, clock):
    ada.generate()
    work()
    services.apply_result(ada.only().pk, schema.Failed("task-1", "api_error", "No."), "callback")
    assert ada.only().state == State.FAILED


SITUATIONS = [
    queued,
    queued_again,
    not_confirmed,
    marked_failed,
    vanished,
    deleted,
    deleted_unsent,
    told_to_have_failed,
]


@pytest.mark.parametrize("via", ["callback", "asked"])
@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.__name__)
def test_the_video_is_kept_and_nothing_is_sent(ada, operator, provider, work, clock, situation, via):
    situation(ada, operator, provider, work, clock)
    sent = len(provider.created)
    if via == "callback":
        assert call_back(ada.only(), completed()).status_code == 200
        assert Callback.objects.latest("pk").outcome == "applied"
    else:
        services.apply_result(ada.only().pk, schema.read_result(completed()), "asked")
    for _ in range(10):
        work(2)
        clock.shift(600)
    row = ada.only()
    assert (row.state, row.error_code, row.error_message) == (State.COMPLETED, "", "")
    assert Video.objects.get() == row.video
    assert len(provider.created) == sent
    page = ada.get("/")
    assert state_on(page, row) == ("" if situation in (deleted, deleted_unsent) else "completed")


def test_another_tasks_success_is_no_success_of_ours(ada, bob, provider, work, clock):
    ada.generate()
    bob.generate()
    work()
    row = Generation.objects.get(owner=ada.user)
    others = Generation.objects.get(owner=bob.user).task_id
    call_back(row, completed(others))
    assert not Video.objects.exists()
    assert Callback.objects.get().outcome == "other_task"
