"""What is to be known before the figures of a report are believed, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from lexiclass.report.findings import of_model, of_test_set
from lexiclass.report.findings.evidence import Evidence
from lexiclass.report.model import Finding

_ORDER: Final = ("error", "warning", "note")

_LOOKS: Final[tuple[Callable[[Evidence], Iterator[Finding]], ...]] = (
    of_test_set.in_training,
    of_model.no_better,
    of_test_set.few_documents,
    of_test_set.few_of_a_class,
    of_model.miscalibrated,
    of_test_set.other_mix,
    of_test_set.unseen_class,
    of_test_set.contradictions,
    of_model.doubtful_labels,
    of_test_set.skipped,
    of_model.few_calibrated,
    of_test_set.empty,
    of_model.worse_slices,
    of_test_set.near_duplicates,
)


def findings_of(evidence: Evidence) -> list[Finding]:
    """Return what was found, the gravest first, and then by code."""
    found = [finding for look in _LOOKS for finding in look(evidence)]
    return sorted(found, key=lambda each: (_ORDER.index(each.level), each.code))
