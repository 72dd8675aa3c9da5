"""Similar documents and near-duplicates of a project, for those who look after it."""

import asyncio
import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from lexiclass import (
    DocumentIndex,
    Duplicate,
    ModelCorrupt,
    Neighbour,
    find_duplicates,
)
from lexiclass.index.embeddings import EmbeddingConfiguration
from lexiclass_core import layout
from lexiclass_worker.admin.context import AdminContext
from lexiclass_worker.admin.library_errors import library_errors
from lexiclass_worker.config import Settings
from lexiclass_worker.errors import InvalidRequest, NotFound
from lexiclass_worker.jobs.inputs import ProjectIndexes
from lexiclass_worker.ml.embeddings import make_embedder
from lexiclass_worker.ml.index import open_embeddings, open_tokens, token_index_name
from lexiclass_worker.repositories import documents, indexes, labels, projects
from lexiclass_worker.repositories.labels import FieldLabel
from lexiclass_worker.services.inputs import project_indexes

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexChoice:
    """Which of a project's indexes.

    Attributes:
        feature_extractor: Takes the index of its embeddings instead.
    """

    project_id: int
    tokenizer: str = "icu"
    tokenizer_params: dict[str, Any] = field(default_factory=dict)
    locale: str = "en"
    feature_extractor: str | None = None
    feature_extractor_params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateGroup:
    """Documents that are the same, or nearly.

    Attributes:
        documents: By id.
        conflicts: Names of the fields that say different things of them.
        crossings: Names of the fields in which some are training and some are test documents.
    """

    documents: list[Duplicate]
    labels: dict[int, list[FieldLabel]]
    conflicts: list[str]
    crossings: list[str]


async def find_similar(
    context: AdminContext, choice: IndexChoice, query: int | str, *, limit: int
) -> list[Neighbour]:
    """Find the documents of a project that are most like one of them, or like a text.

    Documents are compared as they were when they were indexed. Those that were deleted since are
    no results.

    Raises:
        NotFound: If the project, the document or the index does not exist.
        InvalidRequest: If the document is not in the index.
        WorkerError: What the library failed with.
    """
    async with context.sessions() as session:
        await projects.require_project(session, choice.project_id)
        if isinstance(query, int):
            await documents.require_document(session, choice.project_id, query)
    with library_errors():
        find = await _opened(context, choice, _finder)
        asked = limit
        while True:
            found = await asyncio.to_thread(find, query, asked)
            async with context.sessions() as session:
                ids = [neighbour.id for neighbour in found]
                rows = await documents.find_documents(session, choice.project_id, ids)
            there = {row.id for row in rows}
            kept = [neighbour for neighbour in found if neighbour.id in there]
            if len(kept) >= limit or len(found) < asked:
                return kept[:limit]
            asked *= 2


async def report_duplicates(
    context: AdminContext, choice: IndexChoice, *, threshold: float
) -> list[DuplicateGroup]:
    """Group the documents of a project that are the same, or nearly, with what their labels say.

    Documents are compared as they were when they were indexed. Those that were deleted since are
    left out.

    Raises:
        NotFound: If the project or the index does not exist.
        WorkerError: What the library failed with.
    """
    async with context.sessions() as session:
        await projects.require_project(session, choice.project_id)
    with library_errors():
        index = await _opened(context, choice, _open_tokens)
        groups = await asyncio.to_thread(find_duplicates, index, threshold=threshold)
    ids = [document.id for group in groups for document in group]
    async with context.sessions() as session:
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


async def _opened(
    context: AdminContext,
    choice: IndexChoice,
    opener: Callable[[ProjectIndexes, Settings, IndexChoice], T],
) -> T:
    """What an opener makes of the project's indexes, if need be of those published meanwhile."""
    before = None
    while True:
        async with context.sessions() as session:
            kept = await indexes.kept(session, choice.project_id)
        at_hand = project_indexes(context.storage, context.settings, choice.project_id, kept)
        try:
            return await asyncio.to_thread(opener, at_hand, context.settings, choice)
        except ModelCorrupt:
            if kept == before:
                raise
            before = kept


def _finder(
    at_hand: ProjectIndexes, settings: Settings, choice: IndexChoice
) -> Callable[[int | str, int], list[Neighbour]]:
    pretrained = settings.lexiclass_pretrained_directory.absolute()
    if choice.feature_extractor is None:
        index = _open_tokens(at_hand, settings, choice)
        return partial(index.similar, model_directory=pretrained)
    name, params = choice.feature_extractor, choice.feature_extractor_params
    embedder = make_embedder(name, params, pretrained)
    key = EmbeddingConfiguration.of(name, embedder).key
    embeddings = open_embeddings(at_hand, key)
    if embeddings is None:
        raise _no_index(choice, key, "features", name, params)
    return partial(embeddings.similar, embedder=embedder)


def _open_tokens(at_hand: ProjectIndexes, _: Settings, choice: IndexChoice) -> DocumentIndex:
    params = choice.tokenizer_params
    try:
        name = token_index_name(choice.tokenizer, choice.locale, params)
    except layout.UnsafeNameError as error:
        raise InvalidRequest(str(error)) from error
    index = open_tokens(at_hand, name)
    if index is None:
        raise _no_index(choice, name, "tokenizer", choice.tokenizer, params)
    return index


def _no_index(
    choice: IndexChoice, index: str, option: str, plugin: str, params: dict[str, Any]
) -> NotFound:
    parts = ["lexiclass-worker", "index", str(choice.project_id), f"--{option}", plugin]
    if option == "tokenizer":
        parts += ["--locale", choice.locale]
    if params:
        parts += [f"--{option}-params", json.dumps(params)]
    return NotFound(
        f"project {choice.project_id} has no index {index!r}: make it with {shlex.join(parts)}",
        details={"project_id": choice.project_id, "index": index},
    )
