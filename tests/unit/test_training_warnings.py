"""What a training warns of."""

import pytest

from lexiclass_core.schemas import TrainMetrics
from lexiclass_worker.services.training import warnings_of


@pytest.mark.parametrize(
    ("calibrated", "feature_extractor", "classifier", "said"),
    [
        (None, "sbert", "svm", []),
        (100, "tfidf", "svm", []),
        (99, "tfidf", "svm", ["fitted on 99 different documents"]),
        (3000, "bow", "svm", ["'tfidf' was more accurate"]),
        (0, "bow", "svm", ["fitted on 0 different documents", "'tfidf' was more accurate"]),
        (3000, "bow", "transformer", []),
    ],
)
def test_few_calibrating_documents_and_a_weak_extractor_are_said(
    calibrated: int | None, feature_extractor: str, classifier: str, said: list[str]
) -> None:
    metrics = TrainMetrics(
        num_documents=3000,
        num_classes=2,
        num_features=10,
        num_calibration_documents=calibrated,
        num_skipped=0,
        tokenizer="icu",
        feature_extractor=feature_extractor,
        classifier=classifier,
        seconds={},
    )
    warnings = warnings_of(metrics, {})
    assert len(warnings) == len(said)
    assert all(words in warning for words, warning in zip(said, warnings, strict=True))
    assert warnings_of(metrics, {"class_weight": None, "C": 2}) == warnings
    weighted = warnings_of(metrics, {"class_weight": "balanced"})
    (added,) = set(weighted) - set(warnings)
    assert "right over all documents together" in added
