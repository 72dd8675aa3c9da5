"""Whether workers that go on for long stay as they are: ``make soak MINUTES=30``.

A mix of small tasks runs without a pause: predictions, and between them an indexing, a training and
an evaluation. What the workers have meanwhile is noted every few seconds: memory, open files,
threads, connections to PostgreSQL, keys of Redis. Of memory that is shared, with processes of
others too where they run the same files, each has its part; what is private is beside it. The
medians of the second quarter of the time and of the last one are compared; the first quarter is
left to caches that fill. Of Redis the keys count that nothing takes away: results go by themselves
after a day.

Rows, model versions and histories are what tasks leave on purpose; they are printed, not judged.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Final

import psutil
import redis

from benchmarks.house import House, open_house
from benchmarks.service import connect
from benchmarks.synthetic import demo_words, synthetic_documents
from lexiclass_worker.worker_group import WorkerGroup

RESULTS: Final = Path(__file__).parent / "results" / "soak.json"

_DOCUMENTS: Final = 500
_TRAINING: Final = 300
_EVERY_S: Final = 5.0
# Between a training and the next; of each the version stays.
_PREDICTIONS: Final = 40

Samples = dict[str, list[float]]


def main() -> None:
    """Load, sample, compare, print, write."""
    options = _options()
    with TemporaryDirectory(prefix="lexiclass-soak-") as name, open_house(Path(name)) as house:
        documents = list(synthetic_documents(demo_words(), _DOCUMENTS, seed=0))
        project = house.import_texts(documents, _TRAINING)
        ids = (project.project_id, project.field_id)
        with house.workers(processes=2, threads=2) as group:
            house.succeed(house.client.index(project.project_id))
            house.succeed(house.client.train(*ids))
            sampler = Sampler(house, group)
            num_tasks = load(house, *ids, seconds=60 * options.minutes)
            samples = sampler.end()
            left = {
                "tasks": num_tasks,
                "versions": asyncio.run(_count(house, "model")),
                "samples": len(samples["memory_mb"]),
            }
    results = {"minutes": options.minutes, **left, "figures": compare(samples)}
    print(f"{num_tasks} tasks in {options.minutes:g} minutes, {left['versions']} model versions")
    shown = ("first", "early", "middle", "late", "last")
    print(f"{'':<24}" + "".join(f"{name:>12}" for name in shown) + f"{'growth':>9}")
    for what, figure in results["figures"].items():
        values = "".join(f"{figure[name]:>12}" for name in shown)
        print(f"{what:<24}{values}{figure['growth']:>9.1%}")
    options.results.write_text(json.dumps(results, indent=2) + "\n")


class Sampler:
    """Notes what workers have, in a thread of its own, until its end."""

    def __init__(self, house: House, group: WorkerGroup) -> None:
        self._house, self._group = house, group
        self._samples: Samples = defaultdict(list)
        self._over = Event()
        self._thread = Thread(target=self._run)
        self._thread.start()

    def end(self) -> Samples:
        """Stop, and return what was noted, by name."""
        self._over.set()
        self._thread.join()
        return self._samples

    def _run(self) -> None:
        with redis.Redis.from_url(self._house.environment["DRAMATIQ__BROKER_URL"]) as store:
            while not self._over.wait(_EVERY_S):
                for what, value in (*self._of_processes(), *_of_redis(store)):
                    self._samples[what].append(value)
                self._samples["connections"].append(asyncio.run(_connections(self._house)))

    def _of_processes(self) -> list[tuple[str, float]]:
        """Of the group's processes that stay: children of the sandbox come and go."""
        memory = private = files = threads = 0.0
        for process in _staying(psutil.Process(self._group.process.pid)):
            with suppress(psutil.NoSuchProcess):
                full = process.memory_full_info()
                memory += full.pss
                private += full.uss
                files += process.num_fds()
                threads += process.num_threads()
        return [
            ("memory_mb", memory / 2**20),
            ("private_mb", private / 2**20),
            ("open_files", files),
            ("threads", threads),
        ]


def _staying(group: psutil.Process) -> list[psutil.Process]:
    return [
        process
        for process in (group, *group.children(recursive=True))
        if "actors" in _command(process)
    ]


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def _of_redis(store: redis.Redis) -> list[tuple[str, float]]:
    keys = store.info("keyspace").get("db0", {"keys": 0, "expires": 0})
    return [("redis_keys", float(keys["keys"] - keys["expires"]))]


async def _connections(house: House) -> float:
    return await _value(house, "SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL")


async def _count(house: House, table: str) -> int:
    return int(await _value(house, f"SELECT count(*) FROM {table}"))


async def _value(house: House, statement: str) -> float:
    connection = await connect(house)
    try:
        return float(await connection.fetchval(statement))
    finally:
        await connection.close()


def load(house: House, project_id: int, field_id: int, *, seconds: float) -> int:
    """Keep the workers busy for so long. Returns how many tasks have succeeded."""
    until, done, client = time.monotonic() + seconds, 0, house.client
    while time.monotonic() < until:
        tasks = [client.predict(project_id, field_id, None) for _ in range(_PREDICTIONS)]
        tasks += [client.train(project_id, field_id), client.index(project_id)]
        for task in tasks:
            house.succeed(task)
        done += len(tasks)
    return done


def compare(samples: Samples) -> dict[str, dict[str, float]]:
    """Hold the last quarter of each figure against the second, by medians.

    The first value, the one in the middle and the last one are shown beside them.
    """
    figures = {}
    for what, values in samples.items():
        quarter = max(1, len(values) // 4)
        early = statistics.median(values[quarter : 2 * quarter])
        late = statistics.median(values[-quarter:])
        growth = (late - early) / early if early else 0.0
        figures[what] = {
            "first": round(values[0], 1),
            "early": round(early, 1),
            "middle": round(values[len(values) // 2], 1),
            "late": round(late, 1),
            "last": round(values[-1], 1),
            "growth": round(growth, 4),
        }
    return figures


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
