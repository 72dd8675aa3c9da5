"""What pages show of a report: the file is the library's, of which the console has nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from lexiclass_core.client import AsyncTaskClient, StorageNotGiven
from lexiclass_core.layout import REPORT_JSON
from lexiclass_core.values import Record
from lexiclass_core.versions import ReportCorrupt, ReportNotFound

_Number = Annotated[float, Field(allow_inf_nan=False)]


class Estimate(Record):
    """A figure of the test documents, and where it lies for all, in 19 cases of 20."""

    value: _Number
    low: _Number
    high: _Number


class Finding(Record):
    """Something to know before the figures are believed, or to do; see docs/REPORTS.md.

    Attributes:
        documents: Some of those concerned.
    """

    code: str
    level: Literal["error", "warning", "note"]
    title: str
    message: str
    advice: str
    documents: Sequence[Any] = ()


class _TestSet(Record):
    name: str
    num_documents: int
    num_skipped: int = 0


class _Threshold(Record):
    target: _Number
    threshold: _Number | None
    accepted: _Number = 0.0


class _Acceptance(Record):
    thresholds: Sequence[_Threshold]


class _CalibrationError(Record):
    value: _Number
    expected: _Number


class _Calibration(Record):
    debiased_calibration_error: _CalibrationError


class _Comparison(Record):
    message: str
    verdict: str
    fixed: Sequence[Any] = ()
    broken: Sequence[Any] = ()


class Report(Record):
    """The parts of ``report.json`` that a page shows; docs/REPORTS.md describes them all.

    Those of another ``format_version`` are not understood.
    """

    format_version: Literal[1]
    created_at: datetime
    verdict: str
    test_set: _TestSet
    accuracy: Estimate
    macro_f1: Estimate
    calibration: _Calibration
    acceptance: _Acceptance
    findings: Sequence[Finding]
    mistakes: Sequence[Any]
    comparison: _Comparison | None = None

    @property
    def tells_documents(self) -> bool:
        """Whether it names single documents: those predicted wrong, with their classes, others."""
        compared = self.comparison
        return bool(
            self.mistakes
            or any(finding.documents for finding in self.findings)
            or (compared is not None and (compared.fixed or compared.broken))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundReport:
    """A report, or why there is none.

    Attributes:
        report: As it was written; None if it cannot be shown.
        content: The file of it that was asked for, of the same moment.
        problem: Why not, and what to do.
        is_damaged: Whether there should be one.
    """

    report: Report | None = None
    content: bytes = b""
    problem: str = ""
    is_damaged: bool = False


async def find_report(
    client: AsyncTaskClient,
    field_id: int,
    version: int,
    *,
    test_set: str | None,
    keys: str | None,
    name: str = REPORT_JSON,
) -> FoundReport:
    """Read the report of a version's evaluation, and a file of it."""
    try:
        file = await client.models.report(
            field_id, version, name=name, test_set=test_set, keys=keys
        )
        report = Report.model_validate_json(file.report_json)
        return FoundReport(report=report, content=file.content)
    except ReportNotFound:
        return FoundReport(problem="No report is kept of it: its next evaluation keeps one.")
    except StorageNotGiven:
        return FoundReport(
            problem="This console was not told where reports lie: give create_console the "
            "workers' STORAGE__BASE_PATH as storage."
        )
    except ReportCorrupt as error:
        return FoundReport(problem=str(error), is_damaged=True)
    except ValidationError:
        return FoundReport(
            problem=f"{REPORT_JSON} is not what this release of the console understands: update "
            "it, or evaluate the version again",
            is_damaged=True,
        )
    except (OSError, ImportError) as error:
        return FoundReport(problem=f"the storage cannot be read: {error}", is_damaged=True)
