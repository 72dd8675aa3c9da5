"""Memory that indexing takes, as the kernel counts it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lexiclass import Document, build_index
from lexiclass.index import Survey
from lexiclass.index.tokens import generation, spreading
from lexiclass.manifest import text_digest

WORDS = [f"word{number}" for number in range(20_000)]
WORDS_OF_A_DOCUMENT = 1_000
BYTES_OF_A_DOCUMENT = 9_900
SHARD_BYTES = 4_000_000


class Generated:
    """Documents that come into being when they are read."""

    def __init__(self, num_documents: int) -> None:
        self.ids = np.arange(num_documents)

    def survey(self, positions: NDArray[np.int64]) -> Survey:
        sizes = np.full(len(positions), BYTES_OF_A_DOCUMENT)
        return Survey(np.ones(len(positions), np.int64), sizes)

    def read(self, positions: NDArray[np.int64]) -> Iterator[Document]:
        for number in positions.tolist():
            chosen = np.random.default_rng(number).integers(len(WORDS), size=WORDS_OF_A_DOCUMENT)
            text = " ".join(map(WORDS.__getitem__, chosen.tolist()))
            yield Document(number, text, text_digest(text), "utf-8")


def index(directory: Path, num_documents: int, answer: Connection) -> None:
    """In a process of its own: say how much its memory grew at most, in bytes."""
    # An eighth of the usual size, and so is what is joined with others because it is small.
    spreading._SHARD_BYTES = spreading._SMALLEST_SHARD_BYTES = SHARD_BYTES
    generation._SMALL_TOKENS //= 8
    build_index(directory / "first", Generated(10))
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before = peak_memory()
    build_index(directory / "whole", Generated(num_documents))
    answer.send(peak_memory() - before)


def peak_memory() -> int:
    (line,) = (
        line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line
    )
    return 1024 * int(line.split()[1])


def growth(directory: Path, megabytes: int) -> int:
    directory.mkdir()
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(
        target=index, args=(directory, megabytes * 1_000_000 // BYTES_OF_A_DOCUMENT, sender)
    )
    process.start()
    sender.close()
    try:
        grown: int = receiver.recv()
    finally:
        process.join()
    return grown


@pytest.mark.slow
def test_ten_times_the_corpus_takes_little_more_memory(tmp_path: Path) -> None:
    few = growth(tmp_path / "few", 8)
    many = growth(tmp_path / "many", 80)
    # What the tokens of the whole corpus would take by themselves, at four bytes each. What there
    # is more of is pages of the shards' files, which the kernel drops when it needs them.
    tokens = 80_000_000 // BYTES_OF_A_DOCUMENT * WORDS_OF_A_DOCUMENT * 4
    assert many - few < tokens / 2
