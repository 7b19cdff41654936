"""When no callback comes: running tasks are asked about, and lost answers are looked for."""

from datetime import timedelta

import pytest
import requests
from django.utils import timezone

from tests.people import call_back, state_on
from tests.provider import completed, error, failed
from videos import services
from videos.models import Generation, GenerationQuerySet, Video
from videos.states import State

pytestmark = pytest.mark.django_db


def history_entry(generation, task_id, **words):
    """A task in the account's history, made by this generation's request."""
    generation.refresh_from_db()
    return {
        "id": task_id,
        "request": dict(generation.request_body),
        "response": completed(task_id),
        "created_at": 1.0,
        **words,
    }


def test_a_lost_callback_is_made_up_for_by_asking(ada, provider, work, clock):
    ada.generate()
    work()
    provider.task_completed("task-1")
    work()
    assert provider.asked == []
    clock.shift(15)
    work()
    row = ada.only()
    assert row.state == State.COMPLETED
    assert row.found_at is not None
    assert row.notified_at is None


def test_many_tasks_are_asked_about_in_one_request(ada, provider, work, clock, settings):
    for number in range(4):
        ada.generate(f"film {number}")
    work()
    clock.shift(15)
    provider.task_completed("task-2")
    provider.task_replies["task-3"] = {"id": "task-3", "response": failed("task-3"), "finished_at": 2.0}
    work()
    assert [sorted(body["ids"]) for body in provider.asked] == [["task-1", "task-2", "task-3", "task-4"]]
    states = dict(Generation.objects.values_list("task_id", "state"))
    assert states == {"task-1": "processing", "task-2": "completed", "task-3": "failed", "task-4": "processing"}
    clock.shift(15)
    work()
    assert sorted(provider.asked[-1]["ids"]) == ["task-1", "task-4"]


@pytest.fixture
def callback_before_the_claim(ada, monkeypatch):
    """A callback comes between the look for due rows and their being taken."""
    claim = GenerationQuerySet.claim

    def late(rows, *words):
        call_back(ada.only(), completed("task-1"))
        return claim(rows, *words)

    return lambda: monkeypatch.setattr(GenerationQuerySet, "claim", late)


def test_a_callback_just_before_the_poll_keeps_no_film_waiting(ada, provider, work, clock, callback_before_the_claim):
    ada.generate()
    work()
    clock.shift(15)
    callback_before_the_claim()
    services.ask_due()
    assert ada.only().state == State.COMPLETED
    assert Generation.objects.due(timezone.now()).exists()


def test_a_callback_just_before_the_look_into_the_history_keeps_no_film_waiting(
    ada, provider, work, clock, callback_before_the_claim
):
    provider.create = requests.ReadTimeout()
    ada.generate()
    work()
    assert ada.only().state == State.UNCONFIRMED
    clock.shift(3600)
    callback_before_the_claim()
    services.confirm_due()
    assert ada.only().state == State.COMPLETED
    assert Generation.objects.due(timezone.now()).exists()


def test_where_the_batch_is_refused_each_is_asked_about(ada, provider, work, clock, monkeypatch):
    for number in range(2):
        ada.generate(f"film {number}")
    work()
    clock.shift(15)
    provider.task_completed("task-2")
    whole = provider._tasks

    def no_batches(self, task_ids):
        from videos.luma.errors import Rejected

        raise Rejected("no batches here")

    monkeypatch.setattr("videos.luma.client.LumaClient.retrieve_batch", no_batches)
    work()
    assert whole is not None
    assert Generation.objects.get(task_id="task-2").state == State.COMPLETED


def test_vanished_tasks_free_their_slots_and_end_honestly(ada, provider, work, clock, settings):
    settings.LUMA_MAX_IN_FLIGHT = 2
    for number in range(3):
        ada.generate(f"film {number}")
    work()
    assert len(provider.created) == 2
    clock.shift(300 + 601)
    work()
    assert len(provider.created) == 3
    asked = len(provider.asked)
    clock.shift(600)
    work()
    hourly = [body for body in provider.asked[asked:] if "task-1" in str(body)]
    assert hourly == []
    clock.shift(48 * 3600)
    work()
    first = Generation.objects.get(task_id="task-1")
    assert first.state == State.FAILED
    assert first.error_code == "never_answered"


