"""A project's documents as tokens, made once and used for every field."""

from lexiclass.index.builder import IndexReport, build_index
from lexiclass.index.configuration import IndexConfiguration, index_key
from lexiclass.index.reader import DocumentIndex

__all__ = ["DocumentIndex", "IndexConfiguration", "IndexReport", "build_index", "index_key"]
