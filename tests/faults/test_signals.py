"""SIGTERM in the middle of a step: it ends, or its lease returns. And what a new start must not break."""

from __future__ import annotations

import time

import pytest
import requests

from tests.faults.conftest import terminate
from tests.processes import wait_until
from tests.provider import completed

pytestmark = pytest.mark.xdist_group("processes")

STEPS = {
    # What must be there when a worker has ended that was told to in the middle of this step.
    "committed": lambda row: row["state"] == "processing" and row["task_id"],
    "posted": lambda row: row["state"] == "processing" and row["task_id"],
    "asked": lambda row: row["state"] == "completed",
    "downloading": lambda row: row["stored_at"] is not None,
    "moved": lambda row: row["stored_at"] is not None,
}


@pytest.mark.parametrize("step", STEPS)
def test_the_step_under_way_is_ended(place, step):
    here = place(PUBLIC_BASE_URL="http://127.0.0.1:9", CRASHING_PAUSE=1.5)
    worker = here.start("run_huey", "-w", "1", at=step)
    wait_until(here.marker.exists, f"the moment: {step}")
    assert terminate(worker) == 0
    assert STEPS[step](here.row()), here.row()
    here.start("run_huey", "-w", "2")
    row = here.wait_for_rest()
    assert (row["state"], row["stored_at"] is not None) == ("completed", True)
    assert (here.posts(), here.charges()) == (1, [1])


@pytest.mark.parametrize("step", ["committed", "downloading"])
def test_a_step_that_takes_too_long_is_left_to_the_next_start(place, step):
    here = place(PUBLIC_BASE_URL="http://127.0.0.1:9", CRASHING_PAUSE=30, QUICK_SHUTDOWN=0.5)
    worker = here.start("run_huey", "-w", "1", at=step)
    wait_until(here.marker.exists, f"the moment: {step}")
    began = time.monotonic()
    assert terminate(worker) == 0
    assert time.monotonic() - began < 25, "it has waited for the step"
    here.start("run_huey", "-w", "2")
    row = here.wait_for_rest()
    if step == "committed":
        # It never left, which nobody can know: it is not sent again.
        assert (row["state"], row["error_code"]) == ("failed", "not_confirmed")
        assert (here.posts(), here.charges()) == (0, [])
    else:
        assert row["stored_at"] is not None
        assert here.stored() == sorted([row["file"], row["poster"]])
        assert (here.posts(), here.charges()) == (1, [1])


def test_old_callback_urls_work_after_a_new_start_with_another_secret_key(place):
    # The task takes for ever; the test itself tells of its end.
    here = place(provider={"seconds": 3600.0}, SECRET_KEY="the first secret key " * 4)
    worker = here.start("run_huey", "-w", "1")
    row = here.wait_for(lambda row: row["state"] == "processing", "a running task")
    assert terminate(worker) == 0
    [post] = here.sandbox.ledger.tasks()
    address = post["request"]["callback_url"]
    assert address.startswith(here.url)

    web = here.start("web", SECRET_KEY="another secret key " * 4)
    wait_until(lambda: answers(address), "a web server")
    link = f"http://127.0.0.1:{here.port + 1}/files/x.mp4"
    told = requests.post(address, json=completed(row["task_id"], video_url=link), timeout=30)
    assert told.status_code == 200
    assert here.row()["state"] == "completed"
    assert terminate(web) in (0, -15)


def answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=5).status_code == 405
    except requests.RequestException:
        return False
