"""The rows: which changes of state there are, what the database refuses, what is due and who gets it."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from tests import rows
from videos.models import FARTHEST, FARTHEST_QUEUED, Callback, Frame, Generation, Site, User, Video, new_callback_token
from videos.states import IN_FLIGHT, TERMINAL, TRANSITIONS, State, sources

pytestmark = pytest.mark.django_db
PAIRS = [(before, after) for before in State for after in State]


@pytest.fixture
def owner() -> User:
    return User.objects.create_user("ada")


# --- states ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "after"), PAIRS, ids=[f"{a}-{b}" for a, b in PAIRS])
def test_a_generation_moves_only_along_the_machine(before, after, owner):
    row = rows.generation(owner, before)
    fields = {"video": rows.video(owner)} if after == State.COMPLETED else {}
    if after in rows.SENT:
        fields |= rows.sent(timezone.now())
    moved = Generation.objects.move(row.pk, after, error_message="moved", **fields)
    assert moved == (after in TRANSITIONS[before])
    row.refresh_from_db()
    assert (row.state, row.error_message) == ((after, "moved") if moved else (before, ""))


def test_a_move_touches_one_row_alone(owner):
    one, other = rows.generation(owner), rows.generation(owner)
    assert Generation.objects.move(one.pk, State.FAILED)
    other.refresh_from_db()
    assert other.state == State.QUEUED


def test_a_row_that_is_gone_does_not_move(owner):
    assert not Generation.objects.move(uuid.uuid4(), State.FAILED)


def test_a_success_is_taken_from_every_state_but_completed():
    assert set(sources(State.COMPLETED)) == set(State) - {State.COMPLETED}


def test_nothing_leads_back_to_the_queue_but_sending():
    assert sources(State.QUEUED) == (State.SUBMITTING,)


def test_what_is_finished_never_changes_and_what_is_lost_is_never_sent_again():
    assert TRANSITIONS[State.COMPLETED] == frozenset()
    assert not TRANSITIONS[State.UNCONFIRMED] & {State.QUEUED, State.SUBMITTING}
    assert sources(State.SUBMITTING) == (State.QUEUED,)


def test_every_state_is_open_in_flight_or_at_rest():
    assert set(TRANSITIONS) == set(State)
    assert set(State) == TERMINAL | IN_FLIGHT | {State.QUEUED}


# --- what the database refuses --------------------------------------------------------------------


def refused(**changes) -> None:
    """Raise unless the database refuses to change the only generation like this."""
    with pytest.raises(IntegrityError), transaction.atomic():
        Generation.objects.update(**changes)


def test_completed_without_a_video_cannot_be(owner):
    rows.generation(owner)
    refused(state=State.COMPLETED)


@pytest.mark.parametrize("state", [state for state in State if state != State.COMPLETED])
def test_a_video_without_completed_cannot_be(state, owner):
    rows.generation(owner, state)
    refused(video=rows.video(owner))


def test_one_video_belongs_to_one_generation(owner):
    row = rows.stored_video(owner)
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.generation(owner, State.COMPLETED, video=row.video)


def test_one_task_belongs_to_one_generation(owner):
    rows.generation(owner, State.PROCESSING, task_id="task-1")
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.generation(owner, State.PROCESSING, task_id="task-1")


def test_many_generations_may_have_no_task_yet(owner):
    rows.generation(owner)
    rows.generation(owner)
    assert Generation.objects.filter(task_id=None).count() == 2


def test_one_click_makes_one_generation_for_each_owner(owner):
    key = uuid.uuid4()
    rows.generation(owner, submission_key=key)
    rows.generation(User.objects.create_user("bob"), submission_key=key)
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.generation(owner, submission_key=key)


def test_a_state_that_nobody_knows_cannot_be(owner):
    rows.generation(owner)
    refused(state="paused")
    refused(state="")


def test_an_empty_prompt_cannot_be(owner):
    rows.generation(owner)
    refused(prompt="")


@pytest.mark.parametrize("state", rows.SENT)
@pytest.mark.parametrize("field", ["sent_at", "request_body", "slot_until"])
def test_what_is_out_says_what_was_sent_and_when(state, field, owner):
    rows.generation(owner, state)
    refused(**{field: None})


def test_extending_takes_no_start_frame(owner):
    rows.generation(owner, action="extend", source=rows.video(owner))
    refused(start_frame=rows.frame(owner))
    refused(start_image_url="https://example.com/a.jpg")


def test_generating_takes_no_source(owner):
    rows.generation(owner)
    refused(source=rows.video(owner))
    refused(source_url="https://example.com/a.mp4")


def test_an_action_that_nobody_knows_cannot_be(owner):
    rows.generation(owner)
    refused(action="remix")


def test_two_generations_never_share_a_callback_token(owner):
    token = rows.generation(owner).callback_token
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.generation(owner, callback_token=token)


def test_a_callback_token_cannot_be_guessed():
    tokens = {new_callback_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) == 43 for token in tokens)


def test_there_is_one_site():
    assert Site.objects.count() == 1
    for pk in (0, 2):
        with pytest.raises(IntegrityError), transaction.atomic():
            Site.objects.create(pk=pk)


def test_a_frame_is_there_once_for_each_owner(owner):
    frame = rows.frame(owner)
    with pytest.raises(IntegrityError), transaction.atomic():
        Frame.objects.create(owner=owner, sha256=frame.sha256, file="x", width=1, height=1, size=1)


def test_nobody_with_videos_can_be_wiped_out_by_accident(owner):
    rows.stored_video(owner)
    with pytest.raises(ProtectedError):
        owner.delete()


# --- what is due, and who gets it -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead", "due"),
    [
        (None, False),
        (timedelta(0), True),
        (timedelta(seconds=-1), True),
        (timedelta(days=-365), True),
        (timedelta(seconds=1), False),
        (timedelta(hours=1), False),
        (FARTHEST, False),
        # Nothing is put off so far: the clock was set back.
        (FARTHEST + timedelta(seconds=1), True),
        (timedelta(days=365 * 70), True),
    ],
    ids=str,
)
def test_a_row_is_due(ahead, due, owner):
    now = timezone.now()
    rows.generation(owner, State.PROCESSING, next_check_at=None if ahead is None else now + ahead)
    assert Generation.objects.due(now).exists() == due


@pytest.mark.parametrize(
    ("ahead", "due"), [(timedelta(0), True), (FARTHEST_QUEUED, False), (FARTHEST_QUEUED + timedelta(seconds=1), True)]
)
def test_a_queued_row_is_never_put_off_for_long(ahead, due, owner):
    now = timezone.now()
    rows.generation(owner, next_check_at=now + ahead)
    assert Generation.objects.due(now).exists() == due


def test_a_claimed_row_is_not_due_until_the_lease_ends(owner):
    now = timezone.now()
    row = rows.generation(owner, next_check_at=now)
    lease = timedelta(seconds=90)
    assert Generation.objects.claim(row.pk, list(State), now, lease)
    assert not Generation.objects.claim(row.pk, list(State), now, lease)
    assert not Generation.objects.claim(row.pk, list(State), now + timedelta(seconds=89), lease)
    assert Generation.objects.claim(row.pk, list(State), now + timedelta(seconds=90), lease)


def test_a_row_that_needs_nothing_is_not_claimed(owner):
    row = rows.generation(owner)
    assert not Generation.objects.claim(row.pk, list(State), timezone.now(), timedelta(seconds=90))


def contest(act) -> list:
    """What each of eight threads, all at once, got from `act`."""
    start, results = threading.Barrier(8), []

    def run():
        start.wait(10)
        try:
            results.append(act())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


@pytest.mark.django_db(transaction=True)
def test_of_many_who_claim_a_row_one_gets_it(owner):
    now = timezone.now()
    row = rows.generation(owner, next_check_at=now)
    got = contest(lambda: Generation.objects.claim(row.pk, list(State), now, timedelta(seconds=90)))
    assert sorted(got) == [False] * 7 + [True]


@pytest.mark.django_db(transaction=True)
def test_of_many_who_move_a_row_one_does(owner):
    row = rows.generation(owner)
    fields = rows.sent(timezone.now())
    got = contest(lambda: Generation.objects.move(row.pk, State.SUBMITTING, **fields))
    assert sorted(got) == [False] * 7 + [True]


def test_a_slot_is_held_while_it_lasts(owner):
    now = timezone.now()
    for state in State:
        rows.generation(owner, state, slot_until=now + timedelta(minutes=1))
    assert set(Generation.objects.in_flight(now).values_list("state", flat=True)) == set(IN_FLIGHT)
    assert not Generation.objects.in_flight(now + timedelta(minutes=1)).exists()


def test_people_see_their_own_that_are_not_deleted(owner):
    own = rows.generation(owner)
    rows.generation(owner, deleted_at=timezone.now())
    rows.generation(User.objects.create_user("bob"))
    assert list(Generation.objects.shown_to(owner)) == [own]


def test_the_gallery_and_the_sweep_are_read_from_an_index(owner):
    if connection.vendor != "sqlite":
        pytest.skip("each database explains itself in its own words")
    now = timezone.now()
    newest = Generation.objects.filter(owner=owner).order_by("-created_at", "-id")
    assert "generation_gallery" in newest.explain()
    assert "generation_due" in Generation.objects.due(now).explain()
    assert "SCAN" not in Generation.objects.due(now).explain()


# --- what a row says of itself --------------------------------------------------------------------


def test_a_video_plays_here_once_it_is_home_and_at_the_provider_until_then(owner):
    away = rows.video(owner, thumbnail_url="https://cdn.provider.example/x.jpg")
    assert (away.play_url, away.poster_url) == (away.video_url, away.thumbnail_url)
    home = rows.stored_video(owner).video
    assert home.play_url == f"/files/videos/{home.pk}.mp4"
    assert home.poster_url == f"/files/posters/{home.pk}.jpg"
    lost = Video(owner=owner, video_url="https://cdn.provider.example/x.mp4", expired_at=timezone.now())
    assert (lost.play_url, lost.poster_url) == ("", "")


def test_a_generation_is_open_until_nothing_about_it_changes(owner):
    for state in State:
        row = rows.generation(owner, state)
        assert row.open == (state != State.FAILED), state
    assert not rows.stored_video(owner).open


def test_a_cards_stamp_changes_with_what_it_shows(owner):
    row = rows.generation(owner, State.COMPLETED)
    stamps = [row.stamp]
    row.video.expired_at = timezone.now()
    stamps.append(row.stamp)
    row.video.stored_at, row.video.expired_at = timezone.now(), None
    stamps.append(row.stamp)
    stamps.append(rows.generation(owner).stamp)
    stamps.append(rows.generation(owner, error_code="used_up").stamp)
    assert len(set(stamps)) == len(stamps)


def test_rows_tell_what_they_are(owner):
    row = rows.generation(owner, prompt="p" * 100)
    assert str(row) == "p" * 60 + " (queued)"
    notice = Callback(generation=row, outcome="applied")
    assert str(notice).endswith(" applied")
    assert row.callback_token not in f"{row}{notice}{row!r}{notice!r}"
