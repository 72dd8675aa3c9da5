"""Building an index, from scratch or from what has changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexiclass.compatibility import check_versions
from lexiclass.errors import InvalidParameters, ModelCorrupt, NoDocuments, PluginMismatch
from lexiclass.index.configuration import IndexConfiguration
from lexiclass.index.plan import IndexPlan
from lexiclass.index.reader import DocumentIndex
from lexiclass.index.writer import write_generation
from lexiclass.io import Document, UnreadableDocument
from lexiclass.plugins.base import PluginContext, Tokenizer
from lexiclass.plugins.builtin import default_registry
from lexiclass.plugins.registry import Registry
from lexiclass.stages import Progress, Stages
from lexiclass.tokens import Vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """What a build did.

    Attributes:
        num_documents: Documents in the index now.
        added: How many of them were not in it before.
        changed: How many have other content than before.
        unchanged: How many were taken over without tokenizing them.
        removed: Documents that were in it and are not among those given.
        failed: Documents that could not be read, and why; they are not in the index.
        num_terms: Distinct terms ever seen.
        generation: Counts the builds of this directory.
        rebuilt_because: Why nothing could be taken over although there was an index; else None.
        stage_seconds: Wall-clock seconds of ``open``, ``tokenize`` (with reading) and ``write``.
    """

    num_documents: int
    added: int
    changed: int
    unchanged: int
    removed: int
    failed: Mapping[int, str]
    num_terms: int
    generation: int
    rebuilt_because: str | None
    stage_seconds: Mapping[str, float]


def build_index(
    directory: Path,
    documents: Iterable[Document | UnreadableDocument],
    *,
    tokenizer: str = "icu",
    locale: str = "en",
    params: Mapping[str, Any] | None = None,
    is_incremental: bool = True,
    registry: Registry | None = None,
    model_directory: Path | None = None,
    progress: Progress | None = None,
) -> IndexReport:
    """Bring an index up to date with the documents given, which are all there are.

    A reader sees the old generation until the new one is complete; an interrupted build changes
    nothing. Only one build of a directory may run at a time.

    Args:
        directory: Made if it does not exist; see :func:`~lexiclass.index.index_key` for its name.
        documents: Read once, one at a time. Ids are integers.
        tokenizer: Name of the tokenizer.
        locale: Language of the documents.
        params: Parameters of the tokenizer.
        is_incremental: Take over documents whose content is the same; otherwise tokenize all.
        registry: Where the tokenizer is found; the default one if not given.
        model_directory: The only place a pretrained tokenizer may be read from by path; anywhere
            if not given.
        progress: Told of every stage; for ``tokenize`` the number of documents seen so far.

    Raises:
        NoDocuments: If none are given; the index stays as it is.
        InvalidParameters: If two documents have one id, an id is not an integer, or a parameter
            is not acceptable, or the tokenizer learns from the training texts.
        PluginNotFound: If there is no such tokenizer.
        PluginUnavailable: If what it needs is not installed.
    """
    registry = default_registry() if registry is None else registry
    configuration = IndexConfiguration.of(tokenizer, locale, params, registry=registry)
    splitter = registry.create(
        Tokenizer,  # type: ignore[type-abstract]  # only compared with
        tokenizer,
        configuration.params,
        PluginContext(locale=configuration.locale, model_directory=model_directory),
    )
    if splitter.learns:
        raise InvalidParameters(
            f"The tokenizer {tokenizer!r} learns from the training texts, so each model has its "
            "own tokens and there is nothing to index. Index with another tokenizer, such as "
            "'icu'; models with this one are trained from the texts.",
            details={"tokenizer": tokenizer},
        )
    stages = Stages(progress)
    with stages.run("open"):
        previous, reason = None, None
        if is_incremental:
            previous, reason = _previous(directory, configuration, splitter)
    plan = IndexPlan.over(previous)
    vocabulary = Vocabulary(() if previous is None else previous.tokens.terms)
    with stages.run("tokenize") as tell:
        fresh = splitter.encode(plan.to_tokenize(documents, tell), vocabulary)
    if not plan.rows and not plan.failed:
        raise NoDocuments("There are no documents to index; add documents first.")
    with stages.run("write"):
        generation = write_generation(directory, configuration, splitter, plan, fresh, vocabulary)
    return IndexReport(
        num_documents=len(plan.rows),
        added=plan.added,
        changed=plan.changed,
        unchanged=plan.unchanged,
        removed=len(plan.known.keys() - plan.rows.keys() - plan.failed.keys()),
        failed=plan.failed,
        num_terms=len(vocabulary),
        generation=generation,
        rebuilt_because=reason,
        stage_seconds=stages.seconds,
    )


def _previous(
    directory: Path, configuration: IndexConfiguration, tokenizer: Tokenizer
) -> tuple[DocumentIndex | None, str | None]:
    """Return the index to go on from, or why there is none although something is there."""
    if not directory.exists() or not any(directory.iterdir()):
        return None, None
    try:
        index = DocumentIndex.open(directory)
        index.verify()
        check_versions("tokenizer", index.manifest.tokenizer_versions, tokenizer.identity())
    except (ModelCorrupt, PluginMismatch) as error:
        return None, error.message
    if index.manifest.configuration != configuration:
        return None, f"The index was made by {index.manifest.configuration.key}."
    return index, None
