"""Similar documents and near-duplicates of a project, for those who look after it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lexiclass import DocumentIndex, Duplicate, LexiClassError, Neighbour, find_duplicates
from lexiclass.index.embeddings import EmbeddingConfiguration
from lexiclass_core import layout
from lexiclass_core.codes import ErrorCode
from lexiclass_core.db import SessionFactory
from lexiclass_worker.config import Settings
from lexiclass_worker.errors import InvalidRequest, NotFound, SandboxFailure
from lexiclass_worker.ml.embeddings import make_embedder
from lexiclass_worker.ml.index import open_embeddings, open_tokens, token_index_name
from lexiclass_worker.ml.similarity import Find, finder_by_embeddings, finder_by_tokens
from lexiclass_worker.repositories import documents, labels, projects
from lexiclass_worker.repositories.labels import FieldLabel
from lexiclass_worker.services.sources import project_indexes
from lexiclass_worker.storage import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexChoice:
    """Which of a project's indexes.

    Attributes:
        project_id: The project.
        tokenizer: Of the index of tokens.
        locale: Of the index of tokens.
        feature_extractor: Takes the index of its embeddings instead.
        parameters: Of the feature extractor.
    """

    project_id: int
    tokenizer: str = "icu"
    locale: str = "en"
    feature_extractor: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateGroup:
    """Documents that are the same, or nearly.

    Attributes:
        documents: By id.
        labels: Of each document that has any.
        conflicts: Names of the fields that say different things of them.
        crossings: Names of the fields in which some are training and some are test documents.
    """

    documents: list[Duplicate]
    labels: dict[int, list[FieldLabel]]
    conflicts: list[str]
    crossings: list[str]


async def find_similar(
    sessions: SessionFactory,
    storage: Storage,
    settings: Settings,
    choice: IndexChoice,
    query: int | str,
    *,
    limit: int,
) -> list[Neighbour]:
    """Find the documents of a project that are most like one of them, or like a text.

    Documents are compared as they were when they were indexed. Those that were deleted since are
    no results.

    Raises:
        NotFound: If the project, the document or the index does not exist.
        InvalidRequest: If the document is not in the index.
        WorkerError: What the library failed with.
    """
    async with sessions() as session:
        await projects.require_project(session, choice.project_id)
        if isinstance(query, int):
            await documents.require_document(session, choice.project_id, query)
    with _library_errors():
        find = await asyncio.to_thread(_finder, storage, settings, choice)
        asked = limit
        while True:
            found = await asyncio.to_thread(find, query, asked)
            async with sessions() as session:
                ids = [neighbour.id for neighbour in found]
                rows = await documents.find_documents(session, choice.project_id, ids)
            there = {row.id for row in rows}
            kept = [neighbour for neighbour in found if neighbour.id in there]
            if len(kept) >= limit or len(found) < asked:
                return kept[:limit]
            asked *= 2


async def report_duplicates(
    sessions: SessionFactory,
    storage: Storage,
    settings: Settings,
    choice: IndexChoice,
    *,
    threshold: float,
) -> list[DuplicateGroup]:
    """Group the documents of a project that are the same, or nearly, with what their labels say.

    Documents are compared as they were when they were indexed. Those that were deleted since are
    left out.

    Raises:
        NotFound: If the project or the index does not exist.
        WorkerError: What the library failed with.
    """
    async with sessions() as session:
        await projects.require_project(session, choice.project_id)
    with _library_errors():
        index = await asyncio.to_thread(_open_tokens, storage, settings, choice)
        groups = await asyncio.to_thread(find_duplicates, index, threshold=threshold)
    ids = [document.id for group in groups for document in group]
    async with sessions() as session:
        rows = await documents.find_documents(session, choice.project_id, ids)
        known = await labels.labels_of(session, ids)
    there = {row.id for row in rows}
    living = ([document for document in group if document.id in there] for group in groups)
    return [_describe(group, known) for group in living if len(group) > 1]


def _describe(group: list[Duplicate], known: dict[int, list[FieldLabel]]) -> DuplicateGroup:
    found = {document.id: known[document.id] for document in group if document.id in known}
    classes: dict[str, set[str]] = {}
    splits: dict[str, set[bool]] = {}
    for label in (label for several in found.values() for label in several):
        classes.setdefault(label.field, set()).add(label.class_name)
        splits.setdefault(label.field, set()).add(label.is_training_data)
    return DuplicateGroup(
        documents=group,
        labels=found,
        conflicts=sorted(name for name, several in classes.items() if len(several) > 1),
        crossings=sorted(name for name, several in splits.items() if len(several) > 1),
    )


def _finder(storage: Storage, settings: Settings, choice: IndexChoice) -> Find:
    if choice.feature_extractor is None:
        index = _open_tokens(storage, settings, choice)
        return finder_by_tokens(index, settings.lexiclass_pretrained_directory.absolute())
    name = choice.feature_extractor
    pretrained = settings.lexiclass_pretrained_directory.absolute()
    embedder = make_embedder(name, choice.parameters, pretrained)
    key = EmbeddingConfiguration.of(name, embedder).key
    embeddings = open_embeddings(project_indexes(storage, settings, choice.project_id), key)
    if embeddings is None:
        raise _no_index(choice, key, f"--features {name}")
    return finder_by_embeddings(embeddings, name, embedder)


def _open_tokens(storage: Storage, settings: Settings, choice: IndexChoice) -> DocumentIndex:
    indexes = project_indexes(storage, settings, choice.project_id)
    try:
        index = open_tokens(indexes, token_index_name(choice.tokenizer, choice.locale))
    except layout.UnsafeNameError as error:
        raise InvalidRequest(str(error)) from error
    if index is None:
        options = f"--tokenizer {choice.tokenizer} --locale {choice.locale}"
        raise _no_index(choice, f"{choice.tokenizer}-{choice.locale}", options)
    return index


def _no_index(choice: IndexChoice, name: str, options: str) -> NotFound:
    return NotFound(
        f"project {choice.project_id} has no index {name!r}: make it with "
        f"lexiclass-worker index {choice.project_id} {options}",
        details={"project_id": choice.project_id, "index": name},
    )


@contextmanager
def _library_errors() -> Iterator[None]:
    try:
        yield
    except LexiClassError as error:
        code = ErrorCode(error.code)
        raise SandboxFailure(code, error.message, details=dict(error.details)) from error
