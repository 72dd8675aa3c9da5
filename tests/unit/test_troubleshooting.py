"""TROUBLESHOOTING.md has every alert, every error code and every line of a log that warns."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lexiclass_core.codes import ErrorCode
from lexiclass_worker.telemetry.checks import DECIDING

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "TROUBLESHOOTING.md").read_text()
ARCHITECTURE = ROOT / "docs" / "ARCHITECTURE.md"
RULES = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules.yaml").read_text())
ALERTS = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"]}
SOURCES = [
    *("lexiclass_worker", "actors", "packages/lexiclass/lexiclass"),
    *("packages/lexiclass-core/lexiclass_core", "packages/lexiclass-console/lexiclass_console"),
]
WARNS = {"warning", "error", "exception", "critical"}

# What another library says goes through as it is; a level may be one that warns.
PASSED_ON = {"log": 1}


def part(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def sections(heading: str) -> list[str]:
    return re.findall(r"^### (.*)$", part(heading), re.MULTILINE)


def listed_lines() -> list[str]:
    return re.findall(r"^\| `(.*?)` \|", part("Log lines"), re.MULTILINE)


def logged_lines(path: Path) -> Iterator[str]:
    """The first line of each message that warns, as it is written in a module."""
    tree = ast.parse(path.read_text())
    constants = dict(constants_of(tree))
    for call in ast.walk(tree):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
            continue
        method, logger = call.func.attr, ast.unparse(call.func.value)
        if method not in WARNS | PASSED_ON.keys() or not re.match(
            r"_?log\b|logg(er|ing)\b", logger
        ):
            continue
        message = call.args[PASSED_ON.get(method, 0)]
        found = constants.get(message.id) if isinstance(message, ast.Name) else message
        if isinstance(found, ast.Constant):
            yield str(found.value).partition("\n")[0]
        else:
            assert method == "log", f"{path}:{call.lineno} has a message that is no literal"


def constants_of(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Names that a module gives to values."""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value
        elif isinstance(node, ast.Assign):
            yield from (
                (each.id, node.value) for each in node.targets if isinstance(each, ast.Name)
            )


def all_logged_lines() -> set[str]:
    return {
        line
        for source in SOURCES
        for path in (ROOT / source).rglob("*.py")
        for line in logged_lines(path)
    }


def test_every_alert_has_a_section_to_which_its_runbook_leads() -> None:
    assert sections("Alerts") == list(ALERTS)
    for name, rule in ALERTS.items():
        assert rule["annotations"]["runbook_url"] == f"docs/TROUBLESHOOTING.md#{name.lower()}", name


def test_every_fault_leads_to_what_tells_it_and_what_is_left_to_do() -> None:
    dying = ARCHITECTURE.read_text().partition("## When something dies\n")[2]
    faults = re.findall(r"^- \*\*(.*?)[.*]", dying, re.MULTILINE)
    rows = re.findall(r"^\| (.*?) \| (.*?) \| (.*?) \|$", part("By what happened"), re.MULTILINE)
    told = {what: by for what, by, _ in rows}
    assert len(faults) > 7
    assert [fault for fault in faults if fault not in told] == []
    for what, by in told.items():
        named = re.findall(r"\[(Lexiclass\w+)\]", by)
        assert named or what in {"what", "---", "A backup that was not made"} or "those of" in by
        assert set(named) <= ALERTS.keys()


def test_every_check_that_decides_is_explained() -> None:
    text = part("Alerts").partition("### LexiclassNotReady\n")[2].partition("\n### ")[0]
    named = set(re.findall(r"^\| `(.*?)` \|", text, re.MULTILINE))
    assert named == DECIDING.keys() - {"redis", "postgresql"}


def test_every_error_code_has_a_section() -> None:
    assert sections("Error codes") == [*ErrorCode]


def test_every_line_that_warns_is_explained_and_no_other() -> None:
    logged = all_logged_lines() - {"%s: %s (%s:%d)"}  # Python's own warnings, in the text
    assert len(logged) > 60
    listed = listed_lines()
    assert len(listed) == len(set(listed))
    assert logged - set(listed) == set(), "add them to docs/TROUBLESHOOTING.md"
    assert set(listed) - logged == set(), "no such line is logged"


def test_no_line_is_all_placeholders() -> None:
    """Nobody could look for it."""
    bare = [line for line in listed_lines() if not re.search(r"[a-zA-Z]{4}", strip(line))]
    assert bare == []


def strip(line: str) -> str:
    return re.sub(r"{[^}]*}|%[a-z]", "", line)


@pytest.mark.parametrize("heading", ["Alerts", "Error codes"])
def test_every_section_says_something(heading: str) -> None:
    for section in re.split(r"^### ", part(heading), flags=re.MULTILINE)[1:]:
        name, _, text = section.partition("\n")
        assert len(text.split()) >= 8, name
