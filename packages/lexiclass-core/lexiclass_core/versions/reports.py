"""Reports of evaluations: which are kept of a version, and reading one that is as it was written.

``model.metrics["reports"]`` has for each test set, by its digest, the report that is kept
(``current``) and those that were to take its place (``next``): when its evaluation began, and size
and SHA-256 of each of its files. A worker that dies between files and row leaves the one or the
other, and both are known.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core import layout
from lexiclass_core.documents.texts import TextStore
from lexiclass_core.keys import Keys
from lexiclass_core.layout import REPORT_JSON, REPORT_PAGE
from lexiclass_core.models import Model
from lexiclass_core.versions.errors import ReportCorrupt, ReportNotFound
from lexiclass_core.versions.reading import require_field, require_version

MOST_REPORTS: Final = 5
"""Test sets of which a version keeps a report, the latest evaluations first."""

# Evaluations of one test set that were killed one after the other.
_MOST_WAITING: Final = 8

# Whoever reads while a report is put in its place sees the files or the row of before.
_TRIES: Final = 4
_PAUSE_S: Final = 0.25


class KeptFile(BaseModel):
    """A file of a report.

    Attributes:
        size: In bytes.
        sha256: In hexadecimal digits.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

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


class KeptReport(BaseModel):
    """What a row says of a report.

    Attributes:
        created_at: When its evaluation began.
        files: By name.
        signature: Of :meth:`content`; null where reports are not signed.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    created_at: datetime
    files: dict[str, KeptFile]
    signature: str | None = None

    def content(self, project_id: int, field_id: int, version: int, test_set: str) -> bytes:
        """What is signed of it: a JSON array without blanks."""
        digests = {name: file.sha256 for name, file in sorted(self.files.items())}
        parts = ["report", project_id, field_id, version, test_set, digests]
        return json.dumps(parts, separators=(",", ":")).encode("ascii")


class KeptReports(BaseModel):
    """The reports of one test set.

    Attributes:
        current: The one that is kept; null before the first.
        next: Those that may have taken its place: that of an evaluation which is publishing its
            files, and those of evaluations that were killed while they did.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFile:
    """A file of a report, as it was written.

    Attributes:
        path: Where it lies, relative to the storage's root.
        content: Its bytes.
        test_set: Digest of what was evaluated on.
        created_at: When the evaluation began.
        manifest_digest: Of the model version, by its row.
    """

    path: PurePosixPath
    content: bytes
    test_set: str
    created_at: datetime
    manifest_digest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a report lies, and what may lie there."""

    project_id: int
    model: Model
    test_set: str
    reports: KeptReports

    @property
    def what(self) -> str:
        return f"the report of version {self.model.version} of field {self.model.field_id}"

    @property
    def folder(self) -> PurePosixPath:
        return layout.report_directory(
            self.project_id, self.model.field_id, self.model.version, self.test_set
        )


async def read_report(
    transaction: Callable[[], AbstractAsyncContextManager[AsyncSession]],
    store: TextStore,
    field_id: int,
    version: int,
    name: str = REPORT_JSON,
    *,
    test_set: str | None = None,
    keys: Keys | None = None,
) -> ReportFile:
    """Read a file of a version's report, if it is what the row says that was written.

    Args:
        transaction: Opens one.
        store: Where the files lie.
        field_id: The field.
        version: The version.
        name: Of the file.
        test_set: Digest of the test set; the one of the latest evaluation if None.
        keys: What the report has to be signed with; None where reports are not signed.

    Raises:
        VersionNotFound: If the field or the version does not exist.
        ReportNotFound: If no report is kept of it.
        ReportCorrupt: If the files are gone, changed, another version's, or not signed.
        OSError: If the storage fails.
    """
    for tried in range(_TRIES):
        async with transaction() as session:
            place = await _find(session, field_id, version, test_set)
        try:
            return await asyncio.to_thread(_read, store, place, name, keys)
        except ReportCorrupt:
            if tried == _TRIES - 1:
                raise
            await asyncio.sleep(_PAUSE_S)
    raise AssertionError("the last try raises or returns")


async def _find(session: AsyncSession, field_id: int, version: int, test_set: str | None) -> _Place:
    field = await require_field(session, field_id)
    model = await require_version(session, field_id, version)
    await session.refresh(model, ["metrics"])
    if model.files_removed_at is not None:
        raise ReportNotFound(
            f"version {version} of field {field_id} was pruned, and its reports with it"
        )
    reports = kept_reports(model.metrics)
    chosen = test_set or _latest(model.metrics)
    if chosen not in reports:
        raise ReportNotFound(
            f"no report is kept of version {version} of field {field_id}"
            + (" for this test set" if reports else "")
            + f": evaluate it (lexiclass-worker evaluate {field.project_id} {field_id} "
            f"--model-version {version})"
        )
    return _Place(
        project_id=field.project_id, model=model, test_set=chosen, reports=reports[chosen]
    )


def _latest(metrics: Mapping[str, Any]) -> str:
    """Digest of what the latest evaluation was made on; empty if that is not known."""
    test_set = metrics.get("test_set")
    digest = test_set.get("digest") if isinstance(test_set, dict) else None
    return digest if isinstance(digest, str) else ""


def _read(store: TextStore, place: _Place, name: str, keys: Keys | None) -> ReportFile:
    known = [report for report in place.reports.candidates if name in report.files]
    if not known:
        raise ReportNotFound(f"{place.what} has no {name}: evaluate the version again")
    # An evaluation that was killed in the midst of it may have left files of two reports.
    together = sorted({name, REPORT_JSON, REPORT_PAGE})
    contents = _contents(store, place, together, known)
    found = {each: KeptFile.of(content) for each, content in contents.items()}
    for report in known:
        files = {each: file for each, file in report.files.items() if each in together}
        if all(found.get(each) == file for each, file in files.items()):
            _require_signed(place, report, keys)
            return ReportFile(
                path=place.folder / name,
                content=contents[name],
                test_set=place.test_set,
                created_at=report.created_at,
                manifest_digest=place.model.manifest_digest,
            )
    raise ReportCorrupt(_told(place, _what_is_wrong(store, place, together, found, known)))


def _contents(
    store: TextStore, place: _Place, names: Sequence[str], known: Sequence[KeptReport]
) -> dict[str, bytes]:
    """The content of each file that is there and as large as one that may be."""
    sizes = store.file_sizes(place.folder)
    contents = {}
    for name in names:
        # Before it is read: what was put in its place may have any size.
        if sizes.get(name) in {each.files[name].size for each in known if name in each.files}:
            (content,) = store.read_texts([place.folder / name])
            if content is not None:
                contents[name] = content
    return contents


def _what_is_wrong(
    store: TextStore,
    place: _Place,
    names: Sequence[str],
    found: Mapping[str, KeptFile],
    known: Sequence[KeptReport],
) -> str:
    folder = f"{store.root}/{place.folder}"
    for name in names:
        if found.get(name) not in [report.files.get(name) for report in known]:
            return f"{folder}/{name} is gone, was changed, or is another version's"
    return f"{folder} has files of two reports"


def _require_signed(place: _Place, report: KeptReport, keys: Keys | None) -> None:
    model = place.model
    content = report.content(place.project_id, model.field_id, model.version, place.test_set)
    if keys is not None and not keys.verify(content, report.signature):
        raise ReportCorrupt(_told(place, "it has no signature by any of STORAGE__SIGNING_KEYS"))


def _told(place: _Place, found: str) -> str:
    return f"{place.what} is not as it was written: {found}; evaluate the version again"
