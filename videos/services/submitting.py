"""The paid step: from queued to sent, once."""

from __future__ import annotations

import logging
import random
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, Min, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from .. import links
from ..luma.errors import AccountProblem, LostAnswer, LumaError, NotSent, RateLimited, Rejected
from ..models import FARTHEST_QUEUED, Generation, Site
from ..states import State
from . import provider
from .asking import source_of
from .results import apply_result

logger = logging.getLogger(__name__)

PROBE_EVERY = timedelta(seconds=60)
SLOT_SLACK = timedelta(minutes=10)
BACKOFF_FIRST = 2.0
BACKOFF_MOST = 60.0
RETRY_AFTER_MOST = 600.0


def submit_due() -> list[uuid.UUID]:
    """Send queued generations until none is due, no slot is free or the provider takes none; the ones that were tried.

    Fair among users: whoever has the fewest in flight comes next, then who has waited longest.
    """
    tried: list[uuid.UUID] = []
    taken = True
    while taken and (pk := _next(timezone.now(), tried)) is not None:
        tried.append(pk)
        taken = _submit(pk)
    return tried


def anybody_waits(now: datetime) -> Exists:
    """Part of a query: whether a queued generation could be sent at `now`, were a slot free."""
    return Exists(Generation.objects.due(now).filter(state=State.QUEUED))


def _next(now: datetime, tried: list[uuid.UUID]) -> uuid.UUID | None:
    if not _may_send(Site.objects.get(), now):
        return None
    in_flight = dict(
        Generation.objects.in_flight(now).values_list("owner").annotate(Count("pk")).values_list("owner", "pk__count")
    )
    if sum(in_flight.values()) >= settings.LUMA_MAX_IN_FLIGHT:
        return None
    queued = Generation.objects.due(now).filter(state=State.QUEUED).exclude(pk__in=tried)
    waiting = queued.values_list("owner").annotate(oldest=Min("created_at")).values_list("owner", "oldest")
    fairest = min(waiting, key=lambda entry: (in_flight.get(entry[0], 0), entry[1]), default=None)
    if fairest is None:
        return None
    return queued.filter(owner=fairest[0]).order_by("created_at", "id").values_list("pk", flat=True).first()


def held(now: datetime) -> QuerySet[Site]:
    """The site's row while the provider, which was asked too much, wants nothing; else no row.

    A time too far off to be true was written before the clock was set back.
    """
    return Site.objects.filter(hold_until__gt=now, hold_until__lte=now + FARTHEST_QUEUED)


def _may_send(site: Site, now: datetime) -> bool:
    if site.stopped or held(now).exists():
        return False
    if site.paused_at is None or site.next_probe_at is None:
        return True
    return site.next_probe_at <= now or site.next_probe_at > now + 2 * PROBE_EVERY


def _submit(pk: uuid.UUID) -> bool:
    """Send one; False where the provider would take no other one now either."""
    if not Generation.objects.claim(pk, [State.QUEUED], timezone.now(), provider.LEASE):
        return True
    row = Generation.objects.select_related("start_frame", "end_frame", "source", "owner").get(pk=pk)
    if row.deleted_at is not None:
        # Deleted while it was out, and then sent back: nothing was made, so nothing is lost.
        _fail_before_sending(pk, "cancelled", _("Deleted before it was sent."))
        return True
    if not row.owner.is_active:
        _fail_before_sending(pk, "account_disabled", _("This account is disabled."))
        return True
    try:
        body = _body(row)
    except LookupError:
        _fail_before_sending(pk, "no_frame_route", _("Uploaded frames can't reach the provider from this site."))
        return True
    except OSError as fault:
        _put_off(pk, row.tries, _("A frame could not be read: %s") % type(fault).__name__)
        return True
    except Rejected as refusal:
        _fail_before_sending(pk, refusal.code or "frame_refused", refusal.message)
        return True
    except LumaError as fault:
        _put_off(pk, row.tries, fault.message)
        return True
    if not _launch(row, body):
        Generation.objects.filter(pk=pk, state=State.QUEUED).update(next_check_at=timezone.now())
        return True
    return _send(row, body)


def _launch(row: Generation, body: dict[str, Any]) -> bool:
    """Commit that the POST is about to go out, if a slot is free; the limit holds over all workers."""
    now = timezone.now()
    with transaction.atomic():
        site = Site.objects.select_for_update().get()
        if not _may_send(site, now) or Generation.objects.in_flight(now).count() >= settings.LUMA_MAX_IN_FLIGHT:
            return False
        if site.paused_at is not None:
            Site.objects.update(next_probe_at=now + PROBE_EVERY)
        return Generation.objects.move(
            row.pk,
            State.SUBMITTING,
            request_body=body,
            sent_at=now,
            slot_until=now + timedelta(seconds=row.timeout) + SLOT_SLACK,
            tries=row.tries + 1,
            next_check_at=now + provider.LEASE,
        )


