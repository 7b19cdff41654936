"""Bad days, for drills."""

import collections

import pytest
import requests

from videos.sandbox.chaos import KINDS, Dice


def test_the_same_seed_gives_the_same_mishaps():
    one, other = (Dice(0.5, 7, (2, 40)) for _ in range(2))

    mishaps = [one.request() for _ in range(200)]

    assert mishaps == [other.request() for _ in range(200)]
    assert {mishap.kind for mishap in mishaps if mishap} == set(KINDS)
    assert 60 < sum(mishap is not None for mishap in mishaps) < 140


def test_a_rate_limit_never_makes_a_task():
    dice = Dice(1.0, 1, (2, 40))

    assert not any(mishap.made for mishap in (dice.request() for _ in range(300)) if mishap and mishap.kind == "429")


def test_without_chaos_nothing_goes_wrong():
    dice = Dice(0.0, 1, (2, 40))

    assert not any(dice.request() for _ in range(100))
    assert {dice.callbacks() for _ in range(100)} == {1}


@pytest.mark.parametrize("chance", [-0.1, 1.1, float("nan")])
def test_a_chance_is_from_0_to_1(chance):
    with pytest.raises(ValueError, match="probability"):
        Dice(chance, 0, (2, 40))


def test_what_clients_see_on_a_bad_day_agrees_with_the_ledger(start, receiver):
    client = start(chaos=0.7, seed=3, hang_seconds=(0.01, 0.02))
    outcomes = collections.Counter()
    for _ in range(60):
        try:
            answer = client.post("/luma/videos", {"prompt": "a cat", "callback_url": receiver.url})
            outcomes[answer.status_code] += 1
            if answer.status_code == 502:
                assert answer.headers["Content-Type"] == "text/html"
        except requests.ConnectionError:
            outcomes["cut"] += 1

    posts = client.sandbox.ledger.posts()
    assert collections.Counter(post["status"] or "cut" for post in posts) == outcomes
    assert outcomes.keys() == {200, 429, 500, 502, 504, "cut"}
    assert len(client.sandbox.ledger.tasks()) > outcomes[200]
