"""Mails that wait in the queue."""

from huey.contrib.djhuey import HUEY


def deliver() -> int:
    """Let a worker do all that waits in the queue; how many tasks there were."""
    done = 0
    while (task := HUEY.dequeue()) is not None:
        HUEY.execute(task)
        done += 1
    return done
