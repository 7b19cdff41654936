"""Each magic word does what its line says."""

import pytest
import requests

from tests.sandbox.conftest import until
from videos.sandbox.words import WORDS


def test_every_word_has_a_plain_line():
    assert len(WORDS) == 10
    for word, line in WORDS.items():
        assert word == word.lower()
        assert word[0] + word[-1] == "[]"
        assert line.endswith(".")


def test_slow_takes_its_time(start):
    client = start(slow_seconds=0.5)

    assert client.ended(client.make("a cat [SLOW]"))["elapsed"] >= 0.5


def test_moderated_is_refused_and_makes_nothing(client):
    answer = client.post("/luma/videos", {"prompt": "a cat [moderated]", "async": True})

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    assert client.sandbox.ledger.tasks() == []


def test_fail_is_accepted_and_then_fails_unbilled(client):
    answer = client.post("/luma/videos", {"prompt": "a cat [fail]"})

    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "api_error"
    assert client.sandbox.ledger.charges() == {}


def test_lost_callback_finishes_without_a_word(client, receiver):
    client.ended(client.make("a cat [lost callback]", callback_url=receiver.url))
    client.make(callback_url=receiver.url)

    until(lambda: receiver.seen)
    assert [told["prompt"] for told in receiver.seen] == ["a cat"]


def test_double_callback_says_it_twice(client, receiver):
    client.make("a cat [double callback]", callback_url=receiver.url)

    until(lambda: len(receiver.seen) == 2)
    assert receiver.seen[0] == receiver.seen[1]


def test_early_callback_arrives_before_the_answer(start, receiver):
    client = start(seconds=60)

    task_id = client.make("a cat [early callback]", callback_url=receiver.url)

    assert [told["task_id"] for told in receiver.seen] == [task_id]


def test_drop_makes_and_bills_and_cuts_the_connection(client, receiver):
    with pytest.raises(requests.ConnectionError):
        client.make("a cat [drop]", callback_url=receiver.url)

    assert client.sandbox.ledger.charges() == {receiver.url: 1}
    until(lambda: receiver.seen)
    assert client.sandbox.ledger.posts()[0]["status"] is None


def test_rate_limit_refuses_the_same_request_twice(client):
    request = {"prompt": "a cat [rate limit]", "async": True}

    answers = [client.post("/luma/videos", request) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [429, 429, 200, 429]
    assert answers[0].headers["Retry-After"] == "1"
    assert len(client.sandbox.ledger.charges()) == 1


def test_used_up_refuses_everything_until_the_next_start(client):
    used_up = {"prompt": "a cat [used up]", "async": True}
    plain = {"prompt": "a cat", "async": True}

    for request in (used_up, plain, used_up):
        answer = client.post("/luma/videos", request)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "used_up")

    client.sandbox.stop()
    client.sandbox.start()
    # The request that used it up goes through now: whoever keeps it for later can be rid of it.
    assert client.post("/luma/videos", used_up).status_code == 200
    assert client.post("/luma/videos", plain).status_code == 200


def test_expired_links_answer_403(client):
    result = client.finish("a cat [expired]")

    assert requests.get(result["video_url"], timeout=10).status_code == 403
    assert requests.get(result["thumbnail_url"], timeout=10).status_code == 403
