"""Choosing which version of a field's model serves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from pydantic import Field

from lexiclass_console.actions.action import Action, Doing, Form, Outcome, Reason
from lexiclass_core import versions
from lexiclass_core.gates import Judgement
from lexiclass_core.gates import Outcome as GateOutcome
from lexiclass_core.statuses import Role
from lexiclass_core.versions import Author, Change


class OneField(Form):
    """A field."""

    field_id: int = Field(ge=1, lt=2**63)
    reason: Reason = ""


class OneVersion(OneField):
    """A version of a field's model."""

    version: int = Field(ge=1, lt=2**31)


class Promotion(OneVersion):
    """A version that is to serve.

    Attributes:
        override: Whatever the gates of the field say; that needs a reason.
    """

    override: bool = False


class Pruning(OneVersion):
    """A version whose files are to go.

    Attributes:
        is_sure: As that cannot be taken back.
    """

    is_sure: bool = False


async def promote(doing: Doing, form: Promotion) -> Outcome:
    """Let a version serve, through the gates of its field if it has any."""
    author = _author(doing, form)
    # Nobody sets gates between here and the promotion.
    await versions.lock_versions(doing.session, form.field_id)
    config = await versions.field_config(doing.session, form.field_id)
    if not config.gates.names:
        change = await versions.promote(doing.session, form.field_id, form.version, author)
        return _outcome(form, _serves(change))
    if form.override and not form.reason.strip():
        raise versions.ChangeRefused("overriding the gates of a field needs a reason")
    gated = await versions.promote_through_gates(
        doing.session, form.field_id, form.version, author, override=form.override
    )
    if gated.change is None:
        return replace(_outcome(form, _not_promoted(form, gated.judgement)), is_refused=True)
    return _outcome(form, _serves(gated.change))


async def roll_back(doing: Doing, form: OneField) -> Outcome:
    """Undo the latest promotion."""
    change = await versions.roll_back(doing.session, form.field_id, _author(doing, form))
    return _outcome(form, f"The promotion of version {change.version} is undone. {_serves(change)}")


async def retire(doing: Doing, form: OneVersion) -> Outcome:
    """Take a version out of use."""
    author = _author(doing, form)
    await versions.retire(doing.session, form.field_id, form.version, author)
    return _outcome(form, f"Version {form.version} is retired; its files stay.")


async def reinstate(doing: Doing, form: OneVersion) -> Outcome:
    """Bring a retired version back."""
    author = _author(doing, form)
    await versions.reinstate(doing.session, form.field_id, form.version, author)
    return _outcome(form, f"Version {form.version} can be used again.")


async def prune(doing: Doing, form: Pruning) -> Outcome:
    """Say that the files of a version go."""
    if not form.is_sure:
        raise versions.ChangeRefused("what is pruned does not come back: say that you are sure")
    author = _author(doing, form)
    is_new = await versions.prune(doing.session, form.field_id, form.version, author)
    said = "go, once no task reads them" if is_new else "were to go before"
    return _outcome(form, f"The files of version {form.version} {said}.")


def _author(doing: Doing, form: OneField) -> Author:
    return Author(doing.user.name, form.reason)


def _not_promoted(form: OneVersion, judgement: Judgement | None) -> str:
    verdicts = [] if judgement is None else judgement.verdicts
    said = [
        f"{each.gate.replace('_', ' ')} {each.outcome.replace('_', ' ')}: {each.says}."
        for each in verdicts
        if each.outcome is not GateOutcome.PASSED
    ]
    return " ".join([f"Version {form.version} was not promoted by the field's gates.", *said])


def _serves(change: Change) -> str:
    return "No version serves now." if change.after is None else f"Version {change.after} serves."


def _outcome(form: OneField, message: str) -> Outcome:
    details: dict[str, Any] = form.model_dump(mode="json")
    version = f" version {form.version}" if isinstance(form, OneVersion) else ""
    return Outcome(subject=f"field {form.field_id}{version}", message=message, details=details)


ACTIONS: Final = (
    Action(name="version.promote", needs=Role.OPERATOR, form=Promotion, do=promote),
    Action(name="version.roll_back", needs=Role.OPERATOR, form=OneField, do=roll_back),
    Action(name="version.retire", needs=Role.OPERATOR, form=OneVersion, do=retire),
    Action(name="version.reinstate", needs=Role.OPERATOR, form=OneVersion, do=reinstate),
    Action(name="version.prune", needs=Role.ADMIN, form=Pruning, do=prune),
)
