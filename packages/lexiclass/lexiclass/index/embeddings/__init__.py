"""A project's documents as embeddings, computed once and used for every field."""

from lexiclass.index.embeddings.building import EmbeddingReport, build_embeddings
from lexiclass.index.embeddings.configuration import EmbeddingConfiguration
from lexiclass.index.embeddings.index import EmbeddingIndex
from lexiclass.index.embeddings.reading import EmbeddedDocuments, read_embeddings
from lexiclass.index.similarity.embeddings import EmbeddingSearch

__all__ = [
    "EmbeddedDocuments",
    "EmbeddingConfiguration",
    "EmbeddingIndex",
    "EmbeddingReport",
    "EmbeddingSearch",
    "build_embeddings",
    "read_embeddings",
]
