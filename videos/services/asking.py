"""A user asks: rows are made, repeated as new ones, hidden. Nothing is sent here."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from ..luma import schema
from ..models import Frame, Generation, Site, User, Video
from ..states import State
from ..validators import CleanFrame

DAY = timedelta(hours=24)


class LimitReached(Exception):
    """The user's, or the site's, generations of the last 24 hours are used up."""


@dataclass(frozen=True)
class Asked:
    """What a user asked for, checked. `timeout` is in seconds."""

    prompt: str
    action: str = "generate"
    aspect_ratio: str = ""
    loop: bool = False
    enhancement: bool = True
    timeout: int = schema.TIMEOUT_DEFAULT
    start_frame_id: uuid.UUID | None = None
    end_frame_id: uuid.UUID | None = None
    start_image_url: str = ""
    end_image_url: str = ""
    source_id: uuid.UUID | None = None
    source_url: str = ""

    def key(self, submission: uuid.UUID) -> uuid.UUID:
        """The same for the same form sent again, another for an edited one."""
        return uuid.uuid5(submission, json.dumps(asdict(self), sort_keys=True, default=str))


def submit(owner: User, asked: Asked, submission: uuid.UUID) -> tuple[Generation, bool]:
    """The generation that `owner` asked for, and whether it was made just now.

    The same request with the same `submission` finds the row that it made before. Raises
    `LimitReached` with a sentence for the user.
    """
    key = asked.key(submission)
    with transaction.atomic():
        # The lock makes counting and adding one step; without it parallel requests pass the limit.
        owner = User.objects.select_for_update().get(pk=owner.pk)
        before = Generation.objects.filter(owner=owner, submission_key=key).first()
        if before is not None:
            return before, False
        now = timezone.now()
        _check_limits(owner, now)
        made = Generation.objects.create(
            owner=owner, submission_key=key, created_at=now, next_check_at=now, **asdict(asked)
        )
    return made, True


def retry(generation: Generation, submission: uuid.UUID) -> tuple[Generation, bool]:
    """A new generation with the same request, after a failure; see `submit`."""
    return submit(generation.owner, resubmit(generation), submission)


def resubmit(generation: Generation) -> Asked:
    """The request of `generation`, to be asked for again."""
    return Asked(**{name: getattr(generation, name) for name in Asked.__dataclass_fields__})


def delete(generation: Generation) -> None:
    """Hide it from its owner. A queued one is never sent; a sent one is followed home."""
    now = timezone.now()
    with transaction.atomic():
        Generation.objects.filter(pk=generation.pk, deleted_at__isnull=True).update(deleted_at=now)
        row = Generation.objects.select_for_update().get(pk=generation.pk)
        if row.state == State.QUEUED:
            Generation.objects.fail(row.pk, "cancelled", gettext_noop("Deleted before it was sent."))


def keep_frame(owner: User, clean: CleanFrame, *, to_send: bool = False) -> Frame:
    """The frame with this content, stored once per owner. Raises `OSError` where it can't be written.

    `to_send`: it belongs to a request that is about to be made; then a new one raises `LimitReached` where the
    request would. Else who may ask for nothing more could still fill the disk.
    """
    known = Frame.objects.filter(owner=owner, sha256=clean.sha256).first()
    if known is not None:
        return known
    if to_send:
        with transaction.atomic():
            _check_limits(owner, timezone.now())
    pk = uuid.uuid4()
    try:
        name = default_storage.save(f"frames/{pk}.{clean.extension}", ContentFile(clean.content))
    except (BotoCoreError, ClientError) as fault:
        raise OSError(f"the bucket failed ({type(fault).__name__})") from fault
    try:
        with transaction.atomic():
            return Frame.objects.create(
                id=pk,
                owner=owner,
                sha256=clean.sha256,
                file=name,
                width=clean.width,
                height=clean.height,
                size=len(clean.content),
            )
    except IntegrityError:
        default_storage.delete(name)
        return Frame.objects.get(owner=owner, sha256=clean.sha256)


def left_today(owner: User, now: datetime | None = None) -> int | None:
    """How many more `owner` may ask for in these 24 hours; None without a limit. Deleted ones count."""
    limit = owner.generations_per_day
    if limit is None:
        limit = settings.GENERATIONS_PER_DAY
    if not limit:
        return None
    since = (now or timezone.now()) - DAY
    return max(0, limit - int(Generation.objects.filter(owner=owner, created_at__gt=since).count()))


def _check_limits(owner: User, now: datetime) -> None:
    if left_today(owner, now) == 0:
        raise LimitReached(
            _("You have used up your generations for these 24 hours. Try again later, or ask for a higher limit.")
        )
    if settings.GENERATIONS_PER_DAY_SITE:
        Site.objects.select_for_update().get()
        if Generation.objects.filter(created_at__gt=now - DAY).count() >= settings.GENERATIONS_PER_DAY_SITE:
            raise LimitReached(_("This site has used up its generations for these 24 hours. Try again later."))


def source_of(video: Video) -> dict[str, str]:
    """The fields of the provider's request that name `video`."""
    return {"video_id": video.video_id} if video.video_id else {"video_url": video.video_url}
