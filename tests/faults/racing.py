"""Workers at the same rows at the same moment: `python -m tests.faults.racing THREADS`.

Each thread of each such process claims and launches whatever it can get, and prints what it got.
"""

from __future__ import annotations

import sys
import threading

from tests import quick

quick.set_up()

from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from videos.models import Generation  # noqa: E402
from videos.services import provider, submitting  # noqa: E402
from videos.states import State  # noqa: E402

LOCK = threading.Lock()


def say(word: str, pk: object) -> None:
    with LOCK:
        sys.stdout.write(f"{word} {pk}\n")


def race(pks: list[object]) -> None:
    """Claim each row as all others do at this moment, then launch it."""
    for pk in pks:
        if Generation.objects.claim(pk, list(State), timezone.now(), provider.LEASE):
            say("claimed", pk)
        # Also without the claim: what guards the paid step must hold alone.
        row = Generation.objects.get(pk=pk)
        if submitting._launch(row, {"prompt": row.prompt}):
            say("launched", pk)
    connection.close()


def main() -> None:
    """Start when told to, as the other processes are."""
    pks = list(Generation.objects.filter(state=State.QUEUED).order_by("id").values_list("pk", flat=True))
    threads = [threading.Thread(target=race, args=(pks,)) for _ in range(int(sys.argv[1]))]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
