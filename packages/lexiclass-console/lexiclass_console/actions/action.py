"""What an action is: its form, the role that it needs, what it does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.access.tokens import User
from lexiclass_core.client import AsyncTaskClient
from lexiclass_core.statuses import Role
from lexiclass_core.storable import is_storable

MOST_AT_ONCE: Final = 500
"""Tasks that one action changes at most."""


def _storable(text: str) -> str:
    if not is_storable(text):
        raise ValueError("holds a NUL character or half of a character")
    return text


Reason = Annotated[str, Field(max_length=500), AfterValidator(_storable)]
"""Why somebody does something, for those who ask later."""


class Form(BaseModel):
    """The fields of a form."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OneProject(Form):
    """A project."""

    project_id: int = Field(ge=1, lt=2**63)


class OneField(OneProject):
    """A field of a project."""

    field_id: int = Field(ge=1, lt=2**63)


class Submission(OneProject):
    """What becomes a task.

    Attributes:
        key: Of the form, made anew with each page: sent twice, it makes one task.
    """

    key: str = Field("", pattern=r"^[A-Za-z0-9_-]{0,64}$")


class OneDocument(OneField):
    """A document in a field."""

    document_id: int = Field(ge=1, lt=2**63)

    def outcome(self, message: str) -> Outcome:
        """What was done of it."""
        return Outcome(
            subject=f"document {self.document_id} of field {self.field_id}",
            message=message,
            details=self.model_dump(mode="json"),
        )


class FormRefused(Exception):
    """What was written in a form is not acceptable.

    Attributes:
        problems: What is wrong and what is expected, by the name of the field.
    """

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {said}" for name, said in problems.items()))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an action has done.

    Attributes:
        subject: On what, such as ``task 12``.
        task_id: A task to look at next.
        is_refused: Whether nothing was done of what was asked for.
        without_quotes: The message for those who may not see requests, if it may quote any.
        after_commit: What follows once that is committed, and may be done again without harm. What
            came of it, if that is to be told, is an entry of its own: nobody knows it before.
    """

    subject: str
    message: str
    details: dict[str, Any]
    task_id: int | None = None
    is_refused: bool = False
    without_quotes: str | None = None
    after_commit: Callable[[], Awaitable[Outcome | None]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """In what an action is done."""

    session: AsyncSession
    client: AsyncTaskClient
    user: User


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something that people can do.

    Attributes:
        name: What it is called in addresses and in the audit.
        needs: The lowest role that may; see :meth:`role_needed`.
        quotes_requests: Whether its outcome may: see :attr:`Outcome.without_quotes`.
        refusals_quote_requests: Whether what it is refused for may.
        quotes_documents: Whether its outcome says what is in documents or of which classes they
            are: it is hidden as their texts are, and done by nobody who may not see them.
    """

    name: str
    needs: Role
    form: type[Form]
    do: Callable[[Doing, Any], Awaitable[Outcome]]
    quotes_requests: bool = False
    refusals_quote_requests: bool = False
    quotes_documents: bool = False

    def role_needed(self, texts_from: Role) -> Role:
        """The lowest role that may do it, where ``texts_from`` is the lowest that sees texts."""
        return texts_from if self.quotes_documents and texts_from.may(self.needs) else self.needs
