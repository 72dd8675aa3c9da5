"""What is logged in a child comes out of the worker's log, with the ids of the task."""

import asyncio
import io
import json
from typing import Any

import pytest
from loguru import logger

from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry.logs import configure_logging
from tests.support.jobs import LogJob
from tests.support.sandboxes import sandbox

pytestmark = pytest.mark.usefixtures("warm_sandbox")


@pytest.fixture
def log(settings: Settings) -> io.StringIO:
    stream = io.StringIO()
    configure_logging(settings, stream=stream)
    return stream


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


async def run(correlation_id: str) -> None:
    with logger.contextualize(correlation_id=correlation_id, message_id=f"of {correlation_id}"):
        await sandbox.run(LogJob(text=f"said for {correlation_id}"))


async def test_a_line_of_a_child_carries_the_ids_of_its_task(log: io.StringIO) -> None:
    await asyncio.gather(run("first"), run("second"))

    for name in ("first", "second"):
        mine = [line for line in lines(log) if line.get("correlation_id") == name]
        assert {line["message_id"] for line in mine} == {f"of {name}"}
        said, failed, warned = mine
        assert (said["logger"], said["level"], said["message"]) == (
            "tests.job", "INFO", f"said for {name}",
        )  # fmt: skip
        assert failed["level"] == "ERROR"
        assert "ZeroDivisionError" in failed["message"]
        assert (warned["logger"], warned["level"]) == ("py.warnings", "WARNING")
        assert "old" in warned["message"]
    # What the worker would not log itself is not even sent.
    assert "too fine" not in log.getvalue()


@pytest.mark.slow
async def test_a_process_of_the_job_that_logs_does_no_harm(log: io.StringIO) -> None:
    result = await sandbox.run(LogJob(text="said", forks=4))

    assert result == {"forks": 4}
