"""Reading the report of an evaluation, if it is as it was written."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core import layout
from lexiclass_core.db import Transaction
from lexiclass_core.documents.texts import TextStore
from lexiclass_core.keys import Keys
from lexiclass_core.layout import REPORT_JSON, REPORT_PAGE
from lexiclass_core.models import Model
from lexiclass_core.versions.errors import ReportCorrupt, ReportNotFound
from lexiclass_core.versions.kept_reports import KeptFile, KeptReport, KeptReports, kept_reports
from lexiclass_core.versions.reading import require_field, require_version, test_set_digest

# Whoever reads while a report is put in its place sees the files or the row of before.
_TRIES: Final = 4
_PAUSE_S: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFile:
    """A file of a report, as it was written.

    Attributes:
        path: Where it lies, relative to the storage's root.
        report_json: ``report.json`` of the same report, read with it; empty if there is none.
        test_set: Digest of what was evaluated on.
        created_at: When the evaluation began.
        manifest_digest: Of the model version, by its row.
    """

    path: PurePosixPath
    content: bytes
    report_json: bytes
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
    transaction: Transaction,
    store: TextStore,
    field_id: int,
    version: int,
    name: str = REPORT_JSON,
    *,
    test_set: str | None = None,
    keys: Keys | None = None,
) -> ReportFile:
    """Read a file of a version's report, if it is what the row says that was written.

    The test set is named by its digest, and is that of the latest evaluation if None. With keys,
    the report has to be signed by one of them.

    Raises:
        ReportNotFound: If no report is kept of it.
        ReportCorrupt: If the files are gone, changed, another version's, or not signed.
        OSError: If the storage fails.
    """
    tries = 0
    while True:
        tries += 1
        async with transaction() as session:
            place = await _find(session, field_id, version, test_set)
        try:
            return await asyncio.to_thread(_read, store, place, name, keys)
        except ReportCorrupt:
            if tries == _TRIES:
                raise
            await asyncio.sleep(_PAUSE_S)


async def _find(session: AsyncSession, field_id: int, version: int, test_set: str | None) -> _Place:
    field = await require_field(session, field_id)
    model = await require_version(session, field_id, version)
    await session.refresh(model, ["metrics"])
    if model.files_removed_at is not None:
        raise ReportNotFound(
            f"version {version} of field {field_id} was pruned, and its reports with it"
        )
    reports = kept_reports(model.metrics)
    chosen = test_set or test_set_digest(model) or ""
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
                report_json=contents.get(REPORT_JSON, b""),
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
