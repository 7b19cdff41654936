"""Killed (-9) at each step: nothing is paid for twice, nothing that was paid for is lost, and nobody sees a half."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.faults.conftest import PATIENCE, Place
from tests.faults.crashing import KILLED
from tests.processes import answers, wait_until

pytestmark = pytest.mark.xdist_group("processes")


LATEST = 50
"""Seconds from a new start to the end: a lease, the time to look for a task, and much for busy machines."""


@dataclass(frozen=True)
class Death:
    """Where a process dies, in which row's life, what it leaves behind, and what must come of it."""

    step: str
    left: str
    prompt: str = "a red fox"
    state: str = "completed"
    posts: int = 1
    charges: list[int] = field(default_factory=lambda: [1])
    by_callback: bool = False


DEATHS = [
    Death("unclaimed", "queued"),
    Death("claimed", "queued"),
    # Nobody can know that it was not sent: it is looked for, and never sent again.
    Death("committed", "submitting", state="failed", posts=0, charges=[]),
    Death("posted", "submitting"),
    Death("answered", "submitting"),
    Death("recorded", "processing"),
    Death("asked", "processing"),
    Death("found by asking", "completed"),
    Death("looked for", "unconfirmed", prompt="a red fox [drop]"),
    Death("found in the history", "processing or completed", prompt="a red fox [drop]"),
    Death("downloading", "completed"),
    Death("half moved", "completed"),
    Death("moved", "completed"),
    Death("stored", "completed"),
    Death("callback uncommitted", "submitting or processing", by_callback=True),
    Death("callback committed", "completed", by_callback=True),
]


def die_and_go_on(place: Place, death: Death) -> dict[str, Any]:
    """What is to be seen after one process died at the step and another took over."""
    place.ask("UPDATE videos_generation SET prompt = ?", death.prompt)
    if death.by_callback:
        dying = place.start("web", at=death.step)
        # The one callback must not come to a closed door.
        wait_until(lambda: answers(place.port), "a web server")
        worker = place.start("run_huey", "-w", "2")
    else:
        dying = place.start("run_huey", "-w", "1", at=death.step)
    seen = {"exit": dying.wait(PATIENCE), "came": place.marker.exists()}
    seen |= {"left": place.row()["state"], "left in storage": place.stored()}
    if death.by_callback:
        place.start("web")
    else:
        worker = place.start("run_huey", "-w", "2")
    row = place.wait_for_rest(LATEST)
    assert worker.poll() is None
    return seen | {"row": row, "posts": place.posts(), "charges": place.charges(), "stored": place.stored()}


@pytest.fixture(scope="module")
def ends(tmp_path_factory, prepared) -> Iterator[dict[str, Future[dict[str, Any]]]]:
    """All deaths, some at a time: most of each is waiting."""
    places: list[Place] = []

    def run(death: Death) -> dict[str, Any]:
        # Without callbacks where they are not the point: they would hide what asking must find.
        settings = {"LUMA_POLL_SECONDS": 5} if death.by_callback else {"PUBLIC_BASE_URL": "http://127.0.0.1:9"}
        place = Place(tmp_path_factory.mktemp("death") / "place", prepared, **settings)
        places.append(place)
        try:
            return die_and_go_on(place, death)
        finally:
            place.end()

    with ThreadPoolExecutor(4) as pool:
        yield {death.step: pool.submit(run, death) for death in DEATHS}


@pytest.mark.parametrize("death", DEATHS, ids=lambda death: death.step)
def test_killed(ends, death):
    seen = ends[death.step].result()
    assert (seen["exit"], seen["came"]) == (KILLED, True)
    assert seen["left"] in death.left.split(" or ")
    if death.step not in ("half moved", "moved", "stored"):
        assert seen["left in storage"] == []
    row = seen["row"]
    assert row["state"] == death.state
    assert seen["posts"] == death.posts
    assert seen["charges"] == death.charges
    if death.state == "completed":
        # Both files, under the names that the row knows, and nothing else.
        assert row["stored_at"] is not None
        assert seen["stored"] == sorted([row["file"], row["poster"]])
    else:
        assert row["error_code"] == "not_confirmed"
        assert seen["stored"] == []
