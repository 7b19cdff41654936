"""What holds up everybody's requests. Every page says it while it lasts."""

from __future__ import annotations

from typing import TypedDict

from django.db.models import Case, F, Subquery, Value, When
from django.db.models.functions import JSONObject

from ..models import GenerationQuerySet, Site


class HoldUp(TypedDict):
    """`code` is `stopped`, or the provider's own where it refuses the account, or "" where all is well; `words` are
    the provider's, on the account: for operators alone."""

    code: str
    words: str


_HOLD_UP = JSONObject(
    code=Case(
        When(stopped=True, then=Value("stopped")),
        When(paused_at__isnull=False, then=F("paused_code")),
        default=Value(""),
    ),
    words=F("paused_message"),
)


def hold_up() -> HoldUp:
    """What holds up everybody now, in one quick query."""
    return Site.objects.values_list(_HOLD_UP, flat=True).get()


def beside_hold_up(rows: GenerationQuerySet) -> GenerationQuerySet:
    """`rows`, each with the `hold_up` of now: it comes along in their own query."""
    return rows.annotate(hold_up=Subquery(Site.objects.values(found=_HOLD_UP)))
