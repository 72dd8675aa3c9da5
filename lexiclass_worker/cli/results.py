"""What a task came to, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lexiclass_worker.cli.output import console, print_fields, warn

if TYPE_CHECKING:
    from lexiclass_core.schemas import EraseResult, Result


def print_result(result: Result, *, all_classes: bool = False) -> None:
    """Print a result; what makes its figures doubtful goes to standard error."""
    from lexiclass_core.schemas import EraseResult, EvaluateResult
    from lexiclass_worker.cli.evaluation import print_evaluation
    from lexiclass_worker.cli.gates import print_judgement

    if isinstance(result, EraseResult):
        _print_erasure(result)
        return
    fields = result.model_dump(mode="json")
    warnings = fields.pop("warnings", [])
    if isinstance(result, EvaluateResult):
        del fields["metrics"], fields["gates"]
    if replaced := fields.pop("replaced", None):
        fields["replaced predictions"] = {
            f"of version {version}": count for version, count in replaced.items()
        }
    print_fields(_said(fields))
    if isinstance(result, EvaluateResult):
        print_evaluation(result.metrics, all_classes=all_classes, warnings=warnings)
        if result.gates is not None:
            console.print()
            print_judgement(result.gates)
    for warning in warnings:
        warn(warning)
    if (step := _next_step(result)) is not None:
        console.print(step, highlight=False, soft_wrap=True)


def _next_step(result: Result) -> str | None:
    """The command that shows what a result only counts or names."""
    from lexiclass_core.schemas import EvaluateResult, PredictResult, TrainResult

    match result:
        case EvaluateResult(report_path=str()):
            version = f"{result.project_id} {result.field_id} {result.model_version}"
            return f"its report: lexiclass-worker models report {version} --open"
        case TrainResult() if (found := result.metrics.label_suspects) and found.num_suspects:
            field = f"{result.project_id} {result.field_id}"
            return f"labels that look wrong: lexiclass-worker labels suspects {field}"
        case PredictResult() if result.num_to_review:
            field = f"{result.project_id} {result.field_id}"
            return f"to review: lexiclass-worker predictions list {field} --to-review"
    return None


def _said(fields: dict[str, Any]) -> dict[str, Any]:
    """What there is, without the names of what there is not."""
    return {
        name: _said(value) if isinstance(value, dict) else value
        for name, value in fields.items()
        if value not in (None, [], {})
    }


def _print_erasure(result: EraseResult) -> None:
    """Say what an erasure removed, and what may be left."""
    console.print(
        f"erased {result.num_documents} documents of project {result.project_id}, from "
        f"{result.num_indexes} indexes, and {result.num_predictions} lines of histories"
    )
    if not result.num_documents:
        console.print(
            "the project has no document of these numbers, so no model was looked at for them"
        )
    if not result.model_versions:
        return
    named = ", ".join(f"{found.field_id} v{found.version}" for found in result.model_versions)
    if result.models_removed:
        console.print(f"removed the models trained meanwhile (field and version): {named}")
        return
    console.print(
        f"models that were trained meanwhile may hold words of them (field and version): {named}. "
        "Train these fields anew, then `lexiclass-worker models prune FIELD --keep 1`."
    )
