"""Evaluating a model, in the sandbox."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lexiclass import NoDocuments, Pipeline, evaluate_decisions, unseen_classes
from lexiclass.report.outcomes import OutcomeCollector
from lexiclass_worker.jobs.prediction import EvaluateJob
from lexiclass_worker.jobs.supervision import Supervision
from lexiclass_worker.ml.documents import StoredDocuments
from lexiclass_worker.ml.duplicates import duplicates_in_training
from lexiclass_worker.ml.gating import (
    calibration_figures,
    changed_figures,
    compared_with,
    difference_figures,
)
from lexiclass_worker.ml.index import Index, open_index
from lexiclass_worker.ml.loaded_models import load_model
from lexiclass_worker.ml.report_evidence import evidence_from
from lexiclass_worker.ml.reports import example_texts, write_report
from lexiclass_worker.ml.scoring import EmptyDocuments, score
from lexiclass_worker.ml.stopwatch import Stopwatch

_LISTED_CLASSES: Final = 100


def evaluate_model(job: EvaluateJob, report: Supervision) -> dict[str, Any]:
    """Predict the documents and compare with their labels.

    Documents that cannot be read are left out and counted; ``errors`` are those that are predicted
    wrong, in the order of their ids: ``documents``, ``labels`` and ``predicted``. ``gates`` is what
    gates rest on; see :class:`lexiclass_core.gates.GateFigures`.

    Raises:
        PluginMismatch: If the request expects another pipeline than the model's.
        ModelCorrupt: If the files are damaged.
        NoDocuments: If no document can be read.
    """
    watch = Stopwatch()
    report("load", 0, 1)
    with watch.stage("load"):
        pipeline, manifest = load_model(job, job.memory_bytes)
    documents = StoredDocuments(job.source, job.documents)
    # Of each document its decision, not all its probabilities: with thousands of classes these
    # fill gigabytes.
    batches, confidences, predicted = [], [], list[str]()
    collector = OutcomeCollector(pipeline.classes)
    empty, origins, done = EmptyDocuments(), Counter[str](), 0
    report("predict", done, len(job.documents))
    index = open_index(job.indexes, pipeline, report)
    scored = score(pipeline, documents, index, batch_size=job.batch_size)
    for batch in watch.each("predict", scored):
        batches.append(batch.positions)
        confidences.append(batch.predictions.confidence)
        predicted += batch.predictions.labels
        collector.add(
            documents.ids[batch.positions].tolist(),
            [job.labels[position] for position in batch.positions.tolist()],
            batch.predictions,
        )
        empty.note(documents.ids[batch.positions], batch.empty)
        origins += batch.origins
        done += len(batch.positions) + len(batch.failed)
        report("predict", done, len(job.documents))
    positions = np.concatenate(batches)
    if not len(positions):
        raise NoDocuments(
            f"none of the {len(job.documents)} test documents could be read",
            details={"num_skipped": len(job.documents)},
        )
    with watch.stage("evaluate"):
        report("evaluate", 0, 1)
        labels = [job.labels[position] for position in positions.tolist()]
        confidence = np.concatenate(confidences)
        metrics = evaluate_decisions(labels, predicted, confidence)
        is_right = np.array(predicted) == np.array(labels)
    with watch.stage("compare"):
        report("compare", 0, 1)
        duplicates = duplicates_in_training(
            job.indexes,
            pipeline.spec,
            test_ids=documents.ids[positions],
            training_ids=np.array(job.training_ids, dtype=np.int64),
            is_right=is_right,
            memory_bytes=job.memory_bytes,
            ask=report,
        )
        outcomes = collector.outcomes()
        evidence = evidence_from(
            job.indexes,
            pipeline.spec,
            outcomes,
            training_ids=job.training_ids,
            training_labels=job.training_labels,
            columns={
                name: [values[position] for position in positions.tolist()]
                for name, values in job.columns.items()
            },
            memory_bytes=job.memory_bytes,
            ask=report,
        )
        # Of copies one counts, to gates as well.
        groups = evidence.get("groups")
        ids = documents.ids[positions].tolist()
        other = job.gates.other
        comparison = None if other is None else compared_with(other, ids, labels, predicted, groups)
        gates = {} if comparison is None else difference_figures(comparison)
        if job.gates.measures_calibration:
            gates["calibration"] = calibration_figures(confidence, is_right, groups)
        gates["changed"] = changed_figures(_recent(job, pipeline, index))
    with watch.stage("report"):
        report("report", 0, 1)
        written = write_report(
            job.report,
            outcomes,
            manifest,
            {**evidence, "texts": example_texts(job.report, documents, outcomes)},
            num_skipped=len(job.documents) - len(positions),
            num_empty=empty.summary()["num_empty"],
            in_training=duplicates.in_training,
            comparison=comparison,
        )
    return {
        "metrics": {
            **metrics,
            "duplicates_in_training": duplicates.told,
            "unseen_classes": _unseen(unseen_classes(labels, pipeline.classes)),
            "acceptance": [
                threshold.model_dump(mode="json") for threshold in written.acceptance.thresholds
            ],
        },
        "errors": _errors(documents.ids[positions], labels, predicted, is_right),
        "gates": gates,
        "num_skipped": len(job.documents) - len(positions),
        "empty": empty.summary(),
        "origins": origins,
        "seconds": watch.seconds,
    }


def _recent(job: EvaluateJob, pipeline: Pipeline, index: Index | None) -> Iterator[tuple[str, str]]:
    """Of recent documents that can be read: what another version predicted, and this one."""
    documents = StoredDocuments(job.source, job.gates.recent)
    for batch in score(pipeline, documents, index, batch_size=job.batch_size):
        before = [job.gates.recent_classes[position] for position in batch.positions.tolist()]
        yield from zip(before, batch.predictions.labels, strict=True)


def _errors(
    ids: NDArray[np.int64],
    labels: Sequence[str],
    predicted: Sequence[str],
    is_right: NDArray[np.bool_],
) -> dict[str, list[Any]]:
    wrong = np.flatnonzero(~is_right)
    order = wrong[np.argsort(ids[wrong])].tolist()
    return {
        "documents": ids[order].tolist(),
        "labels": [labels[row] for row in order],
        "predicted": [predicted[row] for row in order],
    }


def _unseen(found: Counter[str]) -> dict[str, Any] | None:
    if not found:
        return None
    return {
        "num_documents": found.total(),
        "num_classes": len(found),
        "classes": [name for name, _ in found.most_common(_LISTED_CLASSES)],
    }
