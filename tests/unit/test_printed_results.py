"""What a result of a task leads to."""

import pytest

from lexiclass_core.schemas import LabelSuspects, PredictResult, Result, TrainMetrics, TrainResult
from lexiclass_worker.cli.results import print_result


def trained(num_suspects: int) -> TrainResult:
    metrics = TrainMetrics(
        num_documents=9, num_classes=2, num_features=5, num_skipped=0, tokenizer="icu",
        feature_extractor="tfidf", classifier="svm", seconds={},
        label_suspects=LabelSuspects(num_held_out=9, num_wrong=1.0, num_suspects=num_suspects),
    )  # fmt: skip
    return TrainResult(
        status="completed", project_id=7, field_id=3, model_id=1, model_version=2, metrics=metrics
    )


def predicted(num_to_review: int | None) -> PredictResult:
    return PredictResult(
        status="completed", project_id=7, field_id=3, model_version=2, predictions_created=5,
        total_documents=5, num_missing=0, missing_document_ids=[], num_to_review=num_to_review,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("result", "command"),
    [
        (trained(4), "lexiclass-worker labels suspects 7 3"),
        (trained(0), None),
        (predicted(2), "lexiclass-worker predictions list 7 3 --to-review"),
        (predicted(0), None),
        (predicted(None), None),
    ],
)
def test_what_a_result_only_counts_is_shown_by_the_command_it_names(
    result: Result, command: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    print_result(result)
    last = capsys.readouterr().out.splitlines()[-1]

    assert last.endswith(command) if command else "lexiclass-worker" not in last
