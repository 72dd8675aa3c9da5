"""Class names and their numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lexiclass.errors import NotEnoughDocuments


def encode_labels(labels: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """Number the distinct labels in sorted order.

    Args:
        labels: One label per training document.

    Returns:
        The k classes, sorted, and the (n,) class number of every document.

    Raises:
        NotEnoughDocuments: With fewer than 2 documents or classes.
    """
    classes = sorted(set(labels))
    if len(labels) < 2 or len(classes) < 2:
        raise NotEnoughDocuments(num_documents=len(labels), num_classes=len(classes))
    return tuple(classes), label_codes(labels, classes)


def label_codes(labels: Sequence[str], classes: Sequence[str]) -> NDArray[np.intp]:
    """Return the (n,) position in ``classes`` of every label; all must be there."""
    number = {name: position for position, name in enumerate(classes)}
    return np.fromiter(map(number.__getitem__, labels), dtype=np.intp, count=len(labels))
