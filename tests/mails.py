"""Mails that wait in the queue."""

from unittest.mock import patch

from huey.contrib import djhuey


def deliver() -> int:
    """Let a worker do all that waits in the queue; how many tasks there were."""
    done = 0
    # A worker closes its connections; here they are the test's.
    with patch.object(djhuey, "close_old_connections"):
        while (task := djhuey.HUEY.dequeue()) is not None:
            djhuey.HUEY.execute(task)
            done += 1
    return done
