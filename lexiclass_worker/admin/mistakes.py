"""What versions predict for the test documents, as their rows have it: what is wrong of it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from lexiclass.report.paired_confusion import PairedConfusion
from lexiclass_core.models import Model


@dataclass(frozen=True, slots=True)
class Mistakes:
    """The test documents that a version predicts wrong.

    Attributes:
        documents: Which, by number.
        classes: By document, its true class and the predicted one; None of an evaluation from
            before these were kept.
        support: Test documents by true class.
    """

    documents: frozenset[int]
    classes: Mapping[int, tuple[str, str]] | None
    support: Mapping[str, int]

    @classmethod
    def of(cls, model: Model) -> Self:
        """Those of the latest evaluation, which are loaded."""
        errors = model.test_errors or []
        labels, predicted = model.test_error_labels, model.test_error_predictions
        classes = None
        if labels is not None and predicted is not None:
            rows = zip(errors, zip(labels, predicted, strict=False), strict=False)
            classes = dict(rows)
        evaluation: Any = model.metrics.get("evaluation") or {}
        per_class = evaluation.get("per_class_metrics", {})
        support = {name: each.get("support", 0) for name, each in per_class.items()}
        support = {name: number for name, number in support.items() if number}
        return cls(frozenset(errors), classes, support)

    def beside(self, other: Self) -> list[int]:
        """The documents that this version predicts wrong and the other right."""
        return sorted(self.documents - other.documents)

    def paired_with(self, second: Self) -> PairedConfusion | None:
        """What both versions predict of the same test documents, counted.

        None if it is not known what one of them predicts, or they do not fit together.
        """
        if self.classes is None or second.classes is None or self.support != second.support:
            return None
        counts = Counter[tuple[str, str, str]]()
        right = Counter(self.support)
        for document in self.documents | second.documents:
            of_first, of_second = self.classes.get(document), second.classes.get(document)
            known = of_first or of_second
            if known is None:
                return None
            true = known[0]
            counts[
                true,
                true if of_first is None else of_first[1],
                true if of_second is None else of_second[1],
            ] += 1
            right[true] -= 1
        if not right or min(right.values()) < 0:
            return None
        counts.update({(name, name, name): number for name, number in right.items() if number})
        return PairedConfusion.of_counts(counts)
