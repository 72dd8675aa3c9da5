"""What simpler ways reach on the same test documents.

Two of them learn from training documents: of many documents a sample, so that they take less time
than the evaluation does.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.svm import LinearSVC

from lexiclass.report.class_figures import at, estimate, f1_scores
from lexiclass.report.confusion import Confusion
from lexiclass.report.copies import Groups, numbered
from lexiclass.report.intervals import shares_by
from lexiclass.report.model import Baseline
from lexiclass.report.outcomes import Outcomes
from lexiclass.report.paired import paired_accuracy
from lexiclass.report.paired_confusion import PairedConfusion
from lexiclass.spec import PipelineSpec

MAX_TRAINING_DOCUMENTS: Final = 2_000
"""That baselines learn from."""

MAX_TEST_DOCUMENTS: Final = 1_000
"""On which the most similar training document is looked for, and the linear classifier measured."""

MAX_CLASSES: Final = 200
"""Of which a linear classifier is trained: each is a problem of its own."""

# Terms that more training documents have tell little about which of them is similar, and most of
# the time goes into them.
_COMMON: Final = 0.1

_ROWS_AT_A_TIME: Final = 500


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Material:
    """Documents as counts of the same m terms.

    Attributes:
        training: (t, m) training documents.
        labels: Their classes.
        test: (s, m) test documents.
        rows: (s,) which of the evaluation's these are, rising.
    """

    training: sparse.csr_array
    labels: Sequence[str]
    test: sparse.csr_array
    rows: NDArray[np.intp]


def sample(number: int, most: int) -> NDArray[np.intp]:
    """Choose some of so many documents, the same ones every time; rising."""
    if number <= most:
        return np.arange(number)
    return np.sort(np.random.default_rng(0).choice(number, most, replace=False))


def baselines_of(
    outcomes: Outcomes,
    *,
    spec: PipelineSpec,
    training_counts: Mapping[str, int] | None,
    material: Material | None,
    missing: str = "the training documents are not at hand",
    groups: Groups | None = None,
) -> list[Baseline]:
    """Measure the baselines, as far as what they need is at hand.

    The model may be one of the baselines itself. What is None, counts of training documents, the
    material to learn from and to test with or (n,) groups of near-duplicates among the test
    documents, is not known.
    """
    tested = _Tested(outcomes, groups)
    majority = _majority(tested, training_counts, missing)
    if material is not None and not material.training.shape[1]:
        material, missing = None, "the tokenizer finds no word in any of the documents"
    return [majority, _nearest(tested, material, missing), _linear(tested, spec, material, missing)]


class _Tested(NamedTuple):
    """The n test documents, and the numbers of their (n,) groups of near-duplicates, if any."""

    outcomes: Outcomes
    groups: Groups | None


def _majority(tested: _Tested, training_counts: Mapping[str, int] | None, missing: str) -> Baseline:
    if not training_counts:
        return _none("majority_class", missing)
    largest = min(training_counts, key=lambda name: (-training_counts[name], name))
    rows = np.arange(len(tested.outcomes))
    number = sum(training_counts.values())
    return _measured("majority_class", tested, rows, [largest] * len(rows), number)


def _nearest(tested: _Tested, material: Material | None, missing: str) -> Baseline:
    if material is None:
        return _none("nearest_document", missing)
    weights = TfidfTransformer(sublinear_tf=True).fit(material.training)
    training = sparse.csr_array(weights.transform(material.training))
    frequency = np.bincount(training.indices, minlength=training.shape[1])
    rare = np.flatnonzero(frequency <= max(_COMMON * training.shape[0], 1))
    by_term = sparse.csr_array(training[:, rare].T)
    test = sparse.csr_array(weights.transform(material.test))[:, rare]
    (majority, _), *_ = Counter(material.labels).most_common(1)
    predicted = []
    for start in range(0, test.shape[0], _ROWS_AT_A_TIME):
        cosines = sparse.csr_array(test[start : start + _ROWS_AT_A_TIME] @ by_term)
        # A document that shares no term with any has none that is nearest.
        ends = cosines.indptr.tolist()
        for row in range(cosines.shape[0]):
            first, last = ends[row], ends[row + 1]
            if first == last:
                predicted.append(majority)
                continue
            best = cosines.indices[first + int(cosines.data[first:last].argmax())]
            predicted.append(material.labels[best])
    return _measured("nearest_document", tested, material.rows, predicted, len(material.labels))


def _linear(
    tested: _Tested, spec: PipelineSpec, material: Material | None, missing: str
) -> Baseline:
    if (spec.feature_extractor, spec.classifier) == ("tfidf", "svm"):
        return _none("tfidf_linear", "the model itself is a linear classifier of TF-IDF weights")
    if material is None:
        return _none("tfidf_linear", missing)
    num_classes = len(set(material.labels))
    if num_classes < 2:
        return _none("tfidf_linear", "there are training documents of one class only")
    if num_classes > MAX_CLASSES:
        return _none(
            "tfidf_linear",
            f"with more than {MAX_CLASSES} classes it would take longer than the evaluation",
        )
    weights = TfidfTransformer(sublinear_tf=True).fit(material.training)
    training = weights.transform(material.training)
    # All that liblinear takes.
    training.indices, training.indptr = (
        part.astype(np.int32, copy=False) for part in (training.indices, training.indptr)
    )
    classifier = LinearSVC(random_state=0, tol=0.1, max_iter=100)
    with warnings.catch_warnings():
        # Almost as good as what it would converge to, and that is all that a baseline needs.
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(training, list(material.labels))
    predicted = classifier.predict(weights.transform(material.test)).tolist()
    return _measured("tfidf_linear", tested, material.rows, predicted, len(material.labels))


def _measured(
    name: str,
    tested: _Tested,
    rows: NDArray[np.intp],
    predicted: Sequence[str],
    num_training_documents: int,
) -> Baseline:
    """Hold a baseline's predictions for some of the test documents against the model's."""
    outcomes, groups = tested
    of_rows = None if groups is None else numbered(groups[rows], len(rows))
    labels, models = (
        [outcomes.classes[code] for code in codes[rows].tolist()]
        for codes in (outcomes.true, outcomes.predicted)
    )
    is_right = np.array([mine == true for mine, true in zip(predicted, labels, strict=True)])
    shares = shares_by(np.zeros(len(rows), dtype=np.intp), is_right, 1, of_rows)
    accuracy = float(is_right.mean())
    advantage = paired_accuracy(PairedConfusion.of(labels, predicted, models, groups=of_rows))
    return Baseline.model_validate(
        {
            "name": name,
            "accuracy": estimate(accuracy, at(shares.intervals, 0)),
            "macro_f1": float(f1_scores(Confusion.of(labels, predicted)).mean()),
            "advantage": estimate(advantage.value, advantage.interval),
            "num_documents": len(rows),
            "num_training_documents": num_training_documents,
        }
    )


def _none(name: str, missing: str) -> Baseline:
    return Baseline.model_validate(
        {"name": name, "accuracy": None, "macro_f1": None, "advantage": None, "missing": missing}
    )
