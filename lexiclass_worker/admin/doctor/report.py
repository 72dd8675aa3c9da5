"""What ``lexiclass-worker check --json`` prints, and its JSON Schema, which lies beside this.

``python -m lexiclass_worker.admin.doctor.report`` prints the schema; ``make docs`` writes the file
anew.
"""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, Literal, Self

from pydantic import ConfigDict, Field

from lexiclass_core.values import Value
from lexiclass_worker.telemetry.checks.outcome import Check, State

SCHEMA_FILE: Final = "check.schema.json"


class CheckEntry(Value):
    """One check."""

    check: str = Field(description="What was checked")
    state: State = Field(description="What it came to")
    found: str = Field(description="What was found; why it was skipped")
    remedy: str = Field(
        description="The command or the setting that mends it; empty where nothing is to be mended"
    )


class Counts(Value):
    """How many checks came to what."""

    model_config = ConfigDict(populate_by_name=True)

    passed: int = Field(alias="pass", ge=0)
    warn: int = Field(ge=0)
    fail: int = Field(ge=0)
    skipped: int = Field(ge=0)


class CheckReport(Value):
    """All checks, in the order in which they are shown."""

    schema_version: Literal[1] = Field(default=1, description="Changes when a field goes")
    state: Literal[State.PASS, State.WARN, State.FAIL] = Field(
        description="The worst of them; exit status 1 goes with fail, 0 with the others"
    )
    counts: Counts
    checks: list[CheckEntry]

    @classmethod
    def of(cls, checks: Sequence[Check]) -> Self:
        """The report of some checks."""
        counts = Counter(str(check.state) for check in checks)
        return cls(
            state=State.FAIL if counts["fail"] else State.WARN if counts["warn"] else State.PASS,
            counts=Counts.model_validate({str(state): counts[state] for state in State}),
            checks=[
                CheckEntry(
                    check=check.name, state=check.state, found=check.found, remedy=check.remedy
                )
                for check in checks
            ],
        )


def report_schema() -> dict[str, Any]:
    """The schema."""
    schema = CheckReport.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


if __name__ == "__main__":
    print(json.dumps(report_schema(), indent=2, sort_keys=True))  # noqa: T201 - to a file
