"""A project's documents as embeddings, computed once and used for every field."""

from lexiclass.index.embeddings.builder import EmbeddingReport, build_embeddings
from lexiclass.index.embeddings.configuration import EmbeddingConfiguration
from lexiclass.index.embeddings.documents import EmbeddedDocuments, read_embeddings
from lexiclass.index.embeddings.reader import EmbeddingIndex
from lexiclass.index.embeddings.search import EmbeddingSearch

__all__ = [
    "EmbeddedDocuments",
    "EmbeddingConfiguration",
    "EmbeddingIndex",
    "EmbeddingReport",
    "EmbeddingSearch",
    "build_embeddings",
    "read_embeddings",
]
