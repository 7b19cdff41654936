"""What templates ask of us."""

from __future__ import annotations

import math
import uuid

from django import template

from ..forms import new_submission
from ..luma.schema import ASPECT_RATIO_DEFAULT, ASPECT_RATIOS
from ..models import Generation, Video
from ..reading import Said, said_of
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
_MAYBE_CHARGED = frozenset({"not_confirmed", "never_answered", "restored"})


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
    return generation.error_code in _MAYBE_CHARGED


def _nearest(video: Video | None) -> str:
    """The one of our ratios that the film's pixels come nearest to; "" where they are not known."""
    if video is None or not video.width or not video.height:
        return ""
    film = math.log(video.width / video.height)
    return min(_SHAPES, key=lambda ratio: abs(math.log(_SHAPES[ratio]) - film))
