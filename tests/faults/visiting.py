"""The drill's visitors."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

import requests

from tests.people import request_fields
from tests.studio import Visitor

NAMES = ("ada", "bob", "cyd")
PASSWORD = "a-long-secret"
WORDS = {"[fail]": 4, "[moderated]": 3, "[rate limit]": 3, "[double callback]": 3, "[lost callback]": 3, "[drop]": 3}
"""Of a hundred prompts so many bear these magic words."""
SENT_TWICE = 0.1
"""So many forms are sent once more though they were answered."""


class Visitors:
    """People who ask for videos over HTTP, and send the same form again where no answer comes."""

    def __init__(self, drill: Any) -> None:
        self._drill = drill
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self.asked = 0
        self.repeated = 0
        self.faults: list[str] = []
        self._people = [Visitor(drill, name, PASSWORD) for name in NAMES]
        self._threads = [threading.Thread(target=self._visit, args=(person,)) for person in self._people]
        for thread in self._threads:
            thread.start()

    def done(self) -> bool:
        """Whether all has been asked for."""
        return not any(thread.is_alive() for thread in self._threads)

    def end(self) -> None:
        """Stop asking, whatever is still to be asked for."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _visit(self, person: Visitor) -> None:
        token = person.session.cookies["csrftoken"]
        while not self._ended.is_set() and self.asked < self._drill.options.generations:
            number = self._next()
            if number is None:
                self._ended.wait(0.1)
                continue
            dice = random.Random(f"{self._drill.options.seed} {number}")
            word = dice.choices(["", *WORDS], [100 - sum(WORDS.values()), *WORDS.values()])[0]
            fields = request_fields(prompt=f"film {number} {word}".strip(), aspect_ratio="16:9")
            fields["csrfmiddlewaretoken"] = token
            times = 2 if dice.random() < SENT_TWICE else 1
            made = {self._ask(person, fields) for _ in range(times)}
            if len(made) != 1:
                self.faults.append(f"{len(made)} generations: {fields['prompt']}")

    def _next(self) -> int | None:
        with self._lock:
            if self.asked >= self._drill.allowed():
                return None
            self.asked += 1
            return self.asked

    def _ask(self, person: Visitor, fields: dict[str, str]) -> str:
        while True:
            try:
                answer = person.session.post(
                    f"{self._drill.url}/generations/", data=fields, timeout=30, allow_redirects=False
                )
            except requests.RequestException:
                self.repeated += 1
                time.sleep(0.2)
                continue
            if answer.status_code == 302:
                return answer.headers["Location"]
            self.faults.append(f"{answer.status_code}: {fields['prompt']}")
            if self._ended.wait(0.2):
                return ""
