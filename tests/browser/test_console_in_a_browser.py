"""The console in a real browser, before real workers."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from threading import Thread

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from lexiclass_console import create_console
from lexiclass_core.access.tokens import User, issue_login
from lexiclass_core.client import TaskClient
from lexiclass_core.db import create_engine, create_session_factory
from lexiclass_core.statuses import Role
from lexiclass_worker.embedded import EmbeddedServers
from lexiclass_worker.embedded.process import free_port
from tests.support.browser import running_browser, watched_page
from tests.support.corpora import SmallProject
from tests.support.databases import Databases
from tests.support.house import House, open_house

pytestmark = pytest.mark.browser

PREFIX = "/ops/lexiclass"


@pytest.fixture(scope="module")
def house(
    servers: EmbeddedServers, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("house")
    with (
        databases.lent() as database_uri,
        open_house(database_uri, servers.broker_url, directory) as house,
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


@pytest.fixture(scope="module")
def address(house: House) -> Iterator[str]:
    """A console under a path of another application."""
    console = create_console(
        database_uri=house.environment["DATABASE_URI"],
        broker_url=house.environment["DRAMATIQ__BROKER_URL"],
        namespace=house.environment["DRAMATIQ__NAMESPACE"],
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with console.router.lifespan_context(console):
            yield

    outer = Starlette(routes=[Mount(PREFIX, app=console)], lifespan=lifespan)
    port = free_port()
    with served(outer, port):
        yield f"http://127.0.0.1:{port}{PREFIX}"


@contextmanager
def served(app: ASGIApp, port: int) -> Iterator[None]:
    """Serve an application from a thread."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, log_level="warning", timeout_graceful_shutdown=1)
    )
    thread = Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
        yield
    finally:
        server.should_exit = True
        thread.join()


def login_link(house: House, address: str) -> str:
    async def issue() -> str:
        engine = create_engine(house.environment["DATABASE_URI"])
        async with create_session_factory(engine).begin() as session:
            token = await issue_login(session, User("anna", Role.ADMIN))
        await engine.dispose()
        return token

    with ThreadPoolExecutor() as thread:
        token = thread.submit(lambda: asyncio.run(issue())).result()
    return f"{address}/login?token={token}"


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


@contextmanager
def opened_client(house: House) -> Iterator[TaskClient]:
    """What submits tasks."""
    with TaskClient(
        database_uri=house.environment["DATABASE_URI"],
        broker_url=house.environment["DRAMATIQ__BROKER_URL"],
        namespace=house.environment["DRAMATIQ__NAMESPACE"],
    ) as client:
        yield client


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
    page.get_by_label("Why").first.fill("a test")
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


def test_a_failure_is_found_from_the_first_page(
    visit: Visit, house: House, project: SmallProject, address: str
) -> None:
    page = visit.page
    with opened_client(house) as client:
        task = client.train(project.project_id, project.field_id, classifier="nosuch")
    page.goto(f"{address}/")
    wait_for(visit, str(task.id))
    page.get_by_role("link", name=str(task.id), exact=True).first.click()
    expect(page.locator(".error")).to_contain_text("no classifier named 'nosuch'")
    expect(page.locator(".error")).to_contain_text("What to do")


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


@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_is_wider_than_its_window(
    browser: Browser, house: House, project: SmallProject, address: str, width: int
) -> None:
    settings = {"viewport": {"width": width, "height": 900}}
    with watched_page(browser, **settings) as (page, _, complaints):
        page.goto(login_link(house, address))
        page.get_by_role("button", name="Log in with this link").click()
        for path in (
            "/", "/tasks", "/tasks/1", "/queues", "/dead-letters", "/projects",
            f"/projects/{project.project_id}", f"/fields/{project.field_id}",
            f"/fields/{project.field_id}/suspects", "/activity",
        ):  # fmt: skip
            page.goto(f"{address}{path}")
            assert page.evaluate("() => document.documentElement.scrollWidth") == width, path
    assert complaints == []
