"""Finding similar documents in a project's indexes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lexiclass import DocumentIndex, InvalidParameters, Neighbour
from lexiclass.index.embeddings import EmbeddingIndex
from lexiclass_worker.ml.embeddings import make_embedder

Find = Callable[[int | str, int], list[Neighbour]]
"""Finds at most so many documents that are like one of the index, or like a text."""


def finder_by_tokens(directory: Path, pretrained_directory: Path) -> Find:
    """Open an index of tokens to compare TF-IDF weights.

    Raises:
        LexiClassError: If it is damaged or of another version; so does what is returned.
    """
    index = DocumentIndex.open(directory)

    def find(query: int | str, limit: int) -> list[Neighbour]:
        if isinstance(query, int):
            return index.search.by_ids([query], limit=limit)[0]
        return index.search.by_texts([query], limit=limit, model_directory=pretrained_directory)[0]

    return find


def finder_by_embeddings(
    directory: Path,
    feature_extractor: str,
    parameters: dict[str, Any],
    pretrained_directory: Path,
) -> Find:
    """Open an index of embeddings; its encoder is loaded for texts only.

    Raises:
        LexiClassError: If it is damaged or of another version; so does what is returned.
    """
    index = EmbeddingIndex.open(directory)
    embedder = make_embedder(feature_extractor, parameters, pretrained_directory)
    if not index.fits(feature_extractor, embedder):
        raise InvalidParameters(
            f"The index in {str(directory)!r} was made by other versions of its libraries: index "
            "again."
        )

    def find(query: int | str, limit: int) -> list[Neighbour]:
        if isinstance(query, int):
            return index.search.by_ids([query], limit=limit)[0]
        return index.search.by_embeddings(embedder.transform([query]), limit=limit)[0]

    return find
