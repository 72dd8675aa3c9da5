"""Predictions of the test documents as ``predictions.jsonl`` has them, a JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator

from lexiclass.report.outcomes import Outcomes


def prediction_lines(outcomes: Outcomes) -> Iterator[str]:
    """Yield a line for each document, in the order in which they were taken in.

    ``document_id``; ``true_class`` and ``predicted_class``; ``confidence``, the probability of the
    predicted one; ``scores``, the highest probabilities by class, highest first, at most five.
    Probabilities have six digits. The same predictions give the same bytes.
    """
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
