"""Rows of every kind, made directly: for tests of what is done with them."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from videos.models import Frame, Generation, User, Video
from videos.states import State

SENT = (State.SUBMITTING, State.UNCONFIRMED, State.PROCESSING)


def generation(owner: User, state: State = State.QUEUED, **fields: Any) -> Generation:
    """A generation in `state`, with all that the state asks for."""
    now = timezone.now()
    usual: dict[str, Any] = {"owner": owner, "submission_key": uuid.uuid4(), "prompt": "a red fox", "state": state}
    if state in SENT:
        usual |= sent(now)
    if state == State.COMPLETED:
        usual |= {"video": fields.pop("video", None) or video(owner), "finished_at": now}
    return Generation.objects.create(**{**usual, **fields})


def sent(now: datetime) -> dict[str, Any]:
    """The fields of a generation that is out."""
    return {"sent_at": now, "slot_until": now + timedelta(minutes=15), "request_body": {"prompt": "a red fox"}}


def video(owner: User, **fields: Any) -> Video:
    """A video that is still at the provider's."""
    usual = {"video_id": "video-1", "video_url": "https://cdn.provider.example/x.mp4"}
    return Video.objects.create(**{"owner": owner, **usual, **fields})


def stored_video(owner: User, content: bytes = b"a film", **fields: Any) -> Generation:
    """A completed generation whose video, with these bytes, is home."""
    pk = uuid.uuid4()
    file = default_storage.save(f"videos/{pk}.mp4", ContentFile(content))
    poster = default_storage.save(f"posters/{pk}.jpg", ContentFile(b"a poster"))
    home = video(owner, id=pk, file=file, poster=poster, stored_at=timezone.now(), size=len(content), duration=5.0)
    return generation(owner, State.COMPLETED, video=home, **fields)


def frame(owner: User, content: bytes = b"a frame") -> Frame:
    """A kept frame with these bytes."""
    pk = uuid.uuid4()
    file = default_storage.save(f"frames/{pk}.png", ContentFile(content))
    return Frame.objects.create(
        id=pk, owner=owner, sha256=uuid.uuid4().hex * 2, file=file, width=64, height=48, size=len(content)
    )
