"""What somebody who can write to a storage puts among the notes that workers leave there."""

import json
import os
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lexiclass_core.documents import unsettled
from lexiclass_worker.execution.reconciler import Reconciler
from lexiclass_worker.services import erasure_notes
from lexiclass_worker.services.erasure import _is_of_others
from tests.support.services import Workshop
from tests.unit.test_notes import ODD


def addition(workshop: Workshop, project_id: object, content: bytes) -> Path:
    folder = workshop.path / ".additions" / f"{project_id}-{uuid.uuid4().hex}"
    folder.mkdir(parents=True)
    (folder / "0.json").write_bytes(content)
    return folder


async def test_no_note_holds_up_the_reconciler(workshop: Workshop, reconciler: Reconciler) -> None:
    project_id = (await workshop.project(training=1, test=0)).project_id
    before = await workshop.rows("SELECT id FROM document ORDER BY id")
    for content in ODD:
        addition(workshop, project_id, content)
    sparse = addition(workshop, project_id, b"") / "1.json"
    with sparse.open("wb") as file:
        os.truncate(file.fileno(), 2**42)
    others = [addition(workshop, number, b"{}") for number in (0, 2**63, "9" * 40)]

    report = await reconciler.run()

    assert set(report.settled) == {project_id}
    assert unsettled(workshop.storage) == []
    assert all(each.exists() for each in others), "no project has such a number"
    assert await workshop.rows("SELECT id FROM document ORDER BY id") == before


async def test_a_step_that_the_storage_refuses_keeps_no_other_from_its_work(
    workshop: Workshop, reconciler: Reconciler
) -> None:
    gone = (await workshop.project(training=1, test=0)).project_id
    await workshop.execute("DELETE FROM project WHERE id = :id", id=gone)
    deep = workshop.path / ".additions" / "x"
    for _ in range(120):
        deep = deep / "d"
    deep.mkdir(parents=True)

    with pytest.raises(OSError, match="more levels of folders"):
        await reconciler.run()

    assert not (workshop.path / str(gone)).exists()


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 200_000, b"[]", b"{}", b'{"since": 1, "num_indexes": 0}', b"\xff", b"null",
        b'{"since": "2020-01-01", "num_indexes": 0}', b'{"7": "2020-01-01"}', b'{"a": 1}',
    ],
    ids=range(9),
)  # fmt: skip
async def test_no_note_of_an_erasure_stops_one(workshop: Workshop, content: bytes) -> None:
    storage = workshop.storage
    at = datetime(2026, 1, 1, tzinfo=UTC)
    erasure_notes.note(storage, 7, {3: at})
    erasure_notes.note_unreadable(storage, 7, "m", erasure_notes.Unreadable(at, 1))
    folder = workshop.path / "7" / "erasures"
    (unreadable,) = folder.glob("*.unreadable")
    unreadable.write_bytes(content)
    (folder / "theirs.json").write_bytes(content)

    assert erasure_notes.unreadable(storage, 7, "m") is None
    assert erasure_notes.noted(storage, 7, {3, 7}) == {3: at}


@pytest.mark.parametrize(
    "line",
    [b"[" * 200_000, b'{"document_id": ' + b"9" * 5000 + b"}", b"[]", b"{}", b"\x00" * 100],
    ids=range(5),
)
def test_no_line_of_a_history_stops_an_erasure(line: bytes) -> None:
    assert _is_of_others({7})(line)
    assert not _is_of_others({7})(json.dumps({"document_id": 7}).encode())
