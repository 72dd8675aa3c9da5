"""docs/REPORTS.md has every finding and every figure."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from lexiclass.report import model
from lexiclass.report.findings.codes import CODES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "REPORTS.md").read_text()


def test_every_code_has_a_section_with_its_title_and_advice_and_no_other_has_one() -> None:
    sections = re.findall(r"^### (.*?)\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert [code for code, _ in sections] == [each.code for each in CODES]
    for each, (_, text) in zip(CODES, sections, strict=True):
        said = " ".join(text.split())
        assert said.startswith(f"**{each.title}.** ")
        assert said.endswith(f"What to do: {each.advice}")
        assert len(said) > len(each.title) + len(each.advice) + 100


@pytest.mark.parametrize(
    "part", [model.Calibration, model.AcceptanceThreshold, model.Baseline, model.ClassFigures]
)
def test_figures_are_explained_by_their_names(part: type[BaseModel]) -> None:
    named = set(re.findall(r"`([a-z_0-9.]+)`", PAGE))
    parts_of_names = {last for name in named for last in name.split(".")}
    of_other_parts = {"name", "macro_f1", "accuracy", "support", "predicted", "hits", "target"}
    assert set(part.model_fields) - of_other_parts - {"num_documents"} <= parts_of_names


def test_the_page_points_to_sections_that_exist() -> None:
    templates = ROOT / "packages/lexiclass/lexiclass/report/page/templates"
    named = {
        section
        for template in templates.glob("*.html")
        for section in re.findall(r"""more\("([^"]+)"\)""", template.read_text())
    }
    assert "Findings" in named
    assert named <= set(re.findall(r"^## (.*)$", PAGE, re.MULTILINE))
