"""The one door by which results come in, whoever brings them: callback, answer, polling, admin."""

from __future__ import annotations

import logging
import uuid
from datetime import datetime, timedelta
from typing import Any, Literal

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from ..luma import schema
from ..models import Callback, Generation, Video
from ..states import State

logger = logging.getLogger(__name__)

Via = Literal["callback", "answer", "asked"]
"""How a result came: by callback (unsigned), in the POST's answer, or because we asked."""

CALLBACKS_KEPT = 100
"""Raw callbacks kept per generation: a sender gone mad must not fill the disk."""


def apply_result(pk: uuid.UUID, reading: schema.Reading, via: Via) -> Callback.Outcome:
    """Bring the generation to where `reading` says it is, as far as its state allows.

    A success is taken from every state but completed, and never undone. A result of another task
    than the generation's own changes nothing but that the own task is asked about soon.
    """
    with transaction.atomic():
        row = Generation.objects.select_for_update().get(pk=pk)
        return _apply(row, reading, via, timezone.now())


def take_callback(token: str, body: bytes) -> uuid.UUID | None:
    """Record a callback on a generation's own URL and apply what it says, in one transaction; whose token it is.

    As few statements as can be: callbacks come in bursts.
    """
    now = timezone.now()
    # Before the transaction: strangers must not make SQLite's writers wait.
    pk = Generation.objects.filter(callback_token=token).values_list("pk", flat=True).first()
    if pk is None:
        return None
    try:
        reading = schema.read_result(schema.load(body))
    except ValueError:
        reading = None
    with transaction.atomic():
        row = Generation.objects.select_for_update().get(pk=pk)
        outcome = _apply(row, reading, "callback", now) if reading else Callback.Outcome.UNREADABLE
        if reading is None or isinstance(reading, schema.Running):
            ask_soon(row, now)
        # Those that changed something are few, and worth their room.
        if outcome == Callback.Outcome.APPLIED or row.callbacks.count() < CALLBACKS_KEPT:
            row.callbacks.create(
                received_at=now,
                outcome=outcome,
                task_id=reading.task_id if reading else "",
                trace_id=reading.trace_id if reading else "",
                body=body,
            )
    logger.info("generation %s: callback, %s", pk, outcome)
    return pk


def ask_soon(row: Generation, now: datetime) -> None:
    """Make the generation's own task due to be asked about, where asking can still change something.

    Never for one in `submitting`: its time is the lease of whoever is sending it.
    """
    Generation.objects.filter(
        Q(state__in=[State.PROCESSING, State.UNCONFIRMED])
        | Q(state=State.FAILED, task_id__isnull=False)
        | Q(state=State.FAILED, error_code="not_confirmed"),
        pk=row.pk,
    ).update(next_check_at=now)


def _apply(row: Generation, reading: schema.Reading, via: Via, now: datetime) -> Callback.Outcome:
    """What `apply_result` does, to a row that the caller has locked."""
    if _other_task(row, reading):
        ask_soon(row, now)
        return Callback.Outcome.OTHER_TASK
    # `changed` counts what the user can see; times and ids alone are no change.
    if isinstance(reading, schema.Completed):
        changed = _complete(row, reading, via, now)
    elif isinstance(reading, schema.Failed):
        changed = _fail(row, reading, via, now)
    else:
        changed = _accept(row, reading, via, now)
    if changed:
        name = type(reading).__name__.lower()
        transaction.on_commit(lambda: logger.info("generation %s: %s by %s", row.pk, name, via))
    return Callback.Outcome.APPLIED if changed else Callback.Outcome.UNCHANGED


def _other_task(row: Generation, reading: schema.Reading) -> bool:
    if not reading.task_id or reading.task_id == row.task_id:
        return False
    return row.task_id is not None or Generation.objects.filter(task_id=reading.task_id).exists()


def _known(row: Generation, reading: schema.Reading, via: Via, now: datetime) -> dict[str, Any]:
    """The ids and times that come with any result of the own task; what is known already stays."""
    fields: dict[str, Any] = {}
    if reading.task_id and row.task_id is None:
        fields["task_id"] = reading.task_id
    if reading.trace_id and not row.trace_id:
        fields["trace_id"] = reading.trace_id
    time = {"callback": "notified_at", "answer": "accepted_at", "asked": "found_at"}[via]
    finished = not isinstance(reading, schema.Running)
    # A callback after the result was found by asking, and the reverse, are no news of this row.
    if getattr(row, time) is None and (via == "answer" or (finished and row.finished_at is None)):
        fields[time] = now
    return fields


def _complete(row: Generation, reading: schema.Completed, via: Via, now: datetime) -> bool:
    vouched = via != "callback"
    fields = _known(row, reading, via, now)
    if row.state == State.COMPLETED:
        if vouched and row.video is not None and not row.video.stored_at:
            Video.objects.filter(pk=row.video.pk).update(video_url=reading.video_url, link_vouched=True)
        Generation.objects.filter(pk=row.pk).update(**{**fields, "trace_id": row.trace_id or reading.trace_id})
        return False
    video = Video.objects.create(
        owner_id=row.owner_id,
        video_id=reading.video_id,
        video_url=reading.video_url,
        thumbnail_url=reading.thumbnail_url,
        link_vouched=vouched,
        width=reading.video_width,
        height=reading.video_height,
        created_at=now,
    )
    if not Generation.objects.move(
        row.pk,
        State.COMPLETED,
        video=video,
        error_code="",
        error_message="",
        tries=0,
        finished_at=now,
        next_check_at=now,
        **fields,
    ):
        raise RuntimeError("the state changed under the lock")  # and so the video is taken back
    return True


def _fail(row: Generation, reading: schema.Failed, via: Via, now: datetime) -> bool:
    fields = _known(row, reading, via, now)
    # A queued row has sent nothing that could have failed.
    if row.state == State.QUEUED:
        return False
    if row.state in (State.COMPLETED, State.FAILED):
        Generation.objects.filter(pk=row.pk).update(**{**fields, "trace_id": row.trace_id or reading.trace_id})
        return False
    return Generation.objects.fail(row.pk, reading.code, reading.message, **fields)


def _accept(row: Generation, reading: schema.Running, via: Via, now: datetime) -> bool:
    if not reading.task_id:
        return False
    fields = _known(row, reading, via, now)
    next_check = now + timedelta(seconds=settings.LUMA_POLL_SECONDS)
    fields.setdefault("accepted_at", row.accepted_at or now)
    if Generation.objects.move(
        row.pk, State.PROCESSING, error_code="", error_message="", tries=0, next_check_at=next_check, **fields
    ):
        return True
    # The callback was faster than the answer: keep what the answer tells.
    if row.state in (State.COMPLETED, State.FAILED) and via == "answer":
        Generation.objects.filter(pk=row.pk).update(**fields)
    return False
