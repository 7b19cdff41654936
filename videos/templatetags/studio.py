"""What templates ask of us."""

from __future__ import annotations

import uuid

from django import template

from ..forms import new_submission
from ..models import Generation
from ..reading import Said, said_of

register = template.Library()


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
    if not ratio and generation.source is not None:
        ratio = generation.source.generation.aspect_ratio
    return f"ratio-{(ratio or '16:9').replace(':', '-')}"
