"""Callbacks at a running studio: many at once, huge, in chunks, empty; raw sockets say what no client would."""

import socket
import threading
import time
import uuid
from pathlib import Path

import pytest
import requests

from tests.people import call_back
from tests.processes import wait_until
from tests.provider import completed, failed
from tests.studio import Visitor
from videos import storing

AT_ONCE = 16
MEGABYTE = 1024 * 1024


def row_of(studio, generation: str) -> dict:
    return studio.rows("SELECT * FROM videos_generation WHERE id = ?", uuid.UUID(generation).hex)[0]


def ask_for_one(studio) -> str:
    """A generation that the provider works on for a minute."""
    made = Visitor(studio).generate(f"[slow] called back {uuid.uuid4().hex[:6]}")
    wait_until(lambda: row_of(studio, made)["task_id"], "the task is known")
    return made


def address(studio, generation: str) -> str:
    """Where the provider is to call back."""
    return f"/callbacks/luma/{row_of(studio, generation)['callback_token']}/"


@pytest.fixture(scope="module")
def running(studio):
    """A generation that goes on through all that is said of it."""
    made = ask_for_one(studio)
    yield made
    assert row_of(studio, made)["state"] == "processing"
    end(studio, made)


def end(studio, generation: str) -> None:
    """Give its slot back."""
    over = failed(row_of(studio, generation)["task_id"])
    assert requests.post(studio.url + address(studio, generation), json=over, timeout=30).status_code == 200


@pytest.fixture(scope="module")
def path(studio, running):
    return address(studio, running)


def callbacks(studio, generation: str) -> list[dict]:
    return studio.rows(
        "SELECT outcome, body FROM videos_callback WHERE generation_id = ? ORDER BY id", uuid.UUID(generation).hex
    )


# --- sizes ----------------------------------------------------------------------------------------


def talk(studio, request: bytes, body=(), seconds: float = 20) -> bytes:
    """What the studio answers to raw bytes."""
    with socket.create_connection(("127.0.0.1", studio.port), timeout=seconds) as sock:
        try:
            sock.sendall(request)
            for piece in body:
                sock.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has heard enough
        answer = b""
        try:
            while chunk := sock.recv(65536):
                answer += chunk
        except ConnectionResetError:
            pass
        return answer


def head(path: str, *headers: str) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: close",
        "Content-Type: application/json",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def chunked(data: bytes, size: int = 8192):
    for at in range(0, len(data), size):
        piece = data[at : at + size]
        yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    yield b"0\r\n\r\n"


def growth(studio, act) -> float:
    """How many megabytes more the studio takes at the most while `act` is done."""
    process = Path(f"/proc/{studio.process.pid}")
    if not process.exists():
        pytest.skip("only Linux tells how much memory a process took at the most")

    def taken(what: str) -> float:
        lines = (process / "status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(what)).split()[1]) / 1024

    (process / "clear_refs").write_text("5")
    before = taken("VmRSS")
    act()
    return taken("VmHWM") - before


@pytest.mark.parametrize("how", ["with its length", "in chunks"])
@pytest.mark.parametrize("size", [3, 48], ids=lambda size: f"{size} MB")
def test_a_huge_body_is_refused_and_takes_no_memory(studio, running, path, how, size):
    huge = b'{"success": true, "padding": "' + b"x" * size * MEGABYTE + b'"}'
    known = len(callbacks(studio, running))

    def send() -> None:
        if how == "in chunks":
            answer = talk(studio, head(path, "Transfer-Encoding: chunked"), chunked(huge, 64 * 1024))
        else:
            answer = talk(studio, head(path, f"Content-Length: {len(huge)}"), [huge])
        assert answer.split(b" ")[1] == b"413"

    # Meanwhile the sandbox, in the same process, may be painting: a body in memory would take its room every time.
    assert min(growth(studio, send) for _ in range(3)) < 16
    assert len(callbacks(studio, running)) == known


def test_a_gigabyte_that_is_only_announced_is_refused_at_once(studio, path):
    began = time.monotonic()
    answer = talk(studio, head(path, f"Content-Length: {1024 * MEGABYTE}"), [b"{"])
    assert answer.split(b" ")[1] == b"413"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("headers", "body", "status", "outcome"),
    [
        (["Transfer-Encoding: chunked"], b'{"success": false}', b"200", "unchanged"),
        (["Transfer-Encoding: chunked"], b"", b"200", "unreadable"),
        (["Content-Length: 0"], b"", b"200", "unreadable"),
        ([], b"", b"200", "unreadable"),
    ],
    ids=["chunked", "chunked and empty", "empty", "no length"],
)
def test_chunked_and_empty_bodies_are_taken_and_the_task_is_asked_about(
    studio, running, path, headers, body, status, outcome
):
    known = len(callbacks(studio, running))
    pieces = chunked(body) if "chunked" in str(headers) else []
    answer = talk(studio, head(path, *headers), pieces)
    assert answer.split(b" ")[1] == status
    assert len(callbacks(studio, running)) == known + 1
    notice = callbacks(studio, running)[-1]
    assert (notice["outcome"], bytes(notice["body"])) == (outcome, body)
    assert row_of(studio, running)["state"] == "processing"


