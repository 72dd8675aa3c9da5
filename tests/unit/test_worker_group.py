"""Groups of workers that this process starts."""

import sys
from pathlib import Path

import pytest

from lexiclass_worker.worker_group import WorkerGroup

_TELL = "import os; print(os.environ['METRICS__DIRECTORY'])"


@pytest.mark.parametrize("given", [{}, {"METRICS__DIRECTORY": "/somewhere"}])
def test_groups_on_one_port_count_apart_unless_told_otherwise(
    tmp_path: Path, given: dict[str, str]
) -> None:
    folders = []
    for name in ("first", "second"):
        log = tmp_path / f"{name}.log"
        group = WorkerGroup.start(
            name, [sys.executable, "-c", _TELL], environment=given, metrics_port=9191, log=log
        )
        assert group.process.wait(60) == 0
        folders.append(log.read_text().strip())

    apart = [str(tmp_path / "first.metrics"), str(tmp_path / "second.metrics")]
    assert folders == (list(given.values()) * 2 if given else apart)
