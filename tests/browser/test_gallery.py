"""The gallery and a generation's page, as somebody sees them in Chromium."""

import gzip
import re
import uuid
from datetime import datetime

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser import crowd
from tests.processes import wait_until
from tests.studio import Visitor

SECONDS = 1000


@pytest.fixture(scope="module")
def people(studio, kept_film):
    """Accounts with a gallery each, copied from one film."""
    crowd.make(
        studio,
        """
        full = person("full")
        for number in range(60):
            add(full, number, f"film number {{number}}")
        player = person("player")
        for number in range(3):
            add(player, number, f"played {{number}}", aspect_ratio="16:9")
        plain = person("plain")
        for number in range(30):
            add(plain, number, f"plain {{number}}")
        add(plain, 40, "not made", "failed", error_code="forbidden", error_message="Refused.", trace_id="trace-of-it",
            aspect_ratio="16:9")
        """,
    )


@pytest.fixture
def enter(page, studio):
    """Sign in as somebody, without the form."""

    def run(name="demo", to=page):
        visitor = Visitor(studio, name, "demo" if name == "demo" else crowd.PASSWORD)
        to.context.add_cookies(
            [{"name": name, "value": value, "url": studio.url} for name, value in visitor.session.cookies.items()]
        )
        return visitor

    return run


def cards(page: Page):
    return page.locator("#cards article")


def playing(page: Page) -> list[str]:
    """The cards whose film runs."""
    return page.evaluate(
        "() => [...document.querySelectorAll('video')].filter(v => !v.paused).map(v => v.closest('article').id)"
    )


# --- what is loaded, and what moves ---------------------------------------------------------------


def test_no_film_is_fetched_before_somebody_points_at_it(page: Page, people, enter):
    enter("full")
    films = []
    page.on("request", lambda request: films.append(request.url) if "/files/videos/" in request.url else None)
    page.goto("/")
    expect(cards(page)).to_have_count(24)
    page.wait_for_load_state("networkidle")
    assert films == []
    cards(page).first.hover()
    page.wait_for_function("() => document.querySelector('video').currentTime > 0.1")
    assert len(set(films)) == 1


def test_a_card_plays_muted_under_the_pointer_and_only_one_does(page: Page, people, enter):
    enter("full")
    page.goto("/")
    first, second = cards(page).nth(0), cards(page).nth(1)
    for card in (first, second):
        card.hover()
        page.wait_for_function(
            "card => { const v = card.querySelector('video'); return !v.paused && v.muted && v.currentTime > 0 }",
            arg=card.element_handle(),
        )
        assert playing(page) == [card.get_attribute("id")]
    page.mouse.move(0, 0)
    page.wait_for_function("() => [...document.querySelectorAll('video')].every(v => v.paused && !v.currentTime)")
    first.locator("a.caption").focus()  # by script: not the keyboard's focus
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    page.wait_for_function("card => !card.querySelector('video').paused", arg=first.element_handle())
    first.locator("[data-play]").click()
    page.mouse.move(0, 0)
    video = first.locator("video")
    assert video.evaluate("v => !v.paused && !v.muted && v.controls")
    second.hover()
    page.wait_for_timeout(600)
    assert playing(page) == [first.get_attribute("id")], "who watches is not disturbed by a glance"


def test_who_wants_less_motion_gets_none_by_pointing(page: Page, people, enter):
    enter("full")
    page.emulate_media(reduced_motion="reduce")
    page.goto("/")
    cards(page).first.hover()
    page.wait_for_timeout(700)
    assert playing(page) == []


def test_nothing_moves_while_the_gallery_loads_scrolls_and_updates(page: Page, people, enter):
    somebody = enter("full")
    page.add_init_script(
        """window.shifts = [];
        new PerformanceObserver(list => {
            for (const shift of list.getEntries()) if (!shift.hadRecentInput) window.shifts.push(shift.value);
        }).observe({type: "layout-shift", buffered: true});"""
    )
    made = somebody.generate("comes while somebody looks [slow]")
    page.goto("/")
    page.wait_for_load_state("networkidle")
    somebody.post(f"/generations/{made}/delete/")
    for _ in range(9):
        page.mouse.wheel(0, 600)
        page.wait_for_timeout(200)
    assert cards(page).count() > 24
    assert sum(page.evaluate("window.shifts")) <= 0.02


def test_the_first_page_is_light(page: Page, studio, people, enter):
    somebody = enter("full")
    html = somebody.get("/", headers={"Accept-Encoding": "gzip"})
    assert html.headers["Content-Encoding"] == "gzip"
    sizes = {"html": len(gzip.compress(html.content, 6))}
    for path in re.findall(r'(?:src|href)="(/static/[^"]+\.(?:js|css))"', html.text):
        answer = requests.get(studio.url + path, headers={"Accept-Encoding": "gzip"}, stream=True, timeout=10)
        sizes[path] = len(answer.raw.read(decode_content=False))
    own = {path: size for path, size in sizes.items() if "/static/js/" in path}
    assert sum(own.values()) <= 12 * 1024, own
    assert sum(sizes.values()) <= 60 * 1024, sizes


