"""Writing a generation of an index."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

import numpy as np

from lexiclass.checksums import record_files
from lexiclass.index.configuration import IndexConfiguration
from lexiclass.index.manifest import IndexManifest, write_index_manifest
from lexiclass.index.plan import IndexPlan
from lexiclass.index.reader import DIGEST_BYTES
from lexiclass.plugins.base import Tokenizer
from lexiclass.publish import sync
from lexiclass.serialization import write_arrays, write_json
from lexiclass.tokens import TokenMatrix, Vocabulary, concatenate

_DATA_FILE = re.compile(r"(?:documents|terms)\.(?P<generation>[0-9]+)-[0-9a-f]+\.\w+")


def write_generation(
    directory: Path,
    configuration: IndexConfiguration,
    tokenizer: Tokenizer,
    plan: IndexPlan,
    fresh: TokenMatrix,
    vocabulary: Vocabulary,
) -> int:
    """Write a new generation, make it the current one and remove the older ones.

    Args:
        directory: Of the index; made if it does not exist.
        configuration: What the documents were tokenized with.
        tokenizer: The tokenizer itself.
        plan: Which row each document comes from.
        fresh: The documents tokenized now, whose rows follow those of the previous index.
        vocabulary: The terms of both.

    Returns:
        The number of the generation.
    """
    terms = list(vocabulary)
    parts = [fresh] if plan.previous is None else [plan.previous.tokens, fresh]
    ids = sorted(plan.rows)
    rows = np.fromiter(map(plan.rows.__getitem__, ids), dtype=np.int64, count=len(ids))
    tokens = concatenate(parts, terms).take(rows)
    digests = np.frombuffer(b"".join(map(plan.digests.__getitem__, ids)), dtype=np.uint8)

    directory.mkdir(parents=True, exist_ok=True)
    generation = _last_generation(directory) + 1
    stem = f"{generation:06d}-{uuid4().hex[:8]}"
    documents_file, terms_file = f"documents.{stem}.safetensors", f"terms.{stem}.json"
    is_current = False
    try:
        write_arrays(
            directory / documents_file,
            {
                "ids": np.array(ids, dtype=np.int64),
                "digests": digests.reshape(len(ids), DIGEST_BYTES),
                "indptr": tokens.indptr,
                "tokens": tokens.ids,
            },
        )
        write_json(directory / terms_file, terms)
        for name in (documents_file, terms_file):
            sync(directory / name)
        manifest = IndexManifest(
            generation=generation,
            configuration=configuration,
            tokenizer_versions=dict(tokenizer.identity()),
            num_documents=len(ids),
            num_terms=len(terms),
            num_tokens=len(tokens.ids),
            documents_file=documents_file,
            terms_file=terms_file,
            files=record_files(directory, (documents_file, terms_file)),
        )
        write_index_manifest(directory, manifest)
        is_current = True
    finally:
        if not is_current:
            (directory / documents_file).unlink(missing_ok=True)
            (directory / terms_file).unlink(missing_ok=True)
    _remove_older(directory, generation)
    return generation


def _last_generation(directory: Path) -> int:
    """Return the highest generation there are files of, finished or not; 0 if none."""
    names = map(_DATA_FILE.fullmatch, (path.name for path in directory.iterdir()))
    return max((int(match["generation"]) for match in names if match is not None), default=0)


def _remove_older(directory: Path, generation: int) -> None:
    for path in directory.iterdir():
        match = _DATA_FILE.fullmatch(path.name)
        if match is not None and int(match["generation"]) < generation:
            path.unlink(missing_ok=True)
