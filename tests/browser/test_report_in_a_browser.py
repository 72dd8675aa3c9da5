"""The page of a report in a real browser: wide and narrow, light and dark, and on paper."""

import runpy
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from lexiclass.report.model import Report
from lexiclass.report.page import render
from tests.support.browser import running_browser, watched_page
from tests.support.hostile_reports import HOSTILE_NAMES
from tests.support.simulated_reports import class_names, simulated_report

EXAMPLE = Path(__file__).parents[2] / "examples" / "fastapi_app.py"

pytestmark = pytest.mark.browser

REPORTS: dict[str, Callable[[], Report]] = {
    "four-classes": simulated_report,
    "fifty-classes": lambda: simulated_report(class_names(50), 10_000),
    "twelve-classes": lambda: simulated_report(class_names(12), 800),
    "twenty-classes": lambda: simulated_report(class_names(20), 40_000),
    "hostile-names": lambda: simulated_report(HOSTILE_NAMES, 3000),
    "ten-documents": lambda: simulated_report(num_documents=10),
    "all-wrong": lambda: simulated_report(num_documents=400, accuracy=0),
    "all-right": lambda: simulated_report(class_names(9), 400, accuracy=1),
    "one-class": lambda: simulated_report(["Only"], 200),
}

# Boxes of words in the drawings that lie over each other or reach out of their drawing. What is
# turned lies in larger boxes than it fills.
MISPLACED_WORDS = """
() => {
  const found = [];
  for (const svg of document.querySelectorAll('svg[role=img]')) {
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll('text:not([transform])')];
    const boxes = texts.map(text => text.getBoundingClientRect());
    boxes.forEach((a, i) => {
      if (a.right > frame.right + 1 || a.bottom > frame.bottom + 1 || a.top < frame.top - 1)
        found.push('outside: ' + texts[i].textContent);
      boxes.slice(i + 1).forEach((b, j) => {
        const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (width > 1 && height > 4)
          found.push(texts[i].textContent + ' / ' + texts[i + 1 + j].textContent);
      });
    });
  }
  return found;
}
"""

OPEN_ALL = "() => document.querySelectorAll('details').forEach(each => each.open = true)"

WIDTH = "() => document.documentElement.scrollWidth"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


@pytest.fixture(scope="module", params=REPORTS)
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / f"{request.param}.html"
    path.write_text(render(REPORTS[request.param]()), encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_fits_asks_for_nothing_and_breaks_no_rule(
    browser: Browser, file: Path, width: int, scheme: str, tmp_path: Path
) -> None:
    settings = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    with watched_page(browser, **settings) as (page, asked, complaints):
        page.goto(file.as_uri())
        closed = page.screenshot(
            path=tmp_path / f"{file.stem}-{width}-{scheme}.png", full_page=True
        )
        assert page.evaluate(WIDTH) == width
        assert page.evaluate(MISPLACED_WORDS) == []

        page.evaluate(OPEN_ALL)
        assert page.evaluate(WIDTH) == width

    assert len(closed) > 10_000
    assert asked == [file.as_uri()]
    assert complaints == []


def test_a_dark_page_is_dark_and_a_light_one_light(browser: Browser, file: Path) -> None:
    colours = []
    for scheme in ("light", "dark"):
        with watched_page(browser, color_scheme=scheme) as (page, _, _):
            page.goto(file.as_uri())
            colours.append(page.evaluate("() => getComputedStyle(document.body).backgroundColor"))

    assert colours[0] == "rgb(255, 255, 255)"
    assert colours[1] != colours[0]


def test_a_page_can_be_printed(browser: Browser, file: Path) -> None:
    with watched_page(browser) as (page, asked, complaints):
        page.goto(file.as_uri())
        printed = page.pdf(format="A4")

    assert printed.startswith(b"%PDF")
    assert asked == [file.as_uri()]
    assert complaints == []


def test_nothing_runs_or_is_fetched_even_if_it_came_into_the_page(
    browser: Browser, tmp_path: Path
) -> None:
    path = tmp_path / "broken_into.html"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        intruder = (
            "<script>document.title = 'ran'</script>"
            f"<img src='http://127.0.0.1:{listening.getsockname()[1]}/x.png'>"
            "<style>body { display: none }</style><p style='display: none' id='shown'>shown</p>"
        )
        page_of_report = render(simulated_report()).replace("<main>", f"<main>{intruder}")
        path.write_text(page_of_report, encoding="utf-8")

        with watched_page(browser) as (page, _, complaints):
            page.goto(path.as_uri())

            assert page.title() != "ran"
            assert page.locator("#shown").is_visible()
            assert page.get_by_role("heading", level=1).is_visible()
        with pytest.raises(BlockingIOError):
            listening.accept()

    assert len(complaints) == 4


@contextmanager
def served(content: bytes, headers: dict[str, str]) -> Iterator[str]:
    """A server that answers everything with one page."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            for name, value in {"Content-Type": "text/html; charset=utf-8", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *said: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def test_a_page_looks_the_same_under_the_headers_that_an_api_serves_it_with(
    browser: Browser, tmp_path: Path
) -> None:
    headers = runpy.run_path(str(EXAMPLE))["REPORT_HEADERS"]
    content = render(simulated_report()).encode()
    path = tmp_path / "report.html"
    path.write_bytes(content)
    shots = []
    with served(content, headers) as address:
        for where in (path.as_uri(), address):
            with watched_page(browser) as (page, asked, complaints):
                page.goto(where)
                shots.append(page.screenshot(full_page=True))
                page.get_by_role("link", name="Mix-ups").click()
                assert page.url == f"{where}#confusions"
            assert {each for each in asked if not each.endswith("/favicon.ico")} <= {
                where, f"{where}#confusions",
            }  # fmt: skip
            assert complaints == []

    assert shots[0] == shots[1]
