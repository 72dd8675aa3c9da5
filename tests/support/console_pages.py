"""Every page of a console, found as people find it: by links from the first."""

import re
from collections import Counter, deque
from dataclasses import dataclass
from html import unescape
from urllib.parse import parse_qs, urlsplit

import httpx
from starlette.applications import Starlette
from starlette.routing import Match, Route

from tests.support.console import OURS

_LINK = re.compile(r'<a [^>]*?href="([^"]*)"')
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
    """Follow the links of a console, two of each kind: a route with the filters that are set.

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
            if at in seen or times[kind] == _OF_A_KIND:
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
            for each in map(unescape, _LINK.findall(answer.text)):
                if not each.startswith("#"):
                    ahead.append(str(httpx.URL(at).join(each)))
    return found


def _route(console: Starlette, path: str) -> str:
    scope = {"type": "http", "method": "GET", "path": urlsplit(path).path, "root_path": ""}
    for route in console.routes:
        if isinstance(route, Route) and route.matches(scope)[0] is Match.FULL:
            return route.name
    raise AssertionError(f"no page is at {path}")
