"""Numbers and names of a report as people read them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass.report.model import Estimate
from lexiclass.report.page import wording
from lexiclass.report.page.names import NAME_WIDTH, beginning, cleaned, columns, isolated


def plain(text: str) -> str:
    return text.replace("\u202f", " ").replace("\N{MINUS SIGN}", "-").replace("\N{EN DASH}", "-")


@pytest.mark.parametrize(
    ("share", "places", "text"),
    [
        (0.896, 1, "89.6 %"),
        (0.896, 0, "90 %"),
        (1.0, 1, "100.0 %"),
        (0.9999, 1, "> 99.9 %"),
        (0.0, 1, "0.0 %"),
        (0.0001, 1, "< 0.1 %"),
        (0.996, 0, "> 99 %"),
        (None, 1, "-"),
    ],
)
def test_a_share_that_is_not_all_is_not_100_percent(
    share: float | None, places: int, text: str
) -> None:
    assert plain(wording.percent(share, places)) == text


def test_an_interval_reaches_100_percent_only_at_its_upper_end() -> None:
    assert plain(wording.span(Estimate(value=0.896, low=0.889, high=0.902))) == "88.9-90.2 %"
    assert plain(wording.ends(Estimate(value=0.9999, low=0.9996, high=1.0))) == "99.9-100.0"


def test_few_documents_are_told_in_whole_percent() -> None:
    narrow, wide = Estimate(value=0.9, low=0.89, high=0.91), Estimate(value=0.9, low=0.8, high=0.95)

    assert wording.decimals([narrow, None]) == 1
    assert wording.decimals([wide, wide, narrow]) == 0
    assert wording.decimals([None]) == 1


def test_a_difference_has_its_sign() -> None:
    assert plain(wording.points(0.023)) == "+2.3"
    assert plain(wording.points(-0.023)) == "-2.3"
    assert plain(wording.points(-0.0001)) == "0.0"


@pytest.mark.parametrize(
    ("value", "text"), [(0.9, "0.90"), (0.87, "0.87"), (0.9921, "0.9921"), (1.0, "1.00")]
)
def test_a_confidence_has_the_digits_that_matter(value: float, text: str) -> None:
    assert wording.confidence(value) == text


@given(st.text(), st.integers(6, 60))
def test_a_cleaned_name_is_one_bounded_line_that_acts_on_nothing(text: str, width: int) -> None:
    found = cleaned(text, width)

    assert found
    assert columns(found) <= max(width, len("(no name)"))
    assert len(found) <= 4 * max(width, len("(no name)"))
    harmless = "\u200c\u200d\u200e\u200f"
    assert not {
        each
        for each in found
        if unicodedata.category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and each not in harmless
    }


@given(st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=NAME_WIDTH // 2))
def test_an_ordinary_name_is_shown_as_it_is(text: str) -> None:
    assert cleaned(text) == text


def test_a_long_name_keeps_its_beginning_and_its_end() -> None:
    found = cleaned("department of " + "very " * 1000 + "long names, section 7")

    assert found.startswith("department of")
    assert found.endswith("section 7")
    assert "…" in found


def test_a_long_text_keeps_its_beginning_alone() -> None:
    assert beginning("one two three four", 9) == "one two …"
    assert beginning("one  two\nthree", 40) == "one two three"
    assert beginning("", 9) == ""
    assert len(beginning("word " * 1_000_000, 240)) == 240


def test_marks_are_not_stacked_without_end() -> None:
    assert len(cleaned("Z" + "\u0300" * 300)) == 4
    assert cleaned("\u0300" * 300) == "(no name)"


def test_a_name_in_a_drawing_keeps_its_direction_to_itself() -> None:
    assert isolated("שלום") == "\u2068שלום\u2069"
    assert "\u202e" not in isolated("\u202egnp.exe")
