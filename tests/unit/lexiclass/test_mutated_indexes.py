"""Indexes with one thing changed and every checksum made to fit."""

import random
import shutil
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lexiclass import Document, DocumentIndex, build_index
from lexiclass.manifest import text_digest
from tests.support.forks import outcome
from tests.support.mutations import mutate

TEXTS = [
    f"{word} {other} number {n}" for n in range(10) for word, other in (("a", "b"), ("c", "d"))
]

# Each a process of its own; `make fuzz` tries more.
MUTATIONS = 60


def documents(texts: list[str]) -> list[Document]:
    return [Document(n, text, text_digest(text), "utf-8") for n, text in enumerate(texts)]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of two generations, with shards and terms of both."""
    directory = tmp_path_factory.mktemp("index")
    build_index(directory, documents(TEXTS))
    build_index(directory, documents([*TEXTS, "more words here"]))
    return directory


def read(directory: Path) -> Any:
    opened = DocumentIndex.open(directory)
    tokens, counts = opened.tokens(), opened.counts()
    near = [(n.id, round(n.similarity, 6)) for n in opened.similar(3, k=3)]
    return tokens.to_lists(), counts.sum(), near


def build(directory: Path) -> Any:
    build_index(directory, documents([*TEXTS, "more words here", "and one"]))
    return DocumentIndex.open(directory).tokens().to_lists()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("use", [read, build])
def test_a_changed_index_is_read_or_refused_and_nothing_else(
    index: Path, tmp_path: Path, use: Callable[[Path], Any]
) -> None:
    found: Counter[str] = Counter()
    wrong = []
    for seed in range(MUTATIONS):
        copy = Path(shutil.copytree(index, tmp_path / "index"))
        what = mutate(copy, random.Random(seed))
        came_to = outcome(partial(use, copy))
        kind = " ".join(came_to.split()[:2])
        found[kind] += 1
        if kind not in {"came to", "refused with"}:
            wrong.append(f"seed {seed}, {what}:\n{came_to}")
        shutil.rmtree(copy)
    assert not wrong, "\n".join(wrong)
