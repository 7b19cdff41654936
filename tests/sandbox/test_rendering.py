"""What the videos show. Rendered small: the full size is looked at once."""

import av
import pytest
import requests
from PIL import Image, ImageChops, ImageOps, ImageStat

from tests.sandbox.conftest import picture, png
from videos.luma.schema import ASPECT_RATIOS
from videos.sandbox.render import SIZES, Scene, last_picture, render

SMALL = (340, 188)
RED, BLUE = picture((190, 40, 40), (640, 480)), picture((30, 60, 180), (400, 500))


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean distance of the colours, from 0 to 255."""
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3


def frames(path) -> list[Image.Image]:
    with av.open(str(path)) as container:
        return [frame.to_image() for frame in container.decode(video=0)]


@pytest.fixture
def film(tmp_path):
    """Render a scene, and give its pictures."""

    def run(prompt: str = "a cat", size=SMALL, seconds: float = 1.0, **parts) -> list[Image.Image]:
        render(Scene(prompt, size, seconds=seconds, **parts), tmp_path / "a.mp4", tmp_path / "a.jpg")
        return frames(tmp_path / "a.mp4")

    return run


def test_a_video_is_what_browsers_play(tmp_path):
    size = SIZES["16:9"]
    render(Scene("a cat", size), tmp_path / "a.mp4", tmp_path / "a.jpg")

    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == size == (1360, 752)
        assert stream.average_rate == 24
        assert container.duration / av.time_base == pytest.approx(5.0, abs=0.05)
    assert Image.open(tmp_path / "a.jpg").size == size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "a.mp4"]


@pytest.mark.parametrize("ratio", ASPECT_RATIOS)
def test_every_ratio_has_its_shape_and_even_sides(ratio):
    width, height = SIZES[ratio]
    across, down = map(int, ratio.split(":"))

    assert width % 2 == height % 2 == 0
    assert width / height == pytest.approx(across / down, rel=0.03)
    assert width * height == pytest.approx(1360 * 752, rel=0.02)


def test_the_same_prompt_gives_the_same_picture_and_another_another(film):
    first, again, other = film("a cat")[0], film("a cat")[0], film("a dog")[0]

    assert difference(first, again) < 0.1
    assert difference(first, other) > 3


def test_a_picture_from_a_prompt_moves(film):
    pictures = film("a cat")

    assert difference(pictures[0], pictures[-1]) > 2


def test_the_first_picture_is_the_start_frame_and_the_last_the_end_frame(film):
    pictures = film(start=RED, end=BLUE)

    assert difference(pictures[0], ImageOps.fit(RED, SMALL)) < 3
    assert difference(pictures[-1], ImageOps.fit(BLUE, SMALL)) < 3


def test_an_end_frame_alone_is_arrived_at(film):
    assert difference(film(end=BLUE)[-1], ImageOps.fit(BLUE, SMALL)) < 3


@pytest.mark.parametrize("parts", [{}, {"start": RED}, {"start": RED, "extends": True}])
def test_a_loop_ends_where_it_began(film, parts):
    pictures = film(loop=True, **parts)

    assert difference(pictures[0], pictures[-1]) < 2
    assert difference(pictures[0], pictures[len(pictures) // 2]) > 2


@pytest.mark.parametrize("grey", [60, 250])
def test_sandbox_is_written_in_the_corner_of_every_picture(film, grey):
    plain = Image.new("RGB", SMALL, (grey, grey, grey))

    for image in film(start=plain, end=plain)[::6]:
        darkest, brightest = image.crop((SMALL[0] * 2 // 3, SMALL[1] * 4 // 5, *SMALL)).convert("L").getextrema()
        assert brightest - darkest > 50
        darkest, brightest = image.crop((0, 0, SMALL[0], SMALL[1] * 4 // 5)).convert("L").getextrema()
        assert brightest - darkest < 10


def test_a_render_that_is_stopped_leaves_nothing(tmp_path):
    with pytest.raises(InterruptedError):
        render(Scene("a cat", SMALL), tmp_path / "a.mp4", tmp_path / "a.jpg", stopped=lambda: True)

    assert list(tmp_path.iterdir()) == []


def test_what_is_no_video_has_no_last_picture(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"nothing of the kind")

    with pytest.raises(ValueError, match="not a video"):
        last_picture(tmp_path / "a.mp4")


def test_an_extension_goes_on_from_the_last_picture_in_its_shape(start, tmp_path, monkeypatch):
    for ratio, (width, height) in SIZES.items():
        monkeypatch.setitem(SIZES, ratio, (width // 4 // 2 * 2, height // 4 // 2 * 2))
    client = start(quick=False)
    frame = client.post("/api/v1/files/", files={"file": ("a.png", png(RED))}).json()["url"]
    first = client.finish(start_image_url=frame, aspect_ratio="21:9")
    by_id = client.make("on it goes", action="extend", video_id=first["video_id"], aspect_ratio="1:1")
    elsewhere = first["video_url"].replace("127.0.0.1", "localhost")
    by_url = client.make("on it goes", action="extend", video_url=elsewhere)

    source = frames(_saved(first["video_url"], tmp_path / "first.mp4"))[-1]
    for task_id in (by_id, by_url):
        result = client.ended(task_id)["response"]
        assert (result["video_width"], result["video_height"]) == SIZES["21:9"]
        pictures = frames(_saved(result["video_url"], tmp_path / "next.mp4"))
        assert difference(source, pictures[0]) < 3
        assert difference(source, pictures[-1]) > 3


def _saved(url, path):
    path.write_bytes(requests.get(url, timeout=10).content)
    return path
