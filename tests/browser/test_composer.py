"""The composer, as people use it: by mouse, keyboard and touch, with frames, with a draft, and without JavaScript."""

import re
import uuid

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests import pictures
from tests.studio import Visitor

WIDE, TALL = (320, 180), (180, 320)


def enter(page: Page, visitor: Visitor, path: str = "/") -> None:
    """Open a page as somebody who has signed in."""
    url = visitor.studio.url
    page.context.add_cookies([{"name": k, "value": v, "url": url} for k, v in visitor.session.cookies.items()])
    page.goto(path)


def newcomer(studio, **fields) -> Visitor:
    """Somebody with a new account; `fields` of it are set by the operator."""
    name = f"user{uuid.uuid4().hex[:8]}"
    visitor = Visitor(studio, "")
    secret = "a-long-secret"
    visitor.post("/accounts/signup/", page="/accounts/signup/", username=name, password1=secret, password2=secret)
    for field, value in fields.items():
        studio.rows(f"UPDATE videos_user SET {field} = ? WHERE username = ?", value, name)
    return visitor


def picture(size: tuple[int, int], name: str = "picture.png") -> dict:
    return {"name": name, "mimeType": "image/png", "buffer": pictures.image(size, "seagreen")}


def well(page: Page, side: str = "start") -> Locator:
    return page.locator(f"#composer [data-well]:has([name={side}_image])")


def prompt(page: Page) -> Locator:
    return page.locator("#new-prompt")


def send(page: Page) -> str:
    """Press Generate; what was sent."""
    with page.expect_request("**/generations/") as request:
        page.get_by_role("button", name=re.compile("^Generate")).click()
    return (request.value.post_data_buffer or b"").decode(errors="replace")


def words() -> str:
    """A prompt like no other, which the sandbox refuses at once: what is made of it does not matter here."""
    return f"{uuid.uuid4().hex[:6]} [moderated]"


def card(page: Page, text: str) -> Locator:
    return page.locator("#cards article", has_text=text)


# --- starting -------------------------------------------------------------------------------------


def test_an_extension_says_of_what_and_its_draft_survives_closing_it(page: Page, demo, kept_film):
    enter(page, demo)
    made = uuid.UUID(kept_film["id"])
    link = page.locator(f"#generation-{made} [data-action=extend]")
    link.click()
    form = page.locator("#extend-form")
    expect(form).to_contain_text("a film to be kept")
    form.get_by_role("button", name="Night falls").click()
    form.locator("[name=end_image]").set_input_files(picture(TALL))
    expect(form).to_contain_text("Cut to fit the video")
    form.get_by_role("link", name="Cancel").click()
    expect(form).to_have_count(0)
    expect(link).to_be_focused()
    link.click()
    expect(form.get_by_label("Prompt", exact=True)).to_have_value(re.compile("^Night falls"))
    text = words()
    form.get_by_label("Prompt", exact=True).fill(text)
    form.get_by_role("button", name="Extend").click()
    expect(card(page, text)).to_have_count(1)
    link.click()
    expect(form.get_by_label("Prompt", exact=True)).to_have_value("")


def test_an_idea_fills_the_empty_prompt_and_steps_aside(page: Page, demo):
    enter(page, demo)
    page.get_by_role("button", name="Fox in snow").click()
    expect(prompt(page)).to_have_value(re.compile("^A red fox"))
    expect(prompt(page)).to_be_focused()
    expect(page.get_by_role("button", name="Fox in snow")).to_be_hidden()
    prompt(page).fill("")
    expect(page.get_by_role("button", name="Fox in snow")).to_be_visible()


def test_a_draft_survives_a_reload_and_is_gone_once_it_is_sent(page: Page, demo):
    enter(page, demo)
    text = words()
    prompt(page).fill(text)
    page.get_by_label("9:16").check(force=True)
    page.get_by_label("Enhance the prompt").uncheck()
    well(page, "end").get_by_text("or its address").click()
    page.locator("[name=end_image_url]").fill("https://example.com/end.jpg")
    page.reload()
    expect(prompt(page)).to_have_value(text)
    expect(page.get_by_label("9:16")).to_be_checked()
    expect(page.get_by_label("Enhance the prompt")).not_to_be_checked()
    expect(page.locator("[name=end_image_url]")).to_be_visible()
    expect(well(page, "end")).to_contain_text("example.com/end.jpg")
    sent = send(page)
    assert "https://example.com/end.jpg" in sent
    assert "9:16" in sent
    expect(card(page, text)).to_have_count(1)
    expect(prompt(page)).to_have_value("")
    page.reload()
    expect(prompt(page)).to_have_value("")
    expect(page.locator("[name=end_image_url]")).to_have_value("")


