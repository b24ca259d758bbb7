"""A real browser: Chromium on the PATH (Debian's package `chromium`), or where NANOSNAKE_CHROMIUM says."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

HOW = "no Chromium: `apt-get install -y chromium`, or name one in NANOSNAKE_CHROMIUM"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = (
        os.environ.get("NANOSNAKE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    )
    if found is None:
        if os.environ.get("NANOSNAKE_REQUIRE_ALL") == "1":
            pytest.fail(HOW)
        pytest.skip(HOW)
    # root, as in a container, has no sandbox
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=arguments)
        yield launched
        launched.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1280, "height": 900})
    yield made
    made.close()
