"""What a report of an evaluation says, as ``report.json`` holds it.

Shares, probabilities and scores lie between 0 and 1. Every interval holds the truth in 19 cases of
20. Numbers that the documents at hand cannot give are null, and what is said beside them is why.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from lexiclass.report.comparison_model import Comparison
from lexiclass.report.parts import Count as Count
from lexiclass.report.parts import DocumentId as DocumentId
from lexiclass.report.parts import Estimate as Estimate
from lexiclass.report.parts import Part as Part
from lexiclass.report.parts import Share as Share

FORMAT_VERSION: Final = 1
"""Of the JSON; raised when something that was there means something else, or is gone."""


class Subject(Part):
    """What was evaluated.

    Attributes:
        name: Of the model, for people: a project's field and version, or a folder.
        version: Its number, in a worker.
        digest: SHA-256 of its manifest.
        spec: Its pipeline, every parameter spelled out.
        num_training_documents: What it was trained on.
        num_calibration_documents: On how many of these its confidences were fitted; null where the
            classifier does not say.
        num_classes: How many classes it can predict.
        trained_at: When.
    """

    name: str
    version: int | None = None
    digest: str
    spec: dict[str, Any]
    num_training_documents: Count
    num_calibration_documents: Count | None
    num_classes: Count
    trained_at: datetime


class EvaluationSet(Part):
    """What it was evaluated on.

    Attributes:
        name: For people: a field's test labels, or a file.
        digest: SHA-256 of which documents have which true class.
        num_documents: How many were predicted.
        num_skipped: How many could not be read.
        num_empty: In how many of the predicted ones the model saw no word; null where unknown.
        num_groups: How many documents are left if near-duplicates count as one; null if that was
            not looked for.
        num_in_training: How many are in the training documents, equal or nearly so; null likewise.
    """

    name: str
    digest: str
    num_documents: Count
    num_skipped: Count = 0
    num_empty: Count | None = None
    num_groups: Count | None = None
    num_in_training: Count | None = None


class ClassFigures(Part):
    """One class.

    Attributes:
        name: Of the class.
        support: Test documents of it.
        predicted: Test documents predicted as such.
        hits: Documents that are both.
        precision: Null if it was never predicted.
        recall: Null if there is no test document of it.
        f1: Null if there are too few documents to say anything, which ``too_few`` says.
        too_few: Whether there are.
        is_known: Whether the model was trained on it.
    """

    name: str
    support: Count
    predicted: Count
    hits: Count
    precision: Estimate | None
    recall: Estimate | None
    f1: Estimate | None
    too_few: bool
    is_known: bool


class Confused(Part):
    """Documents of one class that are predicted as another.

    Attributes:
        true: The true class.
        predicted: The predicted one.
        num_documents: How many.
    """

    true: str
    predicted: str
    num_documents: Count


class Baseline(Part):
    """What a simpler way would reach on the same documents.

    Attributes:
        name: Which way.
        accuracy: Null if it could not be measured, for the reason that ``missing`` gives.
        macro_f1: Likewise.
        advantage: How far the model's accuracy is above it, of paired documents.
        num_documents: Test documents that it was measured on, some of them where all would take
            longer than the evaluation.
        num_training_documents: What it was given to learn from, likewise.
        missing: Why there are no figures.
    """

    name: Literal["majority_class", "nearest_document", "tfidf_linear"]
    accuracy: Estimate | None
    macro_f1: float | None
    advantage: Estimate | None
    num_documents: Count | None = None
    num_training_documents: Count | None = None
    missing: str | None = None


class ReliabilityPoint(Part):
    """Accuracy at one confidence.

    Attributes:
        confidence: What the model says.
        accuracy: How many of such documents are right, estimated by isotonic regression.
        low: What that would be at least if confidences were right.
        high: What it would be at most.
        num_documents: How many lie nearest to this point.
    """

    confidence: Share
    accuracy: Share
    low: Share
    high: Share
    num_documents: Count


class CalibrationError(Part):
    """A calibration error, and what chance alone makes of it.

    Attributes:
        value: How far confidences are from the shares of right documents.
        expected: What 19 of 20 test sets as large would stay below if confidences were right;
            near-duplicates count as one.
    """

    value: Share
    expected: Share


class ClassCalibration(Part):
    """Confidences of the documents that are predicted as one class.

    Attributes:
        name: Of the class.
        num_documents: How many are predicted as such.
        confidence: Their mean confidence.
        accuracy: How many of them are right.
        differs: Whether the two differ beyond chance, Holm's correction over classes included, by
            the first of near-duplicates.
    """

    name: str
    num_documents: Count
    confidence: Share
    accuracy: Estimate
    differs: bool


class Calibration(Part):
    """Whether confidences mean what they say.

    Attributes:
        expected_calibration_error: Over 15 bins of equal width.
        debiased_calibration_error: Over 15 bins of as many documents each, without what chance
            makes of it; of near-duplicates the first counts.
        over_confidence: Mean confidence minus accuracy.
        brier_score: Mean squared distance of all probabilities from the truth, in [0, 2].
        log_loss: In nats.
        curve: Accuracy by confidence, rising.
        classes: By predicted class, those with enough documents.
    """

    expected_calibration_error: CalibrationError
    debiased_calibration_error: CalibrationError
    over_confidence: Estimate
    brier_score: float
    log_loss: float
    curve: list[ReliabilityPoint]
    classes: list[ClassCalibration]


class AcceptanceThreshold(Part):
    """A confidence from which on an accuracy is guaranteed.

    Attributes:
        target: The accuracy that is asked for.
        threshold: The lowest confidence of accepted documents; null if none can be guaranteed.
        accepted: Share of documents that are accepted; near-duplicates count as one, here and in
            what follows.
        accuracy: Of the accepted test documents.
        guaranteed: What the accuracy of accepted documents is at least, in 19 cases of 20.
        num_documents: Accepted test documents.
    """

    target: Share
    threshold: Share | None
    accepted: Share = 0.0
    accuracy: Share | None = None
    guaranteed: Share | None = None
    num_documents: Count = 0


class ClassAcceptance(Part):
    """Thresholds of one predicted class.

    Attributes:
        name: Of the class.
        thresholds: One a target.
    """

    name: str
    thresholds: list[AcceptanceThreshold]


class CoveragePoint(Part):
    """Accuracy of the most confident documents.

    Attributes:
        accepted: Which share of all they are.
        accuracy: How many of them are right.
        threshold: The lowest confidence among them.
    """

    accepted: Share
    accuracy: Share
    threshold: Share


class Acceptance(Part):
    """How much can go through without a look.

    Attributes:
        thresholds: One a target, over all classes.
        classes: By predicted class, of those for which anything can be guaranteed.
        curve: Accuracy by share of documents.
    """

    thresholds: list[AcceptanceThreshold]
    classes: list[ClassAcceptance]
    curve: list[CoveragePoint]


class Slice(Part):
    """Test documents that have something in common.

    Attributes:
        by: What they have in common: length, script, language, folder, new_words, or the name of a
            key of their metadata.
        value: Which.
        num_documents: How many.
        accuracy: Of them.
        rest: Accuracy of all others.
        p_value: Of there being no difference, Holm's correction over all slices included.
        differs: Whether that is below 0.05.
    """

    by: str
    value: str
    num_documents: Count
    accuracy: Estimate
    rest: float
    p_value: Share
    differs: bool


class Finding(Part):
    """Something to know before the figures are believed, or to do.

    Attributes:
        code: LX and three digits; means the same for ever.
        level: How much it matters.
        title: What was found, in a few words.
        message: With figures, in a sentence or two.
        advice: What to do.
        figures: The numbers, by name.
        documents: Some of the documents concerned, at most 100.
        num_documents: How many there are; null if it is not about documents.
    """

    code: Annotated[str, Field(pattern=r"^LX\d{3}$")]
    level: Literal["error", "warning", "note"]
    title: str
    message: str
    advice: str
    figures: dict[str, float | int | str] = Field(default_factory=dict)
    documents: list[DocumentId] = Field(default_factory=list)
    num_documents: Count | None = None


class Mistake(Part):
    """A document that is predicted wrong.

    Attributes:
        document: Which.
        true: Its class.
        predicted: What was predicted.
        confidence: How sure the model was.
        text: Its beginning, where texts may be shown.
    """

    document: DocumentId
    true: str
    predicted: str
    confidence: Share
    text: str | None = None


class Report(Part):
    """An evaluation: its figures, how sure they are, and what to do.

    Attributes:
        format_version: See :data:`FORMAT_VERSION`.
        created_at: When the model was evaluated.
        verdict: In two sentences, for people who are no statisticians.
        model: What was evaluated.
        test_set: On what.
        accuracy: Share of documents that are right.
        macro_f1: Mean of the classes' F1.
        classes: Each class that occurs or is predicted, by name.
        confusions: The largest, most documents first.
        num_confusions: How many pairs of classes are confused in all.
        baselines: What simpler ways reach.
        calibration: Whether confidences mean what they say.
        acceptance: How much can go through without a look.
        slices: Kinds of documents, those that differ first.
        findings: What else is to be known, the gravest first.
        mistakes: The most confident ones, at most 100.
        comparison: Against another version on the same documents; null without one.
    """

    format_version: int = FORMAT_VERSION
    created_at: datetime
    verdict: str
    model: Subject
    test_set: EvaluationSet
    accuracy: Estimate
    macro_f1: Estimate
    classes: list[ClassFigures]
    confusions: list[Confused]
    num_confusions: Count
    baselines: list[Baseline]
    calibration: Calibration
    acceptance: Acceptance
    slices: list[Slice]
    findings: list[Finding]
    mistakes: list[Mistake]
    comparison: Comparison | None = None
