"""The report of an evaluation as files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from lexiclass.atomic_write import write_atomically
from lexiclass.cli.report_notes import ReportNotes
from lexiclass.cli.tested import TestedDocuments
from lexiclass.errors import InvalidParameters
from lexiclass.manifest import Manifest
from lexiclass.report.building import build_report, subject_of
from lexiclass.report.files import report_bytes
from lexiclass.report.model import EvaluationSet
from lexiclass.report.outcomes import Outcomes
from lexiclass.report.page import render

_PAGE: Final = ".html"
_JSON: Final = ".json"


def require_reportable(path: Path, *, multi_label: bool) -> None:
    """Fail before the evaluation, not after it.

    Raises:
        InvalidParameters: If there can be no report in this file, or none of this model.
    """
    if multi_label:
        raise InvalidParameters(
            "The model predicts any number of classes a document, and a report is of one class "
            "each; evaluate without --report."
        )
    if path.suffix not in {_PAGE, _JSON}:
        raise InvalidParameters(
            f"The report {str(path)!r} does not end in .html, for a page, or .json; rename it."
        )
    if not path.parent.is_dir():
        raise InvalidParameters(f"There is no folder {str(path.parent)!r}; make it first.")
    for each in (path, path.with_suffix(_JSON)):
        if each.is_dir():
            raise InvalidParameters(f"{str(each)!r} is a folder; name another file.")


def write_report(
    path: Path,
    outcomes: Outcomes,
    manifest: Manifest,
    notes: ReportNotes,
    tested: TestedDocuments,
    *,
    name: str,
) -> str:
    """Write the report as JSON and, if its path is that of one, as a page; return the verdict."""
    words = outcomes.num_words
    report = build_report(
        outcomes,
        model=subject_of(manifest, name=name),
        test_set=EvaluationSet(
            name=tested.documents.path.name,
            digest=tested.digest(multi_label=False),
            num_documents=len(outcomes),
            num_skipped=tested.documents.summary.num_refused,
            num_empty=None if words is None else int((words == 0).sum()),
        ),
        created_at=datetime.now(UTC),
        **notes.known(outcomes, tested.pairs),
    )
    write_atomically(path.with_suffix(_JSON), report_bytes(report))
    if path.suffix == _PAGE:
        write_atomically(path, render(report).encode())
    return report.verdict
