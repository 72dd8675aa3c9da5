"""Predictions of the test documents as a file: ``predictions.jsonl``, a JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lexiclass.errors import ModelCorrupt
from lexiclass.regular_files import open_regular
from lexiclass.report.model import DocumentId, Share
from lexiclass.report.outcomes import HIGHEST, Outcomes
from lexiclass.writing import writing

PREDICTIONS_FILE: Final = "predictions.jsonl"

# Six names of classes and of a document can be long, but not as long as this.
_LONGEST_LINE: Final = 2**20


class PredictedDocument(BaseModel):
    """A line: what is predicted for a test document.

    Attributes:
        document_id: Which.
        true_class: What it is.
        predicted_class: What the model takes it for.
        confidence: Probability of that.
        scores: The highest probabilities by class, highest first, at most five.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    document_id: DocumentId
    true_class: str
    predicted_class: str
    confidence: Share
    scores: Annotated[dict[str, Share], Field(min_length=1, max_length=HIGHEST)]


def write_predictions(path: Path, outcomes: Outcomes) -> None:
    """Write a line for each document, in the order in which they were taken in.

    Probabilities have six digits. The same predictions give the same bytes.
    """
    with writing(path), path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(prediction_lines(outcomes))


def prediction_lines(outcomes: Outcomes) -> Iterator[str]:
    """Yield the lines; see :func:`write_predictions`."""
    names = [json.dumps(name, ensure_ascii=False) for name in outcomes.classes]
    scores = ",".join(["%s:%.6g"] * outcomes.highest.shape[1])
    line = (
        '{"document_id":%s,"true_class":%s,"predicted_class":%s,"confidence":%.6g,'
        f'"scores":{{{scores}}}}}\n'
    )
    rows = zip(
        outcomes.documents,
        outcomes.true.tolist(),
        outcomes.highest.tolist(),
        outcomes.probabilities.tolist(),
        strict=True,
    )
    for document, true, highest, probabilities in rows:
        pairs = zip(map(names.__getitem__, highest), probabilities, strict=True)
        yield line % (
            json.dumps(document, ensure_ascii=False),
            names[true],
            names[highest[0]],
            probabilities[0],
            *(part for pair in pairs for part in pair),
        )


def read_predictions(path: Path) -> Iterator[PredictedDocument]:
    """Read the lines one at a time.

    Raises:
        ModelCorrupt: If the file is missing, or a line is none of these.
    """
    with open_regular(path) as file:
        number = 0
        while data := file.readline(_LONGEST_LINE + 1):
            number += 1
            if not data.endswith(b"\n"):
                raise ModelCorrupt(path.name, f"line {number} is cut off or too long")
            try:
                yield PredictedDocument.model_validate_json(data)
            except ValidationError as error:
                reason = error.errors()[0]["msg"][:200]
                raise ModelCorrupt(
                    path.name, f"line {number} is no prediction: {reason}"
                ) from error
