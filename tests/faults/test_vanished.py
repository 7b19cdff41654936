"""Tasks that the provider takes and never speaks of again hold up nobody, and end honestly."""

from datetime import timedelta

import pytest

from tests.people import card
from videos.models import Generation
from videos.states import State

pytestmark = pytest.mark.django_db


def test_five_vanish_their_slots_come_free_others_go_on_and_the_five_end(ada, bob, provider, work, clock):
    for number in range(5):
        ada.generate(f"vanishing {number}")
    work()
    bob.generate("waiting")
    work(3)
    assert len(provider.created) == 5
    assert bob.only().state == State.QUEUED

    clock.shift(timedelta(seconds=300 + 10 * 60 + 1))
    work()
    assert len(provider.created) == 6
    assert bob.only().state == State.PROCESSING
    provider.task_completed("task-6")
    clock.shift(20)
    work()
    assert bob.only().state == State.COMPLETED
    bob.generate("and another")
    work()
    assert len(provider.created) == 7

    clock.shift(timedelta(hours=48))
    work(2)
    five = Generation.objects.filter(owner=ada.user)
    assert set(five.values_list("state", "error_code")) == {(State.FAILED, "never_answered")}
    words = card(ada.get("/"), five[0])
    assert "The provider took the task and never told its end." in words
    assert "Send again" in words
    clock.shift(timedelta(days=2))
    work(3)
    assert len(provider.created) == 7, "nothing is sent again by itself"


def test_one_of_the_vanished_that_turns_up_after_all_is_found(ada, provider, work, clock):
    ada.generate()
    work()
    clock.shift(timedelta(hours=20))
    work()
    assert ada.only().state == State.PROCESSING
    provider.task_completed("task-1")
    clock.shift(timedelta(hours=1, seconds=1))
    work()
    assert ada.only().state == State.COMPLETED
