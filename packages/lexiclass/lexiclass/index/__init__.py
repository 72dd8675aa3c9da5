"""A project's documents as tokens, made once and used for every field."""

from lexiclass.index.builder import IndexReport, build_index
from lexiclass.index.configuration import IndexConfiguration, index_key
from lexiclass.index.documents import TokenizedDocuments, read_tokens
from lexiclass.index.duplicates import (
    NEAR_DUPLICATE,
    Duplicate,
    find_duplicates,
    near_duplicates_of,
)
from lexiclass.index.nearest import Neighbour
from lexiclass.index.reader import DocumentIndex
from lexiclass.index.similarity import SimilaritySearch
from lexiclass.index.source import DocumentSource, Survey

__all__ = [
    "NEAR_DUPLICATE",
    "DocumentIndex",
    "DocumentSource",
    "Duplicate",
    "IndexConfiguration",
    "IndexReport",
    "Neighbour",
    "SimilaritySearch",
    "Survey",
    "TokenizedDocuments",
    "build_index",
    "find_duplicates",
    "index_key",
    "near_duplicates_of",
    "read_tokens",
]