@pytest.mark.parametrize("length", ["nonsense", "-1", "9" * 30, "0x10", "1_0", "²"])
def test_a_nonsensical_length_breaks_nothing(studio, path, length):
    answer = talk(studio, head(path, f"Content-Length: {length}"), [b"{}"], seconds=5)
    assert answer.split(b" ")[1] in (b"400", b"413", b"200")


def test_a_sender_that_goes_away_in_the_middle_breaks_nothing(studio, running, path):
    with socket.create_connection(("127.0.0.1", studio.port)) as sock:
        sock.sendall(head(path, "Content-Length: 1000") + b'{"success": tr')
    assert requests.get(f"{studio.url}/healthz/", timeout=10).status_code == 200
    assert row_of(studio, running)["state"] == "processing"


def test_an_unknown_token_is_told_from_nothing_else(studio, path):
    for token in ("x", "x" * 5000, path.split("/")[3][:-1], path.split("/")[3].swapcase(), "%00", "%ff", "..%2f", "*"):
        answer = talk(studio, head(f"/callbacks/luma/{token}/", "Content-Length: 2"), [b"{}"])
        assert answer.split(b" ")[1] == b"404", token


# --- many ---------------------------------------------------------------------------------------


def test_sixteen_at_once_are_one_transition_and_one_download_and_all_are_logged(studio, kept_film):
    running = ask_for_one(studio)
    path = address(studio, running)
    body = completed(row_of(studio, running)["task_id"], video_url=kept_film["video_url"], trace_id="trace-1")
    start, answers = threading.Barrier(AT_ONCE), []

    def call() -> None:
        start.wait(20)
        answers.append(requests.post(studio.url + path, json=body, timeout=30).status_code)

    threads = [threading.Thread(target=call) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [200] * AT_ONCE
    outcomes = [notice["outcome"] for notice in callbacks(studio, running)]
    assert sorted(outcomes) == ["applied"] + ["unchanged"] * (AT_ONCE - 1)

    def video() -> dict:
        return studio.rows("SELECT * FROM videos_video WHERE id = ?", row_of(studio, running)["video_id"])[0]

    wait_until(lambda: video()["stored_at"], "the video is home")
    # Late, and of all kinds: nothing changes any more.
    before = row_of(studio, running), video()
    for late in (body, failed(body["task_id"]), {**body, "video_url": "https://evil.example/x.mp4"}, {}):
        assert requests.post(studio.url + path, json=late, timeout=30).status_code == 200
    assert (row_of(studio, running), video()) == before
    assert len(callbacks(studio, running)) == AT_ONCE + 4
    log = studio.log()
    assert log.count(f"{uuid.UUID(running)}: stored,") == 1
    assert log.count(f"{uuid.UUID(running)}: completed by callback") == 1


@pytest.mark.django_db
def test_of_two_workers_one_fetches_the_video(ada, provider, work, result_server, mp4, monkeypatch):
    """The second comes by while the first is at it."""
    fetched, fetch = [], storing.fetch

    def fetching(key, link, **options):
        fetched.append(link)
        if len(fetched) == 1:
            work(2)
        return fetch(key, link, **options)

    monkeypatch.setattr(storing, "fetch", fetching)
    result_server.expect_request("/film.mp4").respond_with_data(mp4)
    ada.generate()
    work()
    call_back(ada.only(), completed(video_url=result_server.url_for("/film.mp4")))
    work(2)
    assert len(fetched) == 1
    assert ada.only().video.stored_at is not None
