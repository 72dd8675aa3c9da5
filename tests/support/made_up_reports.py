"""Predictions of a made-up model, and reports of them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from lexiclass import Predictions
from lexiclass.report.building import build_report
from lexiclass.report.model import EvaluationSet, Report, Subject
from lexiclass.report.outcomes import OutcomeCollector, Outcomes

WHEN = datetime(2026, 1, 2, tzinfo=UTC)


def made_up(number: int, num_classes: int, seed: int = 0) -> tuple[list[str], Predictions]:
    """Labels, and probabilities that mean what they say."""
    random = np.random.default_rng(seed)
    names = tuple(f"class {code:04}" for code in range(num_classes))
    probabilities = random.dirichlet(np.full(num_classes, 0.1), number)
    drawn = (probabilities.cumsum(axis=1) > random.random((number, 1))).argmax(axis=1)
    return [names[code] for code in drawn], Predictions(names, probabilities)


def collect(
    labels: Sequence[str], predictions: Predictions, *, batch_size: int = 1_000
) -> Outcomes:
    """What the model says of documents 0, 1, ..."""
    collector = OutcomeCollector(predictions.classes)
    for start in range(0, len(labels), batch_size):
        part = slice(start, start + batch_size)
        collector.add(
            list(range(start, min(start + batch_size, len(labels)))),
            labels[part],
            Predictions(
                predictions.classes,
                predictions.probabilities[part],
                known_words=None
                if predictions.known_words is None
                else predictions.known_words[part],
                num_words=None if predictions.num_words is None else predictions.num_words[part],
            ),
        )
    return collector.outcomes()


def report_of(
    outcomes: Outcomes,
    *,
    num_calibration_documents: int | None = None,
    test_set: dict[str, Any] | None = None,
    **known: Any,
) -> Report:
    """The report, with what else is known."""
    return build_report(
        outcomes,
        model=Subject(
            name="mail, version 3",
            version=3,
            digest="0" * 64,
            spec={"classifier": "svm"},
            num_training_documents=100,
            num_calibration_documents=num_calibration_documents,
            num_classes=outcomes.num_known,
            trained_at=WHEN,
        ),
        test_set=EvaluationSet(
            name="labels for testing",
            digest="1" * 64,
            num_documents=len(outcomes),
            **(test_set or {}),
        ),
        created_at=WHEN,
        **known,
    )
