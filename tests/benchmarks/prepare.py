"""A database for servers under load: `python -m tests.benchmarks.prepare FOLDER FAUCET_PORT`.

Prints JSON: Ada's `cookie`; `seen`, the cards of her first page that may change, which its live poll asks about;
`running`, [token, task id] of tasks that run; `environ`, what leads other processes to the same ground.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.benchmarks import world as worlds
from tests.benchmarks.world import NEWEST

ROWS, RUNNING, DOWNLOADS, OPEN = 10_000, 12_000, 12, 5
"""`OPEN` is the usual LUMA_MAX_IN_FLIGHT: so many cards of a page may change at once."""


def main(folder: Path, faucet: int) -> dict[str, object]:
    """Make all that the measurements need."""
    worlds.enter(folder, LUMA_MAX_IN_FLIGHT=1, LUMA_RESULT_HOSTS=f"127.0.0.1:{faucet}")
    from datetime import timedelta

    from django.utils import timezone

    from tests import rows
    from tests.benchmarks.filling import analyse
    from videos.models import Generation
    from videos.states import State

    world = worlds.populate(ROWS)
    # Its line and its running tasks would keep the worker busy with a provider that is not there.
    Generation.objects.filter(owner=world.bob).delete()
    now, later = timezone.now(), timezone.now() + timedelta(minutes=55)
    model = {"prompt": "a red fox", "aspect_ratio": "16:9", "state": State.PROCESSING, "next_check_at": later}
    running = [
        Generation(owner=world.bob, submission_key=worlds.key(n), task_id=f"run-{n}", **model, **rows.sent(now))
        for n in range(RUNNING)
    ]
    Generation.objects.bulk_create(running, batch_size=1000)
    for n in range(OPEN):
        rows.generation(world.ada, State.PROCESSING, task_id=f"open-{n}", next_check_at=later)
    link = f"http://127.0.0.1:{faucet}/film.mp4"
    for _ in range(DOWNLOADS):
        coming = rows.video(world.bob, video_url=link, link_vouched=True)
        rows.generation(world.bob, State.COMPLETED, video=coming, next_check_at=later)
    analyse()
    cards = list(Generation.objects.filter(owner=world.ada).order_by("-created_at")[:NEWEST])
    return {
        "cookie": world.client().cookies["sessionid"].value,
        "seen": [f"{card.pk}:{card.stamp}" for card in cards if card.open],
        "own": list(Generation.objects.filter(task_id__startswith="open-").values_list("callback_token", "task_id")),
        "running": [(row.callback_token, row.task_id) for row in running],
        "environ": {name: value for name, value in os.environ.items() if name in worlds.GIVEN},
    }


if __name__ == "__main__":
    json.dump(main(Path(sys.argv[1]), int(sys.argv[2])), sys.stdout, default=str)
