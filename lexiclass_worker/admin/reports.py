"""The report of a version's evaluation, for people and programs."""

from dataclasses import dataclass

from lexiclass import LexiClassError
from lexiclass.report.files import read_report as parse_report
from lexiclass.report.model import Report
from lexiclass_core import versions
from lexiclass_core.layout import REPORT_JSON, REPORT_PAGE
from lexiclass_core.versions.reports import ReportFile
from lexiclass_worker.admin.context import AdminContext
from lexiclass_worker.errors import ModelCorrupt


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptReport:
    """A report as it was written.

    Attributes:
        page: The same as a page for a browser, in UTF-8; None where it has none.
        location: Absolute path or URL of the page, or else of report.json.
    """

    report: Report
    page: bytes | None
    location: str


async def read_report(context: AdminContext, field_id: int, version: int) -> KeptReport:
    """Read the report of a version's latest evaluation.

    Where the settings have keys it has to be signed by one of them.

    Raises:
        VersionNotFound: If the field or the version does not exist.
        ReportNotFound: If no report is kept of it.
        ModelCorrupt: If it is not as it was written.
    """
    storage = context.storage

    async def read(name: str, test_set: str | None = None) -> ReportFile:
        keys = context.settings.storage.keys
        return await versions.read_report(
            context.sessions, storage, field_id, version, name, test_set=test_set, keys=keys
        )

    try:
        file = await read(REPORT_JSON)
        try:
            page = await read(REPORT_PAGE, file.test_set)
        except versions.ReportNotFound:
            page = None
        report = parse_report(file.content, file=storage.locate(file.path))
    except (versions.ReportCorrupt, LexiClassError) as error:
        raise ModelCorrupt(
            str(error), details={"field_id": field_id, "model_version": version}
        ) from error
    if file.manifest_digest not in {None, report.model.digest}:
        raise ModelCorrupt(
            f"{storage.locate(file.path)} is the report of another model: its manifest has the "
            f"digest {report.model.digest}, and that of version {version} of field {field_id} "
            f"{file.manifest_digest}; evaluate the version again",
            details={"field_id": field_id, "model_version": version},
        )
    shown = file if page is None else page
    return KeptReport(
        report=report,
        page=None if page is None else page.content,
        location=storage.locate(shown.path),
    )
