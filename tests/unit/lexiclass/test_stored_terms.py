"""Lists of strings of a model: read as they were, refused where they are anything else."""

import json
from pathlib import Path

import pytest

from lexiclass.errors import ModelCorrupt
from lexiclass.serialization import read_terms, write_json


def test_terms_may_hold_brackets_quotes_and_backslashes(tmp_path: Path) -> None:
    terms = [f'{mark}{n}\\"[{{\n' for n in range(500) for mark in ("[", "{", '"]', "\\", ",[]")]
    write_json(tmp_path / "terms.json", terms)

    assert read_terms(tmp_path / "terms.json") == terms


@pytest.mark.parametrize("nested", ["[]", "{}", '["\\\\\\""]'])
def test_nested_lists_are_refused_before_they_are_made(tmp_path: Path, nested: str) -> None:
    whole = '["xxxxxxxxxx",' + ",".join([nested] * 2_000) + "]"
    json.loads(whole)
    # Whoever parses it says that it is broken.
    (tmp_path / "terms.json").write_text(f"{whole} broken")

    with pytest.raises(ModelCorrupt, match="not a list of strings"):
        read_terms(tmp_path / "terms.json")


@pytest.mark.parametrize("end", ['"', '"\\', '"' + '\\"' * 1_000_000, '"' * 1_000_001])
def test_a_string_that_is_not_closed_is_looked_at_once(tmp_path: Path, end: str) -> None:
    (tmp_path / "terms.json").write_text("[" + "[]," * 2_000 + end)

    with pytest.raises(ModelCorrupt):
        read_terms(tmp_path / "terms.json")
