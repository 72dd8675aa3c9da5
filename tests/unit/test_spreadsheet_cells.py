"""Texts that a spreadsheet would run as formulas."""

import pytest

from lexiclass_worker.admin.spreadsheet_cells import disarm, without_controls


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "-", "- a list", "＝1＋1"],
)
def test_a_text_that_begins_like_a_formula_gets_an_apostrophe(text: str) -> None:
    assert disarm(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["", "a=1", "1-1", "-7", "+3.5", "-1e5", "+2,5", "'=1", "mail@example.org", "æ"]
)
def test_other_texts_and_numbers_stay(text: str) -> None:
    assert disarm(text) == text


def test_what_terminals_act_upon_becomes_an_escape_and_lines_stay_lines() -> None:
    assert without_controls("a\x1b[2J\x00\x9b\ud800\tb\r\n") == "a\\x1b[2J\\x00\\x9b\\ud800\tb\r\n"
