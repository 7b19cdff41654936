"""Run tasks: wait, render, write down the end, send the callback. Nothing here knows HTTP requests.

Two threads render, one watches the clock, some send callbacks. All of them are daemons that watch one event, so that
stopping takes no longer than a frame; the ledger says what the next start has to take up again.
"""

from __future__ import annotations

import heapq
import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import requests

from videos.sandbox import answers
from videos.sandbox.chaos import Dice
from videos.sandbox.ledger import Ledger, Task
from videos.sandbox.studio import Studio, TaskFailed
from videos.sandbox.words import RateLimited, says

logger = logging.getLogger(__name__)

RENDERERS = 2
CALLERS = 8
CALLBACK_TIMEOUT = 10.0  # seconds


class Engine:
    """Runs the tasks of one ledger; `base` tells our own address, for links."""

    def __init__(
        self,
        ledger: Ledger,
        folder: Path,
        base: Callable[[], str],
        *,
        seconds: float,
        slow_seconds: float,
        quick: bool,
        dice: Dice,
        limit_in_flight: int | None,
    ) -> None:
        self._ledger = ledger
        self._base = base
        self._seconds = seconds
        self._slow_seconds = slow_seconds
        self._dice = dice
        self._limit = limit_in_flight
        self._stopped = threading.Event()
        self.studio = Studio(ledger, folder, base, quick=quick, stopped=self._stopped.is_set)
        self._to_render: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._to_call: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._rendered: list[tuple[float, str, dict[str, Any]]] = []  # a heap by due time
        self._changed = threading.Condition()  # guards the heap, and tells of every end and callback
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads and take up what an earlier run left unfinished."""
        works = [self._render_tasks] * RENDERERS + [self._send_callbacks] * CALLERS + [self._watch_clock]
        self._threads = [threading.Thread(target=work, daemon=True, name=work.__name__) for work in works]
        for thread in self._threads:
            thread.start()
        for task_id in self._ledger.unfinished():
            self._to_render.put(task_id)
        for task_id in self._ledger.uncalled():
            self._owe_callbacks(self._ledger.task(task_id))

    def stop(self) -> None:
        """End the threads; returns within about two seconds, whatever they do."""
        self._stopped.set()
        for _ in range(RENDERERS):
            self._to_render.put(None)
        for _ in range(CALLERS):
            self._to_call.put(None)
        with self._changed:
            self._changed.notify_all()
        deadline = time.monotonic() + 2.0
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def make(self, request: dict[str, Any], *, early: bool = False) -> Task:
        """Make, and bill, a task; `early`: it ends as soon as it is rendered. Raises `RateLimited`."""
        seconds = self._slow_seconds if says(request, "[slow]") else 0.0 if early else self._seconds
        now = time.time()
        task = Task(
            id=str(uuid.uuid4()),
            video_id=str(uuid.uuid4()),
            trace_id=str(uuid.uuid4()),
            request=request,
            billed=True,
            created_at=now,
            due_at=now + seconds,
            finished_at=None,
            response=None,
            callbacks_left=0,
        )
        if not self._ledger.add_task(task, limit=self._limit):
            raise RateLimited()
        self._to_render.put(task.id)
        return task

    def wait(self, task_id: str, seconds: float, *, called: bool = False) -> Task | None:
        """The task once it ended (`called`: and its callbacks were sent); None where that takes too long."""
        found: list[Task] = []

        def over() -> bool:
            task = self._ledger.task(task_id)
            if task is not None and task.finished_at is not None and not (called and task.callbacks_left):
                found.append(task)
            return bool(found) or self._stopped.is_set()

        with self._changed:
            self._changed.wait_for(over, seconds)
        return found[-1] if found else None

    def pause(self, seconds: float) -> None:
        """Sleep, but not beyond `stop`."""
        self._stopped.wait(seconds)

    def _render_tasks(self) -> None:
        while (task_id := self._to_render.get()) is not None and not self._stopped.is_set():
            task = self._ledger.task(task_id)
            if task is None:
                continue
            try:
                response = self.studio.produce(task)
            except InterruptedError:
                return
            except TaskFailed as failed:
                response = answers.failure(task, failed.code, str(failed))
            except Exception:
                logger.exception("task %s could not be rendered", task_id)
                response = answers.failure(task, "api_error", "The sandbox could not render this video.")
            with self._changed:
                heapq.heappush(self._rendered, (task.due_at, task.id, response))
                self._changed.notify_all()

    def _watch_clock(self) -> None:
        while not self._stopped.is_set():
            with self._changed:
                wait = self._rendered[0][0] - time.time() if self._rendered else None
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
                _, task_id, response = heapq.heappop(self._rendered)
            self._end(task_id, response)

    def _end(self, task_id: str, response: dict[str, Any]) -> None:
        task = self._ledger.task(task_id)
        if task is None:
            return
        owed = self._callbacks_for(task)
        if self._ledger.finish_task(task_id, response, callbacks=owed):
            self._owe_callbacks(replace(task, callbacks_left=owed))
        with self._changed:
            self._changed.notify_all()

    def _callbacks_for(self, task: Task) -> int:
        if not task.callback_url or says(task.request, "[lost callback]"):
            return 0
        return 2 if says(task.request, "[double callback]") else self._dice.callbacks()

    def _owe_callbacks(self, task: Task | None) -> None:
        for _ in range(task.callbacks_left if task else 0):
            self._to_call.put(task.id if task else None)

    def _send_callbacks(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while (task_id := self._to_call.get()) is not None and not self._stopped.is_set():
                task = self._ledger.task(task_id)
                if task is not None and task.callback_url:
                    self._call(session, task, task.callback_url)

    def _call(self, session: requests.Session, task: Task, url: str) -> None:
        status, error = None, ""
        try:
            answer = session.post(
                url,
                json=answers.result(task, self._base()),
                timeout=CALLBACK_TIMEOUT,
                allow_redirects=False,
                stream=True,  # whatever the receiver says in its body, we don't wait for it
                headers={"Connection": "close"},
            )
            status = answer.status_code
            answer.close()
        except (requests.RequestException, UnicodeError, ValueError) as problem:
            error = type(problem).__name__
        if self._stopped.is_set() and status is None:
            return  # still owed: the next start sends it
        self._ledger.add_callback(task.id, url, status, error)
        # The address bears a secret of the receiver's, so it stays out of the log.
        logger.info("callback of task %s: %s", task.id, status or error)
        with self._changed:
            self._changed.notify_all()
