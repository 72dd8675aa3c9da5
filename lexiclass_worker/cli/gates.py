"""``lexiclass-worker models gates``: what a version must show before it is promoted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lexiclass_worker.cli.connections import in_sessions
from lexiclass_worker.cli.model_changes import By, Reason, author_of, print_change
from lexiclass_worker.cli.output import (
    EXIT_FAILED,
    AsJson,
    console,
    print_fields,
    print_json,
    print_rows,
    prose,
)
from lexiclass_worker.cli.references import FieldWords, find_lone_field
from lexiclass_worker.config import load_settings

if TYPE_CHECKING:
    from lexiclass_core.db import SessionFactory
    from lexiclass_core.gates import FieldConfig, Judgement
    from lexiclass_core.models import Model
    from lexiclass_core.versions import GatedChange


def gates(
    words: FieldWords,
    max_accuracy_loss: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="How far accuracy may fall, of 1: at the lower end of its interval."
        ),
    ] = None,
    max_class_f1_loss: Annotated[
        float | None, typer.Option(min=0, max=1, help="The same of the F1 of any class.")
    ] = None,
    calibrated: Annotated[
        bool | None,
        typer.Option(help="Whether confidences must be as right as chance lets perfect ones be."),
    ] = None,
    max_changed_share: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Share of recent documents that may be predicted as another class."
        ),
    ] = None,
    allow_cannot_tell: Annotated[
        bool | None,
        typer.Option(help="Whether a gate that was measured and cannot tell lets through."),
    ] = None,
    promote_after_evaluation: Annotated[
        bool | None,
        typer.Option(help="Whether an evaluation promotes a newer version that passes."),
    ] = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Forget all that was set, before what is named.")
    ] = False,
    by: By = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Show what a version must show before it is promoted; options change it."""
    limits = {
        "max_accuracy_loss": max_accuracy_loss,
        "max_class_f1_loss": max_class_f1_loss,
        "calibrated": calibrated,
        "max_changed_share": max_changed_share,
        "allow_cannot_tell": allow_cannot_tell,
    }
    changes: dict[str, Any] = {
        "gates": {name: value for name, value in limits.items() if value is not None}
    }
    if promote_after_evaluation is not None:
        changes["promote_after_evaluation"] = promote_after_evaluation
    is_changed = clear or bool(changes["gates"]) or promote_after_evaluation is not None
    author = author_of(by, reason) if is_changed else None

    async def run(sessions: SessionFactory) -> tuple[FieldConfig, Model | None]:
        from lexiclass_core import versions
        from lexiclass_core.gates import FieldConfig

        field_id = await find_lone_field(sessions, words)
        async with sessions.begin() as session:
            config = FieldConfig() if clear else await versions.field_config(session, field_id)
            if author is not None:
                config = _changed(config, changes)
                await versions.set_field_config(session, field_id, config, author)
            return config, await versions.serving_version(session, field_id)

    config, serving = in_sessions(load_settings(), run)
    if as_json:
        print_json(config.model_dump(mode="json"))
        return
    _print_config(config, serving)
    if is_changed and config.gates.names:
        console.print(
            "versions evaluated before are measured by what was asked then: evaluate one again, "
            "then promote it with models promote --gate"
        )


def _changed(config: FieldConfig, changes: dict[str, Any]) -> FieldConfig:
    from lexiclass_core.gates import ConfigUnreadable, FieldConfig

    kept = config.model_dump(mode="json")
    wanted = {**kept, **changes, "gates": {**kept["gates"], **changes["gates"]}}
    try:
        return FieldConfig.of_row(wanted)
    except ConfigUnreadable as error:
        raise typer.BadParameter(str(error)) from error


def _print_config(config: FieldConfig, serving: Model | None) -> None:
    if not config.gates.names:
        console.print("the field has no gates: any version that is ready may be promoted")
        return
    kept = config.model_dump(mode="json")
    print_fields({**kept.pop("gates"), **kept})
    if serving is not None and serving.promoted_at is None:
        console.print(
            f"version {serving.version} serves because it is the newest, whatever gates say: "
            "promote it, and newer ones wait; or let nothing serve that was not promoted, with "
            "models serve"
        )


def print_gated(version: int, outcome: GatedChange, *, as_json: bool) -> None:
    """Print what a promotion through gates came to.

    Raises:
        Exit: With the status of what failed, if the gates have refused it.
    """
    change, judgement = outcome.change, outcome.judgement
    if as_json:
        print_json(
            {
                "version": version,
                "is_promoted": change is not None,
                "change": None if change is None else asdict(change),
                "gates": None if judgement is None else judgement.model_dump(mode="json"),
            }
        )
    else:
        if judgement is not None:
            print_judgement(judgement)
        if change is not None:
            print_change(change, "is promoted", as_json=False)
    if change is None:
        if not as_json:
            console.print(
                f"version {version} is not promoted; --override REASON promotes it all the same"
            )
        raise typer.Exit(EXIT_FAILED)


def print_judgement(judgement: Judgement) -> None:
    """Print what gates say."""
    rows = [
        {
            "gate": verdict.gate,
            "verdict": verdict.outcome.replace("_", " "),
            "limit": verdict.limit,
            "why": verdict.says,
        }
        for verdict in judgement.verdicts
    ]
    print_rows(("gate", "verdict", "limit", prose("why")), rows)


def in_short(details: Mapping[str, Any]) -> dict[str, Any]:
    """Details of an event, with what gates said instead of all that it rests on."""
    judged = details.get("gates")
    verdicts = judged.get("verdicts") if isinstance(judged, dict) else None
    if not isinstance(verdicts, list):
        return dict(details)
    said = {
        str(each.get("gate")): str(each.get("outcome")).replace("_", " ")
        for each in verdicts
        if isinstance(each, dict)
    }
    rest = {
        name: value for name, value in details.items() if name != "gates" and value is not False
    }
    return {**rest, **said}
