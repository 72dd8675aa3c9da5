"""Whether a training can fit into the memory it may take, said before it starts."""

from typing import Any, Final, NamedTuple

import numpy as np

from lexiclass import DocumentIndex, PipelineSpec
from lexiclass.plugins.classifiers.out_of_fold import CUTS, num_scored
from lexiclass_worker.errors import MemoryLimitReached
from lexiclass_worker.ml.documents import StoredDocuments

_BASE_BYTES: Final = 16 * 2**20
_TOKEN_BYTES: Final = 60
_TOKEN_BYTES_A_PROCESS: Final = 30
_TERM_BYTES: Final = 100
_WEIGHT_BYTES: Final = 8
# What calibration takes for each class of a document that it scores, whole or cut short: scores,
# their logarithms, copies of both.
_SCORE_BYTES: Final = 64
_TOKENS_A_PHRASE: Final = 10

# Where documents are fewer, phrases of one document are kept (min_df_runs): one to 1.7 tokens of
# news items, and to 3.1 of docstrings.
_MANY_DOCUMENTS: Final = 5_000
_TOKENS_A_PHRASE_OF_FEW: Final = 1.5

# Runs of characters: what a run of a document takes, and what the spelling of a term does, for each
# run of it. A word of a text has five letters and two edges, an entry of a vocabulary three more.
_RUN_BYTES: Final = 40
_RUN_BYTES_A_PROCESS: Final = 16
_SPELLING_BYTES: Final = 50
_CHARACTERS_A_WORD: Final = 7
_CHARACTERS_A_TERM: Final = 10

# Distinct runs in two documents or more grow with about the root of the terms: 270 to 390 times as
# many in 300 to 4,000 news items, docstrings and tweets.
_RUNS_A_ROOT: Final = 400

# Of a text that is not in the index: a short word and what is between two.
_BYTES_A_TOKEN: Final = 5

# Distinct terms grow with about the root of the tokens: Heaps' law, with what Reuters-RCV1 gives
# (Manning, Raghavan and Schütze, Introduction to Information Retrieval, 2008, section 5.1.1).
_TERMS_A_ROOT: Final = 44

# What the constants were measured with.
_EXTRACTORS: Final = frozenset({"bow", "tfidf"})
_CLASSIFIERS: Final = frozenset({"svm"})


class CorpusSize(NamedTuple):
    """How large some documents are, as tokens."""

    num_tokens: int
    num_terms: int


def measure(documents: StoredDocuments, index: DocumentIndex | None) -> CorpusSize:
    """How large documents are, without reading them.

    Those in the index are as it says, whether or not they have changed since. The others are told
    by the bytes of their files.
    """
    rows = np.full(len(documents.ids), -1) if index is None else index.rows_of(documents.ids)
    sizes = documents.survey(np.flatnonzero(rows < 0)).sizes
    new_tokens = int(sizes.sum()) // _BYTES_A_TOKEN
    new_terms = int(_TERMS_A_ROOT * new_tokens**0.5)
    if index is None:
        return CorpusSize(new_tokens, new_terms)
    indexed_tokens = index.num_tokens(rows[rows >= 0])
    num_terms = min(index.manifest.num_terms, indexed_tokens) + new_terms
    return CorpusSize(indexed_tokens + new_tokens, num_terms)


def estimate_for(
    spec: PipelineSpec,
    size: CorpusSize,
    *,
    num_documents: int,
    num_classes: int,
    num_processes: int,
) -> int | None:
    """Estimate what training a pipeline takes, in bytes; None where nobody has measured it.

    The spec has every parameter, as :attr:`lexiclass.Pipeline.spec` has it.
    """
    if spec.feature_extractor not in _EXTRACTORS or spec.classifier not in _CLASSIFIERS:
        return None
    params: dict[str, Any] = dict(spec.feature_extractor_params)
    has_words = params["analyzer"] != "char_wb"
    estimate = estimate_training_bytes(
        num_tokens=size.num_tokens,
        num_terms=size.num_terms,
        num_documents=num_documents,
        num_classes=num_classes,
        ngram_levels=params["ngram_range"][1] if has_words else 1,
        max_features=params["max_features"] if has_words else 0,
        num_processes=num_processes,
    )
    if params["analyzer"] != "word":
        estimate += estimate_character_bytes(
            num_tokens=size.num_tokens,
            num_terms=size.num_terms,
            num_classes=num_classes,
            lengths=params["char_ngram_range"],
            max_features=params["max_char_features"],
            num_processes=num_processes,
        )
    return estimate