def test_what_is_reused_goes_before_a_draft(page: Page, demo):
    earlier = words()
    made = demo.generate(earlier, aspect_ratio="1:1")
    enter(page, demo)
    prompt(page).fill("half a draft")
    page.goto(f"/?reuse={made}")
    expect(prompt(page)).to_have_value(earlier)
    expect(prompt(page)).to_be_focused()
    expect(page.get_by_label("1:1")).to_be_checked()
    prompt(page).fill(f"{earlier}, at night")
    page.reload()
    expect(prompt(page)).to_have_value(f"{earlier}, at night")
    send(page)
    expect(card(page, "at night")).not_to_have_count(0)
    assert page.url.endswith("/")


def test_without_storage_everything_works_but_the_draft(page: Page, demo, kept_film):
    for name in ("localStorage", "sessionStorage"):
        page.add_init_script(f"Object.defineProperty(window, '{name}', {{get() {{ throw new Error('refused') }}}})")
    page.context.grant_permissions(["notifications"])
    enter(page, demo)
    page.locator("details.menu summary").click()
    bell = page.get_by_role("button", name="Notify me")
    bell.click()
    expect(bell).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("Escape")
    text = words()
    prompt(page).fill("not kept")
    page.reload()
    expect(prompt(page)).to_have_value("")
    prompt(page).fill(text)
    send(page)
    expect(card(page, text)).to_have_count(1)
    page.locator(f"#generation-{uuid.UUID(kept_film['id'])} a.caption").click()
    expect(page.locator("#generation-detail video")).to_be_visible()
    page.go_back()
    page.locator(f"#generation-{uuid.UUID(kept_film['id'])} [data-action=extend]").click()
    text = words()
    page.locator("#extend-form textarea").fill(text)
    page.locator("#extend-form").get_by_role("button", name="Extend").click()
    expect(card(page, text)).to_have_count(1)


# --- frames ---------------------------------------------------------------------------------------


def test_a_frame_is_chosen_from_my_frames_and_removed_again(page: Page, studio):
    visitor = newcomer(studio)
    visitor.generate("with a frame [moderated]", files={"start_image": ("f.png", pictures.image(WIDE), "image/png")})
    enter(page, visitor)
    link = well(page, "end").get_by_role("link", name="From my frames")
    link.click()
    picker = page.get_by_role("dialog", name="Your frames")
    picker.get_by_role("link", name=re.compile("^Frame of")).click()
    expect(picker).to_be_hidden()
    expect(link).to_be_focused()
    expect(well(page, "end").locator("img")).to_be_visible()
    page.reload()
    expect(well(page, "end").locator("img")).to_be_visible()

    prompt(page).fill("it ends there [moderated]")
    frame = uuid.UUID(studio.rows("SELECT id FROM videos_frame ORDER BY created_at DESC LIMIT 1")[0]["id"])
    assert str(frame) in send(page)
    expect(card(page, "it ends there")).to_have_count(1)
    row = studio.rows("SELECT end_frame_id FROM videos_generation WHERE prompt = 'it ends there [moderated]'")[0]
    assert uuid.UUID(row["end_frame_id"]) == frame

    link.click()
    picker.get_by_role("link", name=re.compile("^Frame of")).click()
    expect(well(page, "end").locator("img")).to_be_visible()
    well(page, "end").get_by_role("button", name=re.compile("^Remove")).click()
    expect(well(page, "end").locator("img")).to_be_hidden()
    prompt(page).fill("it ends anywhere [moderated]")
    assert str(frame) not in send(page)
    expect(card(page, "it ends anywhere")).to_have_count(1)


