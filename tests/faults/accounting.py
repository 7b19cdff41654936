"""The drill's reckoning: the product's rows against the sandbox's ledger."""

from __future__ import annotations

import re
import time
from bisect import bisect_left
from typing import Any

from django.core.files.storage import default_storage

from tests.drill import ASK_SECONDS
from tests.faults.upheaval import EXPECTED
from tests.ground import SERVERS
from videos.links import callback_url
from videos.models import Generation
from videos.sandbox.ledger import Ledger
from videos.states import State

REFUSED = ("[fail]", "[moderated]")
"""Words of prompts that can't succeed."""


def account(drill: Any) -> list[tuple[str, Any, Any]]:
    """What came out: (name, value, what it may be; None: anything)."""
    ledger = Ledger(drill.folder / "provider" / "sandbox.sqlite3")
    tasks: dict[str, list[dict[str, Any]]] = {}
    for task in ledger.tasks():
        tasks.setdefault(task["request"]["callback_url"], []).append(task)
    rows = list(Generation.objects.select_related("video"))
    completed = [row for row in rows if row.state == State.COMPLETED]
    failed = [row for row in rows if row.state == State.FAILED]
    own = {row.pk: tasks.pop(callback_url(row.callback_token), []) for row in rows}
    paid = {row.pk: any(task["billed"] and task["finished_at"] for task in own[row.pk]) for row in rows}
    not_confirmed = [row for row in failed if row.error_code == "not_confirmed"]
    without_reason = [
        row for row in failed if row not in not_confirmed and not any(word in row.prompt for word in REFUSED)
    ]
    posts = [post["status"] for post in ledger.posts("/luma/videos")]
    called = [call["status"] for call in ledger.callbacks()]
    logs = "".join(path.read_text(errors="replace") for path in drill.folder.glob("*.log"))
    asked = [post["at"] for post in ledger.posts("/luma/tasks")]
    none, every = [0], drill.options.generations
    return [
        ("generations asked for", drill.visitors.asked, [every]),
        ("rows", len(rows), [every]),
        ("POSTs that reached the provider", len(posts), None),
        ("  left without an answer", posts.count(None), None),
        ("  answered with 429", posts.count(429), None),
        ("  answered with another error", sum((status or 0) >= 400 for status in posts) - posts.count(429), None),
        ("tasks charged", sum(ledger.charges().values()), None),
        ("charged, or made, twice", sum(len(each) > 1 for each in own.values()), none),
        ("tasks of no generation", len(tasks), none),
        ("generations with another's task", sum(_strange(row, own[row.pk]) for row in rows), none),
        ("completed", len(completed), None),
        ("  but not at home", sum(not _home(row) for row in completed), none),
        ("  files of no completed video", len(_files("videos")) - len(completed), none),
        ("failed by the provider's word", len(failed) - len(not_confirmed) - len(without_reason), None),
        ("failed honestly, not confirmed", sum(not paid[row.pk] for row in not_confirmed), None),
        ("failed without a reason", len(without_reason), none),
        ("paid and lost", sum(paid[row.pk] for row in failed), none),
        ("not at rest at the end", drill.not_at_rest(), none),
        ("in flight at most", ledger.max_in_flight, range(1, drill.options.in_flight + 1)),
        ("questions within ten seconds, at most", _crowd(asked, 10), range(round(10 / ASK_SECONDS) + 2)),
        ("callbacks taken", called.count(200), None),
        ("callbacks that met no web server", called.count(None), None),
        ("callbacks refused", len(called) - called.count(200) - called.count(None), none),
        ("kills", drill.kills(), [drill.options.kills]),
        ("  of workers", _kills(drill, "worker"), None),
        ("  of the web server", _kills(drill, "web"), None),
        ("POSTs whose worker was killed", logs.count("answer lost (The worker was ended"), None),
        ("forms sent again for want of an answer", drill.visitors.repeated, None),
        ("forms answered badly", len(drill.visitors.faults), none),
        *(drill.upheaval.told() if drill.upheaval else ()),
        ("processes that ended by themselves", sum(mortal.deaths for mortal in drill.mortals), none),
        ("workers that did not end well", sum(map(bool, drill.ends)), none),
        ("faults in the logs", sum(not _of_upheaval(drill, fault) for fault in _faults(logs)), none),
        ("seconds", round(time.monotonic() - drill.began), None),
    ]


def _strange(row: Generation, own: list[dict[str, Any]]) -> bool:
    return row.task_id is not None and row.task_id not in [task["id"] for task in own]


def _home(row: Generation) -> bool:
    video = row.video
    return bool(
        video
        and video.stored_at
        and default_storage.exists(video.file.name)
        and default_storage.exists(video.poster.name)
    )


def _files(folder: str) -> list[str]:
    return default_storage.listdir(folder)[1] if default_storage.exists(folder) or SERVERS else []


def _crowd(times: list[float], seconds: float) -> int:
    """How many of these times lie within so many seconds of each other, at most."""
    return max((bisect_left(times, at + seconds) - number for number, at in enumerate(times)), default=0)


def _faults(logs: str) -> list[str]:
    """The last line of each traceback: what was raised in the end, not what that came of."""
    pieces = re.split(r"^Traceback \(most recent call last\):\n", logs, flags=re.MULTILINE)[1:]
    link = re.compile(r"^(The above exception was the direct cause|During handling of the above)", re.MULTILINE)
    ends = (re.match(r"(?:[ \t].*\n|\n)+(.*)", piece) for piece in pieces if not link.search(piece))
    return [end[1] for end in ends if end]


def _of_upheaval(drill: Any, fault: str) -> bool:
    """Whether it tells of nothing but a server that was away."""
    return drill.upheaval is not None and fault.startswith(EXPECTED)


def _kills(drill: Any, kind: str) -> int:
    return sum(mortal.kills for mortal in drill.mortals if mortal.kind == kind)
