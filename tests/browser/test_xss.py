"""Hostile words in every place that people, the provider and file names can reach: on no page does one of them run."""

from __future__ import annotations

import uuid

import pytest
import requests
from playwright.sync_api import Page, expect

from tests import pictures
from tests.processes import wait_until
from tests.provider import completed, failed
from tests.studio import Visitor

RUN = "window.hacked=(window.hacked||0)+1"
HOSTILE = " ".join(
    [
        f"<script>{RUN}</script>",
        f"<img src=x onerror={RUN}>",
        f"<svg/onload={RUN}>",
        f'"><script>{RUN}</script>',
        f"'><img src=x onerror={RUN}>",
        f'" autofocus onfocus={RUN} x="',
        f"</textarea></title></style></script></pre></template><script>{RUN}</script>",
        f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
        f"<a href=javascript:{RUN} hx-on:click={RUN} hx-get=/ hx-trigger=load>",
        f"{{{{7*7}}}} {{% now %}} ${{{RUN}}} javascript:{RUN} &lt;script&gt;",
        "\u202e\u2028\u2029",
    ]
)


def row_of(studio, generation: str) -> dict:
    return studio.rows("SELECT * FROM videos_generation WHERE id = ?", uuid.UUID(generation).hex)[0]


def call_back(studio, generation: str, body: dict) -> None:
    url = f"{studio.url}/callbacks/luma/{row_of(studio, generation)['callback_token']}/"
    assert requests.post(url, json=body, timeout=30).status_code == 200


def out(studio, visitor: Visitor, words: str) -> str:
    """A generation that the provider is at; its task's id is known."""
    made = visitor.generate(f"[slow] {words}")
    wait_until(lambda: row_of(studio, made)["task_id"], "the task is known")
    return made


@pytest.fixture(scope="module")
def hostile(studio, kept_film) -> dict:
    """A user, who may see the administration too, and all whose rows are hostile."""
    visitor, name = Visitor(studio, name=""), f"user{uuid.uuid4().hex[:8]}"
    fields = {"username": name, "password1": "a-long-secret", "password2": "a-long-secret"}
    assert visitor.post("/accounts/signup/", page="/accounts/signup/", **fields).status_code == 302
    done, refused = out(studio, visitor, HOSTILE), out(studio, visitor, f"refused {HOSTILE}")
    task, trace = row_of(studio, done)["task_id"], HOSTILE[:120]
    result = completed(task, video_url=kept_film["video_url"], thumbnail_url="https://x.example/'onerror='x.jpg")
    call_back(studio, done, {**result, "video_id": HOSTILE[:120], "trace_id": trace, "prompt": HOSTILE})
    call_back(studio, done, {"success": True, "note": HOSTILE})
    call_back(studio, refused, {**failed(row_of(studio, refused)["task_id"], HOSTILE[:60], HOSTILE), "trace_id": trace})
    studio.rows(
        "UPDATE videos_user SET username = ?, first_name = ?, email = ?, is_staff = 1, is_superuser = 1"
        " WHERE username = ?",
        f"{name}{HOSTILE[:80]}",
        HOSTILE[:100],
        '"><script>window.hacked=1</script>"@example.com',
        name,
    )
    wait_until(
        lambda: studio.rows(
            "SELECT v.* FROM videos_video v JOIN videos_generation g ON g.video_id = v.id WHERE g.id = ?",
            uuid.UUID(done).hex,
        )[0]["stored_at"],
        "the film is home",
    )
    yield {"visitor": visitor, "done": done, "refused": refused, "video": uuid.UUID(row_of(studio, done)["video_id"])}
    # No other test's administrator meets these: the account is an ordinary one again.
    tame = "UPDATE videos_user SET username = ?, is_staff = 0, is_superuser = 0 WHERE username LIKE ?"
    studio.rows(tame, name, f"{name}%")


@pytest.fixture
def inside(page: Page, studio, hostile, nothing_wrong) -> Page:
    """The hostile user's own browser."""
    cookies = hostile["visitor"].session.cookies.items()
    page.context.add_cookies([{"name": name, "value": value, "url": studio.url} for name, value in cookies])
    page.on("dialog", lambda dialog: nothing_wrong.append(f"a dialog: {dialog.message}"))
    return page


