"""The provider's transport, faked: what the product sends is held against a schema, what comes back is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import requests
import responses

API = "https://api.provider.example"
_URL = {"type": "string", "pattern": "^https?://", "maxLength": 4096}
_CREATE = {
    "type": "object",
    "properties": {
        "action": {"enum": ["generate", "extend"]},
        "prompt": {"type": "string", "minLength": 1, "maxLength": 5000},
        "aspect_ratio": {"enum": ["16:9", "9:16", "1:1", "4:3", "3:4", "21:9", "9:21"]},
        "start_image_url": _URL,
        "end_image_url": _URL,
        "loop": {"type": "boolean"},
        "enhancement": {"type": "boolean"},
        "video_id": {"type": "string", "minLength": 1},
        "video_url": _URL,
        "timeout": {"type": "number", "exclusiveMinimum": 0},
        "callback_url": _URL,
        "async": {"type": "boolean"},
    },
    "required": ["action", "prompt"],
    "additionalProperties": False,
    "allOf": [
        {
            "if": {"properties": {"action": {"const": "extend"}}},
            "then": {
                "anyOf": [{"required": ["video_id"]}, {"required": ["video_url"]}],
                "not": {"required": ["start_image_url"]},
            },
            "else": {"not": {"anyOf": [{"required": ["video_id"]}, {"required": ["video_url"]}]}},
        },
        {"anyOf": [{"required": ["callback_url"]}, {"properties": {"async": {"const": True}}, "required": ["async"]}]},
    ],
}
_TASKS = {
    "type": "object",
    "oneOf": [
        {
            "properties": {"action": {"const": "retrieve"}, "id": {"type": "string", "minLength": 1}},
            "required": ["action", "id"],
            "additionalProperties": False,
        },
        {
            "properties": {
                "action": {"const": "retrieve_batch"},
                "ids": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 50},
            },
            "required": ["action", "ids"],
            "additionalProperties": False,
        },
        {
            "properties": {
                "action": {"const": "retrieve_batch"},
                "limit": {"type": "integer", "minimum": 1},
                "offset": {"type": "integer", "minimum": 0},
                "created_at_min": {"type": "integer", "minimum": 0},
                "created_at_max": {"type": "integer"},
            },
            "required": ["action", "limit"],
            "additionalProperties": False,
        },
    ],
}


def hold_against_schema(path: str, body: Any) -> None:
    """Raise where a request has anything but what the provider's documents name, or lacks what it must have."""
    schema = {"/luma/videos": _CREATE, "/luma/tasks": _TASKS}[path]
    jsonschema.Draft202012Validator(schema).validate(body)


def body_of(request: requests.PreparedRequest) -> Any:
    """The JSON that a request carries."""
    raw = request.body
    if hasattr(raw, "read"):
        raw = raw.read()
    return json.loads(raw or b"{}")


class FakeProvider:
    """Answers as told; notes what was asked. `create`, `tasks` may be a reply, or a function of the body."""

    def __init__(self, mock: responses.RequestsMock) -> None:
        self.created: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.create: Any = None
        self.task_replies: dict[str, Any] = {}
        self.history: list[dict[str, Any]] | Any = []
        mock.add_callback(responses.POST, f"{API}/luma/videos", self._create)
        mock.add_callback(responses.POST, f"{API}/luma/tasks", self._tasks)

    def accept(self, task_id: str) -> None:
        """Answer the next requests with this task."""
        self.create = {"task_id": task_id}

    def task_completed(self, task_id: str, **words: Any) -> dict[str, Any]:
        """From now on this task is completed; answers its result."""
        result = completed(task_id, **words)
        self.task_replies[task_id] = {"id": task_id, "request": {}, "response": result, "created_at": 1.0}
        return result

    def _create(self, request: requests.PreparedRequest) -> Any:
        body = body_of(request)
        hold_against_schema("/luma/videos", body)
        assert request.headers["Authorization"] == "Bearer token-for-tests"
        self.created.append(body)
        found = self.create(body) if isinstance(self.create, Callable) else self.create
        if found is None:
            found = {"task_id": f"task-{len(self.created)}"}
        return _reply(found)

    def _tasks(self, request: requests.PreparedRequest) -> Any:
        body = body_of(request)
        hold_against_schema("/luma/tasks", body)
        self.asked.append(body)
        if "id" in body:
            return _reply(self.task_replies.get(body["id"], {}))
        if "ids" in body:
            items = [self.task_replies[key] for key in body["ids"] if key in self.task_replies]
            return _reply({"items": items, "count": len(items)})
        if not isinstance(self.history, list):
            return _reply(self.history)
        page = self.history[body.get("offset", 0) :][: body["limit"]]
        return _reply({"items": page, "count": len(page)})


def _reply(found: Any) -> Any:
    if isinstance(found, Exception):
        raise found
    if isinstance(found, tuple):
        return found
    return 200, {}, json.dumps(found)


def completed(task_id: str = "task-1", **words: Any) -> dict[str, Any]:
    """A finished result as the provider's documents show it."""
    return {
        "success": True,
        "task_id": task_id,
        "video_id": f"video-of-{task_id}",
        "prompt": "a film",
        "state": "completed",
        "video_url": f"https://cdn.provider.example/{task_id}.mp4",
        "video_width": 1360,
        "video_height": 752,
        "thumbnail_url": f"https://cdn.provider.example/{task_id}.jpg",
        "thumbnail_width": 1360,
        "thumbnail_height": 752,
        **words,
    }


def failed(task_id: str = "task-1", code: str = "api_error", message: str = "It did not work.") -> dict[str, Any]:
    """A failure as the callback tells it."""
    return {"success": False, "task_id": task_id, "trace_id": "trace-1", "error": {"code": code, "message": message}}


def error(status: int, code: str, message: str = "No.") -> tuple[int, dict[str, str], str]:
    """An error reply of the API."""
    return status, {}, json.dumps({"error": {"code": code, "message": message}, "trace_id": "trace-e"})
