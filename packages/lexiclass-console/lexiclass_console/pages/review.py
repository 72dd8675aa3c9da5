"""Predictions to be reviewed: one after the other, those first that help most."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from lexiclass_console.actions import MOST_AT_ONCE
from lexiclass_console.serving import Page, View, existing
from lexiclass_console.texts import text_of
from lexiclass_core.documents.overview import field_overview
from lexiclass_core.documents.reviewing import MOST_LOOKED_AT, count_to_review, list_to_review
from lexiclass_core.documents.reviews import ReviewPage, ReviewPosition, ReviewQuery
from lexiclass_core.documents.viewing import class_choices
from lexiclass_core.numbers import number_of

_PAGE_SIZE: Final = 20
_KEYS: Final = 9
_NAMES: Final = ("class_id", "from", "to", "kind", "show")
_SHARE: Final = "a number from 0 to 1, such as 0.95"
_EXPECTED: Final = {
    "class_id": "the number of a class", "from": _SHARE, "to": _SHARE,
    "kind": "unfamiliar or familiar",
}  # fmt: skip
_KINDS: Final = {"unfamiliar": True, "familiar": False}


async def show(view: View) -> Page:
    """The prediction that is to be decided, and those that come after it."""
    field_id = view.request.path_params["field_id"]
    field = existing(await field_overview(view.session, field_id), "field")
    asked = view.asked(*_NAMES)
    query, unreadable = _query(field_id, asked)
    after = ReviewPosition.parse(view.request.query_params.get("after", ""))
    limit = max(1, min(number_of(asked.get("show", "")) or _PAGE_SIZE, MOST_AT_ONCE))
    # Of what is not understood nothing is offered: least of all to confirm all that are shown.
    found = (
        ReviewPage(predictions=[], next_position=None)
        if unreadable
        else await list_to_review(view.session, query, after=after, limit=limit)
    )
    choices = await class_choices(view.session, [field_id])
    current = found.predictions[0] if found.predictions else None

    async def later() -> Mapping[str, Any]:
        if current is None:
            return {}
        text = await text_of(
            view, field.summary.project_id, current.document_id, current.content_path
        )
        return {"text": text}

    return Page(
        template="review.html",
        values={
            "field": field.summary,
            "asked": asked,
            "unreadable": unreadable,
            "after": None if after is None else str(after),
            "page": found,
            "current": current,
            "classes": None if choices is None else choices[field_id],
            "num_keys": _KEYS,
            "count": await count_to_review(view.session, query),
            "limit": limit,
            "most_at_once": MOST_AT_ONCE,
            "looked_at": MOST_LOOKED_AT,
        },
        later=later,
    )


def _query(field_id: int, asked: Mapping[str, str]) -> tuple[ReviewQuery, dict[str, str]]:
    """What is asked for, and what is expected where that cannot be understood, by name."""
    found: dict[str, Any] = {
        "class_id": number_of(asked.get("class_id", "")),
        "from": _share(asked.get("from", "")),
        "to": _share(asked.get("to", "")),
        "kind": _KINDS.get(asked.get("kind", "")),
    }
    query = ReviewQuery(
        field_id=field_id,
        class_id=found["class_id"],
        min_confidence=found["from"],
        max_confidence=found["to"],
        is_unfamiliar=found["kind"],
    )
    unreadable = {
        name: _EXPECTED[name] for name, value in found.items() if name in asked and value is None
    }
    return query, unreadable


def _share(given: str) -> float | None:
    """A probability that an address names; None if it names none."""
    try:
        found = float(given)
    except ValueError:
        return None
    return found if math.isfinite(found) and 0 <= found <= 1 else None
