"""The benchmarks that ``make bench`` and ``make bench-tasks`` run, on corpora that take no time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import library
from benchmarks.corpus import Corpus
from benchmarks.measuring import peak_memory, ratio, side_by_side
from benchmarks.tasks import percentile
from lexiclass.index.tokens.manifest import IndexManifest
from lexiclass_core import layout


def run(module: str, results: Path, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", f"benchmarks.{module}", "--results", str(results), *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr
    content: dict[str, Any] = json.loads(results.read_text())
    for name, value in content.items():
        assert name == "about" or (name in done.stdout and isinstance(value, (int, float)))
    return content


@pytest.mark.slow
def test_the_fast_path_is_measured_in_all_its_parts(tmp_path: Path) -> None:
    arguments = ["--sizes", "1000", "2000", "--rounds", "1"]
    content = run("fast_path", tmp_path / "latest.json", *arguments)
    assert content.keys() >= {
        "index.vs_sklearn",
        "reindex.unchanged_fraction",
        "reindex.one_percent_fraction",
        "train.vs_sklearn_pipeline",
        "train.vs_fit_alone",
        "predict.vs_bare_write",
        "latency.p50_ms",
        "scaling.index_2k_over_1k",
    }


@pytest.mark.slow
def test_latency_and_throughput_of_tasks_are_measured(tmp_path: Path) -> None:
    content = run("tasks", tmp_path / "tasks.json", "--rounds", "2", "--tasks", "12")
    assert content.keys() >= {
        "start_p50_ms",
        "succeeded_p50_ms",
        "succeeded_p95_ms",
        "tasks_per_second",
        "sandbox_start_p50_ms",
    }


@pytest.mark.slow
def test_commands_are_timed_beside_a_python_that_imports_everything(tmp_path: Path) -> None:
    content = run("commands", tmp_path / "commands.json", "--rounds", "1")
    assert content.keys() == {
        "python", "--version", "--help", "config show", "tasks list", "project list", "queues list",
        "everything_ms",
    }  # fmt: skip


def test_what_is_compared_takes_turns_and_preparing_is_not_timed() -> None:
    calls: list[str] = []

    def prepared() -> Iterator[None]:
        calls.append("prepare")
        yield
        calls.append("work")

    seconds = side_by_side(2, first=prepared, second=lambda: calls.append("second"))
    assert calls == ["prepare", "work", "second"] * 2
    assert [len(values) for values in seconds.values()] == [2, 2]


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    assert ratio({"a": [2.0, 30.0, 8.0], "b": [1.0, 10.0, 2.0]}, "a", "b") == 3.0
    assert percentile([1.0, 2.0, 3.0], 50) == 2.0


@pytest.mark.slow
def test_what_is_timed_as_unchanged_finds_nothing_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = range(1, 301)
    corpus = Corpus(
        storage=tmp_path / "storage",
        project_id=7,
        ids=ids,
        texts=[f"word{number}" for number in ids],
        labels=["some" for _ in ids],
        directory=tmp_path,
    )
    corpus.path(1).parent.mkdir(parents=True)
    for document_id, text in zip(ids, corpus.texts, strict=True):
        corpus.path(document_id).write_text(text)
    built = tmp_path / "indexes" / layout.index_directory(7, "icu", "en")
    generations = []
    work = library.Child.work

    def noting(child: Any) -> None:
        work(child)
        generations.append(IndexManifest.read(built).generation)

    monkeypatch.setattr(library.Child, "work", noting)
    library.index(corpus, rounds=2)
    assert generations == [1, 1, 2] * 2


def fill_memory(num_bytes: int) -> None:
    block = bytearray(num_bytes)
    block[::4096] = b"x" * len(block[::4096])


def fail() -> None:
    sys.exit(3)


@pytest.mark.slow
def test_peak_memory_is_that_of_the_process_that_worked() -> None:
    # What it imports counts as well: more of it where no other process has the same pages.
    assert 200_000_000 < peak_memory(fill_memory, 200_000_000) < 700_000_000
    with pytest.raises(RuntimeError, match="fail ended with 3"):
        peak_memory(fail)
