"""The documentation holds against the code it describes."""

import ast
import json
import re
import runpy
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from lexiclass_core import schemas
from lexiclass_core.codes import ErrorCode
from lexiclass_core.operations import OPERATIONS
from lexiclass_core.schemas import (
    DeleteProject,
    DescribeDocument,
    EraseDocuments,
    IndexDocumentChunk,
    PredictDocumentChunk,
    Request,
    TaskError,
)
from lexiclass_worker.cli import app
from lexiclass_worker.cli.config import markdown
from lexiclass_worker.config import list_variables

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "packages").glob("*/README.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
]
REFERENCE = ROOT / "docs" / "TASKS_REFERENCE.md"
SECURITY = ROOT / "docs" / "SECURITY.md"
PACKAGES = [
    ROOT / "lexiclass_worker",
    *(ROOT / "packages" / name / name.replace("-", "_") for name in (
        "lexiclass", "lexiclass-core", "lexiclass-console",
    )),
]  # fmt: skip
# Of a storage, of a migration to come, and of a release.
NAMED_FOR_EXAMPLE = {"incoming/", "0002_what_it_does.py", "dist/"}
SETTINGS = {variable.name for variable in list_variables()}
COMPOSE = [ROOT / "compose.yaml", ROOT / "compose.prod.yaml"]


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def code_lines(page: Path) -> list[str]:
    """Lines of shell, and what stands in the text as `code`."""
    text = page.read_text()
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return [
        *(line for block in blocks(page, "sh") for line in block.splitlines()),
        *(" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)),
    ]


# Paths


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "DEVELOPMENT.md"])
def test_every_module_that_is_named_is_there(name: str) -> None:
    """By its path from a distribution, or in the folder of the one named before it."""
    missing = []
    for section in re.split(r"^#+ ", (ROOT / "docs" / name).read_text(), flags=re.MULTILINE):
        roots = [ROOT, *(part for package in PACKAGES for part in (package.parent, package))]
        for module in re.findall(r"`([a-z_][\w/]*/|[\w/]+\.(?:py|lua))`", section):
            found = [root / module for root in roots if (root / module).exists()]
            if not found and module not in NAMED_FOR_EXAMPLE:
                missing.append(module)
            if found:
                roots[len(PACKAGES) * 2 + 1 :] = [found[0], found[0].parent]
    assert missing == []


# Settings


def test_the_list_of_settings_is_the_generated_one() -> None:
    assert (ROOT / "docs" / "CONFIGURATION.md").read_text() == markdown(), "run: make docs"


def test_the_example_of_an_env_file_names_every_setting_and_sets_none() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    named = {match[1] for line in lines if (match := re.match(r"# ([A-Z_]+)=", line))}
    assert named == SETTINGS
    assert all(not line or line.startswith("#") for line in lines)


@pytest.mark.parametrize("page", [*PAGES, *COMPOSE, ROOT / "Containerfile"], ids=page_id)
def test_every_setting_that_is_named_exists(page: Path) -> None:
    pattern = r"(?<![A-Z_$])(?:[A-Z]+__[A-Z_]+|DATABASE_URI|LOG_[A-Z]+|LEXICLASS_[A-Z_]+)\w*"
    named = set(re.findall(pattern, page.read_text()))
    assert {name for name in named if name.removesuffix("_FILE") not in SETTINGS} == set()


# Links and commands


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_relative_link_leads_to_a_file_and_a_heading_in_it(page: Path) -> None:
    """To a file, for a site shows no folders."""
    for target, anchor in re.findall(
        r"\]\(([^)#\s]*)#?([^)\s]*)\)", without_code(page.read_text())
    ):
        if ":" in target:
            continue
        linked = page.parent / target if target else page
        assert linked.is_file(), target
        if anchor:
            assert anchor in anchors(linked.read_text()), f"{target}#{anchor}"


