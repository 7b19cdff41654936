"""The quick product with one fatal moment: `python -m tests.faults.crashing STEP MARKER WORDS…`.

The first time that the process comes to the step it dies there as if by kill -9; the file MARKER says that it has
happened, and then never again. With `CRASHING_PAUSE=2` it stays there for two seconds instead, and goes on.
"""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import quick

KILLED = 137


class Moment:
    """The fatal moment, of which there is one, whatever number of processes comes to it."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker
        self._pause = float(os.environ.get("CRASHING_PAUSE", "0"))

    def come(self) -> None:
        """Die here, or stay a while; the first time only."""
        try:
            self._marker.touch(exist_ok=False)
        except FileExistsError:
            return
        if not self._pause:
            os._exit(KILLED)
        time.sleep(self._pause)

    def before(self, holder: Any, name: str) -> None:
        """The moment is just before this function is called."""
        real = getattr(holder, name)

        @functools.wraps(real)
        def wrapped(*args: Any, **words: Any) -> Any:
            self.come()
            return real(*args, **words)

        setattr(holder, name, wrapped)

    def after(self, holder: Any, name: str, fits: Callable[..., bool] = lambda *args, **words: True) -> None:
        """The moment is when this function has done its work, and nobody knows yet."""
        real = getattr(holder, name)

        @functools.wraps(real)
        def wrapped(*args: Any, **words: Any) -> Any:
            answer = real(*args, **words)
            if fits(*args, **words):
                self.come()
            return answer

        setattr(holder, name, wrapped)


def lie_in_wait(step: str, moment: Moment) -> None:
    """Put the moment where the step says."""
    from django.db.models import QuerySet
    from django.db.models.signals import post_save

    from videos import storing, tasks
    from videos.luma import client
    from videos.models import Callback
    from videos.services import bringing, confirming, following, submitting

    def arriving(response: Any, path: Path, *rest: Any) -> int:
        path.write_bytes(b"the first bytes")
        moment.come()
        return receive(response, path, *rest)

    def half_saved(sender: Any, **words: Any) -> None:
        moment.come()

    match step:
        case "unclaimed":
            moment.before(submitting, "_submit")
        case "claimed":
            moment.before(submitting, "_body")
        case "committed":
            moment.before(submitting, "_send")
        case "posted":
            moment.before(client, "_take")
        case "answered":
            moment.before(submitting, "apply_result")
        case "recorded":
            moment.after(submitting, "apply_result")
        case "asked":
            moment.before(following, "apply_result")
        case "found by asking":
            moment.after(following, "apply_result")
        case "looked for":
            moment.before(confirming, "_match")
        case "found in the history":
            moment.after(confirming, "apply_result")
        case "downloading":
            receive, storing._receive = storing._receive, arriving
        case "half moved":
            moment.after(storing, "_put")
        case "moved":
            moment.before(bringing, "_home")
        case "stored":
            moment.after(QuerySet, "update", lambda *args, **words: bool(words.get("stored_at")))
        case "callback uncommitted":
            post_save.connect(half_saved, sender=Callback, weak=False)
        case "callback committed":
            moment.before(tasks, "wake")
        case _:
            raise ValueError(f"no step is called {step!r}")


if __name__ == "__main__":
    quick.set_up()
    lie_in_wait(sys.argv[1], Moment(Path(sys.argv[2])))
    quick.run(sys.argv[3:])
