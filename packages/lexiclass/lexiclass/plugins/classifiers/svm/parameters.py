"""Parameters of the linear support vector machine."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lexiclass.plugins.parameters import Parameters
from lexiclass.targets import CLASS_WEIGHT_HELP, ClassWeight


class SvmParameters(Parameters):
    """Parameters of the ``svm`` classifier."""

    C: float = Field(default=1.0, gt=0, description="Weight of errors against a small margin.")
    loss: Literal["hinge", "squared_hinge"] = Field(
        default="squared_hinge", description="Loss of a document inside the margin."
    )
    class_weight: ClassWeight = Field(default=None, description=CLASS_WEIGHT_HELP)
    max_iter: int = Field(
        default=1000, ge=1, le=2**31 - 1, description="Most passes over the documents."
    )
    tol: float = Field(
        default=0.1,
        gt=0,
        description="Stopping tolerance, by default LIBLINEAR's own; on AG News it predicts as "
        "0.0001 does in half the time.",
    )
    normalize: bool = Field(
        default=True,
        description="Scale every document to length 1, so that long documents don't dominate.",
    )
    term_weighting: float = Field(
        default=0.3,
        ge=0,
        le=100,
        description="How much more counts what speaks for a class: a feature is times 1 and so "
        "many times the logarithm of how much more frequent it is there than elsewhere; with 0 all "
        "count alike, as embeddings always do.",
    )
    calibration: Literal["auto", "temperature", "none"] = Field(
        default="auto",
        description="'auto' fits a sigmoid per class, each drawn to the shared one, on out-of-fold "
        "scores; 'temperature' one number for all classes, which keeps the order of their scores "
        "where enough words are known (with few, what is frequent has a say), and is 'auto' where "
        "documents have several classes; 'none' saves the time and leaves a rough guess.",
    )
    calibration_folds: int | None = Field(
        default=None,
        ge=2,
        le=20,
        description="Folds that give the out-of-fold scores, by default 10 for up to 1,000 "
        "documents, 5 for up to 5,000 and 3 for more; of two classes 10 for up to 10,000, and one "
        "for every 3,000 of more, 10 at most. Of large corpora only as many are trained as give "
        "3,000 scored documents, and 10 of each class.",
    )
    held_out: Literal["enough", "all"] = Field(
        default="enough",
        description="'all' trains every fold, so that wrong labels are looked for among all "
        "documents; 'enough' as many as confidences need.",
    )
