"""Nobody's share is taken by somebody else: not in the queue, nor of the disk, the memory or the threads."""

from __future__ import annotations

import io
import socket
import threading
import time
import uuid
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import av
import pytest
import requests
from django.utils import timezone
from PIL import Image

from tests import pictures, rows
from tests.ground import SERVERS
from tests.people import request_fields
from tests.studio import Visitor
from videos.models import Frame, Generation
from videos.states import State

MEGABYTE = 1024 * 1024


# --- the queue ------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_one_of_somebody_else_comes_next_though_a_thousand_wait(ada, bob, provider, work, clock, settings):
    settings.LUMA_MAX_IN_FLIGHT = 3
    now = timezone.now()
    Generation.objects.bulk_create(
        Generation(
            owner=ada.user,
            submission_key=uuid.uuid4(),
            prompt=f"hers {number}",
            aspect_ratio="16:9",
            created_at=now - timedelta(hours=1) + timedelta(seconds=number),
            next_check_at=now,
        )
        for number in range(1000)
    )
    work()
    assert len(provider.created) == 3
    bob.generate("his")
    provider.task_completed("task-1")
    clock.shift(16)
    work()
    assert provider.created[-1]["prompt"] == "his"
    assert len(provider.created) == 4
    # And hers go on in the order in which she asked.
    provider.task_completed("task-2")
    clock.shift(16)
    work()
    assert [body["prompt"] for body in provider.created] == ["hers 0", "hers 1", "hers 2", "his", "hers 3"]


@pytest.mark.django_db
def test_many_of_one_do_not_put_off_the_asking_after_anothers(ada, bob, provider, work):
    """Fifty are asked about in one request: those that have waited longest come first."""
    now = timezone.now()
    for number in range(120):
        due = now - timedelta(seconds=number)
        rows.generation(ada.user, State.PROCESSING, task_id=f"hers-{number}", next_check_at=due)
    rows.generation(bob.user, State.PROCESSING, task_id="his", next_check_at=now - timedelta(seconds=200))
    work()
    assert "his" in provider.asked[0]["ids"]
    assert sum(len(body["ids"]) for body in provider.asked) == 121


# --- limits ---------------------------------------------------------------------------------------


def newcomer(studio, **limits: int) -> Visitor:
    """Somebody with an account of their own, and what the operators allow them."""
    visitor, name = Visitor(studio, name=""), f"user{uuid.uuid4().hex[:8]}"
    fields = {"username": name, "password1": "a-long-secret", "password2": "a-long-secret"}
    assert visitor.post("/accounts/signup/", page="/accounts/signup/", **fields).status_code == 302
    for column, value in limits.items():
        studio.rows(f"UPDATE videos_user SET {column} = ? WHERE username = ?", value, name)
    visitor.name = name
    return visitor


def test_the_days_limit_holds_under_twenty_at_once(studio):
    visitor = newcomer(studio, generations_per_day=3)
    token = visitor.get("/").text.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    start, statuses = threading.Barrier(20), []

    def ask(number: int) -> None:
        fields = request_fields(prompt=f"[moderated] {visitor.name} {number}", aspect_ratio="16:9")
        start.wait(20)
        answer = visitor.session.post(
            f"{studio.url}/generations/",
            data={**fields, "csrfmiddlewaretoken": token},
            timeout=60,
            allow_redirects=False,
        )
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(statuses) == [200] * 17 + [302] * 3
    made = studio.rows("SELECT COUNT(*) AS n FROM videos_generation WHERE prompt LIKE ?", f"%{visitor.name}%")
    assert made[0]["n"] == 3


@pytest.mark.django_db
def test_who_may_ask_for_nothing_more_fills_no_disk_with_frames(ada, settings):
    settings.GENERATIONS_PER_DAY = 1
    fields = {"submission": str(uuid.uuid4())}

    def ask(colour: int):
        return ada.generate("x", start_image=pictures.upload(pictures.image(colour=(colour, 0, 0))), **fields)

    first = ask(1)
    assert Frame.objects.count() == 1
    for colour in range(2, 5):
        fields["submission"] = str(uuid.uuid4())
        assert b"used up your generations" in ask(colour).content
    assert Frame.objects.count() == 1
    # A double click on the last one allowed is still the same one.
    fields["submission"] = str(uuid.uuid4())
    settings.GENERATIONS_PER_DAY = 2
    answers = [ask(9), ask(9)]
    assert answers[0]["Location"] == answers[1]["Location"] != first["Location"]


# --- uploads --------------------------------------------------------------------------------------


