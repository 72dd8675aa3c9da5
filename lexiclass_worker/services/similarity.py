"""Similar documents and near-duplicates of a project, for those who look after it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from lexiclass import Duplicate, LexiClassError, Neighbour
from lexiclass.index.embeddings import EmbeddingConfiguration
from lexiclass_core import layout
from lexiclass_core.codes import ErrorCode
from lexiclass_core.db import SessionFactory
from lexiclass_worker.config import Settings
from lexiclass_worker.errors import InvalidRequest, NotFound, SandboxFailure
from lexiclass_worker.ml.duplicates import group_duplicates
from lexiclass_worker.ml.embeddings import make_embedder
from lexiclass_worker.ml.similarity import Find, finder_by_embeddings, finder_by_tokens
from lexiclass_worker.repositories import documents, labels, projects
from lexiclass_worker.repositories.labels import FieldLabel
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
    with _library_errors(), _open(storage, settings, choice) as find:
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
    sessions: SessionFactory, storage: Storage, choice: IndexChoice, *, threshold: float
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
    with _library_errors(), _reading(storage, choice, _tokens_directory(choice)) as directory:
        groups = await asyncio.to_thread(group_duplicates, directory, threshold)
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


def _tokens_directory(choice: IndexChoice) -> PurePosixPath:
    try:
        return layout.index_directory(choice.project_id, choice.tokenizer, choice.locale)
    except layout.UnsafeNameError as error:
        raise InvalidRequest(str(error)) from error


@contextmanager
def _open(storage: Storage, settings: Settings, choice: IndexChoice) -> Iterator[Find]:
    pretrained = settings.lexiclass_pretrained_directory.absolute()
    if choice.feature_extractor is None:
        with _reading(storage, choice, _tokens_directory(choice)) as directory:
            yield finder_by_tokens(directory, pretrained)
        return
    name, parameters = choice.feature_extractor, choice.parameters
    key = EmbeddingConfiguration.of(name, make_embedder(name, parameters, pretrained)).key
    path = layout.embeddings_directory(choice.project_id, key)
    with _reading(storage, choice, path) as directory:
        yield finder_by_embeddings(directory, name, parameters, pretrained)


@contextmanager
def _reading(storage: Storage, choice: IndexChoice, path: PurePosixPath) -> Iterator[Path]:
    try:
        files = storage.reading(path)
        with files as directory:
            yield directory
    except FileNotFoundError as error:
        options = f"--tokenizer {choice.tokenizer} --locale {choice.locale}"
        if choice.feature_extractor is not None:
            options = f"--features {choice.feature_extractor}"
        raise NotFound(
            f"project {choice.project_id} has no index {path.name!r}: make it with "
            f"lexiclass-worker index {choice.project_id} {options}",
            details={"project_id": choice.project_id, "index": path.name},
        ) from error


@contextmanager
def _library_errors() -> Iterator[None]:
    try:
        yield
    except LexiClassError as error:
        code = ErrorCode(error.code)
        raise SandboxFailure(code, error.message, details=dict(error.details)) from error
