"""What a pipeline is made of."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class PipelineSpec(BaseModel):
    """Names and parameters of the three plugins, and what they share.

    :meth:`lexiclass.Registry.validate` checks it against the plugins there are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokenizer: str = Field(default="icu", description="Splits text into words.")
    feature_extractor: str = Field(default="bow", description="Turns words into numbers.")
    classifier: str = Field(default="svm", description="Learns classes from numbers.")
    locale: str = Field(default="en", description="BCP 47 language of the documents.")
    tokenizer_params: dict[str, Any] = Field(default_factory=dict)
    feature_extractor_params: dict[str, Any] = Field(default_factory=dict)
    classifier_params: dict[str, Any] = Field(default_factory=dict)
    seed: int = Field(default=42, ge=0, lt=2**32, description="Seed of everything random.")
