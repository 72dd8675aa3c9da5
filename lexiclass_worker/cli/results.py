"""What a task came to, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lexiclass_worker.cli.output import print_fields, warn

if TYPE_CHECKING:
    from lexiclass_core.schemas import Result


def print_result(result: Result, *, all_classes: bool = False) -> None:
    """Print a result; what makes its figures doubtful goes to standard error.

    Args:
        result: Of any actor.
        all_classes: Show all classes of an evaluation, also where there are many.
    """
    from lexiclass_core.schemas import EvaluateResult
    from lexiclass_worker.cli.evaluation import print_evaluation

    fields = result.model_dump(mode="json")
    warnings = fields.pop("warnings", [])
    if isinstance(result, EvaluateResult):
        del fields["metrics"]
    print_fields({name: value for name, value in fields.items() if value not in (None, [])})
    if isinstance(result, EvaluateResult):
        print_evaluation(result.metrics, all_classes=all_classes)
    for warning in warnings:
        warn(warning)
