"""Tasks: how they are answered, asked about, and how they end."""

import time

import pytest

from tests.sandbox.conftest import until


def test_an_async_request_is_answered_at_once(start):
    client = start(seconds=60)

    answer = client.post("/luma/videos", {"prompt": "a cat", "async": True})

    assert answer.status_code == 200
    assert answer.json().keys() == {"success", "task_id"}


def test_a_plain_request_is_answered_with_the_result(client):
    result = client.finish("a cat", aspect_ratio="9:16")

    assert result["success"] is True
    assert (result["state"], result["prompt"]) == ("completed", "a cat")
    assert result["video_url"].startswith(client.sandbox.url)
    assert result["video_width"] < result["video_height"]


def test_a_plain_request_that_takes_longer_than_its_timeout_is_answered_504(start):
    client = start(seconds=60)

    answer = client.post("/luma/videos", {"prompt": "a cat", "timeout": 0.05})

    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "timeout")
    assert len(client.sandbox.ledger.charges()) == 1


def test_a_running_task_has_an_empty_response_and_no_end(start):
    client = start(seconds=60)
    request = {"prompt": "a cat", "async": True, "callback_url": "https://example.com/x", "enhancement": False}
    task = client.task(client.post("/luma/videos", request).json()["task_id"])

    assert task["request"] == request
    assert task["response"] == {}
    assert time.time() - 60 < task["created_at"] <= task["started_at"] <= time.time()
    assert "finished_at" not in task
    assert "elapsed" not in task


def test_an_ended_task_has_its_result_and_its_times(client):
    task = client.ended(client.make())

    assert task["response"]["success"] is True
    assert task["response"]["task_id"] == task["id"]
    assert task["finished_at"] >= task["created_at"]
    assert task["elapsed"] == pytest.approx(task["finished_at"] - task["created_at"], abs=0.01)


def test_a_task_takes_the_seconds_it_is_told(start):
    client = start(seconds=0.4)

    assert client.ended(client.make())["elapsed"] >= 0.4


def test_an_unknown_task_is_an_empty_object(client):
    assert client.task("nobody") == {}


def test_a_batch_has_the_tasks_in_the_order_asked_without_the_unknown(client):
    first, second = client.make("one"), client.make("two")

    told = client.post("/luma/tasks", {"action": "retrieve_batch", "ids": [second, "nobody", first]}).json()

    assert [task["id"] for task in told["items"]] == [second, first]
    assert told["count"] == 2


def test_the_history_is_newest_first_in_pages_and_between_times(client):
    made = [client.make(f"number {n}") for n in range(5)]
    times = [task["created_at"] for task in client.sandbox.ledger.tasks()]

    def history(**bounds):
        return client.post("/luma/tasks", {"action": "retrieve_batch", **bounds}).json()

    assert [task["id"] for task in history()["items"]] == made[::-1]
    page = history(limit=2, offset=1)
    assert [task["id"] for task in page["items"]] == [made[3], made[2]]
    assert page["count"] == 5
    between = history(created_at_min=times[1], created_at_max=times[3])
    assert [task["id"] for task in between["items"]] == made[3:0:-1]


@pytest.mark.parametrize(
    "body",
    [{}, {"action": "retrieve"}, {"action": "retrieve_batch", "ids": [1]}, {"action": "retrieve_batch", "limit": 0}],
)
def test_a_malformed_question_is_a_bad_request(client, body):
    assert client.post("/luma/tasks", body).status_code == 400


def test_with_a_limit_in_flight_more_tasks_are_refused_and_not_billed(start):
    client = start(seconds=60, limit_in_flight=2)
    client.make(), client.make()

    answer = client.post("/luma/videos", {"prompt": "one more", "async": True})

    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_requests")
    assert sum(client.sandbox.ledger.charges().values()) == 2
    assert client.sandbox.ledger.max_in_flight == 2


def test_an_extension_of_an_unknown_video_fails(client):
    task = client.ended(client.make(action="extend", video_id="nobody"))

    assert task["response"]["success"] is False
    assert task["response"]["error"] == {"code": "api_error", "message": "video not found"}


def test_a_frame_that_cannot_be_fetched_fails_the_task_and_costs_nothing(client):
    url = client.sandbox.url + "/uploads/none.png"

    answer = client.post("/luma/videos", {"prompt": "a cat", "start_image_url": url})

    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("start_image_url could not be fetched: it answered 404")
    assert client.sandbox.ledger.charges() == {}


def test_what_is_no_image_fails_the_task(client):
    video = client.finish()["video_url"]

    answer = client.post("/luma/videos", {"prompt": "a cat", "end_image_url": video})

    assert answer.json()["error"]["message"] == "end_image_url could not be fetched: not an image"


def test_links_follow_the_sandbox_to_another_port(start):
    first = start()
    made = first.make()
    first.ended(made)
    first.sandbox.stop()

    second = start()

    assert second.task(made)["response"]["video_url"].startswith(second.sandbox.url)


def test_a_stop_does_not_wait_for_slow_tasks_or_requests(start):
    client = start(seconds=60)
    client.make()
    started = time.monotonic()

    client.sandbox.stop()

    assert time.monotonic() - started < 3
    until(lambda: len(client.sandbox.ledger.unfinished()) == 1)


def test_a_stopped_sandbox_can_be_started_again(client):
    url = client.sandbox.url
    client.sandbox.stop()

    client.sandbox.start()

    assert client.sandbox.url == url
    assert client.finish()["success"] is True
