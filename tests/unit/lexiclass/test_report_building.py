"""Reports of evaluations: from predictions to ``report.json`` and back."""

import json
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass import InvalidParameters, ModelCorrupt, NoDocuments, Predictions, evaluate_decisions
from lexiclass.report.files import read_report, report_bytes
from lexiclass.report.outcomes import OutcomeCollector
from lexiclass.report.prediction_lines import prediction_lines
from lexiclass.report.schema import SCHEMA_FILE, report_schema
from tests.support.made_up_reports import collect, made_up, report_of


@given(
    st.lists(st.tuples(st.sampled_from("abcdx"), st.integers(0, 3)), min_size=1, max_size=60),
    st.integers(1, 7),
)
def test_figures_are_those_of_an_evaluation_whatever_the_batches(
    pairs: list[tuple[str, int]], batch_size: int
) -> None:
    labels = [label for label, _ in pairs]
    probabilities = np.full((len(pairs), 4), 0.1)
    probabilities[np.arange(len(pairs)), [code for _, code in pairs]] = 0.7
    predictions = Predictions(("a", "b", "c", "d"), probabilities)
    metrics = evaluate_decisions(labels, predictions.labels, predictions.confidence)

    report = report_of(collect(labels, predictions, batch_size=batch_size))

    assert report.accuracy.value == pytest.approx(metrics["accuracy"])
    assert report.macro_f1.value == pytest.approx(metrics["macro_f1"])
    found = report.calibration.expected_calibration_error.value
    assert found == pytest.approx(metrics["expected_calibration_error"])
    assert {each.name: each.support for each in report.classes} == {
        name: each["support"] for name, each in metrics["per_class_metrics"].items()
    }
    for each in report.classes:
        assert each.is_known == (each.name != "x")
        if each.f1 is not None:
            assert each.f1.value == pytest.approx(
                metrics["per_class_metrics"][each.name]["f1_score"]
            )
    assert read_report(report_bytes(report)) == report


