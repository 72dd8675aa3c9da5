"""What a version's row says of its reports.

``model.metrics["reports"]`` has for each test set, by its digest, the report that is kept
(``current``) and those that were to take its place (``next``): when its evaluation began, and size
and SHA-256 of each of its files. A worker that dies between files and row leaves the one or the
other, and both are known.
"""

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pydantic import Field, ValidationError

from lexiclass_core import layout
from lexiclass_core.values import Record

MOST_REPORTS: Final = 5
"""Test sets of which a version keeps a report, the latest evaluations first."""

# Evaluations of one test set that were killed one after the other.
_MOST_WAITING: Final = 8


class KeptFile(Record):
    """A file of a report."""

    size: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")

    @classmethod
    def of(cls, file: Path | bytes) -> "KeptFile":
        """What is kept of a file, or of its content."""
        if isinstance(file, bytes):
            return cls(size=len(file), sha256=hashlib.sha256(file).hexdigest())
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        return cls(size=file.stat().st_size, sha256=digest)


class KeptReport(Record):
    """What a row says of a report.

    Attributes:
        created_at: When its evaluation began.
        files: By name.
        signature: Of :meth:`content`; null where reports are not signed.
    """

    created_at: datetime
    files: dict[str, KeptFile]
    signature: str | None = None

    def content(self, project_id: int, field_id: int, version: int, test_set: str) -> bytes:
        """What is signed of it: a JSON array without blanks."""
        digests = {name: file.sha256 for name, file in sorted(self.files.items())}
        parts = ["report", project_id, field_id, version, test_set, digests]
        return json.dumps(parts, separators=(",", ":")).encode("ascii")


class KeptReports(Record):
    """The reports of one test set.

    Attributes:
        current: The one that is kept; null before the first.
        next: Those that may have taken its place: that of an evaluation which is publishing its
            files, and those of evaluations that were killed while they did.
    """

    current: KeptReport | None = None
    next: list[KeptReport] = Field(default_factory=list)

    @property
    def candidates(self) -> list[KeptReport]:
        """All that may lie in its place."""
        return [*([] if self.current is None else [self.current]), *self.next]

    def announcing(self, report: KeptReport) -> "KeptReports":
        """With one more that may take the place of what is there."""
        waiting = [each for each in self.next if each != report]
        return KeptReports(current=self.current, next=[*waiting, report][-_MOST_WAITING:])


def kept_reports(metrics: Any) -> dict[str, KeptReports]:
    """The reports that a version's ``metrics`` name, by the digest of their test sets.

    What other programs have written there in a way of their own is left out.
    """
    found = metrics.get("reports") if isinstance(metrics, dict) else None
    reports = {}
    for test_set, said in (found if isinstance(found, dict) else {}).items():
        try:
            layout.report_directory(1, 1, 1, test_set)
            reports[test_set] = KeptReports.model_validate(said)
        except (layout.UnsafeNameError, ValidationError):
            continue
    return reports
