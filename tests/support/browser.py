"""A real Chromium without a window: Debian's package, or another named by PATH."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")


def program() -> str:
    """Where it is.

    Raises:
        RuntimeError: If it is not installed.
    """
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        raise RuntimeError("Chromium is not installed: apt-get install chromium")
    return found


@contextmanager
def running_browser() -> Iterator[Browser]:
    """A browser for the time of a ``with`` block."""
    # Its own sandbox refuses to work under root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def watched_page(
    browser: Browser, **settings: object
) -> Iterator[tuple[Page, list[str], list[str]]]:
    """A tab, with what it asks for and what it complains about.

    Args:
        browser: Where.
        **settings: Of the tab, as Playwright's.

    Yields:
        The tab, addresses that were asked for, and errors and violations of policies.
    """
    page = browser.new_page(**settings)  # type: ignore[arg-type]
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        yield page, asked, complaints
    finally:
        page.close()