def estimate_training_bytes(
    *,
    num_tokens: int,
    num_terms: int,
    num_classes: int,
    num_documents: int = 0,
    ngram_levels: int = 1,
    max_features: int | None = None,
    num_processes: int = 1,
) -> int:
    """Estimate what training a linear model takes, rather too high than too low.

    The constants were measured by ``benchmarks/training_memory.py`` on synthetic documents in ten
    classes, with ``svm`` on ``bow`` (one level of n-grams) and ``tfidf`` (two), as whole trainings
    from reading to saving: 0.2, 1.1 and 4.4 million tokens, with one process and with two, with an
    index and without. Beyond 16 MiB, they took 21 to 46 bytes a token and level (tokens, n-gram
    keys, rows in single and in double precision), and 21 to 24 more with a second process
    (liblinear's copy of the rows). In an earlier measurement weights and scores took 2 to 10 bytes
    for each feature of each class, and a term about 100 as a string in a dictionary; phrases are
    pruned to those in two documents or more, of which there were up to one to 10 tokens for each
    further level, unless there are fewer than 5,000 documents. Scores are little with ten classes;
    1,500 news items in 479 classes took 228 MiB, of which four fifths were scores, of 255 estimated
    then.

    The estimate is 1.1 to 3.8 times what was measured, the less the larger. Other classifiers take
    other amounts.

    Bytes are on top of what the process holds before. ``num_tokens`` are those of all training
    documents together, ``num_terms`` the distinct ones among them or of the whole index,
    ``ngram_levels`` 1 for single terms, 2 with pairs, and so on; ``max_features`` is the bound that
    the request sets, if any.
    """
    is_few = 0 < num_documents < _MANY_DOCUMENTS
    tokens_a_phrase = _TOKENS_A_PHRASE_OF_FEW if is_few else _TOKENS_A_PHRASE
    num_features = num_terms + int((ngram_levels - 1) * num_tokens / tokens_a_phrase)
    if max_features is not None:
        num_features = min(num_features, max_features)
    token_bytes = _TOKEN_BYTES + _TOKEN_BYTES_A_PROCESS * (num_processes - 1)
    whole, cut = num_scored(num_documents, num_classes)
    return (
        _BASE_BYTES
        + token_bytes * num_tokens * ngram_levels
        + _TERM_BYTES * num_terms
        + _WEIGHT_BYTES * num_features * num_classes
        + _SCORE_BYTES * (whole + len(CUTS) * cut) * num_classes
    )


def estimate_character_bytes(
    *,
    num_tokens: int,
    num_terms: int,
    num_classes: int,
    lengths: tuple[int, int] = (2, 5),
    max_features: int = 100_000,
    num_processes: int = 1,
) -> int:
    """Estimate what runs of characters take beside words, rather too high than too low.

    Measured with ``tfidf`` and ``svm`` on 4,000 news items with 158,000 tokens, most of them once
    in a document: with runs of two to five characters alone a training in 4 and in 100 classes took
    119 and 156 MiB, of 191 and 278 estimated; where documents repeat their words it is less.

    Bytes are on top of :func:`estimate_training_bytes`. ``lengths`` are the shortest and the
    longest run of characters, of which ``max_features`` become features.
    """
    in_word, in_term = (
        sum(max(0, characters - length + 1) for length in range(lengths[0], lengths[1] + 1))
        for characters in (_CHARACTERS_A_WORD, _CHARACTERS_A_TERM)
    )
    run_bytes = _RUN_BYTES + _RUN_BYTES_A_PROCESS * (num_processes - 1)
    num_features = min(max_features, int(_RUNS_A_ROOT * num_terms**0.5))
    return (
        run_bytes * num_tokens * in_word
        + _SPELLING_BYTES * num_terms * in_term
        + _WEIGHT_BYTES * num_features * num_classes
    )


def require_memory(estimated_bytes: int, *, limit_bytes: int | None) -> None:
    """Refuse a training that cannot fit.

    ``limit_bytes`` is LIMITS__MEMORY_BYTES; None for no limit.

    Raises:
        MemoryLimitReached: If it would take more than it may.
    """
    if limit_bytes is None or estimated_bytes <= limit_bytes:
        return
    raise MemoryLimitReached(
        f"the training would take about {estimated_bytes / 2**20:,.0f} MiB of memory and may take "
        f"{limit_bytes / 2**20:,.0f} MiB: train on fewer or shorter documents, set max_features, "
        "or raise LIMITS__MEMORY_BYTES",
        details={"limit_bytes": limit_bytes, "estimated_bytes": estimated_bytes},
    )
