"""The provider's JSON: results, tasks and errors, built from ledger rows.

Links are kept without a host in the ledger, since the sandbox may come back on another port.
"""

from __future__ import annotations

import uuid
from typing import Any

from videos.sandbox.ledger import Task
from videos.sandbox.render import Size

LINKS = ("video_url", "thumbnail_url")


def success(task: Task, size: Size, video_path: str, thumbnail_path: str) -> dict[str, Any]:
    """How a task ended well; the paths begin with a slash."""
    width, height = size
    return {
        "success": True,
        "task_id": task.id,
        "trace_id": task.trace_id,
        "video_id": task.video_id,
        "prompt": task.request["prompt"],
        "state": "completed",
        "video_url": video_path,
        "video_width": width,
        "video_height": height,
        "thumbnail_url": thumbnail_path,
        "thumbnail_width": width,
        "thumbnail_height": height,
    }


def failure(task: Task, code: str, message: str) -> dict[str, Any]:
    """How a task ended badly."""
    error = {"code": code, "message": message}
    return {"success": False, "task_id": task.id, "trace_id": task.trace_id, "error": error}


def result(task: Task, base: str) -> dict[str, Any]:
    """A task's end, as the callback and the blocking answer tell it; {} while it runs. `base` is our own address."""
    response = dict(task.response or {})
    for name in LINKS:
        if name in response:
            response[name] = base + response[name]
    return response


def task_object(task: Task, base: str) -> dict[str, Any]:
    """A task as `POST /luma/tasks` tells it."""
    told: dict[str, Any] = {
        "id": task.id,
        "request": task.request,
        "response": result(task, base),
        "trace_id": task.trace_id,
        "created_at": task.created_at,
        "started_at": task.created_at,
    }
    if task.finished_at is not None:
        told["finished_at"] = task.finished_at
        told["elapsed"] = round(task.finished_at - task.created_at, 3)
    return told


def summary(task: Task, base: str) -> dict[str, Any]:
    """A task in short. It stands under `data` beside the task, where alone the provider's command line looks."""
    if task.response is None:
        return {"id": task.id, "state": "processing"}
    if task.failed:
        return {"id": task.id, "state": "failed"}
    return {"id": task.id, "state": "completed", "video_url": result(task, base)["video_url"]}


def error(code: str, message: str) -> dict[str, Any]:
    """The body of every refusal."""
    return {"error": {"code": code, "message": message}, "trace_id": str(uuid.uuid4())}
