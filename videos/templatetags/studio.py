"""What templates ask of us."""

from __future__ import annotations

import math
import uuid

from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from ..forms import new_submission
from ..luma.schema import ASPECT_RATIO_DEFAULT, ASPECT_RATIOS
from ..models import Generation, Video
from ..reading import MAYBE_CHARGED, TO_BE_CHANGED, Said, said_of
from ..states import State

register = template.Library()

_SHAPES = {ratio: int(ratio.partition(":")[0]) / int(ratio.partition(":")[2]) for ratio in ASPECT_RATIOS}
_ICONS = {
    State.QUEUED: "clock",
    State.SUBMITTING: "send",
    State.PROCESSING: "loader-circle",
    State.UNCONFIRMED: "scan-search",
    State.FAILED: "circle-alert",
    State.COMPLETED: "archive-x",
}
LINK_DAYS = 30
"""How long the provider's links last."""


@register.filter
def said(generation: Generation) -> Said:
    """What the generation's card says in words."""
    return said_of(generation)


@register.simple_tag
def submission() -> uuid.UUID:
    """A fresh identity for a form that submits."""
    return new_submission()


@register.filter
def shape(generation: Generation) -> str:
    """The CSS class of the generation's shape, such as `ratio-16-9`; an extension has its source's."""
    ratio = generation.aspect_ratio
    if not ratio:
        source = generation.source
        ratio = _nearest(generation.video) or (source.generation.aspect_ratio or _nearest(source) if source else "")
    return ratio_class(ratio or ASPECT_RATIO_DEFAULT)


@register.filter
def ratio_class(ratio: str) -> str:
    """`16:9` as a CSS class."""
    return f"ratio-{ratio.replace(':', '-')}"


@register.filter
def state_icon(generation: Generation) -> str:
    """The icon that stands for the state where there is no picture; a completed one without is expired."""
    return _ICONS[State(generation.state)]


@register.filter
def maybe_charged(generation: Generation) -> bool:
    """Whether this failure may have cost something all the same."""
    return generation.error_code in MAYBE_CHARGED


@register.filter
def to_be_changed(generation: Generation) -> bool:
    """Whether the same request would only fail again."""
    return generation.error_code in TO_BE_CHANGED


@register.filter
def reuse_url(generation: Generation) -> str:
    """The form that asked for this one, filled in with its request; where its source is gone, the plain one."""
    if generation.action == "extend":
        if generation.source_url:
            return f"{reverse('extend_by_link')}?reuse={generation.pk}"
        if generation.source is not None and generation.source.generation.deleted_at is None:
            return f"/videos/{generation.source_id}/extend/?reuse={generation.pk}"
    return f"/?reuse={generation.pk}"


@register.filter
def link_days(video: Video) -> int:
    """Whole days until the provider's link ends."""
    return max(0, LINK_DAYS - (timezone.now() - video.created_at).days)


@register.filter
def duration(seconds: float) -> str:
    """A wait in words: `48 s`, `2 min`, `2 min 30 s`."""
    if seconds < 90:
        return _("%d s") % round(seconds)
    minutes, rest = divmod(round(seconds / 10) * 10, 60)
    return _("%d min %d s") % (minutes, rest) if rest and minutes < 10 else _("%d min") % minutes


def _nearest(video: Video | None) -> str:
    """The one of our ratios that the film's pixels come nearest to; "" where they are not known."""
    if video is None or not video.width or not video.height:
        return ""
    film = math.log(video.width / video.height)
    return min(_SHAPES, key=lambda ratio: abs(math.log(_SHAPES[ratio]) - film))
