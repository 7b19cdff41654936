"""The clock is an hour off, or is set back or forth while requests are out: nothing is lost, or sent twice."""

import re
from datetime import datetime, timedelta

import pytest
import requests
from django.utils import timezone

from tests import rows
from tests.provider import completed
from videos import links
from videos.models import Generation
from videos.services import provider as provider_service
from videos.states import State

pytestmark = pytest.mark.django_db

STEPS = [timedelta(hours=-3), timedelta(hours=-1), timedelta(seconds=-30), timedelta(seconds=30), timedelta(hours=1)]
by_step = pytest.mark.parametrize("step", STEPS, ids=str)


@pytest.fixture(autouse=True)
def _nobody_sleeps(monkeypatch):
    """The clock stands still: who waited for it to pass would wait for ever."""
    monkeypatch.setattr(provider_service, "sleep", lambda seconds: pytest.fail("it waits for its turn"))


def live(work, clock, minutes: float, every: float = 300) -> None:
    """Let time go by, with the worker at work."""
    for _ in range(int(minutes * 60 / every)):
        work()
        clock.shift(every)


@by_step
def test_what_was_asked_before_the_step_is_sent_after_it_once(ada, provider, work, clock, step):
    ada.generate()
    clock.shift(step)
    live(work, clock, 80)
    assert len(provider.created) == 1
    assert ada.only().task_id == "task-1"


@by_step
def test_what_waits_for_its_next_try_gets_it(ada, provider, work, clock, step):
    provider.create = lambda body: (429, {"Retry-After": "300"}, "")
    ada.generate()
    work()
    provider.create = None
    clock.shift(step)
    live(work, clock, 80)
    assert ada.only().state == State.PROCESSING
    assert len(provider.created) == 2


@by_step
def test_after_a_429_all_go_on_whatever_the_clock_says(ada, bob, provider, work, clock, step):
    provider.create = lambda body: (429, {"Retry-After": "300"}, "")
    ada.generate()
    work()
    provider.create = None
    bob.generate()
    clock.shift(step)
    live(work, clock, 25, every=60)
    assert {ada.only().state, bob.only().state} == {State.PROCESSING}
    assert len(provider.created) == 3


@pytest.mark.parametrize("minutes", [-20, -45, -69])
def test_who_waits_to_be_sent_does_not_wait_for_an_hour_because_the_clock_was_set_back(
    ada, provider, work, clock, minutes
):
    ada.generate()
    clock.shift(timedelta(minutes=minutes))
    live(work, clock, 5)
    assert len(provider.created) == 1


@by_step
def test_a_claim_holds_while_its_holder_works_and_ends_when_it_died(ada, provider, work, clock, step):
    """The holder of the first claim is at it while the clock is set: nobody sends the row a second time."""

    def stepping(body):
        clock.shift(step)
        work(2)
        return {"task_id": "task-1"}

    provider.create = stepping
    ada.generate()
    work()
    assert len(provider.created) == 1
    assert ada.only().task_id == "task-1"

    died = rows.generation(
        ada.user, State.SUBMITTING, prompt="died", next_check_at=timezone.now() + provider_service.LEASE
    )
    clock.shift(step)
    live(work, clock, 80)
    died.refresh_from_db()
    assert died.state in (State.UNCONFIRMED, State.FAILED)
    assert len(provider.created) == 1


@by_step
def test_a_lost_answer_is_found_and_a_lost_task_is_given_up(ada, provider, work, clock, step):
    provider.create = lambda body: requests.ReadTimeout()
    ada.generate("found")
    ada.generate("never found")
    work()
    clock.shift(step)
    found = Generation.objects.get(prompt="found")
    provider.history = {"items": [{"id": "task-9", "request": found.request_body, "response": completed("task-9")}]}
    live(work, clock, 4 * 60)
    found.refresh_from_db()
    assert found.state == State.COMPLETED
    lost = Generation.objects.get(prompt="never found")
    assert (lost.state, lost.error_code) == (State.FAILED, "not_confirmed")
    assert len(provider.created) == 2
    since = [body["created_at_min"] for body in provider.asked if "created_at_min" in body]
    assert max(since) <= found.sent_at.timestamp() - 3600


@by_step
def test_slots_come_free_whatever_the_clock_says(ada, provider, work, clock, settings, step):
    settings.LUMA_MAX_IN_FLIGHT = 1
    ada.generate("vanishes")
    work()
    clock.shift(step)
    ada.generate("waits")
    live(work, clock, 4.5 * 60 if step < timedelta(0) else 90)
    assert [body["prompt"] for body in provider.created] == ["vanishes", "waits"]


@by_step
def test_a_pause_ends_with_a_probe(ada, provider, work, clock, step):
    provider.create = lambda body: (401, {}, "")
    ada.generate()
    work()
    provider.create = None
    clock.shift(step)
    live(work, clock, 80)
    assert ada.only().state == State.PROCESSING
    assert len(provider.created) == 2


@by_step
def test_the_turn_to_ask_comes(ada, clock, step, monkeypatch):
    monkeypatch.setattr(provider_service, "ASK_INTERVAL", timedelta(seconds=1.05))
    waited = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        clock.shift(seconds)
        assert sum(waited) <= 65, "it waits in vain"

    monkeypatch.setattr(provider_service, "sleep", sleep)
    provider_service.wait_for_turn()
    clock.shift(step)
    provider_service.wait_for_turn()


@by_step
def test_the_pages_of_the_gallery_neither_lose_nor_repeat_a_card(ada, clock, step):
    for number in range(60):
        if number == 30:
            clock.shift(step)
        rows.generation(ada.user, prompt=f"film {number}")
        clock.shift(1)
    seen, path = [], "/"
    while path:
        page = ada.get(path).content.decode()
        seen += re.findall(r'<article id="generation-([0-9a-f-]{36})"', page)
        following = re.search(r'rel="next" href="([^"]+)"|href="([^"]+)"[^>]*rel="next"', page)
        path = "/" + (following[1] or following[2]).replace("&amp;", "&") if following else ""
    assert len(seen) == 60
    assert len(set(seen)) == 60


@by_step
def test_the_days_limit_counts_what_was_made_on_either_side(ada, clock, settings, step):
    settings.GENERATIONS_PER_DAY = 2
    ada.generate("one")
    clock.shift(step)
    ada.generate("two")
    assert b"used up your generations" in ada.generate("three").content
    clock.shift(timedelta(hours=28))
    assert ada.generate("four").status_code == 302


@by_step
def test_a_frames_link_still_fits(clock, step):
    link = links.signed_file_url("frames/x.png")
    clock.shift(step)
    assert links.signature_fits("frames/x.png", link.partition("signature=")[2])


def test_an_absurd_clock_breaks_no_page(ada, provider, work, clock):
    ada.generate()
    work()
    clock.move_to(datetime(1990, 1, 1, tzinfo=timezone.get_current_timezone()))
    for path in ("/", f"/generations/{ada.only().pk}/", "/status/", "/healthz/", "/you/"):
        assert ada.get(path).status_code in (200, 302, 503), path
    work()
    assert len(provider.created) == 1
