"""Reports as real ones are: of predictions of a made-up model, with all that may be known."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexiclass import Predictions
from lexiclass.report.comparison import compare_predictions, model_changes
from lexiclass.report.comparison_model import Comparison
from lexiclass.report.model import Baseline, Estimate, Report
from tests.support.made_up_reports import collect, report_of

NEWS = ("Business", "Sci/Tech", "Sports", "World")

_TOPICS = """
Accounts payable|Annual leave|Building permits|Business|Complaints|Contracts|Customs|Data protection
Disability benefits|Energy|Environment|Events|Facilities|Fire safety|Fleet|Grants|Health insurance
Housing|Immigration|Insurance claims|Invoices|IT support|Job applications|Legal notices|Licences
Maintenance|Marketing|Medical reports|Newsletters|Noise|Orders|Parking|Payroll|Pensions|Permits
Press|Procurement|Property tax|Public transport|Refunds|Rent|Road works|Schools|Sci/Tech|Sports
Taxes|Tenders|Waste|Water|World
"""

TOPICS = tuple(name for line in _TOPICS.split("\n") for name in line.split("|") if name)

_TEXT = (
    "Dear colleagues, please find attached the invoice for the road works in Mill Street of last "
    "week; we ask for payment within thirty days of receipt."
)


def class_names(number: int) -> list[str]:
    """As many names of classes as asked for."""
    return [
        f"{TOPICS[index % 50]} {index // 50}" if index >= 50 else TOPICS[index]
        for index in range(number)
    ]


def simulated_report(
    classes: Sequence[str] = NEWS,
    num_documents: int = 1600,
    *,
    too_sure: float = 0.3,
    accuracy: float | None = None,
    texts: bool = True,
    compared: bool = True,
    seed: int = 0,
) -> Report:
    """Make one up.

    Args:
        classes: The classes.
        num_documents: How many are predicted.
        too_sure: By how much more documents are wrong than confidences say, relatively.
        accuracy: 0 or 1 for all wrong or all right; else about as confidences say.
        texts: Whether mistakes have texts.
        compared: Whether there is another model to compare with.
        seed: Of what is made up.
    """
    random = np.random.default_rng(seed)
    names = tuple(sorted(classes))
    k = len(names)
    predicted = random.choice(k, num_documents, p=random.dirichlet(np.full(k, 2.0)))
    confidence = np.clip(random.beta(5, 0.45, num_documents), 1 / k, 0.9999)
    right = random.random(num_documents) < 1 - (1 + too_sure) * (1 - confidence)
    if accuracy is not None:
        right[:] = accuracy == 1
    true = np.where(right, predicted, _mixed_up(predicted, k, random))
    labels = [names[code] for code in true]
    outcomes = collect(
        labels,
        Predictions(
            names,
            _probabilities(predicted, confidence, k),
            known_words=random.binomial(60, 0.95, num_documents),
            num_words=random.integers(60, 400, num_documents),
        ),
    )
    folders = random.choice(["inbox", "scans", "archive/2019"], num_documents, p=[0.7, 0.2, 0.1])
    report = report_of(
        outcomes,
        num_calibration_documents=1200,
        columns={"folder": folders.tolist(), "language": _languages(right, random)},
        lengths=random.integers(80, 4000, num_documents),
        groups=np.minimum(np.arange(num_documents), max(0, num_documents - 8)),
        in_training=np.arange(num_documents) < num_documents // 400,
        training_counts=dict.fromkeys(names[:-1] or names, 300),
        baselines=_baselines(float((true == predicted).mean())),
        texts=dict.fromkeys(range(num_documents), _TEXT) if texts else None,
    )
    if not compared:
        return report
    others = np.where(
        random.random(num_documents) < 0.05, random.integers(0, k, num_documents), predicted
    )
    guesses = ([names[code] for code in codes] for codes in (others, predicted))
    return report.model_copy(update={"comparison": _comparison(labels, *guesses)})


def _mixed_up(codes: NDArray[np.intp], k: int, random: np.random.Generator) -> NDArray[np.intp]:
    """Another class instead of each, one that stands near it more often than not."""
    steps = random.geometric(0.5, len(codes)) * random.choice([-1, 1], len(codes))
    others = (codes + steps) % k
    return np.where((others == codes) & (k > 1), (codes + 1) % k, others)


def _probabilities(
    predicted: NDArray[np.intp], confidence: NDArray[np.float64], k: int
) -> NDArray[np.float64]:
    if k == 1:
        return np.ones((len(predicted), 1))
    found = np.repeat(((1 - confidence) / (k - 1))[:, None], k, axis=1)
    found[np.arange(len(predicted)), predicted] = confidence
    return found


def _languages(right: NDArray[np.bool_], random: np.random.Generator) -> list[str | None]:
    """German where it is wrong more often than where it is right."""
    german = random.random(len(right)) < np.where(right, 0.06, 0.25)
    return ["German" if each else "English" for each in german]


def _baselines(accuracy: float) -> list[Baseline]:
    def below(name: Any, by: float) -> Baseline:
        value = max(0.0, accuracy - by)
        return Baseline(
            name=name,
            accuracy=Estimate(value=value, low=max(0, value - 0.02), high=min(1, value + 0.02)),
            macro_f1=value * 0.98,
            advantage=Estimate(value=accuracy - value, low=by - 0.012, high=by + 0.012),
        )

    missing = Baseline(
        name="nearest_document",
        accuracy=None,
        macro_f1=None,
        advantage=None,
        missing="the training documents are not at hand",
    )
    return [below("majority_class", 0.6), missing, below("tfidf_linear", 0.031)]


def _comparison(labels: list[str], first: list[str], second: list[str]) -> Comparison:
    changes = model_changes(
        {"spec": {"classifier": {"C": 1.0}}, "num_documents": 5400, "num_classes": 4},
        {"spec": {"classifier": {"C": 0.5}}, "num_documents": 6000, "num_classes": 4},
    )
    return compare_predictions(
        labels, first, second, documents=range(len(labels)), name="version 2", changes=changes
    )
