from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from typer.testing import CliRunner

from lexiclass import PluginInfo, PluginType, build_registry
from lexiclass.cli import app
from lexiclass.cli.parameters import typed
from lexiclass.cli.reference import parameters_of, to_markdown
from lexiclass.plugins.builtin import BUILTIN

GUIDE = Path(__file__).parents[3] / "docs" / "PLUGIN_USAGE_GUIDE.md"


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["plugins", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_the_list_says_what_can_be_used_here() -> None:
    listed = json.loads(run("list", "--json"))
    expected = [(plugin["type"], plugin["name"]) for plugin in build_registry().describe()]
    assert [(plugin["type"], plugin["name"]) for plugin in listed] == expected
    tokenizers = json.loads(run("list", "--type", "tokenizer", "--json"))
    assert {plugin["type"] for plugin in tokenizers} == {"tokenizer"}
    table = run("list")
    assert all(plugin["name"] in table for plugin in listed)


def test_a_plugin_is_described_with_its_parameters() -> None:
    described = run("describe", "svm")
    for parameter in ("C", "calibration_folds", "integer >= 2 and <= 20"):
        assert parameter in described
    (found,) = json.loads(run("describe", "svm", "--json"))
    assert found["parameters"]["properties"]["C"]["default"] == 1.0
    assert run("describe", "svm", "--markdown") in run("describe", "--markdown")


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PluginInfo, "missing", lambda self: ("thing",))
    assert "missing" in run("describe", "svm")


class Everything(BaseModel):
    number: Annotated[int, Field(ge=0)] | float = Field(default=1, description="a | b")
    name: Literal["a", "b"] | None = None
    words: list[str] = []
    pair: tuple[int, float] = (1, 2.0)
    weights: dict[str, float] = {}
    needed: bool


PLUGIN = PluginInfo(
    name="everything",
    type=PluginType.TOKENIZER,
    description="All kinds",
    implementation=object,
    parameters=Everything,
    install="packages/lexiclass[all]",
)


def test_types_are_said_in_words() -> None:
    assert {p.name: (p.type, p.default) for p in parameters_of(PLUGIN)} == {
        "number": ("integer >= 0 or number", "1"),
        "name": ('"a" or "b" or null', "null"),
        "words": ("list of string", "[]"),
        "pair": ("[integer, number]", "[1, 2.0]"),
        "weights": ("object of number", "{}"),
        "needed": ("boolean", "required"),
    }
    markdown = to_markdown(PLUGIN)
    assert "pip install 'packages/lexiclass[all]'" in markdown
    assert r"a \| b" in markdown


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("number", "2", 2),
        ("number", "2.0", 2.0),
        ("name", "a", "a"),
        ("name", '"a"', "a"),
        ("name", "null", None),
        ("name", "c", "c"),  # for the model to refuse
        ("words", "x,y", "x,y"),
        ("words", '["x", "y"]', ["x", "y"]),
        ("pair", "1,2.5", [1, 2.5]),
        ("weights", '{"a": 2}', {"a": 2}),
        ("needed", "true", True),
        ("needed", "yes", "yes"),
        ("unknown", "1", 1),
    ],
)
def test_values_are_read_as_what_the_parameter_takes(name: str, value: str, expected: Any) -> None:
    found = typed(Everything.model_fields.get(name), value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("info", BUILTIN, ids=lambda info: f"{info.type}-{info.name}")
def test_the_guide_describes_every_plugin_as_it_is(info: PluginInfo) -> None:
    section = to_markdown(info)
    assert section in GUIDE.read_text(), (
        "docs/PLUGIN_USAGE_GUIDE.md has another text; write it anew with: make docs"
    )
