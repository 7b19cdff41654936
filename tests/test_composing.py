"""Starting from what is there: an earlier request, a frame of one's own, any moment of a film."""

import io
import os

import av
import pytest
from django.core.files.storage import default_storage
from PIL import Image, ImageChops

from tests import pictures, rows
from tests.people import call_back
from tests.provider import completed
from videos import apart
from videos.models import Frame, Generation
from videos.services import cutting

pytestmark = pytest.mark.django_db


@pytest.fixture
def film(ada, provider, work, result_server, mp4):
    """A video of Ada's, at home."""
    result_server.expect_request("/film.mp4").respond_with_data(mp4)
    ada.generate("the film", aspect_ratio="9:16", loop="on", timeout="600")
    work()
    call_back(ada.only(), completed(video_url=result_server.url_for("/film.mp4")))
    work()
    return ada.only().video


def test_reuse_fills_the_composer_with_the_earlier_request(ada, film):
    page = ada.get(f"/?reuse={film.generation.pk}").content.decode()
    composer = page[page.index('id="composer"') : page.index("</form>", page.index('id="composer"'))]
    assert ">the film</textarea>" in composer.replace("\n", "")
    assert 'value="9:16" checked' in composer
    assert 'value="600"' in composer


def test_somebody_elses_request_fills_in_nothing(bob, film):
    assert b"the film" not in bob.get(f"/?reuse={film.generation.pk}").content
    assert bob.get("/?reuse=nonsense&start_frame=nonsense").status_code == 200


@pytest.mark.parametrize("number", [0, 1, 11, 23])
def test_a_frame_is_cut_at_exactly_the_chosen_moment(ada, film, mp4, number):
    with av.open(io.BytesIO(mp4)) as container:
        shown = [picture.to_image() for picture in container.decode(video=0)]
    path = f"/videos/{film.pk}/frame/"
    answer = ada.post(path, {"at": str(number / 24 + 0.01), "side": "start"})
    frame = Frame.objects.get()
    assert answer["Location"] == f"/?start_frame={frame.pk}"
    difference = ImageChops.difference(shown[number], Image.open(frame.file.open()).convert("RGB"))
    assert max(high for _, high in difference.getextrema()) <= 6


def test_a_moment_past_the_end_gives_the_last_picture_and_nonsense_a_message(ada, film):
    path = f"/videos/{film.pk}/frame/"
    answer = ada.post(path, {"at": "99", "side": "end"}, headers={"Accept": "application/json"})
    assert answer.json()["width"] == 128
    for at in ("", "soon", "-1", "nan", "inf", "1e400"):
        refused = ada.post(path, {"at": at}, headers={"Accept": "application/json"})
        assert refused.status_code == 400
        assert "moment" in refused.json()["error"]


def test_who_cuts_many_at_once_gets_them_one_by_one_and_leaves_room_for_others(ada, bob, film, mp4):
    bobs = rows.stored_video(bob.user, mp4).video
    words = {"headers": {"Accept": "application/json"}}
    with cutting._one_for_each(ada.user.pk):
        busy = ada.post(f"/videos/{film.pk}/frame/", {"at": "0.5"}, **words)
        assert bob.post(f"/videos/{bobs.pk}/frame/", {"at": "0.5"}, **words).status_code == 200
        page = ada.post(f"/videos/{film.pk}/frame/", {"at": "0.5"})
        assert b"Frames are being cut already. Please try again" in ada.get(page["Location"]).content
    assert (busy.status_code, busy["Retry-After"]) == (503, "5")
    assert "try again" in busy.json()["error"]
    assert ada.post(f"/videos/{film.pk}/frame/", {"at": "0.5"}, **words).status_code == 200


def test_no_more_than_a_few_are_cut_at_once_for_all_people_together(ada, bob, film, monkeypatch):
    monkeypatch.setattr(cutting, "_room", apart.Room(1, waiting=1, seconds=0.05))
    with cutting._room.entered():
        assert (
            b"Frames are being cut already"
            in ada.get(ada.post(f"/videos/{film.pk}/frame/", {"at": "0.5"})["Location"]).content
        )
    assert not Frame.objects.exists()
    ada.post(f"/videos/{film.pk}/frame/", {"at": "0.5"})
    assert Frame.objects.count() == 1


def test_a_local_film_is_not_copied_to_cut_a_frame_from_it(local_files, ada, film, monkeypatch):
    """Half a gigabyte in a web server's memory, or on its disk, for one picture."""
    handed = []
    real = apart.subprocess.run

    def run(words, **options):
        handed.append(os.fstat(options["stdin"]).st_ino)
        return real(words, **options)

    monkeypatch.setattr(apart.subprocess, "run", run)
    ada.post(f"/videos/{film.pk}/frame/", {"at": "0.5"})
    assert handed[0] == os.stat(film.file.path).st_ino


def test_a_stored_film_that_cannot_be_read_any_more_is_a_message(ada, film):
    default_storage.delete(film.file.name)
    answer = ada.post(f"/videos/{film.pk}/frame/", {"at": "0.5"}, headers={"Accept": "application/json"})
    assert answer.status_code == 400
    assert "try again" in answer.json()["error"]
    default_storage.save(film.file.name, io.BytesIO(b"no film"))
    answer = ada.post(f"/videos/{film.pk}/frame/", {"at": "0.5"}, headers={"Accept": "application/json"})
    assert answer.status_code == 400


def test_a_frame_of_ones_own_is_sent_as_chosen_and_a_strangers_is_not(ada, bob, film, provider, work):
    ada.generate("with a file", start_image=pictures.upload())
    frame = Frame.objects.get(owner=ada.user)
    assert str(frame.pk).encode() in ada.get(f"/?start_frame={frame.pk}").content
    assert frame.file.name.encode() in ada.get("/frames/?side=end").content
    ada.generate("with a kept frame", start_frame=str(frame.pk))
    assert Generation.objects.get(prompt="with a kept frame").start_frame == frame
    answer = bob.generate("stolen", start_frame=str(frame.pk))
    assert answer.status_code == 200
    assert not Generation.objects.filter(owner=bob.user).exists()
    assert b"With" not in bob.get("/frames/").content


def test_the_dashboard_counts_what_was_made(ada, film):
    page = ada.get("/you/").content.decode()
    assert "What you have made" in page
    assert "100%" in page
    assert "USD" not in page


def test_with_a_price_set_the_dashboard_sums_it_up(ada, film, settings):
    settings.LUMA_PRICE = ("0.40", "USD")
    assert ada.get("/you/").content.decode().count("0.40 USD") == 2
