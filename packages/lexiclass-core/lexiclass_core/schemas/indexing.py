"""Indexing a project's documents."""

from typing import Annotated, ClassVar

from pydantic import Field

from lexiclass_core.schemas.base import (
    DocumentRange,
    Ids,
    Locale,
    Name,
    Parameters,
    Request,
    Result,
)
from lexiclass_core.values import Record


class SkippedDocument(Record):
    """A document that an operation left out, and why."""

    document_id: int
    reason: str


class IndexedEmbeddings(Record):
    """What indexing embeddings did.

    Attributes:
        feature_extractor: What computed them.
        index_path: Where they are.
        num_documents: Documents in the index now.
        embedded: Contents that were embedded; those of all other documents were there.
        removed: Documents that are no longer in it.
        dimension: Length of an embedding.
    """

    feature_extractor: str
    index_path: str
    num_documents: int
    embedded: int
    removed: int
    dimension: int


class IndexResult(Result):
    """What indexing did. ``num_documents`` are in the index; the counts add up to it.

    ``skipped`` lists at most 100 of the ``num_skipped`` documents that could not be read.
    ``embeddings`` is null unless the request names a feature extractor.
    """

    index_path: str
    is_incremental: bool
    num_documents: int
    added: int
    changed: int
    removed: int
    unchanged: int
    num_skipped: int
    skipped: list[SkippedDocument]
    embeddings: IndexedEmbeddings | None = None


class IndexDocuments(Request):
    """Index a project's documents under one tokenizer configuration."""

    actor_name: ClassVar[str] = "index_documents"

    documents_path: Annotated[str, Field(min_length=1, max_length=4096)] | None = Field(
        default=None,
        description="Folder of {document_id}.txt files inside the project's storage; "
        "null for {project_id}/documents",
    )
    is_incremental: Annotated[bool, Field(strict=True)] = True
    tokenizer: Name = "icu"
    locale: Locale = "en"
    tokenizer_params: Parameters = Field(default_factory=dict)
    feature_extractor: Name | None = Field(
        default=None,
        description="Also index what this one makes of every document; one that learns nothing, "
        "such as sbert",
    )
    feature_extractor_params: Parameters = Field(default_factory=dict)

    @classmethod
    def result_type(cls) -> type[IndexResult]:
        return IndexResult


class IndexChunkResult(Result):
    """What one chunk of a large indexing came to.

    ``num_unreadable`` of the ``num_documents`` could not be read; the others are in ``num_shards``.
    """

    num_documents: int
    num_unreadable: int
    num_shards: int


class IndexDocumentChunk(Request):
    """Read one chunk of the documents of a large indexing, and write the shards of the index."""

    actor_name: ClassVar[str] = "index_document_chunk"

    build: Annotated[str, Field(min_length=1, max_length=500)] = Field(
        description="Names the build that all chunks of a task make shards for"
    )
    index: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$")] = Field(
        description="Name of the index, which all chunks of a task have"
    )
    shards: Annotated[
        list[Ids | DocumentRange], Field(min_length=1, max_length=10_000, fail_fast=True)
    ] = Field(description="The documents of each shard")
    documents_path: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    tokenizer: Name
    locale: Locale
    tokenizer_params: Parameters = Field(default_factory=dict)

    @classmethod
    def result_type(cls) -> type[IndexChunkResult]:
        return IndexChunkResult