def harmless(page: Page, wrong: list[str]) -> None:
    """Nothing has run, and nothing was stopped from running."""
    expect(page.locator(".htmx-request")).to_have_count(0)
    assert page.evaluate("() => window.hacked") is None, page.url
    assert page.locator("iframe, script:not([src])").count() == 0
    assert page.locator("[onerror], [onload], [onfocus], [hx-on\\:click], img[src=x]").count() == 0
    # Chromium reports the status of a page itself, and a frame that is not there, as errors of the console.
    wrong[:] = [text for text in wrong if "(Not Found)" not in text]
    assert wrong == [], page.url


def test_on_our_pages(inside, hostile, nothing_wrong):
    video = hostile["video"]
    for path in (
        "/",
        f"/generations/{hostile['done']}/",
        f"/generations/{hostile['refused']}/",
        f"/videos/{video}/extend/",
        "/generations/extend/",
        f"/?reuse={hostile['done']}",
        f"/?reuse={hostile['refused']}&start_frame={HOSTILE[:200]}",
        "/frames/",
        "/you/",
        f"/{HOSTILE[:300]}/",
        f"/?after={HOSTILE[:200]}",
        f"/accounts/password/?next={HOSTILE[:200]}",
    ):
        inside.goto(path)
        harmless(inside, nothing_wrong)
    # What is hostile is there to be read, as it was written.
    inside.goto(f"/generations/{hostile['refused']}/")
    expect(inside.locator("body")).to_contain_text(f"<script>{RUN}</script>")


def test_on_the_pages_of_the_administration(inside, studio, hostile, nothing_wrong):
    done = hostile["done"]
    user = row_of(studio, done)["owner_id"]
    notices = studio.rows("SELECT id FROM videos_callback WHERE generation_id = ?", uuid.UUID(done).hex)
    for path in (
        "generation/",
        f"generation/?q={HOSTILE[:100]}",
        f"generation/{done}/change/",
        f"generation/{hostile['refused']}/change/",
        f"generation/{done}/history/",
        "video/",
        f"video/{hostile['video']}/change/",
        "callback/",
        *(f"callback/{notice['id']}/change/" for notice in notices),
        "user/",
        f"user/{user}/change/",
        f"user/{user}/password/",
        f"user/{user}/history/",
        "frame/",
        "site/",
        f"generation/{HOSTILE[:60].replace('/', '')}/change/",
    ):
        inside.goto(f"/admin/videos/{path}")
        harmless(inside, nothing_wrong)
    inside.goto("/admin/")
    harmless(inside, nothing_wrong)


def test_in_forms_that_come_back_and_names_of_files(inside, nothing_wrong):
    inside.goto("/")
    inside.get_by_label("Prompt", exact=True).fill(HOSTILE)
    for name in (f"<img src=x onerror={RUN}>.png", f'"><svg onload={RUN}>.png'):
        inside.locator("[name=start_image]").set_input_files(
            {"name": name, "mimeType": "image/png", "buffer": pictures.image()}
        )
        harmless(inside, nothing_wrong)
    inside.locator("[name=start_image]").set_input_files(
        {"name": f"<script>{RUN}</script>.svg", "mimeType": "image/svg+xml", "buffer": b"<svg onload='x'/>"}
    )
    inside.locator("#composer button[type=submit]").first.click()
    expect(inside.locator("#composer")).to_contain_text("can't be read as an image")
    expect(inside.get_by_label("Prompt", exact=True)).to_have_value(HOSTILE)
    harmless(inside, nothing_wrong)


def test_at_the_door(page, nothing_wrong):
    page.on("dialog", lambda dialog: nothing_wrong.append(f"a dialog: {dialog.message}"))
    for path in ("/accounts/login/", "/accounts/signup/", "/admin/login/"):
        page.goto(f"{path}?next={HOSTILE[:200]}")
        page.locator("[name=username]:visible").fill(HOSTILE[:150])
        for password in page.locator("[type=password]").all():
            password.fill("wrong")
        with page.expect_navigation():
            page.locator("form:has([type=password])").first.evaluate("form => form.requestSubmit()")
        harmless(page, nothing_wrong)