def test_back_returns_to_the_place_in_the_gallery(page: Page, people, enter):
    enter("full")
    page.goto("/")
    expect(cards(page)).to_have_count(24)
    while cards(page).count() < 60:
        page.mouse.wheel(0, 3000)
        page.wait_for_timeout(100)
    card = page.locator("#cards article", has_text="film number 50")
    card.scroll_into_view_if_needed()
    top = page.evaluate("scrollY")
    card.locator("a.caption").click()
    expect(page.locator("#generation-detail")).to_be_visible()
    page.go_back()
    expect(card).to_be_in_viewport()
    page.wait_for_function("top => Math.abs(scrollY - top) < 3", arg=top)


# --- what happens ---------------------------------------------------------------------------------


def test_what_finishes_turns_up_in_place_within_four_seconds_and_is_told(page: Page, studio, enter):
    somebody = enter()
    page.context.grant_permissions(["notifications"])
    page.add_init_script(
        """window.notes = [];
        window.Notification = class extends Notification {
            constructor(...words) {
                super(...words);
                this.onerror = () => notes.push("refused");
                this.onshow = () => notes.push(`${this.title} ${this.body}`);
            }
        };
        document.hasFocus = () => false;"""
    )
    page.goto("/")
    page.locator("details.menu summary").click()
    bell = page.get_by_role("button", name="Notify me")
    expect(bell).to_have_attribute("aria-pressed", "false")
    bell.click()
    expect(bell).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    prompt = f"turns up {uuid.uuid4().hex[:6]}"
    made = somebody.generate(prompt)
    page.reload()
    card = page.locator(f"#generation-{made}")
    card.evaluate(
        """card => new MutationObserver(() => {
            const now = document.getElementById(card.id);
            if (now?.dataset.state === "completed" && !window.shownAt) window.shownAt = Date.now();
        }).observe(document.querySelector("#cards"), {childList: true, subtree: true, attributes: true})"""
    )
    values = []
    while card.get_attribute("data-state") != "completed":
        # In one step: the card may be another by the time of a second look.
        values.append(card.evaluate("card => Number(card.querySelector('[role=progressbar]')?.ariaValueNow ?? 0)"))
        page.wait_for_timeout(100)
    assert all(value < 100 for value in values)
    expect(page).to_have_title(re.compile(r"^\(1\) "))
    expect(page.locator(".toast")).to_contain_text(prompt)
    page.wait_for_function("() => notes.length")
    assert page.evaluate("notes") == [f"Your video is ready: {prompt}"]
    page.mouse.move(300, 300)
    expect(page).to_have_title(re.compile(r"^[^(]"))
    came = studio.rows(
        "SELECT c.received_at FROM videos_callback c WHERE c.generation_id = ? ORDER BY c.received_at",
        uuid.UUID(made).hex,
    )[0]["received_at"]
    received = datetime.fromisoformat(f"{came}+00:00").timestamp()
    assert page.evaluate("window.shownAt") / 1000 - received <= 4


def test_the_progress_bar_slows_down_and_never_arrives_by_itself(page: Page, studio, enter):
    somebody = enter()
    made = somebody.generate("takes its time [slow]")
    wait_until(lambda: somebody.state(made) == "processing", "a running one")
    page.clock.install()
    page.goto("/")
    card = page.locator(f"#generation-{made}")
    beam = card.locator("[role=progressbar]")
    page.wait_for_function("() => document.querySelector('[data-usual]')")
    page.route(re.compile("/status/|/live/"), lambda route: route.fulfill(status=204))
    seen = []
    for seconds in (2, 60, 600, 6000):
        page.clock.fast_forward(seconds * SECONDS)
        page.wait_for_timeout(50)
        seen.append(int(beam.get_attribute("aria-valuenow")))
    assert seen == sorted(seen)
    assert seen[0] < seen[-1] < 100
    expect(card).to_contain_text("Longer than usual")
    somebody.post(f"/generations/{made}/delete/")


def test_a_queued_one_tells_its_place_and_can_be_cancelled(page: Page, studio, enter):
    somebody = enter()
    studio.rows("UPDATE videos_site SET stopped = 1")
    try:
        made = [somebody.generate(f"queued {number} {uuid.uuid4().hex[:6]}") for number in range(2)]
        page.goto("/")
        last = page.locator(f"#generation-{made[1]}")
        expect(last).to_contain_text("number 2 in line")
        expect(page.locator(f"#generation-{made[0]}")).to_contain_text("next in line")
        page.on("dialog", lambda dialog: dialog.accept())
        last.hover()
        last.get_by_role("button", name="Cancel").click()
        expect(last).to_have_count(0)
        somebody.post(f"/generations/{made[0]}/delete/")
    finally:
        studio.rows("UPDATE videos_site SET stopped = 0")


