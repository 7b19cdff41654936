"""Turn one task into its files: look up what it starts from, render, and say how it ended."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

from videos.sandbox import answers
from videos.sandbox.fetching import Unfetchable, fetch_image, fetch_video
from videos.sandbox.ledger import Ledger, Task
from videos.sandbox.render import QUICK_SECONDS, SIZES, Scene, last_picture, quick_size, render, save_still, size_for
from videos.sandbox.words import DEFAULT_RATIO, says


class TaskFailed(Exception):
    """The task ends badly, with this `code` and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Studio:
    """Renders into `folder`; with `quick`, every video is a copy of one small file for its shape."""

    def __init__(
        self, ledger: Ledger, folder: Path, base: Callable[[], str], *, quick: bool, stopped: Callable[[], bool]
    ) -> None:
        self._ledger = ledger
        self._base = base
        self._quick = quick
        self._stopped = stopped
        self._quick_lock = threading.Lock()
        self.files = folder / "files"
        self._stills = folder / "stills"
        self._models = folder / "quick"
        for each in (self.files, self._stills, self._models):
            each.mkdir(parents=True, exist_ok=True)

    def produce(self, task: Task) -> dict[str, Any]:
        """Make the task's files and return its response, with links without a host.

        Raises `TaskFailed`, and `InterruptedError` where the sandbox is being stopped. May run twice for one task.
        """
        request = task.request
        if says(request, "[fail]"):
            raise TaskFailed("api_error", "The sandbox failed this task, because its prompt says [fail].")
        extends = request.get("action") == "extend"
        start = self._source(request) if extends else self._frame(request, "start_image_url")
        end = self._frame(request, "end_image_url")
        size = size_for(start) if extends and start else SIZES[request.get("aspect_ratio", DEFAULT_RATIO)]
        video, thumbnail = self.files / f"{task.video_id}.mp4", self.files / f"{task.video_id}.jpg"
        if self._quick:
            size = quick_size(size)
            self._copy_model(size, video, thumbnail)
        else:
            scene = Scene(request["prompt"], size, start, end, loop=bool(request.get("loop")), extends=extends)
            last = render(scene, video, thumbnail, stopped=self._stopped)
            save_still(last, self._still_path(task.video_id))
        return answers.success(task, size, f"/files/{video.name}", f"/files/{thumbnail.name}")

    def _frame(self, request: dict[str, Any], name: str) -> Image.Image | None:
        if name not in request:
            return None
        try:
            return fetch_image(request[name])
        except Unfetchable as problem:
            raise TaskFailed("bad_request", f"{name} could not be fetched: {problem}") from problem

    def _source(self, request: dict[str, Any]) -> Image.Image:
        """The last picture of the video that is extended."""
        if request.get("video_id"):
            return self._own_last_picture(request["video_id"])
        url = request["video_url"]
        if url.startswith(self._base() + "/files/"):
            return self._own_last_picture(Path(urlsplit(url).path).stem)
        try:
            with tempfile.TemporaryDirectory() as folder:
                fetch_video(url, Path(folder) / "source")
                return last_picture(Path(folder) / "source")
        except (Unfetchable, ValueError) as problem:
            raise TaskFailed("bad_request", f"video_url could not be fetched: {problem}") from problem

    def _own_last_picture(self, video_id: str) -> Image.Image:
        source = self._ledger.task_of_video(video_id)
        if source is None or source.response is None or source.failed:
            raise TaskFailed("api_error", "video not found")
        still = self._still_path(video_id)
        if still.exists():
            # Kept without the word SANDBOX, which would be zoomed with the picture and show twice.
            with Image.open(still) as image:
                return image.convert("RGB")
        try:
            return last_picture(self.files / f"{video_id}.mp4")
        except ValueError as problem:
            raise TaskFailed("api_error", "video not found") from problem

    def _still_path(self, video_id: str) -> Path:
        return self._stills / f"{video_id}.jpg"

    def _copy_model(self, size: tuple[int, int], video: Path, thumbnail: Path) -> None:
        name = f"{size[0]}x{size[1]}"
        model, model_thumbnail = self._models / f"{name}.mp4", self._models / f"{name}.jpg"
        with self._quick_lock:
            if not model.exists():  # the video is written after its thumbnail, so both are there
                render(Scene("quick", size, seconds=QUICK_SECONDS), model, model_thumbnail, stopped=self._stopped)
        shutil.copyfile(model, video)
        shutil.copyfile(model_thumbnail, thumbnail)