def test_a_file_takes_the_place_of_a_frame_of_ones_own_and_an_address_that_of_the_file(page: Page, studio):
    visitor = newcomer(studio)
    visitor.generate("with a frame [moderated]", files={"start_image": ("f.png", pictures.image(WIDE), "image/png")})
    enter(page, visitor)
    well(page).get_by_role("link", name="From my frames").click()
    page.get_by_role("link", name=re.compile("^Frame of")).click()
    expect(well(page)).to_contain_text("one of your frames")
    page.locator("[name=start_image]").set_input_files(picture(TALL))
    expect(well(page)).to_contain_text("picture.png")
    expect(page.locator("[name=start_frame]")).not_to_be_checked()
    well(page).get_by_text("or its address").click()
    page.locator("[name=start_image_url]").fill("https://example.com/start.jpg")
    expect(well(page)).to_contain_text("example.com/start.jpg")
    expect(well(page).locator("img")).to_be_hidden()
    prompt(page).fill("by its address [moderated]")
    sent = send(page)
    assert "https://example.com/start.jpg" in sent
    assert "picture.png" not in sent


def test_what_another_shape_cuts_off_is_shown(page: Page, demo):
    enter(page, demo)
    page.locator("[name=start_image]").set_input_files(picture(WIDE))
    expect(well(page).locator("img")).to_be_visible()
    note, window = well(page).locator("[data-cut-note]"), well(page).locator("[data-cut]")
    expect(note).to_be_hidden()
    page.get_by_label("9:16").check(force=True)
    expect(note).to_have_text("Cut to 9:16")
    box, whole = window.bounding_box(), well(page).locator("img").bounding_box()
    assert box["width"] / box["height"] == pytest.approx(9 / 16, rel=0.03)
    assert box["height"] == pytest.approx(whole["height"], abs=1)
    assert box["x"] + box["width"] / 2 == pytest.approx(whole["x"] + whole["width"] / 2, abs=1)
    page.get_by_label("16:9").check(force=True)
    expect(note).to_be_hidden()
    expect(window).to_be_hidden()


def test_a_pasted_image_becomes_the_first_frame_that_is_free(page: Page, demo):
    enter(page, demo)
    paste = """bytes => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(bytes)], "pasted.png", {type: "image/png"}));
        document.activeElement.dispatchEvent(
            new ClipboardEvent("paste", {clipboardData: transfer, bubbles: true, cancelable: true}));
    }"""
    prompt(page).focus()
    for side in ("start", "end"):
        page.evaluate(paste, list(pictures.image(WIDE, "tomato")))
        expect(well(page, side).locator("img")).to_be_visible()
    expect(page.locator("#announce")).to_have_text("Frame chosen: pasted.png")
    page.get_by_label("Loop").check()
    expect(page.get_by_text("A loop ends where it starts")).to_be_visible()
    well(page, "end").get_by_role("button", name=re.compile("^Remove")).click()
    expect(page.get_by_text("A loop ends where it starts")).to_be_hidden()


# --- sending --------------------------------------------------------------------------------------


def test_generating_with_the_keyboard_alone(page: Page, demo):
    enter(page, demo)
    text = words()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.id") == "new-prompt":
            break
    page.keyboard.type(text)
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.name") == "aspect_ratio":
            break
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("9:16")).to_be_checked()
    page.keyboard.press("Control+Enter")
    expect(card(page, text)).to_have_count(1)
    expect(prompt(page)).to_be_focused()


def test_generating_by_touch_in_the_sheet(browser: Browser, browser_context_args, demo):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    context = browser.new_context(**{**browser_context_args, **phone})
    page = context.new_page()
    enter(page, demo)
    expect(page.locator("#composer")).to_be_hidden()
    page.get_by_role("button", name="New video").tap()
    text = words()
    prompt(page).tap()
    page.keyboard.type(text)
    page.locator("label", has_text="9:16").tap()
    for control in page.locator("#slate :is(button, summary, a, .shape):visible").all():
        box = control.bounding_box()
        assert min(box["height"], box["width"]) >= 44, control.inner_text()
    page.get_by_role("button", name=re.compile("^Generate")).tap()
    expect(page.locator("#composer")).to_be_hidden()
    expect(card(page, text)).to_be_visible()
    context.close()


