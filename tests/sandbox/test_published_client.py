"""The provider's own published client, unchanged, against the sandbox."""

import pytest

from tests.sandbox.conftest import picture, png

acedatacloud = pytest.importorskip("acedatacloud")


@pytest.fixture
def sdk(client):
    url = client.sandbox.url
    with acedatacloud.AceDataCloud(api_token="any", base_url=url, platform_base_url=url) as sdk:
        yield sdk


def test_it_generates_waits_and_extends(sdk):
    done = sdk.luma.generate(prompt="a cat", aspect_ratio="1:1").wait(poll_interval=0.05, max_wait=20)
    assert done["response"]["video_width"] == done["response"]["video_height"]

    handle = sdk.luma.generate(action="extend", prompt="and on", video_id=done["response"]["video_id"])
    assert handle.wait(poll_interval=0.05, max_wait=20)["response"]["success"] is True
    assert sdk.tasks.get(handle.id, service="luma")["response"]["state"] == "completed"


def test_it_uploads_a_frame_and_starts_from_it(sdk):
    frame = sdk.files.upload(png(picture((10, 90, 60))), filename="frame.png")["url"]

    done = sdk.luma.generate(prompt="a cat", start_image_url=frame).wait(poll_interval=0.05, max_wait=20)

    assert done["request"]["start_image_url"] == frame
    assert done["response"]["success"] is True


def test_it_is_still_waiting_while_a_task_runs(start):
    url = start(seconds=60).sandbox.url
    with acedatacloud.AceDataCloud(api_token="any", base_url=url, max_retries=0) as sdk:
        handle = sdk.luma.generate(prompt="a cat", start_image_url="https://example.com/a.png")
        with pytest.raises(Exception, match=r"(?i)time|wait|complete"):
            handle.wait(poll_interval=0.05, max_wait=0.2)


@pytest.mark.parametrize(
    ("word", "error"), [("[moderated]", "ModerationError"), ("[used up]", "InsufficientBalanceError")]
)
def test_it_reads_our_refusals_as_the_provider_s(sdk, word, error):
    with pytest.raises(getattr(acedatacloud, error, Exception)) as caught:
        sdk.luma.generate(prompt=f"a cat {word}")
    assert type(caught.value).__name__ == error
