"""The provider's words as they come, and what we read in them: one file in `payloads/` for each shape."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videos.luma import schema
from videos.luma.schema import Completed, Failed, Running
from videos.models import Generation

PAYLOADS = Path(__file__).parent / "payloads"
LINK = "https://cdn.provider.example/x.mp4"


def payload(name: str) -> dict[str, Any]:
    """A stored reply, read as the client reads it."""
    return schema.load((PAYLOADS / f"{name}.json").read_bytes())


def done(**words: Any) -> Completed:
    """The finished video of most payloads."""
    usual = {
        "task_id": "task-1",
        "video_id": "video-1",
        "video_url": LINK,
        "video_width": 1360,
        "video_height": 752,
        "thumbnail_url": "https://cdn.provider.example/x.jpg",
    }
    return Completed(**{**usual, **words})


def bare(**words: Any) -> Completed:
    """The same without sizes and picture."""
    return done(**{"video_width": None, "video_height": None, "thumbnail_url": "", **words})


RESULTS = {
    "result_plain": done(),
    "result_with_trace_id": done(trace_id="trace-1"),
    "result_nested_in_data": done(trace_id="trace-1"),
    "result_nested_without_ids": bare(trace_id="trace-1"),
    "result_least": bare(task_id="", video_id=""),
    "result_numbers_as_ids": done(task_id="4711", video_id="815"),
    "result_absurd_numbers": done(video_width=None, video_height=None),
    "result_numbers_as_text": done(video_width=None, video_height=None),
    "result_hostile_text": done(video_id="v" * 128),
    "result_thumbnail_is_script": done(thumbnail_url=""),
    "result_state_in_capitals": done(),
    "accepted": Running("task-1"),
    "accepted_success": Running("task-1", "trace-1"),
    "accepted_in_data": Running("task-1"),
    "running_state_processing": Running("task-1"),
    "running_state_pending": Running("task-1"),
    "running_success_empty_url": Running("task-1"),
    "running_success_null_url": Running("task-1"),
    "running_success_url_is_script": Running("task-1"),
    "running_success_url_with_password": Running("task-1"),
    "running_success_is_text": Running("task-1"),
    "running_error_string": Running("task-1"),
    "running_error_list": Running("task-1"),
    "running_error_null": Running("task-1"),
    "running_error_without_code": Running("task-1"),
    "running_nothing": Running(),
    "running_wrong_types": Running(),
    "failed_structured": Failed("task-1", "api_error", "The upstream failed.", "trace-1"),
    "failed_structured_without_success": Failed("task-1", "timeout", "Too slow."),
    "failed_structured_in_data": Failed("task-1", "forbidden", "Not this prompt."),
    "failed_code_is_number": Failed("task-1", "1234", "No."),
    "failed_detail_for_message": Failed("task-1", "api_error", "In detail."),
    "failed_state_failed": Failed("task-1", "failed", ""),
    "failed_state_error": Failed("task-1", "error", "it broke"),
    "failed_state_cancelled": Failed("task-1", "cancelled", ""),
    "failed_finished_error_string": Failed("task-1", "failed", "it broke"),
    "failed_finished_error_list": Failed("task-1", "api_error", "it broke"),
    "failed_finished_error_null": Failed("task-1", "failed", "it broke"),
    "failed_hostile_text": Failed("task-1", "c" * 64, "m" * 2000),
}

TASKS = {
    "task_completed": done(trace_id="trace-1"),
    "task_completed_nested": done(trace_id="trace-1"),
    "task_completed_in_data": done(trace_id="trace-1"),
    "task_completed_nested_null_ids": done(trace_id="trace-1"),
    "task_running_response_absent": Running("task-1"),
    "task_running_response_empty": Running("task-1"),
    "task_running_response_null": Running("task-1"),
    "task_running_response_text": Running("task-1"),
    "task_running_without_link": Running("task-1", "trace-1"),
    "task_running_error_string": Running("task-1", "trace-1"),
    "task_running_links_in_request": Running("task-1"),
    "task_failed_structured": Failed("task-1", "api_error", "It broke.", "trace-1"),
    "task_failed_finished_error_string": Failed("task-1", "failed", "it broke", "trace-1"),
    "task_failed_finished_error_null": Failed("task-1", "failed", "", "trace-1"),
    "task_failed_state": Failed("task-1", "failed", "", "trace-1"),
    "task_named_by_task_id": Running("task-1"),
    "task_absurd_times": Running("task-1", "trace-1"),
    "task_unknown_empty": None,
    "task_unknown_error": None,
    "task_unknown_null_data": None,
}

BATCHES = {
    "batch": ["task-1", "task-2"],
    "batch_in_data": ["task-1", "task-2"],
    "batch_list_in_data": ["task-1", "task-2"],
    "batch_with_rubbish": ["task-1", "task-2"],
    "batch_empty": [],
    "batch_items_null": [],
    "batch_items_text": [],
    "batch_error": [],
}


def test_each_stored_reply_has_an_expected_reading():
    assert {path.stem for path in PAYLOADS.glob("*.json")} == {*RESULTS, *TASKS, *BATCHES}


@pytest.mark.parametrize(("name", "reading"), RESULTS.items(), ids=RESULTS)
def test_a_result_is_read_as(name, reading):
    assert schema.read_result(payload(name)) == reading


@pytest.mark.parametrize(("name", "reading"), TASKS.items(), ids=TASKS)
def test_a_task_is_read_as(name, reading):
    task = schema.read_task(payload(name))
    assert (task and task.reading) == reading
    assert task is None or task.id == "task-1"


def test_a_task_tells_its_request_and_times():
    task = schema.read_task(payload("task_completed"))
    assert task.request == {"action": "generate", "prompt": "a red fox"}
    assert (task.created_at, task.finished_at) == (1720000000.5, 1720000150.25)


def test_times_outside_of_history_are_left_out():
    task = schema.read_task(payload("task_absurd_times"))
    assert (task.created_at, task.finished_at) == (None, None)


@pytest.mark.parametrize(("name", "ids"), BATCHES.items(), ids=BATCHES)
def test_a_batch_holds_the_tasks(name, ids):
    assert [task.id for task in schema.read_tasks(payload(name))] == ids


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"error": {"code": "used_up", "message": "Empty."}}, ("used_up", "Empty.")),
        ({"error": "just words"}, ("", "just words")),
        ({"error": ["first", "second"]}, ("", "first")),
        ({"error": [{"code": "a", "message": "b"}]}, ("a", "b")),
        ({"error": []}, ("", "")),
        ({"error": None, "code": "x", "message": "y"}, ("x", "y")),
        ({"code": "x", "detail": "y"}, ("x", "y")),
        ({"error": {"code": None, "message": ["no"]}}, ("", "")),
        ({}, ("", "")),
    ],
)
def test_an_error_is_read_in_every_shape(found, said):
    assert schema.read_error(found) == said


def test_a_gateways_page_is_no_reply():
    with pytest.raises(ValueError):
        schema.load((PAYLOADS / "gateway.html").read_bytes())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"5",
        b"{",
        b"\xff\xfe{}",
        b'{"a": "\xc3"}',
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
    ids=lambda body: repr(body[:8]),
)
def test_what_is_no_json_object_is_refused(body):
    with pytest.raises(ValueError):
        schema.load(body)


def test_a_byte_order_mark_does_no_harm():
    assert schema.load(b'\xef\xbb\xbf{"task_id": "x"}') == {"task_id": "x"}


@pytest.mark.parametrize(
    "link",
    [
        "https://cdn.provider.example/a%20b.mp4?sig=a/b+c=&x=1#t",
        "http://127.0.0.1:8001/x.mp4",
        "https://[2001:db8::1]:443/x",
    ],
)
def test_a_web_link_is_kept_as_it_is(link):
    assert schema.url(link) == link


@pytest.mark.parametrize(
    "link",
    [
        None,
        5,
        "",
        "x.mp4",
        "//host/x",
        "https:///x",
        "ftp://host/x",
        "data:text/html,x",
        "file:///etc/passwd",
        "https://user@host/x",
        "https://host/a b",
        "https://host/\x00",
        "https://host/\ud800",
        'https://host/"onload=x',
        "https://host\\@evil.example/",
        "https://host:99999/",
        "https://[::1/",
        "https://host/" + "x" * 5000,
    ],
)
def test_what_is_no_web_link_is_dropped(link):
    assert schema.url(link) == ""


def storable(value: str, limit: int) -> bool:
    """Whether a database takes the text, in a column of this length."""
    value.encode("utf-8")
    return "\x00" not in value and len(value) <= limit


LIMITS = {
    "task_id": Generation._meta.get_field("task_id").max_length,
    "trace_id": Generation._meta.get_field("trace_id").max_length,
    "video_id": Generation._meta.get_field("task_id").max_length,
    "code": Generation._meta.get_field("error_code").max_length,
    "message": 2000,
    "video_url": 4096,
    "thumbnail_url": 4096,
}


def hold_storable(reading: schema.Reading) -> None:
    """Raise where a reading holds anything that a database would refuse."""
    for field in fields(reading):
        value = getattr(reading, field.name)
        if isinstance(value, str):
            assert storable(value, LIMITS[field.name]), field.name
        else:
            assert value is None or 1 <= value <= 20_000


text = st.text(st.characters(), max_size=20) | st.sampled_from(
    ["\x00", "\ud800", "completed", "failed", "processing", LINK, "https://h/\ud800", "x" * 9000, "\udfff" * 200 + "y"]
)
number = st.integers() | st.floats() | st.sampled_from([10**40, -(10**40), 1e308, 2**63])
anything = st.recursive(
    st.none() | st.booleans() | number | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)
NAMES = ["success", "task_id", "trace_id", "video_id", "video_url", "thumbnail_url", "video_width", "video_height"]
NAMES += ["state", "error", "message", "detail", "code", "data", "id", "request", "response", "items", "finished_at"]
words = st.dictionaries(st.sampled_from(NAMES), anything, max_size=10)
reply = words | st.builds(lambda outer, name, inner: {**outer, name: inner}, words, st.sampled_from(["data"]), words)
task = reply | st.builds(lambda outer, inner: {**outer, "id": "task-1", "response": inner}, words, reply)


@settings(max_examples=150, deadline=None)
@given(reply)
def test_no_result_breaks_the_reading_and_all_of_it_can_be_stored(found):
    hold_storable(schema.read_result(found))
    code, message = schema.read_error(found)
    assert storable(code, 64)
    assert storable(message, 2000)
    assert storable(schema.trace_of(found), 128)


@settings(max_examples=150, deadline=None)
@given(task | anything)
def test_no_task_breaks_the_reading_and_all_of_it_can_be_stored(found):
    read = schema.read_task(found)
    if read is not None:
        assert storable(read.id, 128)
        assert read.reading.task_id == read.id
        hold_storable(read.reading)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(["items", "data", "count"]), anything | st.lists(task, max_size=3)))
def test_no_batch_breaks_the_reading(found):
    for read in schema.read_tasks(found):
        hold_storable(read.reading)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | anything.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_an_object_or_a_value_error(body):
    with suppress(ValueError):
        assert isinstance(schema.load(body), dict)
