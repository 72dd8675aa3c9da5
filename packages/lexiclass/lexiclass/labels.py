"""Class names and their numbers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from lexiclass.errors import InvalidParameters, ModelCorrupt, NotEnoughDocuments
from lexiclass.serialization import read_terms

#: One class per document, or any number of them.
Labels: TypeAlias = Sequence[str] | Sequence[Collection[str]]


def encode_labels(labels: Labels) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """Number the distinct labels in sorted order.

    Returns:
        The k classes, sorted, and the (n,) class number of every document.

    Raises:
        InvalidParameters: If one of them is not a string, or can't be stored as one.
        NotEnoughDocuments: With fewer than 2 documents or classes.
    """
    if isinstance(labels, str | bytes):
        raise InvalidParameters(
            f"The labels are one {type(labels).__name__}; give a sequence with one a document."
        )
    names: list[str] = []
    for label in labels:
        if not isinstance(label, str):
            raise InvalidParameters(
                f"The label {label!r} is not a string; only a pipeline with multi_label=True takes "
                "sets of labels."
            )
        names.append(label)
    classes = _classes(names, len(labels))
    return classes, label_codes(names, classes)


def encode_label_sets(labels: Labels) -> tuple[tuple[str, ...], NDArray[np.bool_]]:
    """Number the distinct labels of label sets in sorted order; a document may have none.

    Returns:
        The k classes, sorted, and (n, k) whether a document has a class.

    Raises:
        InvalidParameters: If one of them is not a collection of strings, or one of these can't be
            stored.
        NotEnoughDocuments: With fewer than 2 documents or classes.
    """
    names: list[str] = []
    for label_set in check_label_sets(labels):
        names.extend(label_set)
    classes = _classes(names, len(labels))
    return classes, label_members(labels, classes)


def check_label_sets(labels: Labels) -> Labels:
    """Return the label sets as they are.

    Raises:
        InvalidParameters: If one of them is no collection, or holds something else than strings.
    """
    for label_set in cast("Sequence[object]", labels):
        if (
            isinstance(label_set, str | bytes)
            or not isinstance(label_set, Collection)
            or not all(isinstance(name, str) for name in label_set)
        ):
            raise InvalidParameters(
                f"With multi_label=True each document needs a set of strings; found {label_set!r}."
            )
    return labels


def class_names(label: str | Collection[str]) -> Collection[str]:
    """Return the classes of a document, of which there is one or any number."""
    return (label,) if isinstance(label, str) else label


def read_classes(path: Path) -> tuple[str, ...]:
    """Read the classes of a trained classifier from a JSON list.

    Raises:
        ModelCorrupt: If they are not at least 2 distinct names, sorted, that can be stored.
    """
    classes = read_terms(path)
    if len(classes) < 2 or classes != sorted(classes):
        raise ModelCorrupt(path.name, "not at least 2 classes in order")
    try:
        for name in classes:
            _check_class_name(name)
    except InvalidParameters as error:
        raise ModelCorrupt(path.name, error.message) from error
    return tuple(classes)


def _check_class_name(name: str) -> None:
    """Refuse what is no name, before anything is trained with it."""
    if not name:
        raise InvalidParameters("A label is empty; give it a name, or leave the document out.")
    if "\0" in name:
        raise InvalidParameters(f"The label {name!r} holds a NUL character; take it out.")
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidParameters(
            f"The label {name!r} holds half of a character (a lone surrogate) and so has no UTF-8 "
            "form; take it out."
        ) from error


def label_codes(labels: Sequence[str], classes: Sequence[str]) -> NDArray[np.intp]:
    """Return the (n,) position in ``classes`` of every label; all must be there."""
    number = {name: position for position, name in enumerate(classes)}
    return np.fromiter(map(number.__getitem__, labels), dtype=np.intp, count=len(labels))


def label_members(labels: Labels, classes: Sequence[str]) -> NDArray[np.bool_]:
    """Return (n, k) whether a document's label set has a class; all labels must be classes."""
    members = np.zeros((len(labels), len(classes)), dtype=np.bool_)
    for row, label_set in enumerate(labels):
        members[row, label_codes(list(label_set), classes)] = True
    return members


def _classes(names: Sequence[str], num_documents: int) -> tuple[str, ...]:
    classes = sorted(set(names))
    for name in classes:
        _check_class_name(name)
    if num_documents < 2 or len(classes) < 2:
        raise NotEnoughDocuments(num_documents=num_documents, num_classes=len(classes))
    return tuple(classes)
