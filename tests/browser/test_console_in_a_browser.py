"""The console in a real browser, before real workers."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import pytest
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.schemas import AcceptAt
from lexiclass_worker.embedded import EmbeddedServers
from tests.support.browser import running_browser, watched_page
from tests.support.console_showcase import opened_client
from tests.support.corpora import SmallProject, add_document, make_text
from tests.support.databases import Databases
from tests.support.house import House, lent_house
from tests.support.served import PREFIX, login_link

pytestmark = pytest.mark.browser

T = TypeVar("T")


@pytest.fixture(scope="module")
def house(
    servers: EmbeddedServers, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("house")
    with (
        lent_house(servers, databases, directory) as house,
        house.worker(),
    ):
        yield house


@pytest.fixture(scope="module")
def project(house: House) -> SmallProject:
    """A project with two versions of a model."""
    project = house.project()
    house.train(project)
    house.train(project)
    return project


@pytest.fixture(scope="module")
def browser(project: SmallProject) -> Iterator[Browser]:
    """A browser, started last: Playwright's loop runs in this thread from then on."""
    del project
    with running_browser() as running:
        yield running


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who has logged in."""

    page: Page
    has_script: bool


@pytest.fixture(params=[True, False], ids=["with-script", "without-script"])
def visit(
    request: pytest.FixtureRequest, browser: Browser, house: House, address: str
) -> Iterator[Visit]:
    """Somebody who has logged in. Nothing else is asked for, and nothing complained about."""
    with watched_page(browser, java_script_enabled=request.param) as (page, asked, complaints):
        page.goto(login_link(house, address))
        page.get_by_role("button", name="Log in with this link").click()
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        yield Visit(page, request.param)
        assert [url for url in asked if not url.startswith(address)] == []
        assert complaints == []


def wait_for(visit: Visit, text: str) -> None:
    """Wait for a text in the page, which is loaded anew where no script keeps it up to date."""
    page = visit.page
    found = page.locator("main").get_by_text(text, exact=True).first
    for _ in range(60):
        try:
            found.wait_for(timeout=2_000)
        except PlaywrightTimeoutError:
            if not visit.has_script:
                page.reload()
        else:
            return
    raise AssertionError(f"{text!r} is not in {page.locator('main').inner_text()!r}")


def beside_playwright(function: Callable[[], T]) -> T:
    """Call what has an event loop of its own: one of Playwright's runs in this thread."""
    with ThreadPoolExecutor() as thread:
        return thread.submit(function).result()


def test_a_training_is_followed_to_its_end(
    visit: Visit, house: House, project: SmallProject, address: str
) -> None:
    page = visit.page
    with opened_client(house) as client:
        task = client.train(project.project_id, project.field_id)
    page.goto(f"{address}/tasks/{task.id}")
    wait_for(visit, "succeeded")
    expect(page.locator(".timeline")).to_contain_text("started")


def test_what_waits_is_cancelled_and_run_once_more(
    visit: Visit, house: House, project: SmallProject, address: str
) -> None:
    page = visit.page
    page.goto(f"{address}/queues")
    page.locator(".card").get_by_label("Why").first.fill("a test")
    page.get_by_role("button", name="Pause indexing").click()
    expect(page.get_by_role("status")).to_contain_text("is paused")
    with opened_client(house) as client:
        task = client.index(project.project_id)
    page.goto(f"{address}/tasks/{task.id}")
    expect(page.locator("main")).to_contain_text("Its queue is paused")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("status")).to_contain_text(f"Task {task.id} is cancelled")
    page.get_by_role("button", name="Run it once more").click()
    expect(page).to_have_url(re.compile(rf"{PREFIX}/tasks/\d+\?done=\d+$"))
    again = page.url.partition("?")[0]
    page.goto(f"{address}/queues")
    page.get_by_role("button", name="Resume indexing").click()
    page.goto(again)
    wait_for(visit, "succeeded")


def test_a_failure_is_found_from_the_first_page_and_run_again(
    visit: Visit, house: House, project: SmallProject, address: str
) -> None:
    page = visit.page
    with opened_client(house) as client:
        task = client.train(project.project_id, project.field_id, classifier="nosuch")
        client.wait(task.id, timeout_s=120)
    page.goto(f"{address}/")
    page.get_by_role("link", name=str(task.id), exact=True).first.click()
    expect(page.locator(".error")).to_contain_text("no classifier named 'nosuch'")
    expect(page.locator(".error")).to_contain_text("What to do")
    page.get_by_role("link", name="To the plugins").click()
    expect(page.get_by_role("heading", name="svm")).to_be_visible()
    # Whoever is told of a task by its number.
    page.get_by_label("Find a task").fill(str(task.id))
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Run it once more").click()
    expect(page.get_by_role("status")).to_contain_text(f"does what task {task.id} was to do")
    expect(page.get_by_role("heading", level=1)).not_to_contain_text(f"Task {task.id} ")


