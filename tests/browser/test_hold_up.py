"""What holds up everybody, as an open page says it: at once, without scripts too, and without moving anything."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser import crowd
from tests.studio import Visitor

WORDS = "An operator has stopped new submissions"
COUNT_SHIFTS = """window.shifts = [];
new PerformanceObserver(list => {
    for (const shift of list.getEntries()) if (!shift.hadRecentInput) window.shifts.push(shift.value);
}).observe({type: "layout-shift", buffered: true});"""


@pytest.fixture(scope="module")
def waiter(studio, kept_film):
    """Somebody with a gallery."""
    crowd.make(
        studio,
        """
        waiter = person("waiter")
        for number in range(24):
            add(waiter, number, f"waited for {{number}}")
        """,
    )
    return Visitor(studio, "waiter", crowd.PASSWORD)


@pytest.fixture
def stop(studio):
    """Stop submissions, or let them go on."""

    def run(now: bool) -> None:
        studio.rows("UPDATE videos_site SET stopped = ?", now)

    yield run
    run(False)


def enter(page: Page, visitor: Visitor) -> None:
    url = visitor.studio.url
    page.context.add_cookies([{"name": k, "value": v, "url": url} for k, v in visitor.session.cookies.items()])


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_moves_while_it_is_said_comes_and_goes(page: Page, waiter, stop, width):
    page.set_viewport_size({"width": width, "height": 844})
    page.add_init_script(COUNT_SHIFTS)
    enter(page, waiter)
    stop(True)
    page.goto("/")
    said = page.locator("#hold-up", has_text=WORDS)
    expect(said).to_be_in_viewport()
    page.wait_for_load_state("networkidle")
    for now in (False, True):
        stop(now)
        page.evaluate("() => htmx.trigger('#status', 'refresh')")
        expect(said).to_have_count(int(now))
    page.mouse.wheel(0, 500)
    expect(said).to_be_in_viewport()
    page.mouse.wheel(0, -500)
    page.wait_for_function("() => scrollY === 0")
    assert sum(page.evaluate("window.shifts")) <= 0.02


def test_it_hides_nothing_at_the_end_of_a_page(page: Page, waiter, stop):
    page.set_viewport_size({"width": 390, "height": 844})
    enter(page, waiter)
    stop(True)
    page.goto("/")
    page.wait_for_load_state("networkidle")
    page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
    last = page.locator("#cards article").last.bounding_box()
    said = page.locator("#hold-up .banner").bounding_box()
    bar = page.locator(".slate-bar").bounding_box()
    assert last["y"] + last["height"] <= said["y"]
    assert said["y"] + said["height"] <= bar["y"]


def test_it_is_said_without_scripts(browser, browser_context_args, waiter, stop):
    context = browser.new_context(**browser_context_args, java_script_enabled=False)
    page = context.new_page()
    enter(page, waiter)
    stop(True)
    for path in ("/", "/you/", "/generations/extend/"):
        page.goto(path)
        expect(page.get_by_text(WORDS)).to_be_in_viewport()
    context.close()