def test_an_upload_tells_how_far_it_is_and_is_sent_once(page: Page, context: BrowserContext, demo):
    enter(page, demo)
    page.wait_for_load_state("networkidle")
    text = words()
    prompt(page).fill(text)
    noise = pictures.image((700, 500), "teal", "BMP")  # 1 MB, and refused when it has arrived
    page.locator("[name=start_image]").set_input_files({"name": "large.png", "mimeType": "image/png", "buffer": noise})
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 1_000_000}
    context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)
    posts = []
    page.on("request", lambda request: posts.append(request) if request.method == "POST" else None)
    button = page.locator("#composer button[type=submit]")
    button.click()
    expect(button).to_have_text(re.compile(r"Uploading \d+ %"))
    expect(page.get_by_role("progressbar", name="Upload of the frames")).to_be_visible()
    expect(button).to_be_disabled()
    prompt(page).press("Control+Enter")
    expect(button).to_have_text("Generate", timeout=15_000)
    expect(page.locator("#composer")).to_contain_text("can't be read as an image")
    expect(well(page)).to_contain_text("large.png")
    assert len(posts) == 1


def test_when_sending_fails_it_is_said_and_the_draft_stays(page: Page, demo, nothing_wrong):
    enter(page, demo)
    text = words()
    prompt(page).fill(text)
    page.route("**/generations/", lambda route: route.abort())
    button = page.get_by_role("button", name=re.compile("^Generate"))
    button.click()
    expect(page.locator(".toast")).to_contain_text("could not be reached")
    expect(prompt(page)).to_have_value(text)
    expect(button).to_have_text("Generate")
    page.reload()
    expect(prompt(page)).to_have_value(text)
    page.unroute("**/generations/")
    send(page)
    expect(card(page, text)).to_have_count(1)
    nothing_wrong[:] = [line for line in nothing_wrong if "ERR_FAILED" not in line and "htmx:" not in line]


def test_what_is_left_today_stands_beside_generate(page: Page, studio):
    visitor = newcomer(studio, generations_per_day=1)
    enter(page, visitor)
    facts = page.locator("#composer .budget")
    expect(facts).to_contain_text("1 left today")
    prompt(page).fill("the only one [moderated]")
    send(page)
    expect(facts).to_contain_text("None left today: the limit counts the last 24 hours.")


# --- without JavaScript ---------------------------------------------------------------------------


def test_without_javascript_the_form_works_with_a_frame_of_ones_own(browser: Browser, browser_context_args, studio):
    visitor = newcomer(studio)
    visitor.generate("with a frame [moderated]", files={"start_image": ("f.png", pictures.image(WIDE), "image/png")})
    context = browser.new_context(**{**browser_context_args, "java_script_enabled": False})
    page = context.new_page()
    enter(page, visitor)
    expect(page.get_by_role("button", name="Fox in snow")).to_be_hidden()
    well(page).get_by_role("link", name="From my frames").click()
    page.get_by_role("link", name=re.compile("^Frame of")).click()
    expect(well(page).locator("img")).to_be_visible()
    expect(well(page).get_by_label("Use this frame of yours")).to_be_checked()
    prompt(page).fill("a plain form, from a frame [moderated]")
    page.get_by_label("Loop").check()
    page.get_by_role("button", name=re.compile("^Generate")).click()
    expect(card(page, "a plain form, from a frame")).to_have_count(1)
    query = "SELECT start_frame_id, loop FROM videos_generation WHERE prompt = ?"
    assert studio.rows(query, "a plain form, from a frame [moderated]")[0]["start_frame_id"]

    page.goto(page.url.partition("#")[0])
    well(page).get_by_role("link", name="From my frames").click()
    page.get_by_role("link", name=re.compile("^Frame of")).click()
    well(page).get_by_label("Use this frame of yours").uncheck()
    prompt(page).fill("a plain form, without one [moderated]")
    page.get_by_role("button", name=re.compile("^Generate")).click()
    expect(card(page, "a plain form, without one")).to_have_count(1)
    assert not studio.rows(query, "a plain form, without one [moderated]")[0]["start_frame_id"]
    context.close()
