"""Finding similar documents in a project's indexes."""

from collections.abc import Callable
from pathlib import Path

from lexiclass import DocumentIndex, EmbeddingExtractor, InvalidParameters, Neighbour
from lexiclass.index.embeddings import EmbeddingIndex

Find = Callable[[int | str, int], list[Neighbour]]
"""Finds at most so many documents that are like one of the index, or like a text."""


def finder_by_tokens(index: DocumentIndex, pretrained_directory: Path) -> Find:
    """Compare TF-IDF weights; what is returned raises LexiClassError if the index is damaged."""

    def find(query: int | str, limit: int) -> list[Neighbour]:
        if isinstance(query, int):
            return index.search.by_ids([query], limit=limit)[0]
        return index.search.by_texts([query], limit=limit, model_directory=pretrained_directory)[0]

    return find


def finder_by_embeddings(
    index: EmbeddingIndex, feature_extractor: str, embedder: EmbeddingExtractor
) -> Find:
    """Compare embeddings; the encoder is loaded for texts only.

    Raises:
        LexiClassError: If the index is of another version; so does what is returned if it is
            damaged.
    """
    if not index.fits(feature_extractor, embedder):
        raise InvalidParameters(
            f"The index in {str(index.directory)!r} was made by other versions of its libraries: "
            "index again."
        )

    def find(query: int | str, limit: int) -> list[Neighbour]:
        if isinstance(query, int):
            return index.search.by_ids([query], limit=limit)[0]
        return index.search.by_embeddings(embedder.transform([query]), limit=limit)[0]

    return find