def without_code(text: str) -> str:
    """A page's text, for what stands in a block of code is no link and no heading."""
    return re.sub(r"^ *(```+).*?^ *\1$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text: str) -> set[str]:
    """Of a page's headings, as GitHub and MyST make them: the second of a name ends in ``-1``."""
    found: Counter[str] = Counter()
    names = set()
    for heading in re.findall(r"^#+ (.*?)\s*$", without_code(text), re.MULTILINE):
        words = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        names.add(f"{name}-{found[name]}" if found[name] else name)
        found[name] += 1
    return names


def test_anchors_are_those_that_browsers_are_led_to() -> None:
    text = "# A `b_c`: d, e!\n## [F](g.md)\n```sh\n# none\n```\n### F\n"
    assert anchors(text) == {"a-b_c-d-e", "f", "f-1"}


def test_the_first_page_leads_to_every_page() -> None:
    text = (ROOT / "README.md").read_text()
    assert {page.name for page in (ROOT / "docs").glob("*.md")} <= {
        *re.findall(r"\]\(docs/([^)#]+)", text)
    }


def test_the_site_has_every_page() -> None:
    configuration = runpy.run_path(str(ROOT / "docs/site/conf.py"))
    listed = [page for pages in configuration["SECTIONS"].values() for page in pages]
    assert sorted(["README", *listed]) == sorted(
        page_id(page).removesuffix(".md") for page in PAGES
    )


def test_what_makes_the_site_is_known_by_its_versions() -> None:
    _, *lines = (ROOT / "docs/site/requirements.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_command_that_is_named_exists(page: Path) -> None:
    for line in code_lines(page):
        if match := re.search(r"(?:^|[\s/])lexiclass-worker (?!&)(.+)$", line):
            check_command(shlex.split(match[1], comments=True))


def test_every_command_that_the_console_names_exists() -> None:
    templates = ROOT / "packages/lexiclass-console/lexiclass_console/templates"
    named = {
        match
        for page in templates.glob("**/*.html")
        for match in re.findall(r"<code>lexiclass-worker ([^<]+)</code>", page.read_text())
    }
    assert len(named) >= 8
    for line in named:
        check_command(shlex.split(re.sub(r"{{.*?}}", "1", line)))


def check_command(words: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    while words and (commands := getattr(command, "commands", None)):
        assert words[0] in commands
        command = commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert {word for word in words if word.startswith("-")} <= known


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {match[1] for line in code_lines(page) if (match := re.match(r"make ([a-z-]+)", line))}
    assert named <= targets


# Security


def test_every_promise_of_security_names_tests_that_exist() -> None:
    tables = re.findall(
        r"^\| promise \| test \|\n\|---\|---\|\n((?:\|.*\n)+)", SECURITY.read_text(), re.MULTILINE
    )
    rows = [row for table in tables for row in table.splitlines()]
    assert len(rows) > 15
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named, row
        for file, name in named:
            assert re.search(
                rf"^ *(async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE
            ), f"{file} has no {name}"


# Examples


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_example_that_sends_sends_what_its_actor_takes(page: Path) -> None:
    for block in blocks(page, "python"):
        for actor, queue, arguments in sent_by(block):
            OPERATIONS[actor].request.model_validate(arguments)
            assert queue in {None, OPERATIONS[actor].queue}


# The first page has room for what everybody does.
NOT_SHOWN = {
    ROOT / "README.md": {
        IndexDocumentChunk.actor_name, PredictDocumentChunk.actor_name, EraseDocuments.actor_name,
        DeleteProject.actor_name, DescribeDocument.actor_name,
    },
    REFERENCE: {IndexDocumentChunk.actor_name, PredictDocumentChunk.actor_name},
}  # fmt: skip


@pytest.mark.parametrize("page", NOT_SHOWN, ids=page_id)
def test_there_is_an_example_of_every_actor_that_others_send_to(page: Path) -> None:
    shown = {actor for block in blocks(page, "python") for actor, *_ in sent_by(block)}
    assert shown == {*OPERATIONS} - NOT_SHOWN[page]


def sent_by(block: str) -> Iterator[tuple[str, str | None, dict[str, Any]]]:
    """Actor, queue and arguments of each call that makes a message or a request."""
    for call in ast.walk(ast.parse(block)):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
            continue
        values = {word.arg: literal(word.value) for word in call.keywords if word.arg}
        match call.func.id, [literal(argument) for argument in call.args]:
            case "Message", [] if isinstance(values["actor_name"], str):
                yield values["actor_name"], values["queue_name"], values["kwargs"]
            case "send", [str(queue), str(actor)]:
                yield actor, queue, values
            case name, []:
                schema = getattr(schemas, name, None)
                if isinstance(schema, type) and issubclass(schema, Request):
                    yield schema.actor_name, None, values
            case _:
                pass


def literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return node


# The reference


@pytest.mark.parametrize("actor", OPERATIONS)
def test_the_reference_has_every_argument_with_its_default(actor: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \| .*? \| (.*?) \|", section(actor), re.MULTILINE)
    documented = {
        name: ... if default == "required" else json.loads(default.strip("`"))
        for name, default in rows
    }
    assert documented == {
        name: ... if field.is_required() else field.get_default(call_default_factory=True)
        for name, field in OPERATIONS[actor].request.model_fields.items()
    }


@pytest.mark.parametrize("actor", OPERATIONS)
def test_the_reference_has_a_result_as_the_actor_gives_it(actor: str) -> None:
    example = re.findall(r"^```json\n(.*?)^```", section(actor), re.DOTALL | re.MULTILINE)[0]
    OPERATIONS[actor].result.model_validate_json(example)


def test_the_reference_has_the_routes_as_they_are() -> None:
    row = r"^\| \[`(\w+)`\].*? \| (\w+) \| (\d+) h \| (\d+) \| (\d+) s \|"
    documented = re.findall(row, REFERENCE.read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(
        (
            str(actor),
            str(route.queue),
            f"{route.time_limit_s / 3600:g}",
            str(route.retry.max_attempts),
            f"{route.retry.min_backoff_s:g}",
        )
        for actor, route in OPERATIONS.items()
    )


def test_the_reference_has_every_error_code_and_an_error_as_it_is() -> None:
    errors = REFERENCE.read_text().partition("\n## Errors\n")[2].partition("\n## ")[0]
    table = "\n".join(line for line in errors.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`([A-Z_]+)`", table)) == {*ErrorCode}
    (example,) = re.findall(r"^```json\n(.*?)^```", errors, re.DOTALL | re.MULTILINE)
    TaskError.model_validate_json(example)


def section(actor: str) -> str:
    return REFERENCE.read_text().partition(f"\n## {actor}\n")[2].partition("\n## ")[0]
