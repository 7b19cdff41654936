"""The queue and the cache in Redis: whoever gets at it can't run anything here, and what it loses is found again."""

from __future__ import annotations

import os
import pickle
from typing import Any

import pytest
from django.core.cache import cache
from huey.contrib.djhuey import HUEY
from huey.serializer import SignedSerializer

from videos import services, tasks
from videos.models import Generation

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.service]


class Evil:
    """Runs a command wherever it is unpickled."""

    def __init__(self, path: Any) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._path),)


@pytest.mark.parametrize("sign", [pickle.dumps, SignedSerializer("somebody else's key").serialize])
def test_a_message_that_we_did_not_sign_is_dropped_unread(tmp_path, sign):
    trap = tmp_path / "sprung"
    HUEY.storage.enqueue(sign(Evil(trap)))
    with pytest.raises(ValueError, match=r"Separator|Signature"):
        HUEY.dequeue()
    assert not trap.exists()
    assert HUEY.pending_count() == 0


def test_what_is_cached_is_seen_by_all_processes():
    cache.set("usual-wait", 7)
    # Another process begins with nothing in memory.
    from django.core.cache import caches
    from django.core.cache.backends.redis import RedisCache

    assert isinstance(caches["default"], RedisCache)
    assert services.usual_wait() == 7


def test_a_request_is_sent_though_the_queue_has_lost_it(ada, provider):
    ada.generate()
    assert HUEY.pending_count() > 0
    HUEY.flush()
    tasks.sweep.call_local()
    assert tasks.waiting()
    while (task := HUEY.dequeue()) is not None:
        HUEY.execute(task)
    assert len(provider.created) == 1
    assert Generation.objects.get().state == "processing"
