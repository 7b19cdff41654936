"""Every job of the gallery by the keyboard alone, and by fingers alone: play, extend, pick a frame, delete."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests import pictures
from tests.browser import crowd
from tests.studio import Visitor

TABS_MOST = 150


@pytest.fixture(scope="module")
def hands(studio, kept_film):
    """Somebody with two films and a frame."""
    crowd.make(
        studio,
        """
        hands = person("hands")
        for name in ("first", "second"):
            for number in range(2):
                add(hands, number, f"{{name}} by {{('keys', 'fingers')[number]}}", aspect_ratio="16:9")
        """,
    )
    visitor = Visitor(studio, "hands", crowd.PASSWORD)
    frame = {"start_image": ("f.png", pictures.image(), "image/png")}
    visitor.generate("with a frame [moderated]", files=frame)
    return visitor


def enter(page: Page, visitor: Visitor) -> None:
    url = visitor.studio.url
    page.context.add_cookies([{"name": k, "value": v, "url": url} for k, v in visitor.session.cookies.items()])
    page.goto("/")
    page.wait_for_load_state("networkidle")
    page.on("dialog", lambda dialog: dialog.accept())


def card(page: Page, prompt: str) -> Locator:
    return page.locator("#cards article", has_text=prompt)


def tab_to(page: Page, control: Locator) -> None:
    """Press Tab until the focus is there."""
    for _ in range(TABS_MOST):
        page.keyboard.press("Tab")
        if control.evaluate("here => here === document.activeElement"):
            return
    pytest.fail("the keyboard does not get there")


def plays(film: Locator) -> None:
    film.page.wait_for_function("film => !film.paused && film.currentTime > 0.2", arg=film.element_handle())


def test_by_the_keyboard_alone(page: Page, hands):
    enter(page, hands)
    first, second = card(page, "first by keys"), card(page, "second by keys")

    tab_to(page, page.locator("#composer a", has_text="From my frames").first)
    page.keyboard.press("Enter")
    frame = page.get_by_role("dialog", name="Your frames").get_by_role("link")
    expect(frame.first).to_be_visible()
    tab_to(page, frame.first)
    page.keyboard.press("Enter")
    expect(page.locator("#composer .well img").first).to_be_visible()
    tab_to(page, page.locator("#composer .well-remove:visible"))
    page.keyboard.press("Enter")
    expect(page.locator("#composer .well img").first).to_be_hidden()

    tab_to(page, first.locator("[data-play]"))
    page.keyboard.press("Enter")
    plays(first.locator("video"))
    expect(first.locator("video")).to_be_focused()
    page.keyboard.press("Space")
    page.wait_for_function("film => film.paused", arg=first.locator("video").element_handle())

    tab_to(page, first.locator("[data-action=extend]"))
    page.keyboard.press("Enter")
    expect(page.locator("#extend-form textarea")).to_be_focused()
    page.keyboard.type("on by keys [moderated]")
    page.keyboard.press("Control+Enter")
    expect(card(page, "on by keys")).to_have_count(1)
    expect(page.locator("#extend-form")).to_have_count(0)

    tab_to(page, second.locator("[data-action=delete]"))
    page.keyboard.press("Enter")
    expect(second).to_have_count(0)
    page.wait_for_function("() => document.activeElement.matches('a.caption')")


def test_by_fingers_alone(browser, browser_context_args, hands):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    context = browser.new_context(**{**browser_context_args, **phone})
    page = context.new_page()
    enter(page, hands)
    first, second = card(page, "first by fingers"), card(page, "second by fingers")

    page.get_by_role("button", name="New video").tap()
    page.locator("#composer a", has_text="From my frames").last.tap()
    page.get_by_role("dialog", name="Your frames").get_by_role("link").first.tap()
    expect(page.locator("#composer .well img").last).to_be_visible()
    page.get_by_role("button", name="Close").first.tap()
    expect(page.locator("#composer")).to_be_hidden()

    first.locator("[data-play]").tap()
    plays(first.locator("video"))

    first.locator("[data-action=extend]").tap()
    form = page.locator("#extend-form")
    form.locator("textarea").tap()
    page.keyboard.type("on by fingers [moderated]")
    form.get_by_role("button", name=re.compile("^Extend")).tap()
    expect(card(page, "on by fingers")).to_have_count(1)
    expect(form).to_have_count(0)

    second.locator("[data-action=delete]").tap()
    expect(second).to_have_count(0)
    context.close()


def test_a_failed_one_in_a_narrow_card_gives_its_trace_away(page: Page, studio, hands):
    crowd.make(
        studio,
        """
        hands = User.objects.get(username="hands")
        add(hands, 5, "narrow", "failed", error_code="never_answered", error_message="Silence.", trace_id="thin-trace",
            aspect_ratio="9:21")
        """,
    )
    enter(page, hands)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    narrow = card(page, "narrow")
    assert narrow.bounding_box()["width"] < 240
    narrow.hover()
    narrow.get_by_role("button", name="Copy the trace ID").click()
    assert page.evaluate("navigator.clipboard.readText()") == "thin-trace"
    inside = narrow.bounding_box()
    for control in narrow.locator(".actions :is(a, button)").all():
        box = control.bounding_box()
        assert inside["x"] - 2 <= box["x"]
        assert box["x"] + box["width"] <= inside["x"] + inside["width"] + 2
