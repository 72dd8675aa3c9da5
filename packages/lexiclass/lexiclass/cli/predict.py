"""``lexiclass predict``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TextIO
from uuid import uuid4

import typer

from lexiclass.cli.corpus import MaybeCorpus, UnlabelledOptions
from lexiclass.cli.option_groups import grouped
from lexiclass.cli.output import AsJson, print_report, warn
from lexiclass.cli.progress import progress_bar
from lexiclass.errors import InvalidParameters

if TYPE_CHECKING:
    from lexiclass.corpora import LabelledText
    from lexiclass.pipeline import Pipeline
    from lexiclass.predictions import Predictions

_BATCH_DOCUMENTS: Final = 1024


@grouped
def predict(
    model: Annotated[Path, typer.Argument(help="Directory of a model.")],
    corpus: MaybeCorpus = None,
    text: Annotated[
        list[str] | None, typer.Option(help="A text to predict; can be given more than once.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write instead of stdout.")
    ] = None,
    *,
    reading: UnlabelledOptions,
    as_json: AsJson = False,
) -> None:
    """Predict documents: one JSON object a line, with class, confidence and all scores.

    With --output the predictions go to a file, which appears complete or not at all, and what was
    done is printed.
    """
    from lexiclass.pipeline import Pipeline

    if (corpus is None) == (text is None):
        raise InvalidParameters("Give either a corpus or --text.")
    pipeline = Pipeline.load(model)
    documents = None if corpus is None else reading.open(corpus)
    records: Iterable[LabelledText] = documents if documents is not None else _given(text or [])
    # Lines that stand on a terminal are progress enough, and a bar would break them.
    is_on_terminal = output is None and sys.stdout.isatty()
    done = 0
    with progress_bar(is_shown=not is_on_terminal) as tell, _opened(output) as file:
        for batch, total in _batches(records):
            for line in _predicted(pipeline, batch):
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
            done = total
            tell("predict", done, done)
    read = {} if documents is None else documents.report()
    if output is not None:
        report = {"model": str(model), "predictions": done, "output": str(output), **read}
        print_report(report, as_json=as_json)
        return
    if read.get("refused"):
        warn(f"{read['refused']} records were refused, first {read['first_refusal']}")
    for warning in read.get("warnings", ()):
        warn(warning)


def _given(texts: Iterable[str]) -> Iterator[LabelledText]:
    from lexiclass.corpora import LabelledText

    for number, text in enumerate(texts, start=1):
        yield LabelledText(text, {}, None, where=f"text:{number}")


def _batches(records: Iterable[LabelledText]) -> Iterator[tuple[list[LabelledText], int]]:
    """Yield batches, each with the number of records so far."""
    stream = iter(records)
    total = 0
    while batch := list(islice(stream, _BATCH_DOCUMENTS)):
        total += len(batch)
        yield batch, total


def _predicted(pipeline: Pipeline, batch: list[LabelledText]) -> Iterator[dict[str, Any]]:
    predictions = pipeline.predict(record.text for record in batch)
    rows = predictions.probabilities.tolist()
    found = zip(_found(predictions), _familiar(predictions), rows, strict=True)
    for record, (classes, familiar, scores) in zip(batch, found, strict=True):
        yield {
            "document_id": record.where if record.id is None else record.id,
            **classes,
            **familiar,
            "scores": dict(zip(predictions.classes, scores, strict=True)),
        }


def _found(predictions: Predictions) -> Iterator[dict[str, Any]]:
    if predictions.threshold is None:
        for label, confidence in predictions:
            yield {"predicted_class": label, "confidence": confidence}
    else:
        for labels in predictions.label_sets:
            yield {"predicted_classes": list(labels)}


def _familiar(predictions: Predictions) -> Iterator[dict[str, Any]]:
    if predictions.familiarity is None or predictions.unfamiliar is None:
        yield from ({} for _ in range(len(predictions)))
        return
    pairs = zip(predictions.familiarity.tolist(), predictions.unfamiliar.tolist(), strict=True)
    for familiarity, unfamiliar in pairs:
        yield {"familiarity": familiarity, "unfamiliar": unfamiliar}


@contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    """Give a file that takes its name when the block ends well, or standard output."""
    if output is None:
        yield sys.stdout
        return
    staging = output.with_name(f".{output.name}.{uuid4().hex}.partial")
    try:
        with staging.open("w", encoding="utf-8", newline="\n") as file:
            yield file
        staging.replace(output)
    finally:
        staging.unlink(missing_ok=True)