def test_what_is_guaranteed_counts_near_duplicates_once() -> None:
    predictions = Predictions(("a", "b"), np.tile([0.99, 0.01], (200, 1)))
    outcomes = collect(["a"] * 200, predictions)

    apart, twins = (
        report_of(outcomes, groups=groups).acceptance.thresholds[0].num_documents
        for groups in (np.arange(200), np.arange(200) // 2)
    )

    assert (apart, twins) == (200, 100)


@pytest.mark.slow
@given(st.integers(1, 40), st.integers(2, 8), st.integers(0, 100))
def test_names_of_classes_change_names_alone(number: int, num_classes: int, seed: int) -> None:
    labels, predictions = made_up(number, num_classes, seed)
    renamed = {name: f"name {num_classes - code}" for code, name in enumerate(predictions.classes)}
    order = np.argsort([renamed[name] for name in predictions.classes])
    others = Predictions(
        tuple(renamed[predictions.classes[code]] for code in order),
        predictions.probabilities[:, order],
    )

    report = report_of(collect(labels, predictions))
    again = report_of(collect([renamed[label] for label in labels], others))

    assert again.accuracy == report.accuracy
    assert again.macro_f1.model_dump() == pytest.approx(report.macro_f1.model_dump())
    assert again.acceptance.curve == report.acceptance.curve
    assert again.calibration.curve == report.calibration.curve
    assert [each.document for each in again.mistakes] == [each.document for each in report.mistakes]
    of_classes = {each.name: each for each in again.classes}
    for each in report.classes:
        found = of_classes[renamed[each.name]].model_copy(update={"name": each.name})
        assert found == each


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("number", [1, 2, 10, 400])
def test_all_right_and_all_wrong_have_a_report(number: int, right: bool) -> None:
    predictions = Predictions(("a", "b"), np.tile([0.8, 0.2], (number, 1)))
    report = report_of(collect(["a" if right else "b"] * number, predictions))
    assert report.accuracy.value == right
    assert report.accuracy.low < report.accuracy.high
    assert len(report.mistakes) == (0 if right else min(number, 100))
    assert read_report(report_bytes(report)) == report


def test_a_class_with_few_test_documents_has_counts_and_no_figures() -> None:
    labels, predictions = made_up(200, 3)
    few = [*labels, "never seen"]
    more = np.concatenate((predictions.probabilities, [[0.5, 0.3, 0.2]]))
    report = report_of(collect(few, Predictions(predictions.classes, more)))
    (found,) = (each for each in report.classes if each.name == "never seen")
    assert found.too_few
    assert (found.support, found.precision, found.recall, found.f1) == (1, None, None, None)
    assert not any(each.too_few for each in report.classes if each.is_known)


def test_equal_evaluations_have_equal_bytes_and_others_have_not() -> None:
    labels, predictions = made_up(300, 4)
    first = report_bytes(report_of(collect(labels, predictions)))
    assert report_bytes(report_of(collect(labels, predictions, batch_size=7))) == first
    assert (
        report_bytes(
            report_of(
                collect(
                    labels[:-1], Predictions(predictions.classes, predictions.probabilities[:-1])
                )
            )
        )
        != first
    )


def test_a_changed_report_is_none() -> None:
    data = report_bytes(report_of(collect(*made_up(50, 3))))
    for changed in (data[:-1], data.replace(b"0.9", b"0.8", 1), b"{}", b"", b"[1]", b"\xff"):
        with pytest.raises(ModelCorrupt, match=r"report\.json"):
            read_report(changed)


@pytest.mark.parametrize("version", [0, 2, True, "1", None])
def test_a_report_of_another_version_is_not_read(version: object) -> None:
    from lexiclass.self_digest import dump_with_digest

    content = report_of(collect(*made_up(50, 3))).model_dump(mode="json")
    with pytest.raises(ModelCorrupt, match="format version"):
        read_report(dump_with_digest({**content, "format_version": version}))
    with pytest.raises(ModelCorrupt, match="more"):
        read_report(dump_with_digest({**content, "more": 1}))


def test_the_published_schema_is_that_of_the_model() -> None:
    published = resources.files("lexiclass.report").joinpath(SCHEMA_FILE).read_text()
    assert json.loads(published) == report_schema(), "write it anew: make docs"


def test_a_line_of_json_says_what_is_predicted_for_a_document() -> None:
    labels, predictions = made_up(30, 8)
    collector = OutcomeCollector(predictions.classes)
    names = [f'mail/"{number}" – ä.txt' for number in range(30)]
    collector.add(names, labels, predictions)

    found = [json.loads(line) for line in prediction_lines(collector.outcomes())]

    assert [each["document_id"] for each in found] == names
    assert [each["true_class"] for each in found] == labels
    assert [each["predicted_class"] for each in found] == predictions.labels
    for number, each in enumerate(found):
        scores = each["scores"]
        assert len(scores) == 5
        assert list(scores.values()) == sorted(scores.values(), reverse=True)
        of_classes = dict(zip(predictions.classes, predictions.probabilities[number], strict=True))
        assert scores == pytest.approx({name: of_classes[name] for name in scores}, rel=1e-5)
        assert each["confidence"] == scores[each["predicted_class"]]


def test_what_does_not_belong_together_is_refused() -> None:
    labels, predictions = made_up(3, 2)
    collector = OutcomeCollector(predictions.classes)
    with pytest.raises(InvalidParameters, match="one each"):
        collector.add([1, 2], labels, predictions)
    with pytest.raises(InvalidParameters, match="other classes"):
        collector.add([1, 2, 3], labels, Predictions(("a", "b"), predictions.probabilities))
    with pytest.raises(InvalidParameters, match="any number"):
        collector.add(
            [1, 2, 3], labels, Predictions(predictions.classes, predictions.probabilities, 0.5)
        )
    with pytest.raises(NoDocuments):
        collector.outcomes()
