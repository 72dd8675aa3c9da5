"""The stages of a long operation: how long each took, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

#: Called as ``progress(stage, done, total)``; the unit is the stage's own.
Progress = Callable[[str, int, int], None]


def unheard(*_: object) -> None:
    """Stand in where nobody asks to be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitReport:
    """What a training did.

    Attributes:
        num_documents: Number of training documents.
        num_classes: Number of classes.
        num_features: Number of features.
        num_calibration_documents: How many documents confidences were fitted on; ``None`` where the
            classifier does not say.
        stage_seconds: Wall-clock seconds of ``learn tokens`` (where the tokenizer does),
            ``tokenize``, ``features`` and ``classifier``.
    """

    num_documents: int
    num_classes: int
    num_features: int
    stage_seconds: Mapping[str, float]
    num_calibration_documents: int | None = None


@dataclass(slots=True)
class Stages:
    """Runs stages one after the other.

    Attributes:
        progress: Told when a stage begins, moves on and ends.
        seconds: Wall-clock seconds of every stage that ended.
    """

    progress: Progress | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def run(self, name: str, total: int = 1) -> Iterator[Callable[[int, int], None]]:
        """Time a stage of so many steps, as far as is known.

        Yields:
            A function to call with the steps done and the steps there are.
        """
        last = (-1, -1)

        def tell(done: int, of: int) -> None:
            nonlocal last
            if self.progress is not None and (done, of) != last:
                self.progress(name, done, of)
            last = (done, of)

        tell(0, total)
        start = time.perf_counter()
        yield tell
        self.seconds[name] = time.perf_counter() - start
        tell(last[1], last[1])
