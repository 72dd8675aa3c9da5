"""How soon a command answers: ``make bench-commands``.

Each command is a process of its own, on real servers where it asks one. They take turns with two
others: a Python that does nothing, below which no command can be, and one that imports whatever any
command works with, as every command would if they were imported together.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.house import House, open_house
from benchmarks.measuring import side_by_side
from lexiclass_worker.config import export_environment

RESULTS = Path(__file__).parent / "results" / "commands.json"

_CLI = Path(sys.executable).with_name("lexiclass-worker")
_COMMANDS = ("--version", "--help", "config show", "tasks list", "project list", "queues list")
_EVERYTHING = """\
import lexiclass_worker.cli.failures, lexiclass_worker.standalone, lexiclass_worker.demo_corpus
import lexiclass_core.db.migrate
import lexiclass_worker.admin.similarity, lexiclass_worker.execution.reconciler
from lexiclass import *
"""


def main() -> None:
    """Measure, print, write."""
    options = _options()
    with TemporaryDirectory(prefix="lexiclass-bench-") as name, open_house(Path(name)) as house:
        contestants = {
            "python": partial(_run, house, sys.executable, "-c", "pass"),
            "everything": partial(_run, house, sys.executable, "-c", _EVERYTHING),
            **{name: partial(_run, house, _CLI, *name.split()) for name in _COMMANDS},
        }
        for run in contestants.values():
            run()  # so that its files are in the page cache
        seconds = side_by_side(options.rounds, **contestants)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    everything = medians.pop("everything")
    results = {name: round(median / everything, 3) for name, median in medians.items()}
    results["everything_ms"] = round(1000 * everything)
    for name, value in results.items():
        print(f"{name:<16}{value:>10}")
    options.results.write_text(json.dumps(results, indent=2) + "\n")


def _run(house: House, *command: object) -> None:
    subprocess.run(
        [str(part) for part in command],
        env=export_environment(house.environment),
        cwd=house.directory,
        stdout=subprocess.DEVNULL,
        check=True,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
