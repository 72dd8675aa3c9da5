"""A report as a page: whole, harmless, bounded, and honest where there is little to say."""

import re
from collections.abc import Callable
from functools import cache, partial
from importlib.resources import files

import pytest
from hypothesis import given
from selectolax.lexbor import LexborHTMLParser

from lexiclass.report.model import Estimate, Report
from lexiclass.report.page import render
from tests.support.hostile_reports import HOSTILE_NAMES, reports
from tests.support.pages import check_accessible, check_harmless, parsed
from tests.support.simulated_reports import class_names, simulated_report

LARGEST = 300_000
EDGES: dict[str, Callable[[], Report]] = {
    "some": simulated_report,
    "ten documents": partial(simulated_report, num_documents=10),
    "one document": partial(simulated_report, num_documents=1),
    "one class": partial(simulated_report, ["Only"], 200),
    "all right": partial(simulated_report, class_names(9), 400, accuracy=1),
    "all wrong": partial(simulated_report, num_documents=400, accuracy=0),
    "hostile names": partial(simulated_report, HOSTILE_NAMES, 3000),
    "more classes than documents": partial(simulated_report, class_names(300), 120),
    "not compared": partial(simulated_report, compared=False),
}


@cache
def edge(case: str) -> Report:
    """Made when a test needs it: every process imports this module."""
    return EDGES[case]()


def words(page: str) -> str:
    """What is to be read."""
    text = parsed(page).all("body")[0].text
    return " ".join(text.replace("\u202f", " ").split())


@pytest.mark.slow
@given(reports())
def test_a_page_of_any_report_can_do_nothing(report: Report) -> None:
    check_accessible(check_harmless(render(report)))


@pytest.mark.slow
@given(reports())
def test_a_browser_sees_the_elements_that_were_written(report: Report) -> None:
    """Its parser mends what is not well formed, and then there are others."""
    page = render(report)

    seen = LexborHTMLParser(page)

    assert seen.root is not None
    assert [node.tag for node in seen.root.traverse() if node.tag != "-doctype"] == [
        *re.findall(r"<([a-z][a-z0-9]*)[ />]", page)
    ]


@pytest.mark.parametrize("case", EDGES)
def test_a_page_is_harmless_and_accessible_where_there_is_little_to_say(case: str) -> None:
    page = render(edge(case))

    check_accessible(check_harmless(page))
    assert len(page.encode()) < LARGEST


@pytest.mark.slow_variants
@pytest.mark.parametrize(("number", "documents"), [(50, 10_000), (5_000, 6_000)])
def test_a_page_is_small_whatever_the_number_of_classes(number: int, documents: int) -> None:
    report = simulated_report(class_names(number), documents)

    page = render(report)

    assert len(page.encode()) < LARGEST
    assert f"{len(report.classes):,} classes" in words(page)


def test_names_of_any_length_do_not_make_a_page_large() -> None:
    names = [f"{index}{'&' * 10_000}'" for index in range(50)]

    assert len(render(simulated_report(names, 10_000)).encode()) < LARGEST


def test_the_same_report_is_the_same_page() -> None:
    assert render(edge("some")) == render(simulated_report())


def test_the_verdict_comes_first_and_findings_before_figures() -> None:
    report = edge("some")

    text = words(render(report))

    places = [
        text.index(part)
        for part in (
            report.verdict,
            report.findings[0].title,
            "How much can go through",
            "Each class",
        )
    ]
    assert places == sorted(places)
    assert text.index(report.verdict) < 250


def test_texts_are_shown_where_the_report_has_them_and_only_there() -> None:
    assert "Dear colleagues" in words(render(simulated_report(texts=True)))
    assert "Dear colleagues" not in words(render(simulated_report(texts=False)))


def test_every_figure_has_its_interval() -> None:
    report = edge("some").model_copy(
        update={"accuracy": Estimate(value=0.896, low=0.889, high=0.902)}
    )

    text = words(render(report))

    assert "89.6 % of documents; between 88.9\N{EN DASH}90.2 % on all such documents" in text
    assert "89.6 % (88.9\N{EN DASH}90.2)" in text


def test_a_class_with_too_few_documents_has_no_figure() -> None:
    report = edge("more classes than documents")

    text = words(render(report))

    assert "too few documents to say" in text
    assert f"{len(report.classes)} classes" in text


@pytest.mark.slow
def test_what_is_left_out_is_counted() -> None:
    report = simulated_report(class_names(200), 20_000)

    text = words(render(report))

    assert f"The worst and the most frequent of {len(report.classes)} classes" in text
    assert f"{len(report.classes) - 60} more classes are in report.json" in text


def test_a_target_without_a_threshold_is_said_to_be_impossible() -> None:
    text = words(render(edge("ten documents")))

    assert text.count("cannot be guaranteed yet") == 4
    assert "nothing can be guaranteed yet" in text


def test_a_report_that_is_compared_says_with_what() -> None:
    compared = words(render(edge("some")))

    assert "Against version 2" in compared
    assert "classifier.C" in compared
    assert "Against version" not in words(render(edge("not compared")))


def test_a_baseline_of_some_documents_says_of_how_many() -> None:
    report = edge("some")
    first, *others = report.baselines
    sampled = first.model_copy(update={"num_documents": 500})

    text = words(render(report.model_copy(update={"baselines": [sampled, *others]})))

    assert "Always the most frequent class on 500 documents" in text
    assert "on 500 documents" not in words(render(report))


def test_a_heat_map_has_every_pair_that_the_report_has() -> None:
    report = edge("some")

    (drawing,) = (
        node
        for node in parsed(render(report)).all("svg")
        if node.attributes.get("aria-labelledby") == "confusion-title confusion-desc"
    )

    titles = [node.text for node in drawing.all("title")][1:]
    assert len(titles) == len(report.confusions)
    numbers = {node.text for node in drawing.all("text")}
    assert {str(each.num_documents) for each in report.confusions} <= numbers
    assert {str(each.hits) for each in report.classes} <= numbers


def luminance(colour: str) -> float:
    full = colour if len(colour) == 7 else "#" + "".join(2 * digit for digit in colour[1:])
    parts = [int(full[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted([luminance(one), luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [0, 1, 2], ids=["light", "dark", "print"])
def test_everything_that_is_read_stands_out_from_what_is_behind_it(theme: int) -> None:
    """By WCAG 2.1: 4.5 for text, 3 for what is drawn."""
    sheet = files("lexiclass.report.page").joinpath("templates", "style.css").read_text("utf-8")
    blocks = re.findall(r":root \{(.*?)\}", sheet, re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", blocks[theme]))

    paper = colours["paper"]
    for text in ("ink", "soft", "own", "error", "warning", "note"):
        assert contrast(colours[text], paper) >= 4.5, text
    assert contrast(colours["wrong"], paper) >= 3
    for shade in "rw":
        for level in range(1, 7):
            text = colours["on-strong" if level >= 5 else "ink"]
            assert contrast(text, colours[f"{shade}{level}"]) >= 4.5, (shade, level)
