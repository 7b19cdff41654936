"""The states of a generation and every way between them: the whole machine."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class State(TextChoices):
    """Where a generation stands."""

    QUEUED = "queued", _("Queued")
    SUBMITTING = "submitting", _("Sending")
    UNCONFIRMED = "unconfirmed", _("Unconfirmed")
    PROCESSING = "processing", _("In progress")
    COMPLETED = "completed", _("Completed")
    FAILED = "failed", _("Failed")


TRANSITIONS: dict[State, frozenset[State]] = {
    # Completed from every state: a paid success is never turned away.
    State.QUEUED: frozenset({State.SUBMITTING, State.FAILED, State.COMPLETED}),
    State.SUBMITTING: frozenset({State.QUEUED, State.PROCESSING, State.UNCONFIRMED, State.COMPLETED, State.FAILED}),
    State.UNCONFIRMED: frozenset({State.PROCESSING, State.COMPLETED, State.FAILED}),
    State.PROCESSING: frozenset({State.COMPLETED, State.FAILED}),
    State.FAILED: frozenset({State.COMPLETED}),
    State.COMPLETED: frozenset(),
}

TERMINAL = frozenset({State.COMPLETED, State.FAILED})
IN_FLIGHT = frozenset({State.SUBMITTING, State.UNCONFIRMED, State.PROCESSING})
"""States in which a task may be running at the provider."""


def sources(target: State) -> tuple[State, ...]:
    """The states from which `target` may be reached, in the order of `State`."""
    return tuple(state for state in State if target in TRANSITIONS[state])
