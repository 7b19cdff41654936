"""429: nothing was made, so the request waits ever longer and is sent again; in the end exactly once."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from tests import rows
from tests.people import state_on
from videos.models import Generation
from videos.services import submitting
from videos.states import State

pytestmark = pytest.mark.django_db


def limited(**headers: str):
    body = {"error": {"code": "too_many_requests", "message": "Slow down."}}
    return 429, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(body)


def waits(generation) -> float:
    """Seconds until the generation's next turn."""
    generation.refresh_from_db()
    return (generation.next_check_at - timezone.now()).total_seconds()


def test_it_waits_twice_as_long_each_time_and_a_minute_at_most(ada, provider, work, clock):
    provider.create = lambda body: limited()
    ada.generate()
    for number, expected in enumerate([2, 4, 8, 16, 32, 60, 60], start=1):
        work(2)
        assert len(provider.created) == number
        wait = waits(ada.only())
        assert 0.75 * expected <= wait <= 1.25 * expected
        clock.shift(wait - 0.1)
        work()
        assert len(provider.created) == number, "too early"
        clock.shift(0.2)
    provider.create = None
    work(3)
    assert ada.only().state == State.PROCESSING
    assert len(provider.created) == 8


def test_the_waits_of_many_differ(ada, provider, work, clock):
    provider.create = lambda body: limited()
    for number in range(5):
        ada.generate(f"film {number}")
    work(5)
    assert len({waits(row) for row in Generation.objects.all()}) == 5


@pytest.mark.parametrize("told", [5, 90, 400])
def test_it_is_never_sent_sooner_than_the_provider_said(ada, provider, work, clock, told, monkeypatch):
    provider.create = lambda body: limited(Retry_After=str(told))
    ada.generate()
    work()
    for luck in (0.0, 0.5, 1.0):
        monkeypatch.setattr(submitting.random, "uniform", lambda low, high, luck=luck: low + (high - low) * luck)
        wait = waits(ada.only())
        assert told <= wait <= max(told * 1.26, 20)  # its own backoff goes on beside
        clock.shift(wait - 0.1)
        count = len(provider.created)
        work()
        assert len(provider.created) == count
        clock.shift(0.2)
        work()
        assert len(provider.created) == count + 1


@pytest.mark.parametrize("told", ["99999", "9" * 30, "-5", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", "1e9", "²"])
def test_nonsense_in_retry_after_puts_nothing_off_for_long(ada, provider, work, clock, told):
    provider.create = lambda body: (429, {"Retry-After": told.encode("utf-8").decode("latin-1")}, "")
    ada.generate()
    work()
    assert 1 <= waits(ada.only()) <= 750


def test_a_long_queue_does_not_become_a_hail_of_requests(ada, provider, work, clock):
    provider.create = lambda body: limited()
    for number in range(30):
        rows.generation(ada.user, prompt=f"film {number}", aspect_ratio="16:9", next_check_at=timezone.now())
    work()
    assert len(provider.created) == 1
    work(4)
    assert len(provider.created) <= 5


def test_its_card_says_that_it_waits_and_it_is_made_once_in_the_end(ada, provider, work, clock):
    answers = iter([limited(), limited(), {"task_id": "task-1"}])
    provider.create = lambda body: next(answers)
    ada.generate()
    work()
    page = ada.get("/")
    assert state_on(page, ada.only()) == "queued"
    assert b"The provider is busy. Your request is kept" in page.content
    for _ in range(20):
        clock.shift(timedelta(seconds=10))
        work()
    assert len(provider.created) == 3
    row = ada.only()
    assert (row.state, row.task_id, row.error_code) == (State.PROCESSING, "task-1", "")
    # Nothing was made before, so the slots were free meanwhile and the times are the last try's.
    assert row.sent_at > row.created_at
