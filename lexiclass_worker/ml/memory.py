"""Whether a training can fit into the memory it may take, said before it starts."""

from typing import Final

from lexiclass_worker.errors import MemoryLimitReached

_BASE_BYTES: Final = 16 * 2**20
_TOKEN_BYTES: Final = 40
_TERM_BYTES: Final = 100
_WEIGHT_BYTES: Final = 16
_TOKENS_A_PHRASE: Final = 10


def estimate_training_bytes(
    *,
    num_tokens: int,
    num_terms: int,
    num_classes: int,
    ngram_levels: int = 1,
    max_features: int | None = None,
) -> int:
    """Estimate what training a linear model takes, rather too high than too low.

    The constants were measured with ``svm`` on ``bow`` (one level of n-grams) and ``tfidf`` (two),
    on synthetic documents of Zipf-distributed terms: 200,000 to 3.2 million tokens, 20,000 to
    100,000 terms, 4 to 50 classes, the process looked at every 10 ms. Above what it held with the
    tokens loaded, it grew by 27 to 36 bytes a token and level (n-gram keys, rows in single and in
    double precision, liblinear's copy of them) and by 11 to 16 bytes for each feature of each class
    (weights in double and single precision, and those of a fold). A term takes about 100 bytes as a
    string in a dictionary. Phrases are pruned to those in two documents or more: there were fewer
    than one to 10 tokens for each further level. What libraries load and reserve on first use came
    to 8 MB at most.

    The estimate was 1.3 to 1.9 times the peak of 50 MB or more, and on 7,600 articles of AG News
    with ``bow`` twice the peak of 13 MB. Other classifiers take other amounts.

    Args:
        num_tokens: Tokens of all training documents together.
        num_terms: Distinct terms among them, or of the whole index.
        num_classes: Classes.
        ngram_levels: 1 for single terms, 2 with pairs, and so on.
        max_features: The bound that the request sets, if any.

    Returns:
        Bytes on top of what the process holds before.
    """
    num_features = num_terms + (ngram_levels - 1) * num_tokens // _TOKENS_A_PHRASE
    if max_features is not None:
        num_features = min(num_features, max_features)
    return (
        _BASE_BYTES
        + _TOKEN_BYTES * num_tokens * ngram_levels
        + _TERM_BYTES * num_terms
        + _WEIGHT_BYTES * num_features * num_classes
    )


def require_memory(estimated_bytes: int, *, limit_bytes: int | None) -> None:
    """Refuse a training that cannot fit.

    Args:
        estimated_bytes: See :func:`estimate_training_bytes`.
        limit_bytes: LIMITS__MEMORY_BYTES; None for no limit.

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
