"""The site of the documentation, by Sphinx and MyST: ``make site``.

The pages are plain Markdown, as GitHub shows them. Nothing in them is Sphinx's: the order in which
they are read is here, and links to what is no page lead to the file itself.
"""

from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]

SECTIONS: Final = {
    "Use it": (
        "docs/TASKS_REFERENCE",
        "docs/FORMATS",
        "docs/CLI",
        "docs/PROJECTS",
        "docs/GATES",
        "docs/REPORTS",
        "docs/CONSOLE",
        "docs/PLUGIN_USAGE_GUIDE",
    ),
    "Run it": (
        "docs/DEPLOYMENT",
        "docs/CONFIGURATION",
        "docs/CONNECTIONS",
        "docs/OPERATIONS",
        "docs/TROUBLESHOOTING",
        "docs/RELIABILITY",
        "docs/MIGRATING",
        "docs/SECURITY",
    ),
    "Understand it": (
        "docs/ARCHITECTURE",
        "docs/PERFORMANCE",
        "docs/DEVELOPMENT",
        "packages/lexiclass/README",
        "examples/lexiclass-plugin-example/README",
        "packages/lexiclass-core/README",
        "packages/lexiclass-console/README",
        "CONTRIBUTING",
        "SECURITY",
        "CHANGELOG",
    ),
}
"""The pages in the order of the site's navigation."""

project = "LexiClass Worker"
version = release = (ROOT / "VERSION").read_text().strip()
extensions = ["myst_parser"]
root_doc = "README"
include_patterns = [
    f"{page}.md" for page in (root_doc, *(page for pages in SECTIONS.values() for page in pages))
]
exclude_patterns = [".*", "**/.*", "build", "dist"]
myst_heading_anchors = 4
myst_enable_extensions: list[str] = []
html_theme = "furo"
html_title = f"{project} {version}"
html_copy_source = False
html_show_copyright = False


def add_navigation(_app: Any, page: str, source: list[str]) -> None:
    """The first page leads to all others, in the menu alone."""
    if page == root_doc:
        trees = (
            "\n".join(["```{toctree}", ":hidden:", f":caption: {title}", "", *pages, "```"])
            for title, pages in SECTIONS.items()
        )
        source[0] = "\n\n".join([source[0], *trees])


def add_index(app: Any, failure: Exception | None) -> None:
    """Whoever asks for the folder gets the first page."""
    if failure is None:
        start = f'<meta http-equiv="refresh" content="0; url={root_doc}.html">'
        (Path(app.outdir) / "index.html").write_text(
            f"<!doctype html><title>{project}</title>{start}\n"
        )


def setup(app: Any) -> None:
    """What Sphinx calls."""
    app.connect("source-read", add_navigation)
    app.connect("build-finished", add_index)
