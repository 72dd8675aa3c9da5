"""What holds of every page of the console, whichever there are: the list is made of its links."""

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from lexiclass_worker.embedded import EmbeddedServers
from tests.support.browser import running_browser, watched_page
from tests.support.console_pages import FoundPage, find_pages, routes_of
from tests.support.console_showcase import furnish
from tests.support.databases import Databases
from tests.support.house import House, lent_house
from tests.support.served import console_of, login_link

pytestmark = pytest.mark.browser

# axe-core, by Deque: https://github.com/dequelabs/axe-core
AXE = (files("axe_playwright_python") / "axe.min.js").read_text()

PHONE = 390
SIDEWAYS = """
() => [...document.querySelectorAll('.wide')].some(it => it.scrollWidth > it.clientWidth)
"""

# What has the focus, and whether it can be told from what has not.
FOCUSED = """
() => {
  const focused = document.activeElement;
  if (!focused || focused === document.body) return null;
  const box = focused.getBoundingClientRect();
  const style = getComputedStyle(focused);
  return {
    name: focused.outerHTML.slice(0, 120),
    isVisible: box.width > 0 && box.height > 0 && box.right > 0 && box.bottom > 0,
    isMarked: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0,
  };
}
"""


@pytest.fixture(scope="module")
def house(
    servers: EmbeddedServers, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """An installation in which every page has something to show."""
    directory = tmp_path_factory.mktemp("house")
    with (
        lent_house(servers, databases, directory) as house,
        house.worker(),
    ):
        furnish(house)
        yield house


@pytest.fixture(scope="module")
def pages(house: House, address: str) -> list[FoundPage]:
    return find_pages(console_of(house), address, login_link(house, address))


@pytest.fixture(scope="module")
def browser(pages: list[FoundPage]) -> Iterator[Browser]:
    """A browser, started last: Playwright's loop runs in this thread from then on."""
    del pages
    with running_browser() as running:
        yield running


def log_in(page: Page, house: House, address: str) -> None:
    page.goto(login_link(house, address))
    page.get_by_role("button", name="Log in with this link").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def own(pages: list[FoundPage]) -> Iterator[FoundPage]:
    return (each for each in pages if each.is_page)


def test_every_page_is_reached_by_links_from_the_first(
    house: House, pages: list[FoundPage]
) -> None:
    assert routes_of(console_of(house)) - {each.route for each in pages} == set()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("width", [1280, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_no_page_is_wider_than_its_window(
    browser: Browser, house: House, address: str, pages: list[FoundPage], scheme: str, width: int
) -> None:
    viewport = {"width": width, "height": 900}
    problems: list[Any] = []
    with watched_page(browser, viewport=viewport, color_scheme=scheme) as (page, asked, complaints):
        log_in(page, house, address)
        for each in own(pages):
            page.goto(each.address)
            # Also what is behind a word.
            page.evaluate("document.querySelectorAll('details').forEach(it => it.open = true)")
            if page.evaluate("document.documentElement.scrollWidth") > width:
                problems.append((each.address, "is wider than its window"))
            if width == PHONE and page.evaluate(SIDEWAYS):
                problems.append((each.address, "has a table that scrolls sideways"))
            page.evaluate(AXE)
            found = page.evaluate("axe.run()")
            problems += [
                (each.address, violation["id"], [node["html"] for node in violation["nodes"]])
                for violation in found["violations"]
            ]
    assert problems == []
    assert complaints == []
    assert [url for url in asked if not url.startswith(address)] == []


def test_every_page_is_whole_without_script(
    browser: Browser, house: House, address: str, pages: list[FoundPage]
) -> None:
    with watched_page(browser, java_script_enabled=False) as (page, asked, complaints):
        log_in(page, house, address)
        for each in own(pages):
            page.goto(each.address)
            expect(page.locator("h1")).to_have_count(1)
            expect(page.locator("h1")).to_be_visible()
            assert page.locator("main").inner_text().strip()
    assert complaints == []
    assert [url for url in asked if not url.startswith(address)] == []


def test_the_keyboard_reaches_everything_and_shows_where_it_is(
    browser: Browser, house: House, address: str, pages: list[FoundPage]
) -> None:
    routes_seen: set[str] = set()
    with watched_page(browser) as (page, _, _):
        log_in(page, house, address)
        for each in own(pages):
            if each.route in routes_seen:
                continue
            routes_seen.add(each.route)
            page.goto(each.address)
            page.keyboard.press("Tab")
            expect(page.get_by_role("link", name="To the content")).to_be_focused()
            reached = 0
            while (focused := page.evaluate(FOCUSED)) is not None and reached < 40:
                assert focused["isVisible"], (each.address, focused)
                assert focused["isMarked"], (each.address, focused)
                page.keyboard.press("Tab")
                reached += 1
            assert reached > 10, each.address


def test_the_first_stop_of_the_keyboard_leads_past_the_navigation(
    browser: Browser, house: House, address: str
) -> None:
    with watched_page(browser) as (page, _, _):
        log_in(page, house, address)
        page.goto(f"{address}/tasks")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('main') !== null")
