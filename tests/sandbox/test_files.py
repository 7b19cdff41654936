"""Results and uploads, as a browser and a downloader ask for them."""

import io

import pytest
import requests
from PIL import Image

from tests.sandbox.conftest import picture, png


@pytest.fixture
def video(client) -> str:
    return client.finish()["video_url"]


def test_a_video_comes_whole(video):
    answer = requests.get(video, timeout=10)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.content[4:8] == b"ftyp"
    assert int(answer.headers["Content-Length"]) == len(answer.content)


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-9", 0, 9), ("bytes=10-", 10, -1), ("bytes=-7", -7, -1), ("bytes=5-999999999", 5, -1)],
)
def test_a_part_of_a_video_can_be_asked_for(video, asked, first, last):
    whole = requests.get(video, timeout=10).content
    first, last = first % len(whole), last % len(whole)

    answer = requests.get(video, headers={"Range": asked}, timeout=10)

    assert answer.status_code == 206
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(whole)}"
    assert answer.content == whole[first : last + 1]


def test_a_part_beyond_the_end_answers_416(video):
    size = len(requests.get(video, timeout=10).content)

    for asked in (f"bytes={size}-", "bytes=-0"):
        answer = requests.get(video, headers={"Range": asked}, timeout=10)
        assert answer.status_code == 416
        assert answer.headers["Content-Range"] == f"bytes */{size}"


@pytest.mark.parametrize("asked", ["bytes=9-3", "bytes=-", "lines=1-2", "bytes=0-1,4-5", "nonsense"])
def test_a_range_that_makes_no_sense_is_overlooked(video, asked):
    assert requests.get(video, headers={"Range": asked}, timeout=10).status_code == 200


def test_head_answers_without_a_body(video):
    answer = requests.head(video, timeout=10)

    assert int(answer.headers["Content-Length"]) > 0
    assert answer.content == b""
    assert requests.head(video, headers={"Range": "bytes=0-3"}, timeout=10).status_code == 206


def test_a_thumbnail_is_a_picture_of_the_size_it_is_said_to_have(client):
    result = client.finish()
    answer = requests.get(result["thumbnail_url"], timeout=10)

    assert answer.headers["Content-Type"] == "image/jpeg"
    size = Image.open(io.BytesIO(answer.content)).size
    assert size == (result["thumbnail_width"], result["thumbnail_height"])


@pytest.mark.parametrize("path", ["/files/", "/files/../sandbox.sqlite3", "/files/nobody.mp4", "/uploads/%2e%2e/x.png"])
def test_nothing_else_is_served(client, path):
    assert requests.get(client.sandbox.url + path, timeout=10).status_code == 404


@pytest.mark.parametrize("token", ["platform-123", "any"])
def test_an_uploaded_file_comes_back_as_it_was(client, token):
    content = png(picture((200, 30, 30))) + b"\r\n--\r\n"

    answer = client.post("/api/v1/files/", files={"file": ("a frame.PNG", content)}, token=token)

    assert answer.status_code == 200
    kept = requests.get(answer.json()["url"], timeout=10)
    assert (kept.content, kept.headers["Content-Type"]) == (content, "image/png")


def test_an_upload_needs_a_platform_token_or_the_own_one(start):
    client = start(token="own")
    file = {"file": ("a.png", b"x")}

    tokens = {"own": 200, "platform-x": 200, "other": 401, "": 401}
    assert {token: client.post("/api/v1/files/", files=file, token=token).status_code for token in tokens} == tokens


@pytest.mark.parametrize("parts", [{"files": {"image": b"x"}}, {"files": {"file": b""}}, {"data": {"file": "x"}}])
def test_an_upload_without_a_file_is_a_bad_request(client, parts):
    assert client.post("/api/v1/files/", **parts).status_code == 400


def test_an_upload_over_25_mb_is_refused(client):
    answer = client.post("/api/v1/files/", files={"file": ("a.png", b"x" * (25 * 1024 * 1024 + 1))})

    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "bad_request")


def test_an_uploaded_page_is_never_served_as_a_page(client):
    url = client.post("/api/v1/files/", files={"file": ("a.html", b"<script>")}).json()["url"]

    answer = requests.get(url, timeout=10)

    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
