"""Why a task failed."""

from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field, ValidationError

from lexiclass_core.codes import ErrorCode
from lexiclass_core.storable import Excerpt
from lexiclass_core.values import Record

# Whatever was sent may be quoted in an error, and a million times.
_LONGEST_MESSAGE: Final = 4_000
_LARGEST_DETAILS: Final = 20_000


def _message(text: str) -> str:
    return Excerpt(characters=_LONGEST_MESSAGE, longest=_LONGEST_MESSAGE).text(text)


def _details(details: dict[str, Any]) -> dict[str, Any]:
    excerpt = Excerpt(characters=_LARGEST_DETAILS, longest=_LONGEST_MESSAGE)
    cut: dict[str, Any] = excerpt.value(details)
    return {**cut, "is_cut": True} if excerpt.is_cut else cut


class TaskError(Record):
    """Why a task failed: ``task.error``, and the text of the result backend's exception.

    Every error is bounded and clean, whatever it quotes: a message has at most 4,000 characters,
    details some 20,000, with ``is_cut`` where something was left out, and no text has control
    characters. ``retryable`` says whether sending the same request again can help.
    """

    code: Annotated[str, AfterValidator(_message)]
    message: Annotated[str, AfterValidator(_message)]
    details: Annotated[dict[str, Any], AfterValidator(_details)] = Field(default_factory=dict)
    retryable: bool = False

    @classmethod
    def of_row(cls, error: object) -> Self | None:
        """What ``task.error`` holds, also where another program has written it in its own way."""
        if error is None:
            return None
        found = error if isinstance(error, dict) else {}
        try:
            known = cls.model_validate(error)
        except ValidationError:
            code, message = found.get("code"), found.get("message")
            return cls(
                code=code if isinstance(code, str) else ErrorCode.INTERNAL_ERROR,
                message=message if isinstance(message, str) else "another program's: see details",
                details={"found": error},
            )
        if "details" in found or found.keys() <= cls.model_fields.keys():
            return known
        # Of ours all have details, and what a later version says beside them is not understood.
        return known.model_copy(update={"details": _details({"found": error})})
