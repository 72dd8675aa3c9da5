"""Every page of a console, found as people find it: by links and forms from the first."""

from collections import Counter, deque
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from starlette.applications import Starlette
from starlette.routing import Match, Route

from tests.support.console import OURS

_ENTRANCE = {"login"}

# Two tasks, or two fields, need not show the same.
_OF_A_KIND = 2


@dataclass(frozen=True, slots=True)
class FoundPage:
    """A page.

    Attributes:
        route: Its name.
        address: An address at which there is one.
        is_page: Whether the console's own template made it.
    """

    route: str
    address: str
    is_page: bool


def routes_of(console: Starlette) -> set[str]:
    """The names of all pages that are asked for, but the one that lets people in."""
    return {
        route.name
        for route in console.routes
        if isinstance(route, Route) and "GET" in (route.methods or ())
    } - _ENTRANCE


def find_pages(console: Starlette, address: str, link: str) -> list[FoundPage]:
    """Follow the links of a console, two of each route, and one for each set of filters.

    Args:
        console: For its routes.
        address: Where it is served.
        link: Lets somebody in once.
    """
    with httpx.Client(follow_redirects=True, timeout=60) as client:
        client.post(
            f"{address}/login", data={"token": link.partition("token=")[2]}, headers=OURS
        ).raise_for_status()
        found: list[FoundPage] = []
        seen: set[str] = set()
        times: Counter[tuple[str, frozenset[str]]] = Counter()
        ahead = deque([f"{address}/"])
        while ahead:
            at = ahead.popleft()
            name = _route(console, at.removeprefix(address))
            kind = name, frozenset(parse_qs(urlsplit(at).query))
            # With filters it is the same page again.
            if at in seen or times[kind] == (1 if kind[1] else _OF_A_KIND):
                continue
            seen.add(at)
            times[kind] += 1
            answer = client.get(at)
            assert answer.status_code == 200, (at, answer.status_code)
            # Others are files, or pages of other programs.
            is_page = "console.css" in answer.text
            found.append(FoundPage(name, at, is_page=is_page))
            if not is_page:
                continue
            ways = _Ways()
            ways.feed(answer.text)
            ahead += [str(httpx.URL(at).join(each)) for each in ways.addresses]
    return found


class _Ways(HTMLParser):
    """Where a page leads: its links, and its forms that ask for a page as they are filled in."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self._form: str | None = None
        self._fields: dict[str, str] = {}
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and not given.get("href", "#").startswith("#"):
            self.addresses.append(given["href"])
        elif tag == "form":
            self._form = given["action"] if given.get("method") == "get" else None
            self._fields = {}
        elif tag == "select":
            self._select = given.get("name", "")
        elif tag == "option" and (self._select not in self._fields or "selected" in given):
            self._fields[self._select] = given.get("value", "")
        elif tag == "input" and given.get("name"):
            self._fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._form is not None:
            filled = {name: value for name, value in self._fields.items() if value}
            self.addresses.append(f"{self._form}?{urlencode(filled)}" if filled else self._form)
            self._form = None


def _route(console: Starlette, path: str) -> str:
    scope = {"type": "http", "method": "GET", "path": urlsplit(path).path, "root_path": ""}
    for route in console.routes:
        if isinstance(route, Route) and route.matches(scope)[0] is Match.FULL:
            return route.name
    raise AssertionError(f"no page is at {path}")
