"""The worker: huey's consumer, ended the same way by both signals."""

from __future__ import annotations

import logging
import signal
from typing import Any

from django.conf import settings
from django.utils.module_loading import autodiscover_modules
from huey.consumer import Consumer
from huey.contrib.djhuey import HUEY

SHUTDOWN_SECONDS = 30
"""How long a step under way may take to end; what takes longer is taken up again when its lease ends."""


class StudioConsumer(Consumer):
    """Lets the step under way finish on Ctrl-C and on SIGTERM alike; huey cuts one of the two off."""

    def __init__(self, **options: Any) -> None:
        super().__init__(HUEY, shutdown_timeout=SHUTDOWN_SECONDS, **options)
        for number in (signal.SIGINT, signal.SIGTERM):
            self._signal_actions[number] = (False, True)


def make_consumer(**options: Any) -> StudioConsumer:
    """A worker with the site's settings; `options` overrule them (see huey's Consumer)."""
    autodiscover_modules("tasks")
    logging.getLogger("huey").setLevel(logging.WARNING)
    return StudioConsumer(**{**settings.HUEY["consumer"], **options})
