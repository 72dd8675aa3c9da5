"""``lexiclass-worker tasks submit``: any operation, by what its request declares."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Annotated, Any

import typer

from lexiclass.cli.option_groups import grouped
from lexiclass_core.operations import OPERATIONS, Operation
from lexiclass_worker.cli.submit import Submitting, make_request, submit


@grouped
def submit_task(
    operation: Annotated[
        str, typer.Argument(help="What to do, as tasks list has it: index_documents, say.")
    ],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME=VALUE",
            help="What its request holds, such as project_id=1; a value is JSON, or text.",
        ),
    ] = None,
    module: Annotated[
        str | None,
        typer.Option("--module", help="Module that declares it, where it is another package's."),
    ] = None,
    *,
    how: Submitting,
) -> None:
    """Submit a task of any operation, those of other packages too, as its request declares it.

    The commands index, train, predict and evaluate know names, and check parameters of plugins.
    """
    if module is not None:
        _declare(module)
    found = _find(operation)
    submit(make_request(found.request, **_read(arguments or ())), how)


def _declare(module: str) -> None:
    try:
        import_module(module)
    except ModuleNotFoundError as error:
        raise typer.BadParameter(
            f"there is no module {error.name} here: install the package it is of",
            param_hint="--module",
        ) from error


def _find(name: str) -> Operation:
    declared = {each.name: each for each in OPERATIONS.values() if each.part_of is None}
    if name not in declared:
        raise typer.BadParameter(
            f"there is no operation {name!r} to submit; there are {', '.join(sorted(declared))}, "
            "and those of other packages with --module"
        )
    return declared[name]


def _read(assignments: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name.isidentifier():
            raise typer.BadParameter(f"expected NAME=VALUE, found {assignment!r}")
        if name in arguments:
            raise typer.BadParameter(f"{name} is given twice")
        try:
            arguments[name] = json.loads(value)
        except ValueError:
            arguments[name] = value
    return arguments
