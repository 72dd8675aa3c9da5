"""What is to be known of the test set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lexiclass.report.findings import codes
from lexiclass.report.findings.evidence import Evidence, finding
from lexiclass.report.findings.wording import are, counted, documents, named, short
from lexiclass.report.model import Finding

_WIDEST: Final = 0.1
"""From the lower to the upper end of an accuracy that tells enough."""

_LEAST_SHIFT: Final = 0.1
_SHIFT_SIMULATIONS: Final = 200
_NAMED: Final = 5


def in_training(evidence: Evidence) -> Iterator[Finding]:
    """Test documents that the model was trained on."""
    if evidence.in_training is None or not evidence.in_training.any():
        return
    rows = np.flatnonzero(evidence.in_training)
    share = len(rows) / len(evidence.outcomes)
    others = evidence.outcomes.is_right[~evidence.in_training]
    figures = {"share": share, "accuracy": evidence.accuracy.value}
    without = "there are no others"
    if len(others):
        figures["accuracy_without"] = float(others.mean())
        without = f"without them it is {others.mean():.3f}"
    yield finding(
        codes.IN_TRAINING,
        "error" if share > 0.05 else "warning",
        f"{documents(len(rows))} ({share:.1%}) {are(len(rows))} the same as training documents, or "
        f"nearly. The accuracy is {evidence.accuracy.value:.3f}; {without}.",
        figures,
        evidence.named_documents(rows),
        len(rows),
    )


def few_documents(evidence: Evidence) -> Iterator[Finding]:
    """An interval of the accuracy that is too wide to tell much."""
    width = evidence.accuracy.high - evidence.accuracy.low
    if width > _WIDEST:
        yield finding(
            codes.FEW_DOCUMENTS,
            "warning",
            f"With {documents(len(evidence.outcomes))} the accuracy on all documents is between "
            f"{evidence.accuracy.low:.3f} and {evidence.accuracy.high:.3f}: that is "
            f"{width:.3f} wide, and {_WIDEST:.2f} would tell enough.",
            {"num_documents": len(evidence.outcomes), "width": width},
        )


def few_of_a_class(evidence: Evidence) -> Iterator[Finding]:
    """Classes without figures of their own."""
    few = [each for each in evidence.classes if each.too_few]
    if few:
        yield finding(
            codes.FEW_OF_A_CLASS,
            "note",
            f"{counted(len(few), 'class has', 'classes have')} too few test documents for figures "
            f"of {'its' if len(few) == 1 else 'their'} own: "
            f"{named([(each.name, each.support) for each in few])}.",
            {"num_classes": len(few), "num_documents": sum(each.support for each in few)},
        )


def other_mix(evidence: Evidence) -> Iterator[Finding]:
    """A mix of classes that is further from that of training than chance makes it."""
    counts = evidence.training_counts
    if not counts:
        return
    support = {each.name: each.support for each in evidence.classes}
    names = sorted({*counts, *support})
    training = np.array([counts.get(name, 0) for name in names], dtype=np.int64)
    test = np.array([support.get(name, 0) for name in names], dtype=np.int64)
    shares = np.stack((training / training.sum(), test / test.sum()))
    differences = shares[1] - shares[0]
    shift = float(np.abs(differences).sum() / 2)
    if shift < _LEAST_SHIFT or shift <= _chance_shift(training, test):
        return
    largest = np.argsort(-np.abs(differences), kind="stable")[:_NAMED]
    named = ", ".join(
        f"{short(names[code])} {shares[1][code]:.1%} instead of {shares[0][code]:.1%}"
        for code in largest.tolist()
        if differences[code]
    )
    yield finding(
        codes.OTHER_MIX,
        "warning",
        f"{shift:.1%} of the test documents would have to be of another class for the mix to be "
        f"that of the training documents: {named}.",
        {"shift": shift},
    )


def _chance_shift(training: NDArray[np.int64], test: NDArray[np.int64]) -> float:
    """How far two draws from one mix are apart in 19 of 20 cases."""
    random = np.random.default_rng(0)
    share = (training + test) / (training.sum() + test.sum())
    drawn = [
        np.abs(
            random.multinomial(training.sum(), share) / training.sum()
            - random.multinomial(test.sum(), share) / test.sum()
        ).sum()
        / 2
        for _ in range(_SHIFT_SIMULATIONS)
    ]
    return float(np.quantile(drawn, 0.95))


def unseen_class(evidence: Evidence) -> Iterator[Finding]:
    """Classes that the model cannot predict."""
    unseen = [(each.name, each.support) for each in evidence.classes if not each.is_known]
    if unseen:
        rows = np.flatnonzero(evidence.outcomes.true >= evidence.outcomes.num_known)
        yield finding(
            codes.UNSEEN_CLASS,
            "error",
            f"{documents(len(rows))} {are(len(rows))} of "
            f"{counted(len(unseen), 'class', 'classes')} that no training document has, and "
            f"{'counts' if len(rows) == 1 else 'count'} as wrong: {named(unseen)}.",
            {"num_classes": len(unseen), "share": len(rows) / len(evidence.outcomes)},
            evidence.named_documents(rows),
            len(rows),
        )


def skipped(evidence: Evidence) -> Iterator[Finding]:
    """Documents that could not be read."""
    unread, number = evidence.test_set.num_skipped, len(evidence.outcomes)
    if unread:
        share = unread / (unread + number)
        yield finding(
            codes.SKIPPED,
            "warning" if share > 0.01 else "note",
            f"{documents(unread)} of {unread + number:,} could not be read and {are(unread)} "
            "in no figure.",
            {"share": share},
            num_documents=unread,
        )


def empty(evidence: Evidence) -> Iterator[Finding]:
    """Documents without a word."""
    number = evidence.test_set.num_empty
    if number:
        words = evidence.outcomes.num_words
        rows = np.empty(0, dtype=np.intp) if words is None else np.flatnonzero(words == 0)
        yield finding(
            codes.EMPTY,
            "warning" if number > 0.01 * len(evidence.outcomes) else "note",
            f"In {documents(number)} there is nothing that the model reads as a word; what it says "
            "there is what it says of an empty text.",
            {"share": number / len(evidence.outcomes)},
            evidence.named_documents(rows),
            number,
        )


def near_duplicates(evidence: Evidence) -> Iterator[Finding]:
    """Documents that say the same as others."""
    if evidence.groups is None:
        return
    _, groups, sizes = np.unique(evidence.groups, return_inverse=True, return_counts=True)
    rows = np.flatnonzero(sizes[groups] > 1)
    if len(rows) > 0.05 * len(groups):
        rows = rows[np.argsort(groups[rows], kind="stable")]
        yield finding(
            codes.NEAR_DUPLICATES,
            "note",
            f"{documents(len(rows))} are the same as others, or nearly: if these count as one, "
            f"{documents(len(sizes))} are left.",
            {"num_groups": len(sizes)},
            evidence.named_documents(rows),
            len(rows),
        )


def contradictions(evidence: Evidence) -> Iterator[Finding]:
    """Equal texts of different classes."""
    if evidence.same_text is None:
        return
    texts = np.unique(evidence.same_text, return_inverse=True)[1]
    pairs = np.unique(np.column_stack((texts, evidence.outcomes.true)), axis=0)
    several = np.flatnonzero(np.bincount(pairs[:, 0]) > 1)
    if not len(several):
        return
    rows = np.flatnonzero(np.isin(texts, several))
    rows = rows[np.argsort(texts[rows], kind="stable")]
    yield finding(
        codes.CONTRADICTIONS,
        "warning",
        f"{documents(len(rows))} have the same text as others with another label: "
        f"{counted(len(several), 'text', 'texts')} in all.",
        {"num_texts": len(several)},
        evidence.named_documents(rows),
        len(rows),
    )
