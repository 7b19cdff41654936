"""Finished videos come home: when to fetch, with which link, and when to stop trying."""

from __future__ import annotations

import logging
import uuid
from datetime import timedelta

from django.core.files.storage import default_storage
from django.utils import timezone

from .. import links, storing
from ..luma import schema
from ..luma.errors import LumaError
from ..models import Generation, Video
from ..states import State
from . import provider
from .results import apply_result

logger = logging.getLogger(__name__)

RETRY_AFTER = (5, 15, 60, 300, 3600)
"""Seconds; the last one repeats."""
GONE_MOST = 5
"""So many fresh links may lead nowhere before the video counts as expired at the provider."""
GONE_LAST = GONE_MOST + 24
"""Then it is tried for another day, hour by hour: where films are kept may have been out of order."""
LINKS_LIVE = timedelta(days=40)
"""Provider links die after about 30 days: later than this nothing is worth another try."""


def bring_home(pk: uuid.UUID) -> bool:
    """Store the video of a completed generation, if it is due; whether this call worked on it."""
    now = timezone.now()
    if not Generation.objects.claim(pk, [State.COMPLETED], now, provider.LEASE):
        return False
    video = Generation.objects.select_related("video").get(pk=pk).video
    if video is None or video.stored_at:
        Generation.objects.filter(pk=pk).update(next_check_at=None)
        return True
    if not video.link_vouched and not links.listed(video.video_url):
        _ask_for_link(pk)
        video.refresh_from_db()
    try:
        if not video.link_vouched and not links.listed(video.video_url):
            raise storing.Later("the provider has not confirmed the link yet")
        stored = storing.fetch(video.pk, video.video_url, keep_alive=lambda: _renew(pk), taken=lambda: _files(video.pk))
    except storing.Gone as fault:
        _gone(pk, video, str(fault))
    except storing.Later as fault:
        _later(pk, video, str(fault))
    else:
        _home(pk, video, stored)
    return True


def _ask_for_link(pk: uuid.UUID) -> None:
    task_id = Generation.objects.values_list("task_id", flat=True).get(pk=pk)
    if not task_id:
        return
    try:
        provider.wait_for_turn()
        with provider.talking() as luma:
            task = luma.retrieve(task_id)
    except LumaError as fault:
        logger.warning("generation %s: no fresh link, %s", pk, fault.message)
        return
    if task is not None and isinstance(task.reading, schema.Completed):
        apply_result(pk, task.reading, "asked")


def _renew(pk: uuid.UUID) -> None:
    Generation.objects.filter(pk=pk, state=State.COMPLETED).update(next_check_at=timezone.now() + provider.LEASE)


def _files(video: uuid.UUID) -> set[str]:
    """The files that the video's row names."""
    return {name for names in Video.objects.filter(pk=video).values_list("file", "poster") for name in names if name}


def _home(pk: uuid.UUID, video: Video, stored: storing.Stored) -> None:
    now = timezone.now()
    there = {stored.file, stored.poster} | _files(video.pk)
    fresh = Video.objects.filter(pk=video.pk, stored_at__isnull=True).update(
        file=stored.file,
        poster=stored.poster,
        width=stored.width,
        height=stored.height,
        duration=stored.duration,
        size=stored.size,
        stored_at=now,
        expired_at=None,
        store_error="",
    )
    Generation.objects.filter(pk=pk).update(next_check_at=None, tries=0)
    # The old ones were kept until the row named the new ones.
    for name in there - _files(video.pk):
        storing.forget(name)
    if fresh:
        logger.info("generation %s: stored, %d bytes", pk, stored.size)


def _gone(pk: uuid.UUID, video: Video, reason: str) -> None:
    tries = Generation.objects.get(pk=pk).tries + 1
    if tries >= GONE_MOST:
        # It may have been home before, and was to be stored again: then that copy is what there is.
        rest = "stored_at" if _at_home(video) else "expired_at"
        Video.objects.filter(pk=video.pk, stored_at__isnull=True).update(
            **{rest: timezone.now(), "store_error": reason[:300]}
        )
        if tries >= GONE_LAST or rest == "stored_at":
            Generation.objects.filter(pk=pk).update(next_check_at=None)
            logger.error("generation %s: given up storing, %s", pk, reason)
            return
    _ask_for_link(pk)
    Generation.objects.filter(pk=pk).update(tries=tries)
    _put_off(pk, video, reason)


def _at_home(video: Video) -> bool:
    return all(file and default_storage.exists(str(file)) for file in (video.file, video.poster))


def _later(pk: uuid.UUID, video: Video, reason: str) -> None:
    if timezone.now() - video.created_at > LINKS_LIVE:
        Generation.objects.filter(pk=pk).update(tries=GONE_LAST)
        _gone(pk, video, reason)
        return
    _put_off(pk, video, reason)


def _put_off(pk: uuid.UUID, video: Video, reason: str) -> None:
    wait = RETRY_AFTER[min(video.store_tries, len(RETRY_AFTER) - 1)]
    Video.objects.filter(pk=video.pk).update(store_tries=video.store_tries + 1, store_error=reason[:300])
    Generation.objects.filter(pk=pk).update(next_check_at=timezone.now() + timedelta(seconds=wait))
    logger.warning("generation %s: not stored yet, %s", pk, reason)
