"""All that the provider can do, from the web forms through a running sandbox to a stored video."""

import io
import re
import signal

import av
import pytest
import requests
from PIL import Image, ImageStat

from tests import pictures
from tests.studio import Visitor, wait_until

SHAPES = {"16:9": 16 / 9, "9:16": 9 / 16, "1:1": 1, "4:3": 4 / 3, "3:4": 3 / 4, "21:9": 21 / 9, "9:21": 9 / 21}


def pictures_of(film):
    """The first and the last picture of an MP4."""
    with av.open(io.BytesIO(film)) as container:
        found = [frame.to_image() for frame in container.decode(video=0)]
    return found[0], found[-1]


def colour_of(picture):
    """The mean colour of the middle of a picture."""
    width, height = picture.size
    middle = picture.crop((width // 4, height // 4, width * 3 // 4, height * 3 // 4))
    return ImageStat.Stat(middle.convert("RGB")).mean


def looks(picture, colour):
    """Whether the picture has this colour, as far as video encoding keeps it."""
    return all(abs(a - b) < 16 for a, b in zip(colour_of(picture), colour, strict=True))


def frame(colour):
    return ("frame.png", pictures.image((320, 180), colour), "image/png")


def tasks_of_the_sandbox(studio, prompt):
    """The requests with this prompt of which the sandbox made a task."""
    answer = requests.post(
        f"http://127.0.0.1:{studio.port + 1}/luma/tasks",
        json={"action": "retrieve_batch", "limit": 100},
        headers={"Authorization": "Bearer any"},
        timeout=10,
    )
    return [task["request"] for task in answer.json()["items"] if task["request"]["prompt"] == prompt]


def asked_of_the_sandbox(studio, prompt):
    """The one request with this prompt that reached the sandbox."""
    (found,) = tasks_of_the_sandbox(studio, prompt)
    return found


def test_each_aspect_ratio_comes_out_in_that_shape(demo):
    made = {ratio: demo.generate(f"a shape of {ratio}", aspect_ratio=ratio) for ratio in SHAPES}
    for ratio, generation in made.items():
        first, _ = pictures_of(demo.wait_for_video(generation, 120))
        assert first.width / first.height == pytest.approx(SHAPES[ratio], rel=0.05)


def test_uploaded_frames_are_the_first_and_the_last_picture(demo):
    red, blue = (200, 40, 40), (40, 60, 200)
    start = demo.generate("only a start", files={"start_image": frame(red)})
    end = demo.generate("only an end", files={"end_image": frame(blue)})
    both = demo.generate("from red to blue", files={"start_image": frame(red), "end_image": frame(blue)})
    assert looks(pictures_of(demo.wait_for_video(start))[0], red)
    assert looks(pictures_of(demo.wait_for_video(end))[1], blue)
    first, last = pictures_of(demo.wait_for_video(both))
    assert looks(first, red)
    assert looks(last, blue)


def test_a_frame_by_address_reaches_the_provider_as_given(studio, demo):
    uploaded = requests.post(
        f"http://127.0.0.1:{studio.port + 1}/api/v1/files/",
        files={"file": frame((20, 160, 60))},
        headers={"Authorization": "Bearer platform-any"},
        timeout=10,
    ).json()["url"]
    generation = demo.generate("by address", start_image_url=uploaded)
    assert looks(pictures_of(demo.wait_for_video(generation))[0], (20, 160, 60))
    assert asked_of_the_sandbox(studio, "by address")["start_image_url"] == uploaded


def test_loop_enhancement_and_timeout_reach_the_provider_as_set(studio, demo):
    first = demo.generate("with all switches", loop="on", timeout="120")
    second = demo.generate("with none", enhancement=None)
    demo.wait_for_video(first)
    demo.wait_for_video(second)
    sent = asked_of_the_sandbox(studio, "with all switches")
    assert (sent["loop"], sent["enhancement"], sent["timeout"]) == (True, True, 120)
    sent = asked_of_the_sandbox(studio, "with none")
    assert (sent["loop"], sent["enhancement"], sent["timeout"]) == (False, False, 300)


def test_extend_by_id_goes_on_where_the_source_ended_and_ends_with_its_own_frame(studio, demo):
    source = demo.generate("the source", files={"end_image": frame((200, 160, 20))})
    demo.wait_for_video(source)
    path = demo.extend_path(source)
    extension = demo.extend(path, "and further", files={"end_image": frame((30, 30, 30))})
    first, last = pictures_of(demo.wait_for_video(extension))
    assert looks(first, (200, 160, 20))
    assert looks(last, (30, 30, 30))
    sent = asked_of_the_sandbox(studio, "and further")
    assert sent["action"] == "extend"
    assert sent["video_id"]
    assert "the source" in demo.get(f"/generations/{extension}/").text
    assert "and further" in demo.get(f"/generations/{source}/").text


def test_extend_by_link(studio, demo):
    source = demo.generate("a source by link", files={"end_image": frame((120, 20, 140))})
    demo.wait_for_video(source)
    page = demo.get(f"/generations/{source}/").text
    task = re.search(r'id="id-task">([^<]+)<', page)
    assert task
    answer = requests.post(
        f"http://127.0.0.1:{studio.port + 1}/luma/tasks",
        json={"action": "retrieve", "id": task[1]},
        headers={"Authorization": "Bearer any"},
        timeout=10,
    ).json()
    link = answer["response"]["video_url"]
    extension = demo.extend("/generations/extend/", "on by link", video_url=link)
    first, _ = pictures_of(demo.wait_for_video(extension))
    assert looks(first, (120, 20, 140))
    assert asked_of_the_sandbox(studio, "on by link")["video_url"] == link


def test_magic_words_each_video_appears_once(demo):
    words = ["lost callback", "double callback", "early callback", "drop", "rate limit"]
    made = [demo.generate(f"a film with a [{word}]") for word in words]
    for generation in made:
        demo.wait_for_video(generation, 90)
    page = demo.get("/").text
    for generation in made:
        assert page.count(f'id="generation-{generation}"') == 1


def test_refused_and_failed_ones_say_why(demo):
    moderated = demo.generate("something [moderated]")
    failed = demo.generate("something that will [fail]")
    assert "moderat" in demo.wait_for_state(moderated, "failed").lower()
    card = demo.wait_for_state(failed, "failed")
    assert 'data-action="retry"' in card


def test_expired_links_end_as_expired_with_all_data_kept(studio, demo):
    generation = demo.generate("a film whose link is [expired]")
    demo.wait_for_state(generation, "completed")
    page = demo.get(f"/generations/{generation}/").text
    assert "a film whose link is [expired]" in page


def test_the_request_as_code_runs_and_keeps_the_token_out(studio, demo):
    generation = demo.generate("as \"code\" with 'quotes'")
    demo.wait_for_state(generation, "completed")
    page = demo.get(f"/generations/{generation}/").text
    assert "Bearer {token}" in page
    assert "/callbacks/luma/" not in page


def test_a_second_account_sees_none_of_it(studio, demo):
    generation = demo.generate("mine alone")
    film = demo.wait_for_video(generation)
    assert film
    path = re.search(r'src="(/files/videos/[^"]+)"', demo.card(generation))[1]
    other = Visitor(studio, name="")
    fields = {
        "username": "second",
        "email": "s@example.com",
        "password1": "a-long-secret",
        "password2": "a-long-secret",
    }
    assert other.post("/accounts/signup/", page="/accounts/signup/", **fields).status_code == 302
    assert "mine alone" not in other.get("/").text
    for stranger in (f"/generations/{generation}/", path, demo.extend_path(generation)):
        assert other.get(stranger).status_code == 404


def test_as_it_comes_a_film_is_there_within_half_a_minute_and_its_extension_within_another(own_studio):
    studio = own_studio()
    demo = Visitor(studio)
    film = demo.generate("a fox in the snow")
    assert pictures_of(demo.wait_for_video(film, 30))[0].size == (1360, 752)
    assert demo.wait_for_video(demo.extend(demo.extend_path(film), "and into the woods"), 30)
    assert studio.end(signal.SIGINT) == 0


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_stopped_in_the_middle_and_started_again_nothing_is_lost(own_studio, ending):
    studio = own_studio(quick=True, QUICK_SANDBOX=1)
    demo = Visitor(studio)
    generation = demo.generate("a long one")
    wait_until(lambda: demo.state(generation) in ("submitting", "processing"), "sent")
    assert studio.end(ending) == 0
    studio.start()
    assert Visitor(studio).wait_for_video(generation)
    assert studio.end(ending) == 0


def test_killed_in_the_middle_and_started_again_nothing_is_lost_or_paid_twice(own_studio):
    studio = own_studio(quick=True, QUICK_SANDBOX=1, LUMA_CONFIRM_SECONDS=15)
    demo = Visitor(studio)
    made = {demo.generate(f"film {number}"): f"film {number}" for number in range(3)}
    wait_until(lambda: "processing" in map(demo.state, made), "one is sent")
    studio.end(signal.SIGKILL)
    studio.start()
    demo = Visitor(studio)
    for generation, prompt in made.items():
        wait_until(lambda g=generation: demo.state(g) in ("completed", "failed"), "an end", 150)
        if demo.state(generation) == "completed":
            demo.wait_for_video(generation, 150)
            asked_of_the_sandbox(studio, prompt)
        else:
            # Killed after it was claimed and before it was sent: it ends honestly, and nothing was made.
            assert "was not found in the account" in demo.card(generation)
            assert tasks_of_the_sandbox(studio, prompt) == []
    assert studio.end() == 0


def test_first_picture_helper_sees_colours():
    assert looks(Image.new("RGB", (64, 64), (10, 20, 30)), (10, 20, 30))
    assert not looks(Image.new("RGB", (64, 64), (10, 20, 30)), (90, 20, 30))
