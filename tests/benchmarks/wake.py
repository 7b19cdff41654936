"""Have the worker download three results, or leave them alone: `python -m tests.benchmarks.wake start|stop`."""

from __future__ import annotations

import sys
from datetime import timedelta


def main(word: str) -> None:
    """Make them due, and tell the worker; or put them off."""
    import django

    django.setup()
    from django.utils import timezone

    from videos import tasks
    from videos.models import Generation

    coming = Generation.objects.filter(state="completed", next_check_at__isnull=False)
    if word == "stop":
        coming.update(next_check_at=timezone.now() + timedelta(minutes=55))
        return
    # The ones that were tried least: each has only so many tries.
    for pk in list(coming.order_by("video__store_tries", "pk").values_list("pk", flat=True)[:3]):
        Generation.objects.filter(pk=pk).update(next_check_at=timezone.now())
        tasks.advance(str(pk))


if __name__ == "__main__":
    main(sys.argv[1])
