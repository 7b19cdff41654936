"""For everybody: axe finds nothing, the keyboard reaches everything, fingers hit, and zoom breaks nothing."""

from importlib.resources import files

import pytest
from playwright.sync_api import Page, expect

from tests.browser import crowd
from tests.studio import Visitor

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
RUN = """async () => (await axe.run({resultTypes: ["violations"]})).violations.map(
    v => `${v.id} (${v.impact}): ${v.help}; ` + v.nodes.map(n => n.target + " " + n.html.slice(0, 120)).join(" | ")
)"""
DOORS = ["/accounts/login/", "/accounts/signup/", "/accounts/reset/"]
ROOMS = ["/", "/generations/extend/", "/frames/", "/you/", "/accounts/password/", "/nowhere/"]


@pytest.fixture(scope="module")
def rooms(studio, kept_film):
    """The pages of an account whose gallery shows every state."""
    crowd.make(
        studio,
        """
        everyone = person("everyone")
        sent = dict(sent_at=now, trace_id="trace-1")
        add(everyone, 0, "in line", "queued", error_code="used_up", next_check_at=now + timedelta(days=1))
        add(everyone, 1, "going out", "submitting", sent_at=now)
        add(everyone, 2, "on its way", "processing", task_id="running-1", sent_at=now)
        add(everyone, 3, "lost", "unconfirmed", error_code="answer_lost", trace_id="trace-0")
        for number, code in enumerate(("forbidden", "api_error", "not_confirmed", "never_answered")):
            add(everyone, 4 + number, code, "failed", error_code=code, error_message="Why it failed.", **sent)
        add(everyone, 8, "not here yet", video=dict(stored_at=None, expired_at=None))
        add(everyone, 9, "never came", video=dict(stored_at=None, expired_at=now))
        for number in range(10, 30):
            add(everyone, number, f"film {{number}} " + "word " * number)
        """,
    )
    visitor = Visitor(studio, "everyone", crowd.PASSWORD)
    found = studio.rows(
        "SELECT g.id, g.prompt, g.video_id FROM videos_generation g JOIN videos_user u ON u.id = g.owner_id"
        " WHERE u.username = 'everyone' AND (g.prompt LIKE 'film 10%' OR g.prompt IN ('not_confirmed', 'on its way'))"
    )
    details = [f"/generations/{_uuid(row['id'])}/" for row in found]
    film = next(_uuid(row["video_id"]) for row in found if row["video_id"])
    return visitor.session.cookies.items(), [*ROOMS, *details, f"/videos/{film}/extend/"]


def _uuid(text: str) -> str:
    return "-".join([text[:8], text[8:12], text[12:16], text[16:20], text[20:]])


@pytest.fixture
def signed_in(page, studio, rooms):
    page.context.add_cookies([{"name": name, "value": value, "url": studio.url} for name, value in rooms[0]])
    return rooms[1]


@pytest.fixture
def nothing_wrong():
    """A page that is not there is one of the pages."""


def violations(page: Page, path: str) -> list[str]:
    page.emulate_media(reduced_motion="reduce")
    page.goto(path)
    page.wait_for_load_state("networkidle")
    page.evaluate(AXE)
    found = []
    for theme in ("dark", "light"):
        for width in (390, 1280):
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            page.set_viewport_size({"width": width, "height": 900})
            found += [f"{path} {theme} {width}: {line}" for line in page.evaluate(RUN)]
    return found


def test_axe_finds_nothing_at_the_door(page: Page):
    assert [line for path in DOORS for line in violations(page, path)] == []


def test_axe_finds_nothing_in_the_studio(page: Page, signed_in):
    found = [line for path in signed_in for line in violations(page, path)]
    assert found == [], "\n".join(found)


def test_axe_finds_nothing_in_what_opens(page: Page, signed_in):
    page.emulate_media(reduced_motion="reduce")
    page.goto("/")
    page.locator("details.menu summary").click()
    page.evaluate(AXE)
    assert page.evaluate(RUN) == []
    page.keyboard.press("Escape")
    card = page.locator("#cards article", has_text="film 10")
    card.hover()
    card.locator("[data-action=extend]").click()
    expect(page.locator("#extend-form")).to_be_visible()
    assert page.evaluate(RUN) == []


def test_at_twice_the_size_nothing_has_to_be_scrolled_sideways(page: Page, signed_in):
    page.set_viewport_size({"width": 640, "height": 450})
    wide = []
    for path in [*DOORS, *signed_in]:
        page.goto(path)
        if (width := page.evaluate("document.documentElement.scrollWidth")) > 640:
            wide.append((path, width))
    assert wide == []


def test_a_finger_hits_every_control(browser, studio, rooms):
    context = browser.new_context(
        base_url=studio.url, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    context.add_cookies([{"name": name, "value": value, "url": studio.url} for name, value in rooms[0]])
    page = context.new_page()
    small = []
    for path in rooms[1]:
        page.goto(path)
        page.wait_for_load_state("networkidle")
        small += page.evaluate(
            """path => [
                    ...document.querySelectorAll("main :is(.button, .plain, button), .top > a, .nav a, .left, summary"),
                ]
                .filter(e => e.checkVisibility({visibilityProperty: true}))
                .map(e => ({box: e.getBoundingClientRect(), html: e.outerHTML}))
                .filter(({box}) => box.width > 1 && (box.width < 44 || box.height < 44))
                .map(({box, html}) => `${path} ${box.width} ${box.height} ${html.slice(0, 90)}`)""",
            path,
        )
    context.close()
    assert small == []


def test_the_keyboard_reaches_everything_and_shows_where_it_is(page: Page, signed_in):
    page.goto("/")
    page.wait_for_load_state("networkidle")
    unseen, reached = [], set()
    for _ in range(90):
        page.keyboard.press("Tab")
        found = page.evaluate(
            """() => {
                const here = document.activeElement;
                const around = [here, here.parentElement, here.closest(".well")].filter(Boolean);
                const outlined = around
                    .map(e => getComputedStyle(e))
                    .some(s => s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 1);
                return {outlined, html: here.outerHTML.slice(0, 90), action: here.dataset.action || here.className};
            }"""
        )
        reached.add(found["action"])
        if not found["outlined"]:
            unseen.append(found["html"])
    assert unseen == []
    assert {"skip", "brand", "caption", "extend", "reuse", "retry", "delete", "download", "play"} <= reached


def test_what_happens_is_said_to_screen_readers(page: Page, signed_in):
    page.goto("/")
    expect(page.locator("#announce")).to_have_attribute("aria-live", "polite")
    page.on("dialog", lambda dialog: dialog.accept())
    card = page.locator("#cards article", has_text="film 11")
    card.hover()
    card.locator("[data-action=delete]").click()
    expect(page.locator("#announce")).to_have_text("Deleted.")
    page.wait_for_function("() => document.activeElement.matches('a.caption')")
