"""Many rows quickly: films of one account copied for another, and rows in every state."""

from __future__ import annotations

import textwrap
from typing import Any

from tests.studio import Studio

PASSWORD = "a-long-secret"
_CODE = """
import os, uuid
from datetime import timedelta
from django.core.files.storage import default_storage
from django.utils import timezone
from videos.models import Generation, User, Video

RATIOS = ["16:9", "1:1", "9:16", "21:9", "4:3", "9:21", "3:4"]
now = timezone.now()
originals = {{}}
for row in Generation.objects.filter(video__stored_at__isnull=False, source=None).select_related("video"):
    originals.setdefault(row.aspect_ratio, row.video)

def link(name, pk):
    if not name:
        return ""
    stem, _, end = name.rpartition("/")[2].partition(".")
    to = f"{{name.rpartition('/')[0]}}/{{pk}}{{stem[36:]}}.{{end}}"
    os.link(default_storage.path(name), default_storage.path(to))
    return to

def film(owner, ratio, **fields):
    video = originals.get(ratio) or next(iter(originals.values()))
    pk = uuid.uuid4()
    file, poster = link(video.file.name, pk), link(video.poster.name, pk)
    values = dict(video_url=video.video_url, width=video.width, height=video.height, duration=video.duration)
    values |= dict(size=video.size, file=file, poster=poster, stored_at=now)
    return Video.objects.create(pk=pk, owner=owner, video_id=f"copy-{{pk}}", **(values | fields))

def add(owner, number, prompt, state="completed", **fields):
    at = now - timedelta(minutes=7 * number)
    ratio = fields.pop("aspect_ratio", RATIOS[number % 7])
    values = dict(owner=owner, submission_key=uuid.uuid4(), prompt=prompt, aspect_ratio=ratio, created_at=at)
    if state in ("submitting", "processing", "unconfirmed"):
        values |= dict(sent_at=at, slot_until=now + timedelta(days=1), request_body={{"prompt": prompt}})
        values |= dict(next_check_at=now + timedelta(days=1))
    if state == "completed":
        values |= dict(sent_at=at, accepted_at=at, notified_at=at + timedelta(seconds=9))
        values |= dict(finished_at=at + timedelta(seconds=9), video=film(owner, ratio, **fields.pop("video", {{}})))
    return Generation.objects.create(state=state, **(values | fields))

def person(name):
    return User.objects.create_user(name, f"{{name}}@example.com", "{password}")

{body}
"""


def make(studio: Studio, body: str, **values: Any) -> None:
    """Run `body` in the studio's shell, where `person`, `film` and `add` are known."""
    code = _CODE.format(body=textwrap.dedent(body).format(**values), password=PASSWORD)
    studio.manage("shell", "-c", code)
