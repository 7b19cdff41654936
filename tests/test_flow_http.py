"""From a prompt to a playing video over plain HTTP, with the provider's transport faked."""

import pytest

from tests.people import call_back, card, state_on
from tests.provider import completed
from videos.models import Generation

pytestmark = pytest.mark.django_db


def test_a_prompt_becomes_a_card_at_once_and_a_playing_video_after_the_callback(
    ada, provider, work, result_server, mp4
):
    result_server.expect_request("/film.mp4").respond_with_data(mp4, content_type="video/mp4")
    answer = ada.generate("a red fox in the snow")
    assert answer.status_code == 302
    generation = ada.only()
    assert state_on(ada.get("/"), generation) == "queued"

    work()
    assert state_on(ada.get("/"), generation) == "processing"
    assert provider.created[0]["prompt"] == "a red fox in the snow"
    assert provider.created[0]["callback_url"].startswith("https://studio.example.com/callbacks/luma/")

    told = call_back(generation, completed("task-1", video_url=result_server.url_for("/film.mp4")))
    assert told.status_code == 200
    page = ada.get("/")
    assert state_on(page, generation) == "completed"
    assert result_server.url_for("/film.mp4") in card(page, generation)

    work()
    shown = card(ada.get("/"), generation)
    assert 'src="/files/videos/' in shown
    video = Generation.objects.get().video
    assert ada.film(video.play_url) == mp4
    assert video.duration == pytest.approx(1, abs=0.1)
