"""Labels that look wrong to a training, in plain values."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from lexiclass import Pipeline, TokenMatrix
from lexiclass.label_quality import Suspect, TrainingEvidence, find_suspects
from lexiclass_worker.jobs.suspects import MOST_CHARACTERS, MOST_SUSPECTS

# Of single precision, by which a probability may be beyond 1.
_HIGHEST = 1.0

_FIELDS = tuple(field.name for field in fields(Suspect))


def suspects_in(evidence: TrainingEvidence | None, classes: Sequence[str]) -> dict[str, Any]:
    """Say which labels look wrong.

    Args:
        evidence: Of the training, by the ids of the documents; None where nothing was held out.
        classes: The model's.

    Returns:
        ``summary``, the fields of :class:`lexiclass_core.schemas.LabelSuspects` or None, and
        ``found``, those of :class:`lexiclass_worker.jobs.suspects.FoundSuspect`.
    """
    if evidence is None:
        return {"summary": None, "found": []}
    report = find_suspects(evidence, classes, most=MOST_SUSPECTS)
    return {
        "summary": {
            "num_held_out": report.num_held_out,
            "num_wrong": round(report.num_wrong, 1),
            "num_suspects": report.num_suspects,
        },
        "found": [
            {
                **{name: getattr(suspect, name) for name in _FIELDS},
                "reasons": list(suspect.reasons),
                "score": min(suspect.score, _HIGHEST),
                "label_probability": _bounded(suspect.label_probability),
                "suggested_probability": _bounded(suspect.suggested_probability),
                "neighbours": [{"document": each.document} for each in suspect.neighbours],
            }
            for suspect in report.suspects
        ],
    }


def _bounded(probability: float | None) -> float | None:
    return None if probability is None else min(probability, _HIGHEST)


def add_terms(
    found: Sequence[dict[str, Any]], pipeline: Pipeline, documents: TokenMatrix | Sequence[str]
) -> None:
    """Add the terms that speak for the label of each suspect and for the better class.

    ``found`` are what :func:`suspects_in` found, and get ``terms``; the documents are theirs, in
    this order.
    """
    given, better = ([each[name] for each in found] for name in ("label", "suggested"))
    contrasts = pipeline.contrast(documents, given, better)
    for each, terms in zip(found, contrasts or (), strict=contrasts is not None):
        each["terms"] = {"given": _shown(terms.given), "suggested": _shown(terms.better)}


def _shown(terms: Iterable[str]) -> list[str]:
    """Leave out what neither a database nor a terminal takes, and cut what is endless."""
    return [term[:MOST_CHARACTERS] for term in terms if term.isprintable() and term]
