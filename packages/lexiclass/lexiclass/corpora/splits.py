"""What a document is for: to learn from, or to test with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from lexiclass.corpora.bare_names import bare
from lexiclass.corpora.columns import folded
from lexiclass.corpora.records import LabelledText, Split
from lexiclass.errors import InvalidParameters

# A model is calibrated and chosen on folds of its training documents, so those that others keep for
# that are training documents here.
_VALIDATION_NAMES: Final = frozenset({"validation", "valid", "val", "dev", "development"})
_SPLITS: Final[Mapping[str, Split]] = {
    "train": "train", "training": "train", "test": "test", "testing": "test",
    **dict.fromkeys(_VALIDATION_NAMES, "train"),
}  # fmt: skip

#: Remark on a document of a validation split.
FROM_VALIDATION: Final = "of a validation split, which counts as training data"


def named_split(name: str) -> Split | None:
    """Return the split that a name stands for, or None."""
    return _SPLITS.get(folded(name))


def split_named_by(value: object, where: str) -> Split | None:
    """Return the split that a value of a source stands for; None for nothing or blanks.

    Raises:
        InvalidParameters: If it is a name that is not known: whatever it means, the documents of
            it belong somewhere, and guessing would spoil the test.
    """
    name = "" if value is None else bare(str(value))
    if not name:
        return None
    split = named_split(name)
    if split is None:
        raise InvalidParameters(
            f"{where}: the split is {name!r}: expected train, test, or validation, which counts as "
            "train. Name another column with --split-column, or none with --split-column ''."
        )
    return split


def is_validation(value: object) -> bool:
    """Whether a value of a source names a validation split."""
    return folded(str(value)) in _VALIDATION_NAMES


def split_of(text: LabelledText, test_fraction: float) -> Split:
    """Return what a document is for, where need be by a hash of its text.

    Neither chance nor position decide: another reading of the same data splits the same. Of the
    documents without a split a share of ``test_fraction`` is for testing.
    """
    if text.split is not None:
        return text.split
    digest = hashlib.blake2b(text.text.encode(), digest_size=8).digest()
    return "train" if int.from_bytes(digest) / 2**64 >= test_fraction else "test"
