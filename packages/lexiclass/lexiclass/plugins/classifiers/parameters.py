"""Parameters of the classifiers whose libraries are optional; none is imported here."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, field_validator

from lexiclass.compatibility import LEAST_HELD_OUT
from lexiclass.plugins.parameters import Parameters
from lexiclass.plugins.pretrained.models import MINILM, MINILM_HELP, ModelName
from lexiclass.targets import CLASS_WEIGHT_HELP, ClassWeight

_SMALLEST_SINGLE: Final = 1e-37
_LARGEST_SINGLE: Final = 1e38

_HELD_OUT_HELP: Final = (
    "It is one of 1 / held_out equal parts, rounded to a whole number of them: with 0.3 one of "
    "three, with 0.4 one of two."
)


class XgboostParameters(Parameters):
    """Parameters of the ``xgboost`` classifier."""

    max_rounds: int = Field(
        default=500, ge=1, le=100_000, description="Most rounds; each adds a tree per class."
    )
    early_stopping_rounds: int = Field(
        default=15,
        ge=1,
        description="Stop after so many rounds without a gain on held-out documents.",
    )
    held_out: float = Field(
        default=0.2,
        ge=LEAST_HELD_OUT,
        le=0.5,
        description="Share of the documents that decides the number of rounds and calibrates. "
        + _HELD_OUT_HELP,
    )
    learning_rate: float = Field(default=0.3, gt=0, le=1, description="Weight of every tree.")
    max_depth: int = Field(default=6, ge=1, le=32, description="Deepest tree.")
    min_child_weight: float = Field(
        default=1.0, ge=0, description="Least weight of documents in a leaf, about 4 per unit."
    )
    subsample: float = Field(
        default=1.0, gt=0, le=1, description="Share of the documents each round looks at."
    )
    colsample: float = Field(
        default=0.3, gt=0, le=1, description="Share of the features each tree looks at."
    )
    max_bin: int = Field(
        default=16,
        ge=2,
        le=1024,
        description="Values of a feature told apart; on AG News 16 predict as well as 256 in half "
        "the time.",
    )
    reg_lambda: float = Field(default=1.0, ge=0, description="Penalty of large leaf values.")
    class_weight: ClassWeight = Field(default=None, description=CLASS_WEIGHT_HELP)
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Processor cores to use; by default one, and all from a million values on. "
        "Another number can change the last digits of a model.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where to train; 'auto' takes a GPU where there is one."
    )

    @field_validator("learning_rate", "min_child_weight", "subsample", "colsample", "reg_lambda")
    @classmethod
    def _is_single(cls, value: float) -> float:
        # As XGBoost reads them.
        if value and not _SMALLEST_SINGLE <= value <= _LARGEST_SINGLE:
            raise ValueError(
                f"expected 0, or from {_SMALLEST_SINGLE} to {_LARGEST_SINGLE}, as single precision "
                "has it"
            )
        return value


class TransformerParameters(Parameters):
    """Parameters of the ``transformer`` classifier."""

    model: ModelName = Field(
        default=MINILM,
        description="A pretrained encoder with config.json, tokenizer.json and weights as "
        "safetensors: its name on the Hugging Face hub, in the local cache; a directory; or "
        "'package:NAME' for one inside an installed Python package. " + MINILM_HELP,
    )
    max_length: int = Field(
        default=256, ge=8, le=8192, description="Tokens read of a text; more are cut off."
    )
    epochs: int = Field(default=3, ge=1, le=100, description="Most passes over the documents.")
    batch_size: int = Field(
        default=16, ge=1, le=1024, description="Documents computed at a time, memory permitting."
    )
    gradient_accumulation: int = Field(
        default=1, ge=1, le=1024, description="Batches that make up one step."
    )
    learning_rate: float = Field(
        default=5e-5,
        gt=0,
        le=1,
        description="Largest step of the encoder; the new layer on top "
        "of it learns ten times as fast.",
    )
    warmup: float = Field(
        default=0.1, ge=0, le=1, description="Share of the steps until the learning rate is full."
    )
    weight_decay: float = Field(default=0.01, ge=0, le=1, description="Pull of weights to zero.")
    dropout: float = Field(
        default=0.1, ge=0, lt=1, description="Share of a document's embedding left out in training."
    )
    held_out: float = Field(
        default=0.1,
        ge=LEAST_HELD_OUT,
        le=0.5,
        description="Share of the documents that decides when to stop and calibrates. "
        + _HELD_OUT_HELP,
    )
    early_stopping_epochs: int = Field(
        default=2,
        ge=1,
        description="Stop after so many epochs without a gain on held-out documents.",
    )
    freeze_embeddings: bool = Field(
        default=False,
        description="Leave the vectors of single tokens as they are: half of a small encoder.",
    )
    class_weight: ClassWeight = Field(default=None, description=CLASS_WEIGHT_HELP)
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto",
        description="Numbers to compute in; 'auto' takes the short ones where a GPU is fast at it.",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        default="auto", description="Where to compute; 'auto' takes a GPU where there is one."
    )
