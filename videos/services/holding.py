"""What holds up everybody's requests. Every page says it while it lasts."""

from __future__ import annotations

from typing import TypedDict

from django.db.models import Case, F, Subquery, Value, When
from django.db.models.functions import JSONObject

from ..models import Generation, GenerationQuerySet, Site


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
    told: HoldUp = Site.objects.values_list(_HOLD_UP, flat=True).get()
    return told


def with_hold_up(rows: GenerationQuerySet) -> GenerationQuerySet:
    """`rows`, and along with them, in the same query, what `hold_up_beside` tells."""
    return rows.annotate(hold_up=Subquery(Site.objects.filter(pk=1).values(found=_HOLD_UP)))


def hold_up_beside(found: list[Generation]) -> HoldUp:
    """What came with rows of `with_hold_up`; where there are none, it is asked for."""
    told: HoldUp = vars(found[0])["hold_up"] if found else hold_up()
    return told
