"""Answers and callbacks are lost, and prompts are alike: everybody gets their own video or none.

More of the search in the history stands in tests/test_following.py.
"""

import itertools

import pytest
import requests

from tests.provider import completed
from videos.models import Generation, Video

pytestmark = pytest.mark.django_db


@pytest.fixture
def both(ada, bob, provider, work, clock):
    """Ada and Bob have asked for the same, and both answers were lost."""
    provider.create = lambda body: requests.ReadTimeout()
    ada.generate("the same")
    bob.generate("the same")
    work()
    clock.shift(5)
    return ada.only(), bob.only()


def entry(generation, task_id, *, named=True):
    request = dict(generation.request_body)
    if not named:
        del request["callback_url"]
    return {"id": task_id, "request": request, "response": completed(task_id), "created_at": 1.0}


@pytest.mark.parametrize("order", list(itertools.permutations([0, 1])))
def test_with_the_callbacks_address_in_the_history_each_gets_their_own(both, provider, work, order):
    entries = [entry(both[0], "task-a"), entry(both[1], "task-b")]
    provider.history = [entries[number] for number in order]
    work()
    assert {g.owner.username: g.task_id for g in Generation.objects.all()} == {"ada": "task-a", "bob": "task-b"}
    assert {v.owner.username: v.video_id for v in Video.objects.all()} == {
        "ada": "video-of-task-a",
        "bob": "video-of-task-b",
    }


@pytest.mark.parametrize("tasks", [["task-a"], ["task-a", "task-b"]], ids=["one", "two"])
def test_without_it_nobody_gets_what_may_be_the_others(both, provider, work, clock, tasks):
    provider.history = [entry(both[0], task, named=False) for task in tasks]
    for _ in range(40):
        work()
        clock.shift(30)
    assert not Video.objects.exists()
    assert set(Generation.objects.values_list("error_code", flat=True)) == {"not_confirmed"}
    assert len(provider.created) == 2


def test_one_named_and_one_not_the_named_ones_owner_alone_gets_it(both, provider, work):
    provider.history = [entry(both[1], "task-b"), entry(both[0], "task-a", named=False)]
    work()
    assert Generation.objects.get(owner=both[1].owner).task_id == "task-b"
    assert all(video.owner == both[1].owner or video.video_id == "video-of-task-a" for video in Video.objects.all())


def test_a_task_of_another_program_on_the_same_account_is_nobodys(ada, provider, work, clock):
    provider.create = lambda body: requests.ReadTimeout()
    ada.generate("the same")
    work()
    clock.shift(5)
    strange = entry(ada.only(), "task-x")
    strange["request"]["callback_url"] = "https://elsewhere.example.com/callbacks/luma/abc/"
    provider.history = [strange]
    work()
    assert not Video.objects.exists()