def test_a_failed_one_says_why_what_it_cost_and_what_to_do(page: Page, people, enter):
    enter("plain")
    page.goto("/")
    page.mouse.wheel(0, 9000)
    card = page.locator("#cards article", has_text="not made")
    expect(card).to_contain_text("Refused.")
    expect(card).to_contain_text("This cost nothing")
    card.hover()
    expect(card.get_by_role("link", name="Edit")).to_be_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    card.get_by_role("button", name="Copy the trace ID").click()
    assert page.evaluate("navigator.clipboard.readText()") == "trace-of-it"
    card.get_by_role("link", name="Edit").click()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("not made")


# --- a generation's page --------------------------------------------------------------------------


def test_the_player_obeys_the_keyboard(page: Page, people, enter):
    enter("player")
    page.goto("/")
    page.locator("#cards article", has_text="played 1").locator("a.caption").click()
    video = page.locator("#generation-detail video")
    page.wait_for_function("() => document.querySelector('video').readyState >= 1")

    def at() -> float:
        page.wait_for_function("() => !document.querySelector('video').seeking")
        return video.evaluate("v => v.currentTime")

    page.keyboard.press("Space")
    page.wait_for_function("() => document.querySelector('video').currentTime > 0.3")
    page.keyboard.press("Space")
    assert video.evaluate("v => v.paused")
    before = at()
    page.keyboard.press("ArrowRight")
    assert at() == pytest.approx(before + 1, abs=0.05)
    page.keyboard.press("ArrowLeft")
    assert at() == pytest.approx(before, abs=0.05)
    page.keyboard.press(".")
    first = at()
    page.keyboard.press(".")
    second = at()
    assert 0.01 < second - first < 0.06, "one frame"
    page.keyboard.press(",")
    assert at() == pytest.approx(first, abs=0.001)
    page.keyboard.press("l")
    assert video.evaluate("v => v.loop")
    expect(page.get_by_role("button", name="Loop")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("j")
    expect(page.locator("h1")).to_have_text("played 2")
    page.keyboard.press("k")
    expect(page.locator("h1")).to_have_text("played 1")


def test_a_frame_of_the_film_becomes_the_start_frame_of_a_new_video(page: Page, studio, people, enter):
    enter("player")
    page.goto("/")
    page.locator("#cards article").first.locator("a.caption").click()
    page.wait_for_function("() => document.querySelector('video').readyState >= 1")
    page.locator("video").evaluate("v => { v.currentTime = 2.5 }")
    expect(page.locator("[data-cut] output")).to_have_text("0:02.50")
    with page.expect_request("**/frame/") as asked:
        page.get_by_role("button", name="Use as start frame").click()
    assert "at=2.500" in asked.value.post_data
    expect(page).to_have_url(re.compile(r"\?start_frame="))
    frame = page.url.partition("start_frame=")[2].partition("&")[0]
    expect(page.locator("#composer [name=start_frame]")).to_have_value(frame)


# --- without scripts ------------------------------------------------------------------------------


def test_without_scripts_everything_is_a_plain_page(browser, browser_context_args, studio, people, enter):
    context = browser.new_context(**browser_context_args, java_script_enabled=False)
    page = context.new_page()
    enter("plain", page)
    page.goto("/")
    expect(cards(page)).to_have_count(24)
    expect(cards(page).first.locator("video[controls]")).to_be_visible()
    expect(cards(page).first.locator("[data-play]")).to_be_hidden()
    page.get_by_role("link", name="Older videos").click()
    expect(cards(page)).to_have_count(7)
    failed = cards(page).filter(has_text="not made")
    failed.hover()
    failed.get_by_role("button", name="Try again").click()
    again = cards(page).filter(has_text="not made").first
    expect(again).to_be_visible()
    again.locator("a.caption").click()
    expect(page.locator("h1")).to_have_text("not made")
    page.get_by_role("button", name=re.compile("Delete|Cancel")).click()
    expect(page.get_by_text("Deleted.")).to_be_visible()
    card = cards(page).filter(has_text="plain 0")
    card.hover()
    card.get_by_role("link", name="Extend").click()
    page.get_by_label("Prompt", exact=True).fill("goes on without scripts")
    page.locator("main button[type=submit]").last.click()
    expect(cards(page).first).to_contain_text("goes on without scripts")
    card = cards(page).filter(has_text="plain 1").first
    card.locator("a.caption").click()
    page.get_by_role("button", name="Use as end frame").click()
    expect(page).to_have_url(re.compile(r"\?end_frame="))
    context.close()
