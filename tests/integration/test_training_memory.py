"""A training that cannot fit is refused before it begins."""

import pytest

from lexiclass_worker.errors import WorkerError
from lexiclass_worker.sandbox import Sandbox
from lexiclass_worker.setting_groups import LimitSettings
from tests.support.corpora import SmallProject, make_text
from tests.support.services import Workshop

MIB = 2**20


async def large_project(workshop: Workshop) -> SmallProject:
    """Two documents of a million tokens each."""
    project = await workshop.project(labels=("animals", "vehicles"), training=1, test=0)
    for document_id in project.training_ids:
        text = make_text(project.true_class[document_id], document_id, words=5_000)
        workshop.document(project, document_id).write_text(f"{text} " * 200)
    return project


def may_take(workshop: Workshop, memory_bytes: int) -> None:
    """Bound every task from now on."""
    limits = LimitSettings(memory_bytes=memory_bytes)
    workshop.settings = workshop.settings.model_copy(update={"limits": limits})
    workshop.sandbox = Sandbox.from_settings(workshop.settings, tasks=1)


@pytest.mark.parametrize("is_indexed", [True, False])
async def test_a_training_that_cannot_fit_is_refused_with_the_estimate_and_one_that_can_is_not(
    workshop: Workshop, is_indexed: bool
) -> None:
    project = await large_project(workshop)
    if is_indexed:
        await workshop.index(project)
        # Found in the index, however little is left of the files.
        for document_id in project.training_ids:
            workshop.document(project, document_id).write_text("")
    may_take(workshop, 64 * MIB)
    with pytest.raises(WorkerError, match=r"would take about \d+ MiB .* may take 64 MiB") as no:
        await workshop.train(project)
    assert (no.value.code, no.value.retryable) == ("MEMORY_LIMIT", False)
    assert no.value.details["limit_bytes"] == 64 * MIB
    # Two million tokens.
    assert 64 * MIB < no.value.details["estimated_bytes"] < 400 * MIB
    row = await workshop.row("SELECT status, metrics FROM model")
    assert (row["status"], row["metrics"]["error"]["code"]) == ("failed", "MEMORY_LIMIT")


@pytest.mark.slow
async def test_what_was_estimated_to_fit_does(workshop: Workshop) -> None:
    project = await workshop.project()
    may_take(workshop, 64 * MIB)
    result = await workshop.train(project)
    assert result.metrics.num_documents == 36
