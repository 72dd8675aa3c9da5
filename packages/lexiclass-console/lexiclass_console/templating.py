"""Pages as text: templates, and how values are written in them."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request

_UNITS: Final = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))
_SHORT_S: Final = 9.95
_NOTHING: Final = Markup("&ndash;")
_LONGEST_JSON: Final = 20_000
_QUOTED: Final = re.compile(r"`([^`\n]+)`")

ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


def link(request: Request, name: str, query: Mapping[str, Any] | None = None, **path: Any) -> str:
    """The address of a route, wherever the console is mounted; None in the query is left out."""
    prefix = request.scope.get("root_path", "")
    address = f"{prefix}{request.app.url_path_for(name, **path)}"
    given = {key: value for key, value in (query or {}).items() if value not in (None, "")}
    return f"{address}?{urlencode(given)}" if given else address


def duration(value: float | timedelta) -> str:
    """Seconds as people say them: in two units at most."""
    exact = max(0.0, value.total_seconds() if isinstance(value, timedelta) else value)
    if exact < _SHORT_S and exact != int(exact):
        return f"{exact:.1f} s"
    left = round(exact)
    for size, unit, smaller, smaller_unit in _UNITS:
        if left >= size:
            rest = left % size // smaller
            return f"{left // size} {unit}" + (f" {rest} {smaller_unit}" if rest else "")
    return f"{left} s"


def moment(value: datetime | None) -> Markup:
    """A moment as how long ago it is, with the exact one at hand."""
    if value is None:
        return _NOTHING
    away = round((datetime.now(UTC) - value).total_seconds())
    said = f"{duration(away)} ago" if away >= 0 else f"in {duration(-away)}"
    if away == 0:
        said = "now"
    exact = value.astimezone(UTC)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        exact.isoformat(), f"{exact:%Y-%m-%d %H:%M:%S} UTC", said
    )


def has_passed(value: datetime) -> bool:
    """Whether a moment is over."""
    return value <= datetime.now(UTC)


def marked(text: str) -> Markup:
    """A text in which commands and names stand between backticks, as messages have them."""
    return Markup(_QUOTED.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


def breakable(name: str) -> Markup:
    """A long name that may go on in the next line where its words do."""
    return Markup("_<wbr>").join(name.split("_"))


def count(value: int, most: int | None = None) -> str:
    """A number with thousands apart; one that was counted no further says so."""
    return f"{value:,}+" if most is not None and value >= most else f"{value:,}"


def pretty(value: object) -> str:
    """JSON for people, its end cut off where it is long."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    if len(text) <= _LONGEST_JSON:
        return text
    return f"{text[:_LONGEST_JSON]}\n… and {len(text) - _LONGEST_JSON:,} characters more"


def percent(value: float | None) -> Markup | str:
    """A share between 0 and 1 in percent; a figure that there is none of as a dash."""
    return _NOTHING if value is None else f"{100 * value:.1f} %"


def points(value: float) -> str:
    """A difference of shares in points of percent, with its sign."""
    return f"{100 * value:+.1f}"


def size(value: int) -> str:
    """Bytes as people say them."""
    for unit, bytes_ in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if value >= bytes_:
            return f"{value / bytes_:.3g} {unit}"
    return f"{value} bytes"


def form_key() -> str:
    """What tells one form of one page from all others."""
    return secrets.token_urlsafe(16)


ENVIRONMENT.filters |= {
    "breakable": breakable, "count": count, "duration": duration, "marked": marked,
    "moment": moment, "percent": percent, "points": points, "pretty": pretty, "size": size,
}  # fmt: skip
ENVIRONMENT.tests["passed"] = has_passed
ENVIRONMENT.globals["form_key"] = form_key
# Blocks are rendered on their own as well, where what a page imports is not known.
ENVIRONMENT.globals["m"] = ENVIRONMENT.get_template("macros.html").module
ENVIRONMENT.globals["v"] = ENVIRONMENT.get_template("version_macros.html").module
