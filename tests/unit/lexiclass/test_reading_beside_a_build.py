"""Readers open an index while builds replace it, generation after generation."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest

from lexiclass import Document, DocumentIndex, build_index
from lexiclass.index.embeddings import EmbeddingIndex, build_embeddings
from lexiclass.manifest import text_digest
from tests.support.embedder import hashed_words

GENERATIONS = 25


def documents(generation: int) -> list[Document]:
    texts = ["steady", f"word{generation}"]
    return [Document(number, text, text_digest(text), "utf-8") for number, text in enumerate(texts)]


def build_tokens(directory: Path, generation: int) -> None:
    build_index(directory, documents(generation))


def build_vectors(directory: Path, generation: int) -> None:
    build_embeddings(
        directory,
        documents(generation),
        feature_extractor="hashed",
        embedder=hashed_words(),
    )


def read_tokens(directory: Path) -> int:
    index = DocumentIndex.open(directory)
    steady, changing = index.tokens().to_lists()
    assert steady == ["steady"]
    return int(changing[0].removeprefix("word"))


def read_vectors(directory: Path) -> int:
    index = EmbeddingIndex.open(directory)
    assert len(index.embeddings()) == 2
    return index.manifest.generation


def build_often(build: Callable[[Path, int], object], directory: Path) -> None:
    for generation in range(1, GENERATIONS + 1):
        build(directory, generation)


@pytest.mark.slow_variants
@pytest.mark.parametrize(
    ("build", "read"), [(build_tokens, read_tokens), (build_vectors, read_vectors)]
)
def test_every_reader_finds_a_whole_generation_and_none_older_than_before(
    tmp_path: Path, build: Callable[[Path, int], object], read: Callable[[Path], int]
) -> None:
    build(tmp_path, 0)
    first = read(tmp_path)
    fork = multiprocessing.get_context("fork")
    builder = fork.Process(target=build_often, args=(build, tmp_path))
    builder.start()
    seen = [first]
    while builder.is_alive():
        seen.append(read(tmp_path))
    builder.join()

    # Not by its exit code, which is another one where coverage is measured.
    assert read(tmp_path) >= first + GENERATIONS
    assert seen == sorted(seen)
    assert len(set(seen)) > 3
