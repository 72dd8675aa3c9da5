"""What people did here."""

from __future__ import annotations

from typing import Final

from lexiclass_console.actions import ACTIONS
from lexiclass_console.serving import Page, View
from lexiclass_core.access import audit

_PAGE_SIZE: Final = 50
_QUOTING: Final = {action.name for action in ACTIONS.values() if action.quotes_documents}


async def show(view: View) -> Page:
    """What was done, newest first."""
    entries = await audit.page(view.session, before=view.number("before"), limit=_PAGE_SIZE)
    return Page(
        template="activity.html",
        values={
            "entries": entries,
            "hidden": set() if view.sees_texts else _QUOTING,
            "next_before": entries[-1].id if len(entries) == _PAGE_SIZE else None,
        },
    )
