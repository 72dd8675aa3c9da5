"""What a pipeline is made of."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, ValidationError

from lexiclass.errors import InvalidParameters
from lexiclass.locales import with_hyphens
from lexiclass.values import Value


class PipelineSpec(Value):
    """Names and parameters of the three plugins, and what they share.

    :meth:`lexiclass.Registry.validate` checks it against the plugins there are. Where the
    classifier or the feature extractor reads texts itself, the stages before it do not run: leave
    them at their defaults.
    """

    tokenizer: str = Field(default="icu", description="Splits text into words.")
    feature_extractor: str = Field(default="tfidf", description="Turns words into numbers.")
    classifier: str = Field(default="svm", description="Learns classes from numbers.")
    locale: Annotated[str, AfterValidator(with_hyphens)] = Field(
        default="en", description="BCP 47 language of the documents."
    )
    tokenizer_params: dict[str, Any] = Field(default_factory=dict)
    feature_extractor_params: dict[str, Any] = Field(default_factory=dict)
    classifier_params: dict[str, Any] = Field(default_factory=dict)
    seed: int = Field(default=42, ge=0, lt=2**32, description="Seed of everything random.")
    multi_label: bool = Field(
        default=False, description="Whether a document can have any number of classes."
    )
    threshold: float = Field(
        default=0.5,
        gt=0,
        lt=1,
        description="With multi_label: the probability from which a document has a class.",
    )

    @classmethod
    def of(cls, **fields: Any) -> Self:
        """Make one of what people have said.

        Raises:
            InvalidParameters: Naming each field that is not acceptable and why.
        """
        try:
            return cls(**fields)
        except ValidationError as error:
            raise InvalidParameters.of("a pipeline", error, known=cls.model_fields) from error
