"""What a training knows of its own documents and their labels, beside a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lexiclass.errors import InvalidParameters, ModelCorrupt
from lexiclass.folds import Keys
from lexiclass.label_quality.held_out import MOST_KEPT, HeldOut
from lexiclass.manifest import EVIDENCE_FILE
from lexiclass.serialization import read_arrays, write_arrays

_ARRAYS: Final[dict[str, tuple[type[np.generic], int]]] = {
    "documents": (np.int64, 1),
    "labels": (np.int32, 1),
    "copies": (np.int32, 1),
    "doubles": (np.int32, 1),
    "numbers": (np.int64, 1),
    "own": (np.float32, 1),
    "classes": (np.int32, 2),
    "probabilities": (np.float32, 2),
}

# What probabilities in single precision may be beyond 1.
_ROUNDING: Final = 1e-6


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TrainingEvidence:
    """The n documents that a classifier was trained on.

    Of their texts there is nothing in here but which are alike: who has the file can't look for a
    text in it.

    Attributes:
        documents: (n,) their ids, or their places among the documents given.
        labels: (n,) column of the class of each.
        copies: (n,) number of the group of documents with the same text; -1 of a text of its own.
        doubles: (n,) number of the group of documents that are the same, or nearly, by their
            features; -1 of one that no other is like, or without a feature.
        held_out: Probabilities of some of them.
    """

    documents: NDArray[np.int64]
    labels: NDArray[np.int32]
    copies: NDArray[np.int32]
    doubles: NDArray[np.int32]
    held_out: HeldOut

    @classmethod
    def of(
        cls,
        places: NDArray[np.int64],
        labels: NDArray[np.intp],
        digests: Sequence[str],
        keys: Keys,
        held_out: HeldOut,
    ) -> TrainingEvidence:
        """Note which documents are alike.

        Args:
            places: (n,) of the documents among those given.
            labels: (n,) column of the class of each.
            digests: Of the content of each.
            keys: (n,) see :attr:`lexiclass.plugins.training_rows.TrainingRows.keys`; 0 of a
                document without a feature, which is like no other.
            held_out: Probabilities of some of them.
        """
        return cls(
            documents=places,
            labels=labels.astype(np.int32),
            copies=_groups(np.array([digest.encode() for digest in digests], dtype=np.bytes_)),
            doubles=np.where(keys == 0, np.int32(-1), _groups(keys)),
            held_out=held_out,
        )

    def named(self, ids: NDArray[np.int64]) -> TrainingEvidence:
        """Return the same with the documents' ids in the place of their places.

        Raises:
            InvalidParameters: If there are fewer ids than documents.
        """
        if len(self.documents) and len(ids) <= self.documents.max():
            raise InvalidParameters(
                f"Found {len(ids)} document ids; there must be one for each training document."
            )
        return replace(self, documents=np.asarray(ids, dtype=np.int64)[self.documents])

    def save(self, directory: Path) -> None:
        """Write it into a model's directory: some 100 bytes a document at most."""
        held_out = {name: getattr(self.held_out, name) for name in HeldOut.__slots__}
        own = {name: getattr(self, name) for name in _ARRAYS if name not in held_out}
        write_arrays(directory / EVIDENCE_FILE, {**own, **held_out})

    @classmethod
    def load(cls, directory: Path, num_classes: int) -> TrainingEvidence | None:
        """Map what :meth:`save` wrote into the directory of a model, which was verified.

        None of a model of an earlier version, of one for any number of classes a document, and of
        one whose classifier held no document out.

        Raises:
            ModelCorrupt: If it is not that.
        """
        if not (directory / EVIDENCE_FILE).exists():
            return None
        arrays = read_arrays(directory / EVIDENCE_FILE, _ARRAYS)
        if reason := _fault(arrays, num_classes):
            raise ModelCorrupt(EVIDENCE_FILE, reason)
        for name in ("own", "probabilities"):
            arrays[name] = np.minimum(arrays[name], np.float32(1))
        held_out = HeldOut(**{name: arrays[name] for name in HeldOut.__slots__})
        own = {name: arrays[name] for name in _ARRAYS if name not in HeldOut.__slots__}
        return cls(**own, held_out=held_out)


def _groups(values: NDArray[np.bytes_] | Keys) -> NDArray[np.int32]:
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    return np.where(sizes[group] > 1, group, -1).astype(np.int32)


def _fault(arrays: dict[str, NDArray[np.generic]], num_classes: int) -> str | None:
    """Say what is wrong with arrays, so that nothing is computed from what cannot be."""
    n, m = len(arrays["documents"]), len(arrays["numbers"])
    if any(len(arrays[name]) != n for name in ("labels", "copies", "doubles")):
        return f"not one label and group for each of {n} documents"
    kept = min(MOST_KEPT, num_classes)
    if n and int(np.asarray(arrays["documents"], dtype=np.int64).min()) < 0:
        return "names documents that are none"
    if len(arrays["own"]) != m or any(
        arrays[name].shape != (m, kept) for name in ("classes", "probabilities")
    ):
        return f"not {kept} probabilities for each of {m} documents held out"
    if not (
        _within(arrays["labels"], 0, num_classes) and _within(arrays["classes"], 0, num_classes)
    ):
        return f"names classes beyond the model's {num_classes}"
    if not all(_within(arrays[name], -1, n) for name in ("copies", "doubles")):
        return "has groups of more documents than there are"
    numbers = arrays["numbers"]
    if not (_within(numbers, 0, n) and bool(np.all(numbers[1:] > numbers[:-1]))):  # type: ignore[operator]
        return "has held out what is no training document"
    for name in ("own", "probabilities"):
        # Of a number that is none every comparison is false.
        values = np.asarray(arrays[name], dtype=np.float32)
        if not bool(((values >= 0) & (values <= 1 + _ROUNDING)).all()):
            return "its probabilities are none"
    return None


def _within(values: NDArray[np.generic], lowest: int, end: int) -> bool:
    numbers = np.asarray(values, dtype=np.int64)
    return not numbers.size or bool(numbers.min() >= lowest and numbers.max() < end)
