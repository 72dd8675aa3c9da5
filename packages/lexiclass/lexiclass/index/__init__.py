"""A project's documents as tokens or embeddings, made once and used for every field."""

from lexiclass.index.similarity.duplicates import (
    NEAR_DUPLICATE,
    Duplicate,
    find_duplicates,
    near_duplicates_of,
)
from lexiclass.index.similarity.nearest import Neighbour
from lexiclass.index.similarity.terms import SimilaritySearch
from lexiclass.index.store.source import DocumentSource, Survey
from lexiclass.index.tokens.building import IndexReport, build_index
from lexiclass.index.tokens.configuration import IndexConfiguration, index_key
from lexiclass.index.tokens.index import DocumentIndex
from lexiclass.index.tokens.reading import TokenizedDocuments, read_tokens
from lexiclass.index.tokens.spreading import ManyNewDocuments, NewShard, write_shards

__all__ = [
    "NEAR_DUPLICATE",
    "DocumentIndex",
    "DocumentSource",
    "Duplicate",
    "IndexConfiguration",
    "IndexReport",
    "ManyNewDocuments",
    "Neighbour",
    "NewShard",
    "SimilaritySearch",
    "Survey",
    "TokenizedDocuments",
    "build_index",
    "find_duplicates",
    "index_key",
    "near_duplicates_of",
    "read_tokens",
    "write_shards",
]
