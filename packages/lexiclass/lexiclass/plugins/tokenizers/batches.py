"""What tokenizers that number tokens themselves have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from lexiclass.plugins.tokenizers.pieces import cut_text
from lexiclass.tokens import TokenMatrix, Vocabulary, concatenate, offsets

#: Longest piece of a text that a library is given, in bytes of UTF-8. Measured with 10 MB of
#: brackets in one call: 430 bytes of memory for each of them (tokenizers), 280 (spaCy), 50
#: (SentencePiece).
PIECE_BYTES = 1_000_000

#: A library's own numbers of all tokens of a batch, and how many each text has.
Numbered = tuple[NDArray[np.integer], NDArray[np.int64]]


def encode_numbered(
    texts: Iterable[str],
    vocabulary: Vocabulary | None,
    *,
    batch_size: int,
    number: Callable[[Sequence[str], Vocabulary], TokenMatrix],
) -> TokenMatrix:
    """Tokenize a stream of texts batch by batch over one growing vocabulary.

    Halves of characters (lone surrogates) become ``?``.

    Libraries hold some hundreds of bytes for each token of what they are given at a time, so that
    is bounded: a longer text is cut, between sentences or words where that can be, and its tokens
    are those of all pieces.
    """
    vocabulary = Vocabulary() if vocabulary is None else vocabulary
    batches: list[TokenMatrix] = []
    num_pieces: list[int] = []
    for batch in batches_of(texts, batch_size):
        cut = [cut_text(text, PIECE_BYTES) for text in batch]
        num_pieces += map(len, cut)
        batches += [number(some, vocabulary) for some in _at_a_time(chain.from_iterable(cut))]
    tokens = concatenate(batches, list(vocabulary))
    ends = tokens.indptr[offsets(np.array(num_pieces, dtype=np.int64))]
    return TokenMatrix(tokens.terms, tokens.ids, ends)


def first_pieces(texts: Iterable[str]) -> Iterator[str]:
    """The first of the pieces that each text is cut into."""
    for (text,) in batches_of(texts, 1):
        yield cut_text(text, PIECE_BYTES)[0]


def _at_a_time(pieces: Iterable[str]) -> Iterator[list[str]]:
    """Put pieces together, as many as a library may be given at a time."""
    some: list[str] = []
    size = 0
    for piece in pieces:
        if some and size + len(piece) > PIECE_BYTES:
            yield some
            some, size = [], 0
        some.append(piece)
        size += len(piece)
    if some:
        yield some


def batches_of(texts: Iterable[str], size: int) -> Iterator[list[str]]:
    """Cut a stream of texts into lists, each text having a UTF-8 form."""
    stream = iter(texts)
    while batch := list(islice(stream, size)):
        yield well_formed(batch)


def well_formed(texts: Sequence[str]) -> list[str]:
    """Replace lone surrogates, which no library written in C++ or Rust takes, by ``?``."""
    try:
        "".join(texts).encode("utf-8")
    except UnicodeEncodeError:
        return [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
    return list(texts)


def renumber(numbered: Numbered, name: Callable[[int], str], vocabulary: Vocabulary) -> TokenMatrix:
    """Turn a library's numbers into those of a vocabulary, naming each distinct one once.

    The vocabulary grows in the order tokens are first seen; one with an empty name is left out.
    """
    numbers, lengths = numbered
    distinct, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    order = np.argsort(first)
    names = [name(number) for number in distinct[order].tolist()]
    keep = np.fromiter(map(bool, names), dtype=np.bool_, count=len(names))
    ids = np.full(len(distinct), -1, dtype=np.int32)
    ids[order[keep]] = vocabulary.encode(filter(None, names))
    encoded = ids[inverse]
    kept = offsets((encoded >= 0).astype(np.int64))
    indptr = kept[offsets(lengths)]
    return TokenMatrix((), encoded[encoded >= 0], indptr)
