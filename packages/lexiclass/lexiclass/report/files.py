"""A report as a file: ``report.json``, which is read back whole and unchanged or not at all."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from lexiclass.errors import ModelCorrupt
from lexiclass.report.model import FORMAT_VERSION, Report
from lexiclass.self_digest import dump_with_digest, load_with_digest

REPORT_FILE: Final = "report.json"


def report_bytes(report: Report) -> bytes:
    """Encode a report: the same bytes for the same report.

    Raises:
        InvalidParameters: If a name in it has no UTF-8 form.
    """
    return dump_with_digest(report.model_dump(mode="json"))


def read_report(data: bytes, *, file: str = REPORT_FILE) -> Report:
    """Decode what :func:`report_bytes` encoded.

    Raises:
        ModelCorrupt: If it was changed, is none, or is of another format version.
    """
    content = load_with_digest(data, file=file)
    version = content.get("format_version")
    if type(version) is not int or version != FORMAT_VERSION:
        raise ModelCorrupt(
            file, f"has the format version {version!r:.20}, and {FORMAT_VERSION} is read here"
        )
    try:
        return Report.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ModelCorrupt(file, f"{place[:200]}: {first['msg'][:200]}") from error
