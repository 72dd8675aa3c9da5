"""Every operation tells how far it is, in units that people count in."""

from collections.abc import Callable
from typing import Any

import pytest

from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.execution.progress import Reading
from tests.support.services import Workshop


def listen(task: TaskContext) -> list[Reading]:
    """What a task tells, as it tells it."""
    readings: list[Reading] = []
    report: Callable[..., Any] = task.progress.report

    def note(stage: str, done: int, total: int) -> None:
        report(stage, done, total)
        readings.append(task.progress.read())

    task.progress.report = note  # type: ignore[method-assign]
    return readings


def units(readings: list[Reading]) -> dict[str, tuple[str | None, int | None, int | None]]:
    """Of each stage, in order, what it counts in, and how far it was in the end."""
    return {str(now.stage): (now.unit, now.done, now.total) for now in readings}


@pytest.mark.slow_variants
@pytest.mark.parametrize("is_indexed", [True, False])
async def test_each_operation_counts_what_it_works_on(workshop: Workshop, is_indexed: bool) -> None:
    project = await workshop.project()
    documents, training, test = (
        len(ids) for ids in (project.document_ids, project.training_ids, project.test_ids)
    )
    if is_indexed:
        task = workshop.context()
        indexed = listen(task)
        await workshop.index(project, context=task)
        assert units(indexed)["index"] == ("documents", documents, documents)
        assert list(units(indexed)) == ["open", "index", "write"]

    task = workshop.context()
    trained = listen(task)
    await workshop.train(project, context=task)
    counted = units(trained)
    assert counted["read"] == ("documents", training, training)
    assert counted["tokenize"][0] == "documents" if not is_indexed else "tokenize" not in counted
    # Three classes, each in as many folds and once for the model.
    unit, done, total = counted["classifier"]
    assert (unit, done) == ("fits", total)
    assert total is not None
    assert total % 3 == 0
    assert list(counted)[-1] == "save"

    for operation in (workshop.evaluate, workshop.predict):
        task = workshop.context()
        told = listen(task)
        await operation(project, context=task)
        expected = test if operation == workshop.evaluate else documents
        assert units(told)["predict"] == ("documents", expected, expected)
        for readings in (trained, told):
            percents = [now.percent for now in readings]
            assert percents == sorted(percents)
            assert percents[-1] > 80