def test_a_version_is_promoted_and_rolled_back(
    visit: Visit, project: SmallProject, address: str
) -> None:
    page = visit.page
    page.goto(f"{address}/projects")
    page.locator("main table a").first.click()
    page.locator("main table a").first.click()
    for version in ("1", "2"):
        card = page.locator(".card").filter(has=page.get_by_role("heading", name="Promote"))
        card.get_by_label("Version").select_option(version)
        card.get_by_role("button", name="Promote", exact=True).click()
        expect(page.get_by_role("status")).to_contain_text(f"Version {version} serves")
    page.get_by_role("button", name="Undo the last promotion").click()
    expect(page.get_by_role("status")).to_contain_text("Version 1 serves")
    page.get_by_role("link", name="Activity").click()
    expect(page.locator("main")).to_contain_text("version.roll_back")


def test_predictions_are_reviewed_one_after_the_other(
    visit: Visit, house: House, project: SmallProject, address: str
) -> None:
    async def add(session: AsyncSession) -> list[int]:
        texts = [make_text("animals", 3_000 + number) for number in range(6)]
        return [
            await add_document(session, house.storage, project.project_id, text) for text in texts
        ]

    added = beside_playwright(lambda: house.database.run(add))
    with opened_client(house) as client:
        task = client.predict(
            project.project_id, project.field_id, added, accept_at=AcceptAt(confidence=1.0)
        )
    beside_playwright(lambda: house.database.succeeded(task.message_id))
    page = visit.page
    page.goto(f"{address}/fields/{project.field_id}")
    page.get_by_role("link", name="Predictions to be reviewed").click()
    current = page.locator(".current")

    def decide(key: str, button: str) -> str:
        decided = current.get_by_role("link", name="Document").inner_text()
        if visit.has_script:
            # Keys are heard once the script is there.
            page.wait_for_load_state()
            page.keyboard.press(key)
        else:
            current.get_by_text(button).first.click()
        expect(current.get_by_role("link", name=decided, exact=True)).to_have_count(0)
        return decided.removeprefix("Document ")

    confirmed = decide("y", "It is")
    expect(page.get_by_role("status")).to_contain_text(f"Document {confirmed} is")
    expect(page.get_by_role("status")).to_contain_text("as predicted")
    expect(current.get_by_role("button", name="It is")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).not_to_contain_text(f"Document {confirmed} is")
    left = decide("n", "Leave it")
    page.get_by_role("link", name="from the beginning, all").click()
    expect(page.locator("main table").get_by_role("link", name=left, exact=True)).to_be_visible()
    page.get_by_text("All 4 shown are right").click()
    page.get_by_role("button", name="Label these 4 documents").click()
    expect(page.get_by_role("status")).to_contain_text("4 documents of field")
    expect(page.locator("main")).to_contain_text("Nothing is to be reviewed")
    assert int(left) in added


def test_a_document_is_looked_up_and_labelled(
    visit: Visit, house: House, project: SmallProject, address: str
) -> None:
    with opened_client(house) as client:
        task = client.index(project.project_id)
    beside_playwright(lambda: house.database.succeeded(task.message_id))
    page = visit.page
    page.goto(f"{address}/projects/{project.project_id}")
    page.get_by_role("link", name="its documents").click()
    page.locator("main table a").first.click()
    expect(page.locator("pre.text")).to_be_visible()
    page.get_by_role("button", name="Look it up").click()
    wait_for(visit, "Most like it")
    wait_for(visit, "What versions have predicted")
    page.get_by_text("Change its labels").click()
    page.get_by_label("For").select_option("test")
    page.get_by_role("button", name="Set the label").click()
    expect(page.get_by_role("status")).to_contain_text("in field")
    expect(page.locator("main table").first).to_contain_text("test")


def test_a_version_is_trained_by_the_form_compared_and_the_better_one_promoted(
    visit: Visit, project: SmallProject, address: str
) -> None:
    page, field = visit.page, f"{address}/fields/{project.field_id}"
    page.goto(f"{field}/train")
    page.get_by_label("max_iter").fill("1")
    page.get_by_label("C", exact=True).fill("0.000001")
    page.get_by_role("button", name="Train the next version").click()
    expect(page.locator("main")).to_contain_text('"max_iter": 1')
    wait_for(visit, "succeeded")
    page.goto(field)
    newest = page.locator("main table a").first.inner_text()
    for version in ("1", newest):
        page.goto(f"{field}/versions/{version}")
        page.get_by_role("button", name=f"Evaluate version {version}").click()
        wait_for(visit, "succeeded")
    page.goto(f"{field}/versions/{newest}")
    expect(page.locator("main")).to_contain_text("on all such documents")
    report = page.get_by_role("link", name="Open the report").get_attribute("href")
    page.get_by_role("button", name=f"Promote version {newest}").click()
    expect(page.get_by_role("status")).to_contain_text(f"Version {newest} serves")
    page.get_by_label("With version").select_option("1")
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.locator("main")).to_contain_text("in 19 cases of 20")
    expect(page.locator("main")).to_contain_text("classifier_params.C")
    page.get_by_label("Is version").select_option("1")
    page.get_by_label("better than").select_option(newest)
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_label("Why").fill("it is the better one")
    page.get_by_role("button", name="Promote version 1").click()
    expect(page.get_by_role("status")).to_contain_text("Version 1 serves")
    page.get_by_role("link", name="Version 1", exact=True).click()
    expect(page.locator(".timeline")).to_contain_text("it is the better one")
    page.goto(page.url.partition("/ops/")[0] + str(report))
    expect(page.locator("h1")).to_be_visible()
    if visit.has_script:
        # Nothing in it is of the console's origin.
        assert page.evaluate("() => window.origin") == "null"
