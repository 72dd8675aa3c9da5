"""What a classifier learns: the classes of every training document, and what they weigh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lexiclass.errors import InvalidParameters, listed
from lexiclass.folds import Keys, dealt_folds, stratified_folds
from lexiclass.labels import Labels, class_names, encode_label_sets, encode_labels

ClassWeight: TypeAlias = Literal["balanced"] | dict[str, Annotated[float, Field(gt=0)]] | None

# How many times what others weigh a document may weigh. Beyond that, machines see the one or the
# others alone: they compute with single precision.
_MOST_WEIGHT = 1e6

#: Description of a ``class_weight`` parameter.
CLASS_WEIGHT_HELP = (
    "'balanced' makes rare classes count as much as frequent ones; an object {class: weight} says "
    "what each counts, 1 where it is not named. It moves which class is chosen. Confidences then "
    "are right over all documents, and not class by class; where documents have several classes, "
    "'threshold' decides, and not this."
)


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """The classes of n documents.

    Attributes:
        classes: The k class names, sorted.
        multi_label: Whether a document can have any number of classes.
        members: (n, k) whether a document has a class.
        strata: (n,) number of the group a document is dealt out with when documents are split: its
            class, or of several the rarest one, which is the one a split could lose; k for those
            without a class. A simple form of K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the
            Stratification of Multi-label Data", ECML PKDD 2011.
    """

    classes: tuple[str, ...]
    multi_label: bool
    members: NDArray[np.bool_]
    strata: NDArray[np.intp]

    @classmethod
    def encode(cls, labels: Labels, *, multi_label: bool) -> Targets:
        """Number the classes of training documents.

        Raises:
            InvalidParameters: If the labels are not strings, or sets of strings where
                ``multi_label``.
            NotEnoughDocuments: With fewer than 2 documents or classes.
        """
        if not multi_label:
            classes, codes = encode_labels(labels)
            return cls(classes, multi_label, codes[:, np.newaxis] == np.arange(len(classes)), codes)
        classes, members = encode_label_sets(labels)
        rarity = np.where(members, members.sum(axis=0), len(members) + 1)
        rarest = np.where(members.any(axis=1), rarity.argmin(axis=1), len(classes))
        return cls(classes, multi_label, members, rarest)

    def __len__(self) -> int:
        return len(self.members)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Targets:
        """Return the targets of some documents, over the same classes."""
        return Targets(self.classes, self.multi_label, self.members[rows], self.strata[rows])

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """(k,) number of documents with each class."""
        return np.asarray(self.members.sum(axis=0), dtype=np.float64)

    def shares(self, others: Labels = ()) -> NDArray[np.float64]:
        """Return (k,) the share of documents that have a class, of these and of others together.

        It is never 0, nor 1: half a document more has each class, as by H. Jeffreys' prior.
        """
        counted = self.frequencies + 0.5
        columns = {name: column for column, name in enumerate(self.classes)}
        for label in others:
            counted[[columns[name] for name in class_names(label)]] += 1
        total = len(self) + len(others) + 1 if self.multi_label else counted.sum()
        return np.asarray(counted / total)

    def folds(self, num_folds: int, seed: int, keys: Keys | None = None) -> NDArray[np.intp]:
        """Return (n,) folds; see :func:`~lexiclass.folds.stratified_folds`."""
        return stratified_folds(self.strata, num_folds, seed, keys)

    def dealt_folds(self, num_folds: int, seed: int, keys: Keys) -> NDArray[np.intp]:
        """Return (n,) folds, of which none is without documents of a class because others have one.

        A class of one document, which can't be both held out and learned, deals none out: its
        document goes with those of its other classes.
        """
        sizes = self.members.sum(axis=0)
        members = self.members & (sizes > 1)
        rarity = np.where(members, sizes, len(self) + 1)
        rarest = np.where(members.any(axis=1), rarity.argmin(axis=1), len(self.classes))
        return dealt_folds(rarest, num_folds, seed, keys)

    def weights(self, setting: ClassWeight) -> NDArray[np.float64] | None:
        """Return what having and not having a class weighs.

        Args:
            setting: What was asked for. ``balanced`` is scikit-learn's ``n / (groups * size)``;
                the groups are the classes, or with ``multi_label`` the documents with and without
                each class.

        Returns:
            (2, k) weights of documents without and with a class, or ``None`` where all weigh 1.
            Without ``multi_label`` only the second row has a meaning.

        Raises:
            InvalidParameters: If a class is named that no document has, or a weight is extreme.
        """
        if setting is None:
            return None
        if setting == "balanced":
            present = self.members.sum(axis=0)
            groups = 2 if self.multi_label else len(self.classes)
            sizes = np.maximum([len(self) - present, present], 1)
            return np.asarray(len(self) / (groups * sizes), dtype=np.float64)
        unknown = sorted(set(setting) - set(self.classes))
        if unknown:
            raise InvalidParameters(
                f"class_weight names {listed(unknown)}, which no training document has; the "
                f"classes are {listed(self.classes)}.",
                details={"unknown": unknown[:10], "num_classes": len(self.classes)},
            )
        weights = np.ones((2, len(self.classes)))
        weights[1] = [setting.get(name, 1.0) for name in self.classes]
        # With several classes a document, having one is weighed against not having it.
        beside = weights if self.multi_label else weights[1]
        least, most = float(beside.min()), float(beside.max())
        # Divided, for the ratio of the extremes may be more than a float holds.
        if most / _MOST_WEIGHT > least:
            raise InvalidParameters(
                f"class_weight has {most:g} beside {least:g} (1 where a class is not named): the "
                f"one must be at most {_MOST_WEIGHT:,.0f} times the other.",
                details={"highest": most, "lowest": least},
            )
        if not 1 / _MOST_WEIGHT <= least <= most <= _MOST_WEIGHT:
            weights[1] /= most
        return weights
