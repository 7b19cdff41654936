"""The client as this site is set up, its turn to ask, and the way that frames reach the provider."""

from __future__ import annotations

import mimetypes
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import BinaryIO, Literal, cast

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import DatabaseError
from django.db.models import F, Q
from django.utils import timezone

from .. import links
from ..luma.client import LumaClient
from ..luma.errors import LostAnswer, LumaError, Unreachable
from ..models import Frame, Site

LEASE = timedelta(seconds=90)
"""How long a claim holds: longer than the client's own time limits together."""
ASK_INTERVAL = timedelta(seconds=1.05)
"""The provider wants fewer than one request a second about tasks, per token."""

NOTE_EVERY = timedelta(seconds=30)

FrameRoute = Literal["bucket", "site", "upload"]

sleep = time.sleep


def client() -> LumaClient:
    """A client with the site's tokens and addresses."""
    return LumaClient(
        settings.ACEDATACLOUD_API_TOKEN,
        settings.ACEDATACLOUD_API_BASE_URL,
        platform_token=settings.ACEDATACLOUD_PLATFORM_TOKEN,
        platform_base_url=settings.ACEDATACLOUD_PLATFORM_BASE_URL,
    )


@contextmanager
def talking() -> Iterator[LumaClient]:
    """A client for one call; whether the provider could be reached is noted for the operators.

    A note that can't be written changes nothing of what the call brought.
    """
    try:
        yield client()
    except (Unreachable, LostAnswer) as fault:
        with suppress(DatabaseError):
            Site.objects.update(provider_failed_at=timezone.now(), provider_fault=fault.message[:300])
        raise
    except LumaError:
        _note_answer()
        raise
    else:
        _note_answer()


def _note_answer() -> None:
    now = timezone.now()
    # Once in a while will do: this must not cost a write for each call.
    stale = Q(provider_answered_at__isnull=True) | Q(provider_answered_at__lt=now - NOTE_EVERY)
    with suppress(DatabaseError):
        Site.objects.filter(stale | Q(provider_failed_at__gte=F("provider_answered_at"))).update(
            provider_answered_at=now
        )


def wait_for_turn() -> None:
    """Return when all processes together have left the provider alone for `ASK_INTERVAL`."""
    while True:
        now = timezone.now()
        free = Q(next_ask_at__isnull=True) | Q(next_ask_at__lte=now) | Q(next_ask_at__gt=now + 60 * ASK_INTERVAL)
        if Site.objects.filter(free).update(next_ask_at=now + ASK_INTERVAL):
            return
        sleep(0.2)


def frame_route() -> FrameRoute | None:
    """How an uploaded frame reaches the provider; None where no way is set up."""
    if settings.AWS_STORAGE_BUCKET_NAME:
        return "bucket"
    if settings.PUBLIC_BASE_URL:
        return "site"
    if settings.ACEDATACLOUD_PLATFORM_TOKEN:
        return "upload"
    return None


def frame_link(frame: Frame) -> str:
    """A link by which the provider can fetch `frame`, for one request.

    May upload it, and so raise any `LumaError`; raises `LookupError` where `frame_route` is None,
    `OSError` where the file can't be read.
    """
    route = frame_route()
    name = str(frame.file)
    if route == "bucket":
        # Only a bucket's storage knows of an end.
        return str(default_storage.url(name, expire=links.FRAME_LINK_SECONDS))  # type: ignore[call-arg]
    if route == "site":
        return links.signed_file_url(name)
    if route == "upload":
        with default_storage.open(name) as file:
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            return client().upload(cast(BinaryIO, file), name.rpartition("/")[2], kind)
    raise LookupError("no way to hand a frame to the provider")
