"""Decoders that crash, hang or swell harm nobody but the file that made them do it."""

from __future__ import annotations

import io
import os
import signal
import threading

import pytest
from django.core.exceptions import ValidationError

from tests import pictures
from videos import apart, storing, validators
from videos.validators import clean_frame

REFUSED = "no_image"
AGAIN = "busy"


@pytest.fixture
def misbehaving(monkeypatch):
    """The decoder of tests/decoders/picture.py, which does what the file says."""
    monkeypatch.setattr(apart, "PACKAGE", "tests.decoders")
    monkeypatch.setattr(validators, "SECONDS_MOST", 5)


def told(words: str) -> str:
    """The code of what the person is told."""
    with pytest.raises(ValidationError) as caught:
        clean_frame(io.BytesIO(words.encode()), 10)
    return str(caught.value.code)


@pytest.mark.parametrize(
    "words",
    [
        *(f"die {number:d}" for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE)),
        *("take 300", "compute", "overflow", "nonsense", "evil"),
    ],
)
def test_a_picture_that_its_decoder_comes_to_grief_over_is_refused(misbehaving, words):
    assert told(words) == REFUSED


@pytest.mark.parametrize("words", ["exit", *(f"die {number:d}" for number in (signal.SIGTERM, signal.SIGKILL))])
def test_a_decoder_that_was_ended_by_this_machine_may_be_tried_again(misbehaving, words):
    assert told(words) == AGAIN


def test_a_decoder_that_hangs_is_ended(misbehaving, monkeypatch):
    monkeypatch.setattr(validators, "SECONDS_MOST", 0.5)
    assert told("hang") == AGAIN


def test_ctrl_c_in_a_terminal_does_not_reach_a_decoder(misbehaving):
    """It would take a sound film for a broken one: the signal goes to all of a session's foreground."""
    assert clean_frame(io.BytesIO(b"session"), 10).width != os.getsid(0)


def test_where_no_process_can_be_started_one_is_asked_to_try_again(monkeypatch):
    def none(*args, **options):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(apart.subprocess, "run", none)
    assert told("a picture") == AGAIN


def test_the_form_says_so_and_keeps_nothing(ada, provider, misbehaving, db):
    page = ada.generate(start_image=pictures.upload(b"exit"))
    assert page.status_code == 200
    assert b"could not be checked just now" in page.content


@pytest.mark.parametrize(
    ("number", "kind"),
    [(signal.SIGKILL, storing.Later), (signal.SIGTERM, storing.Later), (signal.SIGSEGV, storing.Gone)],
)
def test_a_film_is_not_blamed_for_a_decoder_that_this_machine_ended(tmp_path, mp4, monkeypatch, number, kind):
    """A paid film that counts as broken would be given up in the end."""
    (tmp_path / "film.mp4").write_bytes(mp4)
    real = apart.subprocess.run
    monkeypatch.setattr(
        apart.subprocess, "run", lambda words, **options: real(["sh", "-c", f"kill -{number:d} $$"], **options)
    )
    with pytest.raises(kind):
        storing._inspect(tmp_path / "film.mp4", tmp_path / "poster.jpg")


def test_two_are_in_one_waits_and_a_fourth_is_sent_away_at_once():
    room = apart.Room(2, waiting=1, seconds=5)
    inside, over = threading.Semaphore(0), threading.Event()

    def stay() -> None:
        with room.entered():
            inside.release()
            over.wait(10)

    threads = [threading.Thread(target=stay) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert inside.acquire(timeout=5)
    assert inside.acquire(timeout=5)
    assert not inside.acquire(timeout=0.1), "the third waits"
    with pytest.raises(apart.Busy), room.entered():
        pytest.fail("it was let in")
    over.set()
    assert inside.acquire(timeout=5), "then it is let in"
    for thread in threads:
        thread.join(5)
    with room.entered():
        pass


def test_who_waits_too_long_is_sent_away():
    room = apart.Room(1, waiting=1, seconds=0.05)
    with room.entered(), pytest.raises(apart.Busy), room.entered():
        pytest.fail("it was let in")
    with room.entered():
        pass
