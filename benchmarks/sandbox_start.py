"""How long it takes from asking for a job until a child of its own does it.

Run by name and not as the main module, which every child would run once more:
``python -c "from benchmarks.sandbox_start import main; main(50)"``.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any, ClassVar

from lexiclass_worker.jobs.job import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJob:
    """Tell the time."""

    function: ClassVar[str] = "benchmarks.sandbox_start:tell_time"
    reuses_child: ClassVar[bool] = False

    @property
    def access(self) -> Access:
        """Of no file."""
        return Access()


def tell_time(job: ClockJob, report: object) -> dict[str, float]:
    """Return when the job was begun, in seconds since the epoch."""
    del job, report
    return {"at": time.time()}


def start_times(rounds: int) -> list[float]:
    """Return milliseconds of so many starts, one after the other, measured in a new process."""
    program = f"from benchmarks.sandbox_start import main; main({rounds})"
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    times: list[float] = json.loads(done.stdout)
    return times


def main(rounds: int) -> None:
    """Print the milliseconds of each start as JSON."""
    # Not at the top: it would be a part of what is measured.
    from lexiclass_worker.sandbox.pool import Sandbox  # noqa: PLC0415

    async def measure() -> list[float]:
        sandbox = Sandbox()
        sandbox.warm_up()
        return [1000 * await _start(sandbox) for _ in range(rounds)]

    json.dump(asyncio.run(measure()), sys.stdout)


async def _start(sandbox: Any) -> float:
    asked = time.time()
    result = await sandbox.run(ClockJob())
    return float(result["at"]) - asked
