"""``lexiclass suspects``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lexiclass.cli.corpus import Corpus, LabelledCorpus, LabelledOptions, training_documents
from lexiclass.cli.option_groups import grouped
from lexiclass.cli.output import AsJson, console, print_json, print_rows
from lexiclass.cli.tables import prose
from lexiclass.errors import InvalidParameters, ModelCorrupt

if TYPE_CHECKING:
    from lexiclass.label_quality import Suspect, SuspectReport
    from lexiclass.manifest import Manifest

_BEGINNING: Final = 60


@grouped
def suspects(
    model: Annotated[Path, typer.Argument(help="Directory of a model.")],
    corpus: LabelledCorpus,
    limit: Annotated[int, typer.Option(min=1, help="How many labels to list.")] = 50,
    *,
    reading: LabelledOptions,
    as_json: AsJson = False,
) -> None:
    """List the labels of the corpus a model was trained on that look wrong to its training."""
    from lexiclass.label_quality import TrainingEvidence, find_suspects
    from lexiclass.manifest import verify_model

    manifest = verify_model(model)
    evidence = TrainingEvidence.load(model, len(manifest.classes))
    if evidence is None:
        raise InvalidParameters(
            f"{str(model)!r} has kept nothing of its training labels: it is older than the search "
            "for wrong ones, for several labels a document, or its classifier holds none out. "
            "Train again."
        )
    report = find_suspects(evidence, manifest.classes, most=limit)
    documents = reading.open(corpus, multi_label=False)
    texts = _texts(documents, manifest, {each.document for each in report.suspects})
    records = [_record(suspect, texts[suspect.document]) for suspect in report.suspects]
    if as_json:
        print_json(records)
    else:
        _print(records, report)


def _texts(documents: Corpus, manifest: Manifest, wanted: Iterable[int]) -> Mapping[int, str]:
    """Return texts by their place among the training documents, which the corpus must be."""
    from lexiclass.manifest import MANIFEST_FILE, text_digest, training_digest

    fraction = manifest.metadata.get("test_fraction", 0.0)
    if not (isinstance(fraction, int | float) and 0 <= fraction <= 1):
        raise ModelCorrupt(MANIFEST_FILE, "its test_fraction is no share")
    found: dict[int, str] = {}
    trained: list[tuple[str, str]] = []
    places = set(wanted)
    for place, (text, label) in enumerate(training_documents(documents, fraction)):
        trained.append((text_digest(text), label))
        if place in places:
            found[place] = text
    if training_digest(trained) != manifest.training_digest or found.keys() != places:
        raise InvalidParameters(
            f"{str(documents.path)!r} is not what the model was trained on, or was changed since: "
            "give that corpus, with the same options, or train again."
        )
    return found


def _record(suspect: Suspect, text: str) -> dict[str, Any]:
    return {
        "place": suspect.document,
        "label": suspect.label,
        "suggested": suspect.suggested,
        "score": suspect.score,
        "reasons": [str(reason) for reason in suspect.reasons],
        "label_probability": suspect.label_probability,
        "suggested_probability": suspect.suggested_probability,
        "neighbours": [
            {"place": neighbour.document, "label": neighbour.label}
            for neighbour in suspect.neighbours
        ],
        "text": text,
    }


def _print(records: list[dict[str, Any]], report: SuspectReport) -> None:
    rows = [
        {
            **record,
            "score": round(record["score"], 4),
            "reasons": ", ".join(name.replace("_", " ") for name in record["reasons"]),
            "text": " ".join(record["text"][: 4 * _BEGINNING].split())[:_BEGINNING],
        }
        for record in records
    ]
    columns = ("place", prose("label"), prose("suggested"), "score", prose("reasons"))
    if rows:
        print_rows((*columns, prose("text")), rows)
    console.print(
        f"{report.num_suspects:,} labels look wrong; of {report.num_documents:,} documents "
        f"{report.num_held_out:,} were held out, of which about {report.num_wrong:,.0f} are "
        "labelled wrongly"
    )
