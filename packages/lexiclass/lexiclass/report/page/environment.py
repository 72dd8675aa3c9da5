"""The templates of the page, and how they write what they are given."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lexiclass.report.model import DocumentId
from lexiclass.report.page import wording
from lexiclass.report.page.names import (
    NAME_WIDTH,
    PROSE_WIDTH,
    TEXT_WIDTH,
    beginning,
    cleaned,
    isolated,
)

_FILTERS: Final = (
    wording.percent,
    wording.ends,
    wording.points,
    wording.difference,
    wording.count,
    wording.confidence,
    wording.score,
    wording.probability,
    wording.moment,
)


@cache
def environment() -> Environment:
    """Return what renders the templates. Whatever a report says is escaped."""
    made = Environment(
        loader=PackageLoader("lexiclass.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {each.__name__: each for each in _FILTERS}
    made.filters |= {
        "name": name,
        "prose": prose,
        "sentence": sentence,
        "aligned": aligned,
        "excerpt": excerpt,
    }
    made.globals["decimals"] = wording.decimals
    return made


def name(value: DocumentId, width: int = NAME_WIDTH) -> Markup:
    """Write a name, which keeps its direction of writing to itself.

    Where there is room for much of it, a title has more.
    """
    whole = str(value)
    short = cleaned(whole, width)
    if short == whole or width < NAME_WIDTH:
        return Markup("<bdi>{}</bdi>").format(short)
    return Markup('<bdi title="{}">{}</bdi>').format(isolated(whole, 3 * width // 2), short)


def aligned(value: float) -> Markup:
    """Write a confidence whose point stands below that of another."""
    text = wording.confidence(value)
    padding = "0" * (6 - len(text))
    return Markup('{}<span class="pad" aria-hidden="true">{}</span>').format(text, padding)


def prose(value: str) -> str:
    """Write sentences that name classes."""
    return beginning(value, PROSE_WIDTH)


def sentence(value: str) -> str:
    """Write a message, which may stand in another, as a sentence of its own."""
    text = prose(value) or wording.NOTHING
    return f"{text[0].upper()}{text[1:]}{'' if text[-1] in '.!?…' else '.'}"


def excerpt(value: str) -> Markup:
    """Write the beginning of a text."""
    return Markup("<bdi>{}</bdi>").format(beginning(value, TEXT_WIDTH))


def style() -> Markup:
    """Return the style sheet, which is ours and needs no escaping."""
    source = files(__package__).joinpath("templates", "style.css").read_text("utf-8")
    return Markup(source)  # noqa: S704 - a file of this package


def policy(sheet: str) -> str:
    """Return the content security policy: this one style sheet, and nothing else at all."""
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
