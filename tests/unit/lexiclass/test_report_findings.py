"""What a report finds, and what it does not find where there is nothing."""

from typing import Any

import numpy as np
import pytest

from lexiclass import Predictions
from lexiclass.report.findings.codes import CODES
from lexiclass.report.findings.evidence import MAX_DOCUMENTS
from lexiclass.report.model import Baseline, Estimate, Finding, Report
from lexiclass.report.scripts import script_of
from lexiclass.report.suspects import suspected_labels
from tests.support.made_up_reports import collect, made_up, report_of


def found(report: Report, code: str) -> Finding | None:
    return next((each for each in report.findings if each.code == code), None)


def codes_of(report: Report) -> set[str]:
    return {each.code for each in report.findings}


@pytest.fixture(scope="module")
def good() -> tuple[list[str], Predictions]:
    """A good model, honest about it: 2,000 documents of 4 classes."""
    random = np.random.default_rng(1)
    names = ("a", "b", "c", "d")
    true = random.integers(4, size=2_000)
    probabilities = np.full((2_000, 4), 0.01)
    predicted = np.where(random.random(2_000) < 0.97, true, (true + 1) % 4)
    probabilities[np.arange(2_000), predicted] = 0.97
    return [names[code] for code in true], Predictions(names, probabilities)


def test_codes_are_counted_up_and_say_what_to_do() -> None:
    assert [each.code for each in CODES] == [f"LX{n:03}" for n in range(1, len(CODES) + 1)]
    assert len({each.title for each in CODES}) == len(CODES)
    assert all(each.advice.endswith(".") for each in CODES)


def test_of_a_good_model_on_enough_documents_there_is_nothing_to_say(
    good: tuple[list[str], Predictions],
) -> None:
    report = report_of(
        collect(*good),
        num_calibration_documents=5_000,
        groups=np.arange(2_000),
        same_text=np.arange(2_000),
        in_training=np.zeros(2_000, dtype=bool),
        training_counts=dict.fromkeys("abcd", 700),
        columns={"folder": ["x", "y"] * 1_000},
        lengths=np.arange(2_000),
    )
    # Its mistakes look like labels that are wrong: no figure can tell which they are.
    assert codes_of(report) <= {"LX009"}
    assert report.test_set.num_groups == 2_000
    assert report.test_set.num_in_training == 0
    assert {each.by for each in report.slices} == {"folder", "length"}
    assert not any(each.differs for each in report.slices)


