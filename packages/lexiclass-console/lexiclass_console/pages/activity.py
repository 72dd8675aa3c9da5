"""What people did here."""

from __future__ import annotations

from typing import Final

from lexiclass_console.serving import Page, View
from lexiclass_core.access import audit

_PAGE_SIZE: Final = 50


async def show(view: View) -> Page:
    """What was done, newest first."""
    entries = await audit.page(view.session, before=view.number("before"), limit=_PAGE_SIZE)
    return Page(
        template="activity.html",
        values={
            "entries": entries,
            "next_before": entries[-1].id if len(entries) == _PAGE_SIZE else None,
        },
    )
