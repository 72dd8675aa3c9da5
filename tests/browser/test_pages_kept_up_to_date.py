"""Pages that are kept up to date under the hands of somebody who reads them, and sends forms."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from lexiclass_worker.embedded import EmbeddedServers
from tests.support.browser import running_browser, watched_page
from tests.support.console_showcase import opened_client
from tests.support.databases import Databases
from tests.support.house import House, lent_house
from tests.support.served import login_link

pytestmark = pytest.mark.browser

# Above the width at which rows become cards, and below that of the table.
NARROW = {"width": 660, "height": 500}
PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def house(
    servers: EmbeddedServers, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """An installation without a worker: what is submitted waits."""
    with lent_house(servers, databases, tmp_path_factory.mktemp("house")) as house:
        yield house


@pytest.fixture(scope="module")
def project_id(house: House) -> int:
    return house.project().project_id


@pytest.fixture(scope="module")
def browser(project_id: int) -> Iterator[Browser]:
    """A browser, started last: Playwright's loop runs in this thread from then on."""
    del project_id
    with running_browser() as running:
        yield running


@pytest.fixture
def page(browser: Browser, house: House, address: str) -> Iterator[Page]:
    """The list of tasks, before somebody who has logged in."""
    with opened_client(house) as client:
        for _ in range(3):
            client.index(7)
    with watched_page(browser, viewport=NARROW) as (page, _, complaints):
        page.goto(login_link(house, address))
        page.get_by_role("button", name="Log in with this link").click()
        page.goto(f"{address}/tasks")
        yield page
        assert complaints == []


def submit(house: House) -> str:
    with opened_client(house) as client:
        return str(client.index(7).id)


def test_the_row_that_has_the_focus_keeps_it_and_the_table_stays_where_it_is(
    page: Page, house: House
) -> None:
    link = page.locator("#live_tasks tbody a").nth(2)
    task_id = link.inner_text()
    link.focus()
    page.locator("#live_tasks .wide").evaluate("it => { it.scrollLeft = 40 }")
    left = page.locator("#live_tasks .wide").evaluate("it => it.scrollLeft")
    assert left > 0
    new = page.get_by_role("link", name=submit(house), exact=True)
    expect(new).to_be_attached(timeout=PATIENCE_MS)
    expect(page.get_by_role("link", name=task_id, exact=True)).to_be_focused()
    assert page.locator("#live_tasks .wide").evaluate("it => it.scrollLeft") == left

    page.locator("#live_tasks .wide").focus()
    new = page.get_by_role("link", name=submit(house), exact=True)
    expect(new).to_be_attached(timeout=PATIENCE_MS)
    expect(page.locator("#live_tasks .wide")).to_be_focused()


def test_time_that_passes_replaces_nothing_else(page: Page) -> None:
    first = page.locator("#live_tasks tbody tr").first
    first.evaluate("it => { it.isTheSame = true }")
    said = first.locator("time").inner_text()
    expect(first.locator("time")).not_to_have_text(said, timeout=PATIENCE_MS)
    assert first.evaluate("it => it.isTheSame") is True


def test_what_is_selected_stays_until_it_is_not(page: Page, house: House) -> None:
    page.evaluate(
        "getSelection().selectAllChildren(document.querySelector('#live_tasks tbody tr'))"
    )
    selected = page.evaluate("String(getSelection())")
    # Another stream of the same page tells when the new row has been sent.
    page.evaluate(
        """() => {
          const seen = new EventSource(location.href);
          seen.addEventListener("block", (event) => { window.sent = event.data; });
          addEventListener("pagehide", () => seen.close());
        }"""
    )
    task_id = submit(house)
    page.wait_for_function("id => window.sent?.includes(`>${id}<`)", arg=task_id)
    page.wait_for_timeout(3_000)
    new = page.get_by_role("link", name=task_id, exact=True)
    expect(new).to_have_count(0)
    assert page.evaluate("String(getSelection())") == selected
    page.evaluate("getSelection().removeAllRanges()")
    expect(new).to_be_attached(timeout=PATIENCE_MS)


def test_a_form_is_sent_once_until_a_page_is_shown(
    page: Page, address: str, project_id: int
) -> None:
    sent: list[Route] = []

    def hold(route: Route) -> None:
        sent.append(route)

    page.goto(f"{address}/projects/{project_id}")
    page.route("**/actions/*", hold)
    button = page.get_by_role("button", name="Index its documents")
    button.scroll_into_view_if_needed()
    box = button.bounding_box()
    assert box is not None

    def press() -> None:
        # The mouse alone waits for no page.
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.wait_for_timeout(300)

    for _ in range(3):
        press()
    assert len(sent) == 1
    sent[0].continue_()
    expect(page.locator("main")).to_contain_text("was submitted")
    page.go_back()
    button.scroll_into_view_if_needed()
    press()
    assert len(sent) == 2
    sent[1].continue_()
    expect(page.locator("main")).to_contain_text("was submitted")
