"""A real Chromium: Debian's, or whatever CHROMIUM names. In CI its absence fails the run."""

from __future__ import annotations

import os
import shutil

import pytest

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
LAUNCH_ARGS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
]


def pytest_collection_modifyitems(items):
    for item in items:
        if "/browser/" in str(item.path):
            item.add_marker(pytest.mark.browser)
            if not CHROMIUM:
                reason = "needs Chromium (Debian: apt install chromium)"
                mark = (
                    pytest.mark.skip(reason=reason)
                    if not os.environ.get("CI")
                    else pytest.mark.usefixtures("no_chromium")
                )
                item.add_marker(mark)


@pytest.fixture
def no_chromium():
    pytest.fail("Chromium is missing, and CI skips nothing")


@pytest.fixture(scope="session")
def browser_type_launch_args():
    return {"executable_path": CHROMIUM, "args": LAUNCH_ARGS}


@pytest.fixture(scope="session")
def browser_context_args(studio):
    return {"base_url": studio.url, "viewport": {"width": 1280, "height": 900}}


@pytest.fixture(autouse=True)
def nothing_wrong(page):
    """No error in the console, no violation of the content security policy, no failed script."""
    wrong = []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda fault: wrong.append(str(fault)))
    yield wrong
    assert wrong == []
