"""Projects, and one of them: its documents, its fields."""

from __future__ import annotations

from typing import Final

from lexiclass_console.serving import Page, View, existing
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
    project_id = view.request.path_params["project_id"]
    project = existing(await project_overview(view.session, project_id), "project")
    return Page(
        template="project.html",
        values={
            "project": project,
            "labels": await label_counts(view.session, project),
            "most": MOST_COUNTED,
        },
    )
