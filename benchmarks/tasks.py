"""How fast tasks start, end and follow each other: ``make bench-tasks``.

Latency is that of predicting ten indexed documents, sent to a worker that does nothing else, one
task after the other. Throughput is that of the smallest real task, the prediction of one indexed
document: a backlog of them is worked off by two processes. Each passes through everything a task
has: its row, a lease, the sandbox, the history file, the prediction rows, the result. A start of
the sandbox is that of a child for one job, as trainings and indexings have it; predictions find a
child that waits.

Times are those of this machine while it does nothing else; the servers run on it too, and write to
disk as safely as in production.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.house import House, open_house
from benchmarks.sandbox_start import start_times
from benchmarks.service import connect
from benchmarks.synthetic import demo_words, synthetic_documents

RESULTS = Path(__file__).parent / "results" / "tasks.json"

_DOCUMENTS = 2_000
_TRAINING = 1_000
_WARM_UP = 10
_POLL_S = 0.001


def main() -> None:
    """Measure, print, write."""
    options = _options()
    with TemporaryDirectory(prefix="lexiclass-bench-") as name, open_house(Path(name)) as house:
        documents = list(synthetic_documents(demo_words(), _DOCUMENTS, seed=0))
        project = house.import_texts(documents, _TRAINING)
        ids = asyncio.run(document_ids(house, project.project_id))
        with house.workers(processes=1, threads=2):
            house.succeed(house.client.index(project.project_id))
            house.succeed(house.client.train(project.project_id, project.field_id))
            latencies = [
                asyncio.run(latency(house, project.project_id, project.field_id, ids[at : at + 10]))
                for at in range(0, 10 * (_WARM_UP + options.rounds), 10)
            ][_WARM_UP:]
        backlog = [
            house.client.predict(project.project_id, project.field_id, [document_id])
            for document_id in (ids * (1 + options.tasks // len(ids)))[: options.tasks]
        ]
        with house.workers(processes=2, threads=options.threads):
            done = wait_for(house, [task.id for task in backlog])
    starts, ends = zip(*latencies, strict=True)
    children = start_times(_WARM_UP + options.rounds)[_WARM_UP:]
    results = {
        "sandbox_start_p50_ms": percentile(children, 50),
        "start_p50_ms": percentile(starts, 50),
        "start_p95_ms": percentile(starts, 95),
        "succeeded_p50_ms": percentile(ends, 50),
        "succeeded_p95_ms": percentile(ends, 95),
        "tasks_per_second": round(throughput(done), 1),
        "rounds": options.rounds,
        "tasks": options.tasks,
        "threads": options.threads,
    }
    for what, value in results.items():
        print(f"{what:<24}{value:>10}")
    options.results.write_text(json.dumps(results, indent=2) + "\n")


async def document_ids(house: House, project_id: int) -> list[int]:
    """Return the documents of a project."""
    connection = await connect(house)
    rows = await connection.fetch(
        "SELECT id FROM document WHERE project_id = $1 ORDER BY id", project_id
    )
    await connection.close()
    return [row["id"] for row in rows]


async def latency(
    house: House, project_id: int, field_id: int, documents: Sequence[int]
) -> tuple[float, float]:
    """Send a prediction.

    Returns:
        Milliseconds from the call until the row says started, and until another connection sees it
        succeeded.
    """
    connection = await connect(house)
    try:
        before, sent = time.time(), time.perf_counter()
        task = house.client.predict(project_id, field_id, documents)
        query = await connection.prepare("SELECT status, started_at FROM task WHERE id = $1")
        while (row := await query.fetchrow(task.id))["status"] != "succeeded":
            if row["status"] in ("failed", "cancelled"):
                raise RuntimeError(f"the prediction ended {row['status']}")
            await asyncio.sleep(_POLL_S)
        seen = time.perf_counter() - sent
    finally:
        await connection.close()
    return 1000 * (row["started_at"].timestamp() - before), 1000 * seen


def wait_for(house: House, tasks: Sequence[int]) -> list[float]:
    """Wait until tasks have succeeded; return when, ascending, in seconds since the epoch."""
    while True:
        rows = asyncio.run(look_at(house, tasks))
        if all(status == "succeeded" for status, _ in rows):
            return sorted(finished_at for _, finished_at in rows)
        # Seldom: whoever looks takes time from those who work.
        time.sleep(0.5)


async def look_at(house: House, tasks: Sequence[int]) -> list[tuple[str, float]]:
    """Return the status of tasks, and when they ended."""
    connection = await connect(house)
    rows = await connection.fetch(
        "SELECT status, extract(epoch FROM finished_at) FROM task WHERE id = ANY($1)", tasks
    )
    await connection.close()
    return [(status, float(finished_at or 0)) for status, finished_at in rows]


def throughput(ends: Sequence[float]) -> float:
    """Return tasks a second, without the first tenth: the workers are still starting then."""
    first = len(ends) // 10
    return (len(ends) - 1 - first) / (ends[-1] - ends[first])


def percentile(values: Sequence[float], percent: int) -> float:
    """Return a percentile, rounded to a tenth."""
    return round(statistics.quantiles(values, n=100, method="inclusive")[percent - 1], 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50, help="tasks sent one after the other")
    parser.add_argument("--tasks", type=int, default=1_000, help="tasks of the backlog")
    parser.add_argument("--threads", type=int, default=4, help="threads of each process")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
