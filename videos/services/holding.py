"""What holds up everybody's requests. Every page says it while it lasts."""

from __future__ import annotations

from typing import TypedDict

from django.db.models import Case, F, Subquery, Value, When

from ..models import Generation, GenerationQuerySet, Site


class HoldUp(TypedDict):
    """`code` is `stopped`, or the provider's own where it refuses the account, or "" where all is well; `words` are
    the provider's, on the account: for operators alone."""

    code: str
    words: str


_CODE = Case(
    When(stopped=True, then=Value("stopped")),
    When(paused_at__isnull=False, then=F("paused_code")),
    default=Value(""),
)
# Two plain columns: for a JSON object Django first tries the database out, under a lock, and believes for ever that
# it knows none where the lock was not to be had.
_CODE_BESIDE = Subquery(Site.objects.filter(pk=1).values(found=_CODE))
_WORDS_BESIDE = Subquery(Site.objects.filter(pk=1).values("paused_message"))


def hold_up() -> HoldUp:
    """What holds up everybody now, in one quick query."""
    code, words = Site.objects.values_list(_CODE, "paused_message").get()
    return HoldUp(code=code, words=words)


def with_hold_up(rows: GenerationQuerySet) -> GenerationQuerySet:
    """`rows`, and along with them, in the same query, what `hold_up_beside` tells."""
    return rows.annotate(hold_up_code=_CODE_BESIDE, hold_up_words=_WORDS_BESIDE)


def hold_up_beside(found: list[Generation]) -> HoldUp:
    """What came with rows of `with_hold_up`; where there are none, it is asked for."""
    if not found:
        return hold_up()
    return HoldUp(code=vars(found[0])["hold_up_code"], words=vars(found[0])["hold_up_words"])