def _send(row: Generation, body: dict[str, Any]) -> bool:
    pk = row.pk
    logger.info("generation %s: sending", pk)
    try:
        with provider.talking() as luma:
            reading = luma.create(body)
    except AccountProblem as problem:
        _pause(problem)
        _back_to_queue(pk, 0, problem, tries=row.tries)
        return False
    except NotSent as fault:
        delay = _delay(row.tries, fault)
        if isinstance(fault, RateLimited):
            _hold(delay)
        _back_to_queue(pk, delay, fault, tries=row.tries + 1)
        # A long queue must not become a hail of requests.
        return False
    except Rejected as refusal:
        _resume()
        Generation.objects.fail(pk, refusal.code or "rejected", refusal.message, trace_id=refusal.trace_id)
        logger.warning("generation %s: rejected, %s", pk, refusal.code)
        return True
    except LostAnswer as loss:
        lose(pk, loss.message, loss.trace_id)
        return True
    _resume()
    apply_result(pk, reading, "answer")
    return True


def lose(pk: uuid.UUID, message: str, trace_id: str = "") -> None:
    """The POST's answer is lost: it may have been accepted. To be looked for, never sent again by itself."""
    if Generation.objects.move(
        pk,
        State.UNCONFIRMED,
        error_code="answer_lost",
        error_message=message,
        tries=0,
        next_check_at=timezone.now(),
        **({"trace_id": trace_id} if trace_id else {}),
    ):
        logger.warning("generation %s: answer lost (%s)", pk, message)


def _body(row: Generation) -> dict[str, Any]:
    """The provider's request, documented fields only; may upload frames (see `provider.frame_link`)."""
    body: dict[str, Any] = {
        "action": row.action,
        "prompt": row.prompt,
        "loop": row.loop,
        "enhancement": row.enhancement,
        "timeout": row.timeout,
    }
    if row.action == Generation.Action.EXTEND:
        body |= source_of(row.source) if row.source else {"video_url": row.source_url}
    else:
        body["aspect_ratio"] = row.aspect_ratio
    for name, frame, url in (
        ("start_image_url", row.start_frame, row.start_image_url),
        ("end_image_url", row.end_frame, row.end_image_url),
    ):
        if frame or url:
            body[name] = provider.frame_link(frame) if frame else url
    callback = links.callback_url(row.callback_token)
    return body | ({"callback_url": callback} if callback else {"async": True})


def _delay(tries: int, fault: NotSent) -> float:
    delay = min(BACKOFF_MOST, BACKOFF_FIRST * 2 ** min(tries, 10)) * random.uniform(0.75, 1.25)
    if isinstance(fault, RateLimited) and fault.retry_after:
        # Later than told is well, sooner is not.
        delay = max(delay, min(fault.retry_after, RETRY_AFTER_MOST) * random.uniform(1, 1.25))
    return float(delay)


def _hold(delay: float) -> None:
    """It was too much for the provider, whoever's turn is next: nobody is sent for `delay` seconds."""
    now = timezone.now()
    until = now + timedelta(seconds=delay)
    # Of several, sent at the same moment, the longest counts.
    Site.objects.exclude(pk__in=held(now).filter(hold_until__gte=until)).update(hold_until=until)


def _back_to_queue(pk: uuid.UUID, delay: float, fault: LumaError, *, tries: int) -> None:
    Generation.objects.move(
        pk,
        State.QUEUED,
        request_body=None,
        sent_at=None,
        slot_until=None,
        tries=tries,
        error_code=fault.code or type(fault).__name__.lower(),
        error_message=fault.message,
        next_check_at=timezone.now() + timedelta(seconds=delay),
    )
    logger.warning("generation %s: nothing was made (%s), back to the queue", pk, type(fault).__name__)


def _put_off(pk: uuid.UUID, tries: int, message: str) -> None:
    Generation.objects.filter(pk=pk, state=State.QUEUED).update(
        tries=tries + 1,
        error_code="frame_delayed",
        error_message=message,
        next_check_at=timezone.now() + timedelta(seconds=min(BACKOFF_MOST, BACKOFF_FIRST * 2 ** min(tries, 10))),
    )
    logger.warning("generation %s: put off, %s", pk, message)


def _fail_before_sending(pk: uuid.UUID, code: str, message: str) -> None:
    with transaction.atomic():
        row = Generation.objects.select_for_update().get(pk=pk)
        if row.state == State.QUEUED:
            Generation.objects.fail(pk, code, message)
    logger.warning("generation %s: failed before sending, %s", pk, code)


def _pause(problem: AccountProblem) -> None:
    now = timezone.now()
    Site.objects.filter(Q(paused_at__isnull=True)).update(paused_at=now)
    Site.objects.update(
        paused_code=problem.code or str(problem.status),
        paused_message=problem.message,
        next_probe_at=now + PROBE_EVERY,
    )
    logger.error("submissions pause: %s %s", problem.code, problem.message)


def _resume() -> None:
    if Site.objects.filter(paused_at__isnull=False).update(
        paused_at=None, paused_code="", paused_message="", next_probe_at=None
    ):
        logger.warning("submissions go on")
