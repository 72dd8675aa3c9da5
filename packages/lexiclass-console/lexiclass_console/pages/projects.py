"""Projects, and one of them: its documents, its fields."""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException

from lexiclass_console.serving import Page, View
from lexiclass_core.documents.overview import (
    MOST_COUNTED,
    label_counts,
    list_projects,
    project_overview,
)

_PAGE_SIZE: Final = 50


async def show_all(view: View) -> Page:
    """A list of projects, newest first."""
    projects = await list_projects(view.session, before=view.number("before"), limit=_PAGE_SIZE)
    return Page(
        template="projects.html",
        values={
            "projects": projects,
            "next_before": projects[-1].id if len(projects) == _PAGE_SIZE else None,
        },
    )


async def show(view: View) -> Page:
    """A project."""
    project = await project_overview(view.session, view.request.path_params["project_id"])
    if project is None:
        raise HTTPException(404, "There is no such project: its id is wrong, or it was deleted.")
    return Page(
        template="project.html",
        values={
            "project": project,
            "labels": await label_counts(view.session, project),
            "most": MOST_COUNTED,
        },
    )
