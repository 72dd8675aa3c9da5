"""What an import did, for people and for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from rich.markup import escape

from lexiclass_worker.cli.output import console, print_fields, print_json, print_rows, prose

if TYPE_CHECKING:
    from lexiclass_worker.admin.import_report import ImportReport

_SHOWN: Final = 10
_MOST_CLASSES: Final = 30


def print_import(report: ImportReport, *, as_json: bool) -> None:
    """Print what an import did."""
    if as_json:
        print_json(_fields(report))
    else:
        _print_tables(report)


def _fields(report: ImportReport) -> dict[str, Any]:
    return {
        "project_id": report.project_id,
        "field_id": report.field_id,
        "fields": report.fields,
        "num_documents": report.summary.num_documents,
        **asdict(report.counts),
        "num_training": report.num_training,
        "num_test": report.num_test,
        "num_unlabelled": report.summary.num_unlabelled,
        "num_refused": report.summary.num_refused,
        "classes": dict(report.classes),
        "field_classes": {name: dict(found) for name, found in report.summary.classes.items()},
        "refusals": [asdict(refusal) for refusal in report.summary.refusals],
        **report.summary.as_json(),
        "warnings": report.warnings,
    }


def _print_tables(report: ImportReport) -> None:
    counts, summary = report.counts, report.summary
    encodings = ", ".join(f"{name} {number}" for name, number in summary.encodings.most_common())
    print_fields(
        {
            "project": report.project_id,
            "fields": ", ".join(f"{number} {name}" for name, number in report.fields.items()),
            "documents": f"{summary.num_documents}: {counts.added} added, "
            f"{counts.changed} changed, {counts.unchanged} unchanged",
            "labels": f"{counts.labels_added} added, {counts.labels_changed} changed",
            "training labels": report.num_training,
            "test labels": report.num_test,
            "without a label": summary.num_unlabelled,
            **({"encodings": encodings} if encodings else {}),
            "refused": summary.num_refused,
            **_formats(report),
        }
    )
    classes: list[dict[str, Any]] = [
        {"field": name, "class": class_name, "documents": number}
        for name, found in summary.classes.items()
        for class_name, number in found.most_common()
    ]
    several = ("field",) if len(report.fields) > 1 else ()
    print_rows((*several, prose("class"), "documents"), classes[:_MOST_CLASSES])
    if len(classes) > _MOST_CLASSES:
        rest = sum(found["documents"] for found in classes[_MOST_CLASSES:])
        console.print(
            f"[dim]and {len(classes) - _MOST_CLASSES:,} classes with {rest:,} documents; --json "
            "lists them"
        )
    if summary.refusals:
        _print_refusals(report)
    for warning in report.warnings:
        console.print(f"[bold yellow]warning:[/] {escape(warning)}", highlight=False)


def _formats(report: ImportReport) -> dict[str, str]:
    formats = report.summary.formats
    if not formats.keys() - {"text"}:
        return {}
    return {"formats": ", ".join(f"{number} {name}" for name, number in formats.most_common())}


def _print_refusals(report: ImportReport) -> None:
    summary = report.summary
    reasons = summary.refusal_reasons.most_common()
    rows = [{"refused": number, "reason": reason} for reason, number in reasons[:_SHOWN]]
    print_rows(("refused", prose("reason")), rows)
    if len(reasons) > _SHOWN:
        console.print(f"... and {len(reasons) - _SHOWN} more reasons; --json lists them")
    refusals = [asdict(refusal) for refusal in summary.refusals[:_SHOWN]]
    print_rows((prose("where"), prose("reason")), refusals, title="refused")
    if summary.num_refused > len(refusals):
        console.print(f"... and {summary.num_refused - len(refusals)} more; --json lists them")
