"""The pictures of the README, made from the sandbox: `make screenshots`."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import django
from playwright.sync_api import Browser, sync_playwright

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from tests.browser.conftest import CHROMIUM, LAUNCH_ARGS  # noqa: E402
from tests.processes import wait_until  # noqa: E402
from tests.studio import Studio, Visitor  # noqa: E402

PROMPTS = [
    ("A lighthouse keeps its light through a winter storm", "16:9"),
    ("Paper lanterns drift over a still lake at night", "21:9"),
    ("A tram climbs a hill in the first light of the morning", "4:3"),
    ("A dancer turns in a shaft of dust and sun", "9:16"),
    ("Waves fold over black sand, seen from above", "1:1"),
    ("Snow begins to fall on an empty fairground", "16:9"),
    ("A slow dolly shot through a hall of mirrors", "16:9"),
    ("Clouds pour over a mountain pass like water", "21:9"),
]
SHOTS = [
    ("gallery", "/", 1280, 900, "dark"),
    ("gallery-light", "/", 1280, 900, "light"),
    ("phone", "/", 390, 844, "dark"),
]


def main(folder: Path) -> None:
    """Write the pictures into `folder`."""
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        studio = Studio(Path(scratch)).start()
        try:
            demo = Visitor(studio)
            made = [demo.generate(prompt, aspect_ratio=ratio) for prompt, ratio in PROMPTS]
            for generation in made:
                demo.wait_for_video(generation, 180)
            extension = demo.extend(demo.extend_path(made[0]), "Dawn breaks, and the sea lies down")
            demo.wait_for_video(extension, 120)
            running = demo.generate("A comet crosses the sky above a sleeping town [slow]")
            wait_until(lambda: demo.state(running) == "processing", "a running one")
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=LAUNCH_ARGS)
            for name, path, width, height, scheme in [*SHOTS, ("video", f"/generations/{made[0]}/", 1280, 900, "dark")]:
                shoot(browser, studio, demo, folder / f"{name}.jpg", path, width, height, scheme)
            browser.close()
        finally:
            studio.end()


def shoot(
    browser: Browser, studio: Studio, visitor: Visitor, file: Path, path: str, width: int, height: int, scheme: str
) -> None:
    """One page, as a visitor sees it."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    context.add_cookies(
        [{"name": name, "value": value, "url": studio.url} for name, value in visitor.session.cookies.items()]
    )
    page = context.new_page()
    page.goto(studio.url + path)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=file, type="jpeg", quality=84)
    context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
