"""The pictures of docs/CONSOLE.md: ``make docs-pictures``.

They are of a real console before real workers, in the Chromium that the system has.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from playwright.sync_api import Browser, expect

from lexiclass_worker.embedded import embedded_servers
from tests.support.browser import running_browser, watched_page
from tests.support.console_showcase import Showcase, furnish
from tests.support.databases import migrate
from tests.support.house import House, open_house
from tests.support.served import login_link, served_console

IMAGES = Path(__file__).parents[2] / "docs" / "images"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture of a page.

    Attributes:
        name: Of its file, without what follows the dot.
        path: Of the page.
        scheme: Colours.
        width: Of the window, in pixels.
        height: Likewise.
    """

    name: str
    path: Callable[[Showcase], str]
    scheme: Literal["light", "dark"] = "light"
    width: int = 1200
    height: int = 720


PICTURES = (
    Picture(name="console-overview", path=lambda _: "/"),
    Picture(name="console-task", path=lambda show: f"/tasks/{show.failed_id}", height=640),
    Picture(name="console-queues", path=lambda _: "/queues", scheme="dark", height=640),
    Picture(name="console-phone", path=lambda _: "/", scheme="dark", width=390, height=760),
)


def take(browser: Browser, house: House, address: str, show: Showcase, picture: Picture) -> None:
    """Take a picture."""
    viewport = {"width": picture.width, "height": picture.height}
    with watched_page(browser, viewport=viewport, color_scheme=picture.scheme) as (page, _, said):
        page.goto(login_link(house, address))
        page.get_by_role("button", name="Log in with this link").click()
        page.goto(f"{address}{picture.path(show)}")
        expect(page.locator("h1")).to_be_visible()
        page.screenshot(path=IMAGES / f"{picture.name}.png")
    assert said == [], said


def main() -> None:
    """Take all of them."""
    IMAGES.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="lexiclass-pictures-") as parent:
        directory = Path(parent)
        with (
            embedded_servers(directory / "servers") as servers,
            open_house(servers.database_uri, servers.broker_url, directory) as house,
        ):
            asyncio.run(migrate(servers.database_uri))
            with house.worker(), served_console(house, prefix="") as address:
                show = furnish(house)
                with running_browser() as browser:
                    for picture in PICTURES:
                        take(browser, house, address, show, picture)


if __name__ == "__main__":
    main()