@pytest.mark.slow_variants
@pytest.mark.parametrize(
    ("code", "known"),
    [
        ("LX001", {"in_training": np.arange(2_000) < 30}),
        ("LX006", {"training_counts": {"a": 3_000, "b": 100, "c": 100, "d": 100}}),
        ("LX008", {"same_text": np.arange(2_000) // 2}),
        ("LX010", {"test_set": {"num_skipped": 3}}),
        ("LX011", {"num_calibration_documents": 40}),
        ("LX012", {"test_set": {"num_empty": 30}}),
        ("LX014", {"groups": np.arange(2_000) // 3}),
    ],
)
def test_what_is_known_of_the_documents_is_told(
    good: tuple[list[str], Predictions], code: str, known: dict[str, Any]
) -> None:
    assert found(report_of(collect(*good)), code) is None
    finding = found(report_of(collect(*good), **known), code)
    assert finding is not None
    declared = next(each for each in CODES if each.code == code)
    assert (finding.title, finding.advice) == (declared.title, declared.advice)
    assert len(finding.documents) <= MAX_DOCUMENTS
    if finding.num_documents is not None and code not in {"LX010", "LX012"}:
        assert finding.documents


def test_documents_in_training_have_an_accuracy_without_them() -> None:
    labels = ["a"] * 50 + ["b"] * 50
    probabilities = np.tile([0.9, 0.1], (100, 1))
    outcomes = collect(labels, Predictions(("a", "b"), probabilities))
    finding = found(report_of(outcomes, in_training=np.arange(100) < 50), "LX001")
    assert finding is not None
    assert finding.level == "error"
    assert finding.figures == {"share": 0.5, "accuracy": 0.5, "accuracy_without": 0.0}
    every = found(report_of(outcomes, in_training=np.ones(100, dtype=bool)), "LX001")
    assert every is not None
    assert "there are no others" in every.message


@pytest.mark.parametrize(("low", "expected"), [(0.01, None), (-0.01, "error")])
def test_a_baseline_that_is_as_good_is_told(
    good: tuple[list[str], Predictions], low: float, expected: str | None
) -> None:
    estimate = Estimate(value=0.05, low=low, high=0.1)
    baseline = Baseline(name="majority_class", accuracy=estimate, macro_f1=0.1, advantage=estimate)
    finding = found(report_of(collect(*good), baselines=[baseline]), "LX002")
    assert (finding and finding.level) == expected


def test_few_documents_and_classes_without_enough_are_told() -> None:
    report = report_of(collect(*made_up(30, 8)))
    assert {"LX003", "LX004"} <= codes_of(report)


def test_a_boaster_is_told(good: tuple[list[str], Predictions]) -> None:
    labels, predictions = good
    boasting = np.where(predictions.probabilities > 0.5, 0.9997, 0.0001)
    report = report_of(collect(labels, Predictions(predictions.classes, boasting)))
    finding = found(report, "LX005")
    assert finding is not None
    assert "more than is right" in finding.message
    assert found(report_of(collect(*good)), "LX005") is None


def test_classes_that_nobody_was_trained_on_are_told_and_bounded() -> None:
    labels, predictions = made_up(300, 3)
    labels[:200] = [f"never {n % 40} {'x' * 500}" for n in range(200)]
    finding = found(report_of(collect(labels, predictions)), "LX007")
    assert finding is not None
    assert finding.num_documents == 200
    assert len(finding.documents) == MAX_DOCUMENTS
    assert "35 more" in finding.message
    assert len(finding.message) < 1_000


def test_a_kind_of_documents_that_is_worse_is_told(
    good: tuple[list[str], Predictions],
) -> None:
    labels, predictions = good
    bad = np.arange(2_000) % 5 == 0
    probabilities = predictions.probabilities.copy()
    probabilities[bad] = probabilities[bad][:, [1, 2, 3, 0]]
    words = np.where(bad, 3, 100)
    report = report_of(
        collect(
            labels,
            Predictions(
                predictions.classes, probabilities, known_words=words // 2, num_words=words
            ),
        ),
        columns={"folder": ["scans" if each else None for each in bad]},
    )
    assert [each.by for each in report.slices if each.differs] == ["length", "length", "folder"]
    (worst,) = (each for each in report.slices if each.value == "scans")
    assert worst.accuracy.high < worst.rest
    assert worst.num_documents == 400
    finding = found(report, "LX013")
    assert finding is not None


@pytest.mark.slow
def test_slices_of_nothing_but_chance_differ_seldom() -> None:
    random = np.random.default_rng(5)
    labels, predictions = made_up(400, 3)
    found_by_chance = 0
    for _ in range(40):
        columns = {f"key {n}": list(map(str, random.integers(4, size=400))) for n in range(5)}
        report = report_of(collect(labels, predictions), columns=columns)
        assert len(report.slices) == 20
        found_by_chance += any(each.differs for each in report.slices)
    # Expected 2 at most: more than 6 once in 100 times. The seed is fixed.
    assert found_by_chance <= 6


def test_wrong_labels_are_suspected(good: tuple[list[str], Predictions]) -> None:
    labels, predictions = good
    # The model is right: whatever it says of these documents, their labels are another class.
    codes = predictions.codes
    labels = [predictions.classes[code] for code in codes]
    wrong = np.random.default_rng(2).choice(2_000, 60, replace=False)
    for row in wrong:
        labels[row] = predictions.classes[(codes[row] + 2) % 4]
    outcomes = collect(labels, predictions)
    assert set(suspected_labels(outcomes).tolist()) == set(wrong.tolist())
    finding = found(report_of(outcomes), "LX009")
    assert finding is not None
    assert finding.figures["accuracy_cap"] == pytest.approx(0.97)


def test_findings_are_the_gravest_first() -> None:
    labels, predictions = made_up(300, 3)
    labels[:5] = ["never"] * 5
    report = report_of(
        collect(labels, predictions),
        num_calibration_documents=10,
        test_set={"num_skipped": 100},
    )
    levels = [each.level for each in report.findings]
    assert levels == sorted(levels, key=["error", "warning", "note"].index)
    assert len(set(levels)) == 3


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("Ein Brief", "Latin"),
        ("Письмо", "Cyrillic"),
        ("漢字かな交じり文", "Japanese"),
        ("汉字", "Han"),
        ("한국어", "Hangul"),
        ("Ｆｕｌｌ", "Latin"),
        ("12 + 3 = 15", None),
        ("", None),
    ],
)
def test_scripts_are_told_by_letters(text: str, script: str | None) -> None:
    assert script_of(text) == script


def test_a_verdict_says_what_can_go_through_and_what_makes_the_figures_worthless(
    good: tuple[list[str], Predictions],
) -> None:
    outcomes = collect(*good)
    verdict = report_of(outcomes).verdict
    assert verdict.count(". ") == 1
    assert "of the documents can go through without a look" in verdict
    found = report_of(outcomes, in_training=np.ones(2_000, dtype=bool)).verdict
    assert found.endswith("test documents are in the training documents (LX001).")
    assert "None can go through" in report_of(collect(*made_up(5, 2))).verdict
    alone = report_of(collect(["a"], Predictions(("a", "b"), np.array([[0.9, 0.1]])))).verdict
    assert alone.startswith("1 of 1 test document is sorted right")
