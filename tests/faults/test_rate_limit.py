"""429: nothing was made, so the request waits ever longer and is sent again; in the end exactly once."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from tests import rows
from tests.people import state_on
from videos.models import FARTHEST_QUEUED, Generation, Site
from videos.services import provider as provider_service
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


def test_the_waits_of_many_sites_differ(ada, provider, work, clock):
    """Or all who share an account would come again at the same moment."""
    provider.create = lambda body: limited()
    ada.generate()
    seen = set()
    for _ in range(5):
        work()
        seen.add(waits(ada.only()))
        Generation.objects.update(tries=0, next_check_at=timezone.now())
        Site.objects.update(hold_until=None)
    assert len(seen) == 5


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


def test_after_it_nobody_is_sent_until_the_provider_wants_to_hear_of_us_again(ada, bob, provider, work, clock):
    provider.create = lambda body: limited(Retry_After="300")
    ada.generate("first")
    work()
    provider.create = None
    ada.generate("second")
    bob.generate("third")
    until = Site.objects.get().hold_until
    assert 300 <= (until - timezone.now()).total_seconds() <= 375
    while timezone.now() < until:
        work()
        assert len(provider.created) == 1
        clock.shift(min(20, (until - timezone.now()).total_seconds()))
    work()
    assert sorted(body["prompt"] for body in provider.created) == ["first", "first", "second", "third"]


def test_it_holds_for_whom_another_worker_was_about_to_send(ada, bob, provider, work, clock, monkeypatch):
    """Between choosing a row and sending it somebody else was told to wait: the last look is under the lock."""
    ada.generate()
    real = submitting._body

    def body(row):
        Site.objects.update(hold_until=timezone.now() + timedelta(seconds=100))
        return real(row)

    monkeypatch.setattr(submitting, "_body", body)
    work(2)
    assert provider.created == []
    assert ada.only().state == State.QUEUED
    clock.shift(101)
    monkeypatch.setattr(submitting, "_body", real)
    work()
    assert len(provider.created) == 1


def test_of_two_waits_told_at_once_the_longer_counts(clock):
    for delay, expected in ((100, 100), (40, 100), (200, 200)):
        submitting._hold(delay)
        assert Site.objects.get().hold_until - timezone.now() == timedelta(seconds=expected)
    # One that was written before the clock was set back counts for nothing.
    clock.shift(timedelta(hours=-2))
    submitting._hold(40)
    assert Site.objects.get().hold_until - timezone.now() == timedelta(seconds=40)


def test_no_wait_is_longer_than_what_is_believed():
    assert FARTHEST_QUEUED.total_seconds() > submitting.RETRY_AFTER_MOST * 1.25
    assert FARTHEST_QUEUED.total_seconds() > submitting.BACKOFF_MOST * 1.25
    assert provider_service.LEASE < FARTHEST_QUEUED


def test_those_who_wait_behind_it_are_told_that_the_provider_is_busy_and_of_no_fault(
    ada, bob, operator, provider, work, clock
):
    provider.create = lambda body: limited(Retry_After="300")
    ada.generate()
    bob.generate()
    words = b"The provider is busy. Your request is kept"
    row = bob.only()
    seen = f"{row.pk}:{row.stamp}"
    assert words not in bob.get("/").content
    work()
    assert state_on(bob.get("/"), row) == "queued"
    for page in ("/", f"/generations/{row.pk}/", f"/generations/live/?seen={seen}"):
        assert words in bob.get(page).content, page
    assert b"paused" not in bob.get("/status/").content
    assert bob.get("/healthz/").json()["submissions"] == "ok"
    assert b"The provider is busy. Nothing is sent until" in operator.get("/admin/videos/site/").content
    clock.shift(400)
    shown = f"/generations/live/?seen={row.pk}:queued...held"
    for page in ("/", f"/generations/{row.pk}/", shown):
        assert words not in bob.get(page).content, page
    assert bob.get(shown).status_code == 200, "the card changes by itself"


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
