"""The main job, as a person does it: in Chromium, with JavaScript, watching the page."""

import re
import uuid

import pytest
from playwright.sync_api import Page, expect

from tests import pictures
from tests.studio import Visitor

SECONDS = 1000


def sign_up(page: Page) -> str:
    name = f"user{uuid.uuid4().hex[:8]}"
    page.goto("/accounts/signup/")
    page.get_by_label("Username").fill(name)
    page.locator("[name=password1]").fill("a-long-secret")
    page.locator("[name=password2]").fill("a-long-secret")
    page.locator("main button[type=submit]").first.click()
    expect(page.locator("#composer")).to_be_visible()
    return name


def sign_in(page: Page, studio) -> None:
    visitor = Visitor(studio)
    page.context.add_cookies([{"name": k, "value": v, "url": studio.url} for k, v in visitor.session.cookies.items()])
    page.goto("/")


def drop_frame(page: Page, field: str) -> None:
    """Drop a picture onto a frame's well, as from a folder."""
    transfer = page.evaluate_handle(
        """bytes => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], "dropped.png", {type: "image/png"}));
            return transfer;
        }""",
        list(pictures.image((320, 180), (200, 40, 40))),
    )
    well = page.locator(f"[data-well]:has([name={field}])")
    well.dispatch_event("dragover", {"dataTransfer": transfer})
    well.dispatch_event("drop", {"dataTransfer": transfer})


def newest(page: Page):
    return page.locator("#cards article").first


def play(card) -> None:
    """The film runs, and a seek works."""
    video = card.locator("video")
    video.evaluate("v => { v.muted = true; return v.play() }")
    expect_time = "v => v.currentTime > 0.3"
    card.page.wait_for_function(f"([v]) => ({expect_time})(v)", arg=[video.element_handle()], timeout=20 * SECONDS)
    video.evaluate("v => { v.pause(); v.currentTime = 3 }")
    card.page.wait_for_function(
        "([v]) => !v.seeking && Math.abs(v.currentTime - 3) < 0.2 && v.readyState >= 2",
        arg=[video.element_handle()],
        timeout=20 * SECONDS,
    )


def test_from_sign_up_to_a_playing_video_and_its_extension(page: Page):
    name = sign_up(page)
    drop_frame(page, "start_image")
    expect(page.locator("[data-well]:has([name=start_image]) img")).to_be_visible()
    page.get_by_label("Prompt", exact=True).fill("a lighthouse in a storm")
    page.get_by_role("button", name=re.compile("^Generate")).click()

    card = newest(page)
    expect(card).to_have_attribute("data-state", re.compile("queued|submitting|processing"))
    expect(card).to_contain_text("a lighthouse in a storm")
    expect(card).to_have_attribute("data-state", "completed", timeout=60 * SECONDS)
    expect(card.locator("video")).to_have_attribute("src", re.compile("^/files/videos/"), timeout=60 * SECONDS)
    play(card)

    card.locator('[data-action="extend"]').click()
    form = page.locator("#extend-form")
    form.get_by_label("Prompt", exact=True).fill("the storm calms down")
    form.get_by_role("button", name=re.compile("^Extend")).click()
    extension = page.locator("#cards article", has_text="the storm calms down")
    expect(extension).to_have_attribute("data-state", "completed", timeout=60 * SECONDS)
    expect(extension.locator("video")).to_have_attribute("src", re.compile("^/files/"), timeout=60 * SECONDS)
    play(extension)

    page.reload()
    expect(page.locator("#cards article")).to_have_count(2)
    expect(page.locator("#cards")).to_contain_text("a lighthouse in a storm")
    page.get_by_text(name).first.click()
    page.get_by_role("button", name=re.compile("Sign out")).click()
    expect(page).to_have_url(re.compile("/accounts/login/"))


def test_a_removed_frame_is_really_removed(page: Page, studio):
    sign_in(page, studio)
    drop_frame(page, "start_image")
    well = page.locator("[data-well]:has([name=start_image])")
    expect(well.locator("img")).to_be_visible()
    well.get_by_role("button", name=re.compile("Remove")).click()
    expect(well.locator("img")).to_be_hidden()
    page.get_by_label("Prompt", exact=True).fill("after removing the frame")
    with page.expect_request("**/generations/") as sent:
        page.get_by_role("button", name=re.compile("^Generate")).click()
    assert b"dropped.png" not in (sent.value.post_data_buffer or b"")
    expect(newest(page)).to_contain_text("after removing the frame")


def test_an_error_stands_beside_its_field_and_the_prompt_is_kept(page: Page, studio):
    sign_in(page, studio)
    page.get_by_label("Prompt", exact=True).fill("kept")
    page.locator("[name=start_image]").set_input_files(
        {"name": "frame.png", "mimeType": "image/png", "buffer": b"no image"}
    )
    page.get_by_role("button", name=re.compile("^Generate")).click()
    expect(page.locator("#composer")).to_contain_text("can't be read as an image")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("kept")


def test_a_double_click_makes_one_card(page: Page, studio):
    sign_in(page, studio)
    prompt = f"clicked twice {uuid.uuid4().hex[:6]}"
    page.get_by_label("Prompt", exact=True).fill(prompt)
    page.get_by_role("button", name=re.compile("^Generate")).dblclick()
    expect(newest(page)).to_contain_text(prompt)
    page.wait_for_load_state("networkidle")
    expect(page.locator("#cards article", has_text=prompt)).to_have_count(1)
    page.reload()
    expect(page.locator("#cards article", has_text=prompt)).to_have_count(1)


def test_a_poll_never_interrupts_a_playing_video(page: Page, studio):
    sign_in(page, studio)
    page.get_by_label("Prompt", exact=True).fill("watched while it is stored")
    page.get_by_role("button", name=re.compile("^Generate")).click()
    first = page.locator("#cards article", has_text="watched while it is stored").first
    expect(first.locator("video")).to_have_attribute("src", re.compile("^/files/"), timeout=60 * SECONDS)
    video = first.locator("video")
    video.evaluate("v => { v.muted = true; v.loop = true; v.marked = true; return v.play() }")
    page.get_by_label("Prompt", exact=True).fill("another one meanwhile")
    page.get_by_role("button", name=re.compile("^Generate")).click()
    other = page.locator("#cards article", has_text="another one meanwhile").first
    expect(other).to_have_attribute("data-state", "completed", timeout=60 * SECONDS)
    assert video.evaluate("v => v.marked === true && !v.paused")


def test_a_deleted_card_goes_and_stays_away(page: Page, studio):
    sign_in(page, studio)
    prompt = f"to be deleted {uuid.uuid4().hex[:6]}"
    page.get_by_label("Prompt", exact=True).fill(prompt)
    page.get_by_role("button", name=re.compile("^Generate")).click()
    card = page.locator("#cards article", has_text=prompt)
    expect(card).to_have_count(1)
    page.on("dialog", lambda dialog: dialog.accept())
    card.locator('[data-action="delete"]').click()
    expect(card).to_have_count(0)
    page.reload()
    expect(card).to_have_count(0)


@pytest.mark.parametrize("path", ["/", "/generations/extend/", "/accounts/password/", "/admin/", "/nowhere/"])
def test_pages_have_no_violations(page: Page, studio, nothing_wrong, path):
    sign_in(page, studio)
    nothing_wrong.clear()
    page.goto(path)
    page.wait_for_load_state("networkidle")
    # Chromium reports the status of the page itself as an error of the console.
    nothing_wrong[:] = [text for text in nothing_wrong if "404 (Not Found)" not in text]
