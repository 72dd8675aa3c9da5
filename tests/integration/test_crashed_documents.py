"""What is known of the document that a process died with."""

import asyncio
import os

import psutil
import pytest

from lexiclass_worker.errors import SandboxCrashed
from lexiclass_worker.setting_groups import SandboxSettings
from tests.support.corpora import SmallProject, make_text
from tests.support.services import Workshop

_BEGUN_S = 0.3


def use_processes(workshop: Workshop, number: int) -> None:
    """How many processes a task may use."""
    sandbox = SandboxSettings(processes=number)
    workshop.settings = workshop.settings.model_copy(update={"sandbox": sandbox})


async def at_work(number: int) -> list[psutil.Process]:
    """The processes that index, once there are so many and those that read have worked a while."""
    async with asyncio.timeout(60):
        while True:
            children = psutil.Process(os.getpid()).children(recursive=True)
            indexing = [child for child in children if child.name() == "lexi:Index"]
            reading = [child for child in indexing if not child.children()]
            # Of processor time: on a busy machine nothing may happen for a second.
            if len(indexing) >= number and all(
                child.cpu_times().user > _BEGUN_S for child in reading
            ):
                return indexing
            await asyncio.sleep(0.01)


async def make_slow(workshop: Workshop, project: SmallProject, *, times: int) -> list[int]:
    """Make tokenizing each document take seconds. Returns their ids."""
    for document_id in project.training_ids:
        # Without a blank, no piece of it is known from before.
        text = f"{make_text('animals', document_id, words=5_000)} ".replace(" ", "/") * times
        workshop.document(project, document_id).write_text(text)
    return list(project.training_ids)


async def test_a_crash_names_the_document_that_was_being_read(workshop: Workshop) -> None:
    use_processes(workshop, 1)
    project = await workshop.project(labels=("animals", "vehicles"), training=1, test=0)
    first, second = await make_slow(workshop, project, times=300)
    indexing = asyncio.create_task(workshop.index(project))
    (child,) = await at_work(1)
    child.kill()
    with pytest.raises(SandboxCrashed, match=r"SIGKILL.*in stage 'index', with document") as caught:
        await indexing
    details = caught.value.details
    assert details["document_ids"] in ([first], [second])
    assert details["signal"] == "SIGKILL"
    assert details["stage"] == "index"
    assert details["peak_memory_bytes"] > 0


async def test_a_process_of_several_that_dies_is_a_crash_that_names_the_documents_of_all(
    workshop: Workshop,
) -> None:
    use_processes(workshop, 2)
    project = await workshop.project(labels=("animals", "vehicles"), training=2, test=0)
    ids = await make_slow(workshop, project, times=300)
    indexing = asyncio.create_task(workshop.index(project))
    processes = await at_work(3)
    (child,) = [one for one in processes if one.parent() not in processes]
    next(one for one in processes if one != child).kill()
    with pytest.raises(SandboxCrashed, match="one of several processes") as caught:
        await indexing
    named = caught.value.details["document_ids"]
    assert len(named) == 2
    assert set(named) < set(ids)