def told(sock: socket.socket) -> bytes:
    """The status that a raw answer begins with; b"" where the connection was cut."""
    try:
        return sock.recv(4096)[9:12]
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("path", ["/generations/", "/callbacks/luma/x/", "/accounts/login/", "/admin/"])
def test_an_upload_that_says_it_is_huge_is_refused_unread(studio, path):
    with socket.create_connection(("127.0.0.1", studio.port), timeout=10) as sock:
        size = 64 * MEGABYTE + 1
        sock.sendall(f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\n\r\n".encode() + b"x" * 100)
        assert told(sock) == b"413"


def test_an_upload_that_does_not_say_it_is_huge_is_cut_off(studio):
    sent = 0
    with socket.create_connection(("127.0.0.1", studio.port), timeout=20) as sock:
        sock.sendall(b"POST /generations/ HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = b"100000\r\n" + bytes(MEGABYTE) + b"\r\n"
        try:
            while sent < 200:
                sock.sendall(piece)
                sent += 1
        except (BrokenPipeError, ConnectionResetError):
            pass
    # What the network holds in between is neither here nor there.
    assert 63 <= sent < 90


# --- threads --------------------------------------------------------------------------------------


@contextmanager
def vast(studio, film: dict, size: int):
    """The film is as large as this for a while, without taking any room."""
    path = studio.folder / "data" / "media" / film["file"]
    kept = path.read_bytes()
    with path.open("r+b") as file:
        file.truncate(size)
    try:
        yield f"/files/{film['file']}"
    finally:
        path.write_bytes(kept)


READERS = {
    "the whole": ("", 1, 8),
    "a range": ("Range: bytes=0-\r\n", 1, 8),
    "several at once": ("", 2, 8),
    "many ranges at once": ("Range: bytes=0-\r\n", 12, 8),
    "forty of them": ("", 1, 40),
}


@pytest.mark.skipif(SERVERS, reason="a bucket serves its readers itself")
@pytest.mark.parametrize("how", READERS)
def test_slow_readers_of_a_vast_film_hold_up_nobody(studio, demo, kept_film, how):
    header, times, readers = READERS[how]
    cookies = "; ".join(f"{name}={value}" for name, value in demo.session.cookies.items())
    with vast(studio, kept_film, 100 * MEGABYTE) as path, ExitStack() as stack:
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookies}\r\n{header}\r\n".encode()
        for _ in range(readers):
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.settimeout(20)
            sock.connect(("127.0.0.1", studio.port))
            sock.sendall(request * times)
            assert sock.recv(12)[9:12] in (b"200", b"206")
        for ask in (
            lambda: requests.get(f"{studio.url}/accounts/login/", timeout=10),
            lambda: requests.post(f"{studio.url}/callbacks/luma/x/", json={}, timeout=10),
            lambda: demo.get("/"),
            lambda: demo.get(path, headers={"Range": "bytes=0-99"}),
        ):
            began = time.monotonic()
            assert ask().status_code in (200, 206, 404)
            assert time.monotonic() - began < 2


def test_who_opens_connections_and_says_nothing_holds_up_nobody(studio):
    with ExitStack() as stack:
        for number in range(50):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", studio.port), timeout=10))
            sock.sendall([b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"][number % 3])
        began = time.monotonic()
        assert requests.get(f"{studio.url}/accounts/login/", timeout=10).status_code == 200
        assert time.monotonic() - began < 2


def test_the_films_way_out_takes_no_thread():
    """Why: the whole is handed to the server as a file; a part is too small to fill what it holds back."""
    from waitress.adjustments import Adjustments

    from videos.views.files import PART_MOST

    assert Adjustments().outbuf_high_watermark > PART_MOST


# --- what is worked on while somebody waits -------------------------------------------------------


def laborious_film() -> bytes:
    """A film whose last picture can't be had without drawing all that come before."""
    out, size = io.BytesIO(), (1280, 720)
    noise = [av.VideoFrame.from_image(Image.effect_noise(size, strength).convert("RGB")) for strength in (30, 31)]
    pictures_of_it = [picture.reformat(format="yuv420p") for picture in noise]
    with av.open(out, "w", format="mp4") as container:
        options = {"preset": "ultrafast", "crf": "30", "x264-params": "keyint=infinite:scenecut=0"}
        stream = container.add_stream("libx264", rate=24, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(300):
            picture = pictures_of_it[number % 2]
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return out.getvalue()


def test_twenty_frames_cut_at_once_stop_no_callback(studio, demo, kept_film):
    kept = studio.ground.put(kept_film["file"], laborious_film())
    token = demo.get("/").text.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    answers = []

    def cut(number: int) -> None:
        answers.append(
            demo.session.post(
                f"{studio.url}/videos/{uuid.UUID(kept_film['video_id'])}/frame/",
                data={"at": f"{12 - number / 100}", "csrfmiddlewaretoken": token},
                headers={"Accept": "application/json"},
                timeout=60,
            )
        )

    threads = [threading.Thread(target=cut, args=(number,)) for number in range(20)]
    try:
        for thread in threads:
            thread.start()
        longest = 0.0
        while any(thread.is_alive() for thread in threads):
            began = time.monotonic()
            assert requests.post(f"{studio.url}/callbacks/luma/x/", json={}, timeout=60).status_code == 404
            longest = max(longest, time.monotonic() - began)
        assert longest < 2
    finally:
        for thread in threads:
            thread.join(60)
        studio.ground.put(kept_film["file"], kept)
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 503}
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert "try again" in refused.json()["error"]
    assert int(refused.headers["Retry-After"]) > 0
