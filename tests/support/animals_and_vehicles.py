"""A small corpus, and what processes do with it that find functions by the name of their module."""

from pathlib import Path
from typing import Any

import numpy as np

from lexiclass import Pipeline, PipelineSpec

TEXTS = [f"{animal} runs and sleeps {n}" for n in range(6) for animal in ("cat", "dog")] + [
    f"{car} drives and brakes {n}" for n in range(6) for car in ("truck", "bus")
]
LABELS = ["animals"] * 12 + ["vehicles"] * 12
UNSEEN = ["a cat sleeps", "a bus brakes", "nothing known", ""]


def train(spec: PipelineSpec, directory: Path) -> None:
    pipeline = Pipeline(spec)
    pipeline.fit(TEXTS, [[label] for label in LABELS] if spec.multi_label else LABELS)
    pipeline.save(directory)


def predict(model: Path, digest: str | None = None) -> Any:
    predictions = Pipeline.load(model, digest=digest).predict(UNSEEN)
    assert np.isfinite(predictions.probabilities).all()
    return predictions.classes, predictions.probabilities.round(6).tolist()
