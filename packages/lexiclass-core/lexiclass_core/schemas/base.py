"""What requests and results have in common, and the types of their fields."""

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field

from lexiclass_core.values import Record, Value

MOST_IDS: Final = 1_000_000
"""Documents that one request can name; with null it is all of the project, however many."""

# A PostgreSQL bigint that an identity column can hold.
Id = Annotated[int, Field(strict=True, ge=1, le=2**63 - 1)]

# Of many that are wrong, the first is told.
Ids = Annotated[list[Id], Field(max_length=MOST_IDS, fail_fast=True)]

# A model version is a PostgreSQL integer.
Version = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
Name = Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
Locale = Annotated[
    str, Field(strict=True, pattern=r"^[A-Za-z]{2,8}([_-][A-Za-z0-9]{1,8})*$", max_length=64)
]
Probability = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Parameters = dict[str, Any]


class Result(Record):
    """Base of every result."""

    status: Literal["completed"] = "completed"
    project_id: int


class Request(Value):
    """Base of every request."""

    actor_name: ClassVar[str]
    project_id: Id

    @classmethod
    def result_type(cls) -> type[Result]:
        """The schema of what comes of it."""
        raise NotImplementedError


class ModelRequest(Request):
    """Base of the requests that use a trained model.

    ``tokenizer``, ``feature_extractor`` and ``locale`` need not be given: a model carries its own
    pipeline. One that is given and differs from the model's is an error, never a silent mismatch.
    """

    field_id: Id
    model_version: Version | None = Field(
        default=None, description="null for the one that serves: promoted, else the newest ready"
    )
    tokenizer: Name | None = None
    feature_extractor: Name | None = None
    locale: Locale | None = None


class DocumentRange(Value):
    """The documents of a project with ids from ``first`` to ``last``, both included."""

    first: Id
    last: Id
