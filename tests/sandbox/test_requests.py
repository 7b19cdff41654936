"""What the sandbox refuses, and in which words."""

import http.client
import json
import socket
from urllib.parse import urlsplit

import pytest
import requests

from videos.sandbox.words import BadRequest, check_video_request


def test_a_request_without_a_token_is_refused(client):
    answer = client.post("/luma/videos", {"prompt": "a cat"}, token="")

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "no_token"
    assert answer.json()["trace_id"]


def test_a_sandbox_with_a_token_takes_no_other(start):
    client = start(token="secret")

    assert client.post("/luma/tasks", {"action": "retrieve", "id": "x"}, token="secret").status_code == 200
    answer = client.post("/luma/tasks", {"action": "retrieve", "id": "x"}, token="wrong")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_token")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_another_address_is_no_api(client, method):
    answer = requests.request(method, client.sandbox.url + "/luma/audios", timeout=10)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_api")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": "  "}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"prompt": "x" * 5001}, "5000"),
        ({"aspect_ratio": "2:1"}, "aspect_ratio"),
        ({"aspect_ratio": None}, "aspect_ratio"),
        ({"loop": "yes"}, "loop"),
        ({"loop": 1}, "loop"),
        ({"timeout": True}, "timeout"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": 10**400}, "timeout"),
        ({"action": "animate"}, "action"),
        ({"action": "extend"}, "video_id"),
        ({"action": "extend", "video_id": ""}, "video_id"),
        ({"action": "extend", "video_id": "x", "start_image_url": "https://example.com/a.png"}, "start_image_url"),
        ({"video_id": "x"}, "extend"),
        ({"start_image_url": "ftp://example.com/a.png"}, "start_image_url"),
        ({"start_image_url": "https:///a.png"}, "start_image_url"),
        ({"callback_url": "https://[nonsense"}, "callback_url"),
        ({"callback_url": "https://example.com:99999/"}, "callback_url"),
        ({"end_image_url": "https://example.com/a b.png"}, "end_image_url"),
        ({"loop": True, "end_image_url": "https://example.com/a.png"}, "loop"),
        ({"promt": "x"}, "promt"),
    ],
)
def test_a_malformed_request_is_refused_by_the_name_of_its_fault(fields, said):
    with pytest.raises(BadRequest, match=said):
        check_video_request({"prompt": "a cat", **fields})


@pytest.mark.parametrize("fields", [{}, {"timeout": 60.5}, {"prompt": "x" * 5000}, {"model": "luma"}, {"loop": True}])
def test_a_sound_request_passes_unchanged(fields):
    request = {"prompt": "a cat", **fields}

    assert check_video_request(request) == request


@pytest.mark.parametrize("body", ["", "{", "[]", '"x"', '{"prompt": NaN}', "[" * 100_000, b"\xff\xfe{"])
def test_what_is_no_json_object_is_a_bad_request(client, body):
    answer = client.post("/luma/videos", data=body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")
    assert client.sandbox.ledger.tasks() == []


def test_a_body_of_more_than_a_mebibyte_is_refused(client):
    answer = client.post("/luma/videos", data="x" * (1024 * 1024 + 1))

    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "bad_request")


def test_a_body_in_chunks_is_read_whole(client):
    body = json.dumps({"prompt": "in chunks", "async": True}).encode()
    answer = client.post("/luma/videos", data=(body[i : i + 7] for i in range(0, len(body), 7)))

    assert answer.status_code == 200
    assert client.sandbox.ledger.tasks()[0]["request"]["prompt"] == "in chunks"


def test_a_chunked_body_without_end_is_refused(client):
    answer = client.post("/luma/videos", data=(b"x" * 65536 for _ in range(17)))

    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "bad_request")


def test_a_body_that_breaks_off_makes_nothing(client):
    where = urlsplit(client.sandbox.url)
    with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
        connection.sendall(b"POST /luma/videos HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
        connection.shutdown(socket.SHUT_WR)
        assert b" 400 " in connection.recv(4096)

    assert client.sandbox.ledger.tasks() == []


def test_one_connection_serves_many_requests(client):
    where = urlsplit(client.sandbox.url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=10)
    headers = {"Authorization": "Bearer any"}
    for body in ('{"action": "retrieve", "id": "x"}', "{", '{"action": "retrieve_batch"}'):
        connection.request("POST", "/luma/tasks", body, headers)
        answer = connection.getresponse()
        answer.read()
    assert answer.status == 200
    connection.close()


def test_every_post_is_in_the_ledger(client):
    client.post("/luma/videos", {"prompt": "a cat", "async": True})
    client.post("/luma/videos", {"prompt": ""})

    posts = client.sandbox.ledger.posts("/luma/videos")
    assert [post["status"] for post in posts] == [200, 400]
    assert posts[0]["task_id"] == client.sandbox.ledger.tasks()[0]["id"]
