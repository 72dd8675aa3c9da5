"""Writing the report of an evaluation, in the sandbox."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lexiclass import Document, Manifest
from lexiclass.report.building import build_report, mistakes_of, subject_of
from lexiclass.report.comparison_model import Comparison
from lexiclass.report.files import report_bytes
from lexiclass.report.model import DocumentId, EvaluationSet, Report
from lexiclass.report.outcomes import Outcomes
from lexiclass.report.page import render
from lexiclass.report.prediction_lines import prediction_lines
from lexiclass_worker.jobs.prediction import ReportFiles
from lexiclass_worker.ml.documents import StoredDocuments
from lexiclass_worker.ml.outputs import open_output

_EXAMPLE_CHARACTERS: Final = 300


def example_texts(
    files: ReportFiles, documents: StoredDocuments, outcomes: Outcomes
) -> dict[DocumentId, str]:
    """Beginnings of the texts that a report shows; none where it shows none."""
    if not files.shows_texts:
        return {}
    shown = [mistake.document for mistake in mistakes_of(outcomes, {})]
    positions = np.flatnonzero(np.isin(documents.ids, shown))
    return {
        int(document.id): document.text[:_EXAMPLE_CHARACTERS]
        for document in documents.read(positions)
        if isinstance(document, Document)
    }


def write_report(
    files: ReportFiles,
    outcomes: Outcomes,
    manifest: Manifest,
    evidence: Mapping[str, Any],
    *,
    num_skipped: int,
    num_empty: int | None,
    in_training: NDArray[np.bool_] | None,
    comparison: Comparison | None = None,
) -> Report:
    """Write the files of a report.

    ``evidence`` is what :func:`lexiclass_worker.ml.report_evidence.evidence_from` says,
    ``comparison`` that with the version that it would replace. ``num_empty`` test documents have no
    token, and ``in_training`` (n,) says which are like a training document; None where that is not
    known. Returned is what the files say.
    """
    report = build_report(
        outcomes,
        model=subject_of(manifest, name=files.model_name, version=files.model_version),
        test_set=EvaluationSet(
            name=files.test_set_name,
            digest=files.test_set_digest,
            num_documents=len(outcomes),
            num_skipped=num_skipped,
            num_empty=num_empty,
        ),
        created_at=datetime.fromisoformat(files.created_at),
        in_training=in_training,
        comparison=comparison,
        **evidence,
    )
    as_json, page, predictions = files.paths
    with open_output(as_json) as file:
        file.write(report_bytes(report).decode())
    with open_output(page) as file:
        file.write(render(report))
    with open_output(predictions) as file:
        file.writelines(prediction_lines(outcomes))
    return report
