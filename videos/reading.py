"""A generation told to people: its times, its request, its code, what went wrong and what to do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .luma.client import ACCOUNT_CODES
from .models import Generation
from .states import State


@dataclass(frozen=True)
class Said:
    """What a card says: what is going on, what the user can do about it, and what a failure cost."""

    what: str
    advice: str = ""
    cost: str = ""


MAYBE_CHARGED = frozenset({"not_confirmed", "never_answered", "restored", "marked_failed"})
"""Failures that may have cost something all the same."""
TO_BE_CHANGED = frozenset({"bad_request", "forbidden", "frame_refused", "no_frame_route", "rejected"})
"""Failures that sending the same again would only repeat."""
_NO_ACCESS = gettext_lazy(
    "The provider does not accept this studio's access. Your request is kept, and goes out when an operator has "
    "put that right."
)
_QUEUED = {
    **dict.fromkeys((*sorted(ACCOUNT_CODES), "accountproblem"), _NO_ACCESS),
    "used_up": gettext_lazy(
        "The provider's balance is used up. Your request is kept, and goes out when it is refilled."
    ),
    "too_many_requests": gettext_lazy("The provider is busy. Your request is kept, and goes out in a moment."),
    "unreachable": gettext_lazy("The provider can't be reached. Your request is kept, and goes out when it can."),
    "frame_delayed": gettext_lazy("A frame could not be handed to the provider yet. We try again."),
}
_FAILED = {
    "forbidden": gettext_lazy("Change the prompt or the frames, and generate again."),
    "bad_request": gettext_lazy("Change the request, and generate again."),
    "cancelled": "",
    "not_confirmed": gettext_lazy(
        "If it still turns up, it appears here by itself. Sending it again may be charged a second time."
    ),
    "restored": gettext_lazy(
        "If it turns up, it appears here by itself. Sending it again may be charged a second time."
    ),
    "never_answered": gettext_lazy(
        "If it still turns up, it appears here by itself. Send it again, or show the operator the trace ID."
    ),
    "no_frame_route": gettext_lazy("Give the frame's address instead of a file, or ask the operator."),
}


_OURS = frozenset(
    {
        "account_disabled",
        "answer_lost",
        "cancelled",
        "marked_failed",
        "never_answered",
        "no_frame_route",
        "not_confirmed",
        "restored",
    }
)
"""Codes whose words are ours, kept in English and translated for whoever reads them."""


def said_of(generation: Generation) -> Said:
    """The plain words for where the generation stands. The provider's own words are not escaped here."""
    state, words = generation.state, generation.error_message
    if words and generation.error_code in _OURS:
        words = _(words)
    if state == State.QUEUED:
        if generation.error_code:
            held_up = gettext_lazy("Waiting to be sent. The last try did not get through, so nothing was made.")
            return Said(str(_QUEUED.get(generation.error_code, held_up)), words)
        if generation.held:
            return Said(str(_QUEUED["too_many_requests"]))
        if generation.place == 1:
            return Said(_("Waiting to be sent: next in line."))
        if generation.place:
            return Said(_("Waiting to be sent: number %d in line.") % generation.place)
        return Said(_("Waiting to be sent."))
    if state == State.SUBMITTING:
        return Said(_("Being sent to Luma."))
    if state == State.PROCESSING:
        return Said(_("Sent. Luma usually takes 2 to 3 minutes."))
    if state == State.UNCONFIRMED:
        return Said(_("We lost the answer and are looking for your video. It is not sent a second time."))
    if state == State.FAILED:
        advice = _FAILED.get(generation.error_code, gettext_lazy("Try again, or change the request."))
        return Said(words or _("Luma could not make this video."), str(advice), _cost_of(generation))
    if generation.video is not None and generation.video.expired_at:
        return Said(
            _("This video could not be saved before the provider's link ended."),
            _("An operator can try to save it again."),
        )
    return Said("")


def _cost_of(generation: Generation) -> str:
    """What a failure cost, as far as we know."""
    if generation.error_code in MAYBE_CHARGED:
        return _("It may have been charged all the same.")
    if generation.task_id:
        return _("This probably cost nothing: the provider does not bill a task that fails.")
    return _("This cost nothing: no task was made.")


@dataclass(frozen=True)
class Step:
    """One line of the timeline; `at` is None while it has not happened."""

    label: str
    at: datetime | None


def timeline_of(generation: Generation) -> list[Step]:
    """asked → sent → accepted → notified or found → saved."""
    video = generation.video
    found = generation.found_at and not generation.notified_at
    steps = [
        Step(_("Asked"), generation.created_at),
        Step(_("Sent"), generation.sent_at),
        Step(_("Accepted"), generation.accepted_at),
        Step(_("Found by asking"), generation.found_at) if found else Step(_("Notified"), generation.notified_at),
    ]
    if generation.state == State.FAILED:
        return [step for step in steps if step.at] + [Step(_("Failed"), generation.finished_at)]
    return [*steps, Step(_("Saved"), video.stored_at if video else None)]


def request_of(generation: Generation) -> list[tuple[str, Any]]:
    """The request's fields as the provider names them, without the callback's secret and the keys to frames."""
    body = {name: value for name, value in _body(generation).items() if name not in ("callback_url", "async")}
    for name, frame_id in (
        ("start_image_url", generation.start_frame_id),
        ("end_image_url", generation.end_frame_id),
    ):
        if frame_id and name in body:
            # The link to an uploaded frame is signed: it was meant for the provider alone.
            body[name] = str(body[name]).partition("?")[0]
    return list(body.items())


def code_of(generation: Generation) -> dict[str, str]:
    """The request as code to run, `{token}` standing for the API token."""
    body = dict(request_of(generation)) | {"async": True}
    address = f"{settings.ACEDATACLOUD_API_BASE_URL}/luma/videos"
    text = json.dumps(body, indent=2, ensure_ascii=False)
    shell = text.replace("'", "'\\''")
    literal = "{\n" + "".join(f"    {name!r}: {value!r},\n" for name, value in body.items()) + "}"
    return {
        "curl": (
            f"curl -X POST '{address}' \\\n"
            "  -H 'Authorization: Bearer {token}' \\\n"
            "  -H 'Content-Type: application/json' \\\n"
            f"  -d '{shell}'"
        ),
        "python": (
            "import requests\n\n"
            f'url = "{address}"\n'
            'headers = {"Authorization": "Bearer {token}"}\n'
            f"body = {literal}\n\n"
            "response = requests.post(url, json=body, headers=headers, timeout=60)\n"
            "print(response.json())"
        ),
    }


def _body(generation: Generation) -> dict[str, Any]:
    if generation.request_body:
        return dict(generation.request_body)
    body: dict[str, Any] = {
        "action": generation.action,
        "prompt": generation.prompt,
        "loop": generation.loop,
        "enhancement": generation.enhancement,
        "timeout": generation.timeout,
    }
    optional = {
        "aspect_ratio": generation.aspect_ratio,
        "start_image_url": generation.start_image_url,
        "end_image_url": generation.end_image_url,
        "video_url": generation.source_url,
        "video_id": generation.source.video_id if generation.source else "",
    }
    return body | {name: value for name, value in optional.items() if value}
