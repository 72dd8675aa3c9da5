"""Room for work in progress: when an attempt that found the disk full is made again."""

from errno import ENOSPC

import pytest

from lexiclass_core.schemas import TaskError
from lexiclass_worker.errors import StorageUnavailable
from lexiclass_worker.services.room import working_folder
from tests.support.services import Workshop


def attempt(
    workshop: Workshop, before: TaskError | None, *, is_full: bool
) -> StorageUnavailable | None:
    """What an attempt fails with, where it does; one that is begun writes a file."""
    context = workshop.context()
    context.before = before
    try:
        with working_folder(context) as folder:
            if is_full:
                raise OSError(ENOSPC, "No space left on device", str(folder))
            (folder / "written").touch()
    except StorageUnavailable as failure:
        return failure
    return None


def test_room_that_others_made_after_a_failure_is_tried_after_some_looks(
    workshop: Workshop,
) -> None:
    # By the time it looks, whoever filled the disk has gone: as much is never free again.
    failure = attempt(workshop, None, is_full=True)
    assert failure is not None
    assert failure.is_begun
    details = {**failure.details, "room_bytes": 2**60}
    before: TaskError | None = StorageUnavailable("full", details=details).as_task_error()
    looks = 0
    while (waits := attempt(workshop, before, is_full=False)) is not None:
        assert not waits.is_begun
        assert "this one was not begun" in waits.message
        before = waits.as_task_error()
        looks += 1
    assert looks == 5


def test_a_disk_that_stays_full_costs_no_attempt_however_often_it_is_tried(
    workshop: Workshop,
) -> None:
    first = attempt(workshop, None, is_full=True)
    assert first is not None
    before = StorageUnavailable(
        "full", details={**first.details, "room_bytes": 2**60}
    ).as_task_error()
    for _ in range(13):
        failure = attempt(workshop, before, is_full=True)
        assert failure is not None
        assert not failure.is_begun
        before = StorageUnavailable(
            "full", details={**failure.details, "room_bytes": 2**60}
        ).as_task_error()


@pytest.mark.parametrize("had", [0, 4_096])
def test_more_room_than_before_is_used_at_once(workshop: Workshop, had: int) -> None:
    failure = StorageUnavailable("full", details={"errno": ENOSPC, "room_bytes": had})
    assert attempt(workshop, failure.as_task_error(), is_full=False) is None
