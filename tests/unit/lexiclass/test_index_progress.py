"""How far a build of an index is: counted in documents, of all there are, while shards are made."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lexiclass import build_index
from lexiclass.index.store.source import TextSource
from lexiclass.io import Document, UnreadableDocument
from lexiclass.manifest import text_digest

NUM_DOCUMENTS = 240


class HeldSource(TextSource):
    """Stops in the middle of every shard until a file is there."""

    def __init__(self, documents: list[Document], gate: Path) -> None:
        super().__init__(documents)
        self._gate = gate

    def read(self, positions: NDArray[np.int64]) -> Iterator[Document | UnreadableDocument]:
        for number, document in enumerate(super().read(positions)):
            if number == len(positions) // 2:
                while not self._gate.exists():
                    time.sleep(0.01)
            yield document


def documents() -> list[Document]:
    # So large that each of two processes makes a shard.
    texts = [f"number {number} " + "word " * 2_500 for number in range(NUM_DOCUMENTS)]
    return [Document(n, text, text_digest(text), "utf-8") for n, text in enumerate(texts, start=1)]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("num_processes", [1, 2])
def test_progress_is_told_while_a_shard_is_made(tmp_path: Path, num_processes: int) -> None:
    gate, told = tmp_path / "gate", []

    def tell(stage: str, done: int, total: int) -> None:
        if stage == "tokenize":
            told.append((done, total))
            # Of each process' shard a part: the build goes on only if that is told.
            if done >= 48:
                gate.touch()

    report = build_index(
        tmp_path / "index",
        HeldSource(documents(), gate),
        num_processes=num_processes,
        progress=tell,
    )
    assert report.num_documents == NUM_DOCUMENTS
    assert told[0] == (0, NUM_DOCUMENTS)
    assert {total for _, total in told} == {NUM_DOCUMENTS}
    counts = [done for done, _ in told]
    assert counts == sorted(counts)
    assert counts[-1] == NUM_DOCUMENTS
    assert [done for done in counts if 0 < done < NUM_DOCUMENTS // 2]


def test_a_build_without_changes_counts_every_document(tmp_path: Path) -> None:
    source = TextSource(documents())
    build_index(tmp_path / "index", source)
    told = []
    build_index(tmp_path / "index", source, progress=lambda *said: told.append(said))
    counted = [said for said in told if said[0] == "tokenize"]
    assert counted[0] == ("tokenize", 0, NUM_DOCUMENTS)
    assert counted[-1] == ("tokenize", NUM_DOCUMENTS, NUM_DOCUMENTS)
