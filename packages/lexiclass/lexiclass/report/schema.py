"""The JSON Schema of ``report.json``, which is published beside this module.

``python -m lexiclass.report.schema`` prints it; ``make docs`` writes the file anew.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

from pydantic import Field

from lexiclass.report.model import Report

SCHEMA_FILE: Final = "report.schema.json"


class ReportFile(Report):
    """A report and its own SHA-256.

    Attributes:
        digest: Of the canonical JSON (sorted keys, no blanks, UTF-8) of everything else.
    """

    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def report_schema() -> dict[str, Any]:
    """Return the schema."""
    schema = ReportFile.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


if __name__ == "__main__":
    print(json.dumps(report_schema(), indent=2, sort_keys=True))  # noqa: T201 - to a file