@pytest.mark.parametrize(
    "loss",
    [
        requests.ReadTimeout(),
        requests.ConnectionError("reset"),
        error(500, "api_error"),
        error(504, "timeout"),
        (502, {}, "<html>bad gateway</html>"),
        (200, {}, "<html>ok</html>"),
        {"success": True},
        (307, {"Location": "https://api.provider.example/luma/videos"}, ""),
        (408, {}, ""),
    ],
    ids=["timeout", "reset", "500", "504", "html502", "html200", "no task", "redirect", "408"],
)
def test_a_lost_answer_is_never_sent_again_and_found_in_the_history(ada, provider, work, clock, loss):
    provider.create = lambda body: loss
    ada.generate()
    work()
    assert state_on(ada.get("/"), ada.only()) == "unconfirmed"
    clock.shift(5)
    provider.history = [history_entry(ada.only(), "task-9")]
    work()
    row = ada.only()
    assert row.state == State.COMPLETED
    assert row.task_id == "task-9"
    for _ in range(5):
        clock.shift(120)
        work()
    assert len(provider.created) == 1


def test_a_lost_answer_whose_task_still_runs_is_followed(ada, provider, work, clock):
    provider.create = lambda body: requests.ReadTimeout()
    ada.generate()
    work()
    provider.history = [history_entry(ada.only(), "task-9", response={})]
    clock.shift(5)
    work()
    assert ada.only().state == State.PROCESSING
    assert ada.only().task_id == "task-9"


def test_an_answer_that_stays_lost_ends_as_not_confirmed_and_offers_to_send_again(ada, provider, work, clock):
    provider.create = lambda body: requests.ReadTimeout()
    ada.generate()
    for _ in range(40):
        work()
        clock.shift(30)
    row = ada.only()
    assert row.state == State.FAILED
    assert row.error_code == "not_confirmed"
    assert len(provider.created) == 1
    page = ada.get("/").content.decode()
    assert "may be charged" in page
    # Asked at once and then ever more rarely: not at every pass.
    assert 5 <= len(provider.asked) <= 10
    assert timezone.now() - row.sent_at > timedelta(seconds=900)


def test_without_the_callback_url_one_equal_task_and_one_row_are_a_match(ada, provider, work, clock):
    provider.create = lambda body: requests.ReadTimeout()
    ada.generate()
    work()
    entry = history_entry(ada.only(), "task-9")
    del entry["request"]["callback_url"]
    provider.history = [entry]
    clock.shift(5)
    work()
    assert ada.only().task_id == "task-9"


def test_two_users_with_the_same_prompt_and_two_lost_answers_get_their_own_or_none(ada, bob, provider, work, clock):
    provider.create = lambda body: requests.ReadTimeout()
    ada.generate("the same")
    bob.generate("the same")
    work()
    entries = [history_entry(ada.only(), "task-a"), history_entry(bob.only(), "task-b")]
    for entry in entries:
        del entry["request"]["callback_url"]
    provider.history = entries
    clock.shift(5)
    work()
    assert not Video.objects.exists()

    provider.history = [history_entry(ada.only(), "task-a"), history_entry(bob.only(), "task-b")]
    clock.shift(15)
    work()
    assert ada.only().task_id == "task-a"
    assert bob.only().task_id == "task-b"


def test_another_generations_task_is_never_taken(ada, bob, provider, work, clock):
    provider.create = lambda body: requests.ReadTimeout()
    ada.generate("the same")
    work()
    provider.create = None
    bob.generate("the same")
    work()
    entry = history_entry(bob.only(), bob.only().task_id)
    del entry["request"]["callback_url"]
    provider.history = [entry]
    clock.shift(5)
    work()
    assert ada.only().state == State.UNCONFIRMED


def test_a_longer_history_is_read_page_by_page(ada, provider, work, clock):
    provider.create = lambda body: requests.ReadTimeout()
    ada.generate()
    work()
    others = [{"id": f"other-{n}", "request": {"prompt": "x"}, "response": {}} for n in range(150)]
    provider.history = [*others, history_entry(ada.only(), "task-9")]
    clock.shift(5)
    work()
    assert ada.only().task_id == "task-9"
