"""Words by the International Components for Unicode (UAX #29, dictionaries for Thai, CJK, ...)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import icu4py
import numpy as np
from icu4py.breakers import WordBreaker
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from lexiclass.locales import check_locale
from lexiclass.plugins.base import PluginContext, Tokenizer
from lexiclass.tokens import TokenMatrix, Vocabulary, concatenate, offsets

# A line tabulation: UAX #29 rules WB3a and WB3b break before and after it whatever stands there,
# so many documents can be broken in one call and told apart again. In a text it means a new line.
_SEPARATOR = "\x0b"

# Making a breaker costs about as much as breaking 200 characters; beyond a million characters a
# call nothing is gained and the cache suffers.
_CHUNK_CHARACTERS = 1_000_000

# Languages whose lower case of I is a dotless one (Unicode SpecialCasing.txt).
_DOTLESS_LANGUAGES = frozenset({"az", "tr"})
_DOTLESS = str.maketrans({"I": "ı", "İ": "i"})  # noqa: RUF001 - the point of the table


class IcuParameters(BaseModel):
    """Parameters of the ``icu`` tokenizer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lowercase: bool = Field(default=True, description="Fold words to lower case.")
    normalization: Literal["NFC", "NFKC"] | None = Field(
        default="NFKC",
        description="Unicode normalization of words; NFKC also unifies full-width forms.",
    )
    min_length: int = Field(default=1, ge=1, description="Shortest word kept, in characters.")
    max_length: int = Field(
        default=100,
        ge=1,
        description="Longest word kept, in characters; longer ones are hashes or base64.",
    )


class IcuTokenizer(Tokenizer):
    """Splits text at word boundaries and keeps the segments that hold a letter or a number.

    Raises:
        InvalidParameters: If the locale of the context is not a language tag.
    """

    def __init__(self, parameters: IcuParameters, context: PluginContext) -> None:
        self._parameters = parameters
        self._locale = check_locale(context.locale)
        self._dotless = self._locale.split("-")[0].lower() in _DOTLESS_LANGUAGES

    def versions(self) -> Mapping[str, str]:
        """Name ICU: its dictionaries and break rules change with its major version."""
        return {"ICU": icu4py.icu_version}

    def tokenize_batch(self, texts: Sequence[str]) -> list[list[str]]:
        """Return one list of words per text."""
        return self.encode(texts).to_lists()

    def encode(self, texts: Iterable[str], vocabulary: Vocabulary | None = None) -> TokenMatrix:
        """Tokenize a stream of texts into integers, about a million characters at a time.

        What is decided about a segment (is it a word, how is it folded) is decided once per
        distinct segment, not once per token.
        """
        vocabulary = Vocabulary() if vocabulary is None else vocabulary
        segments = Vocabulary([_SEPARATOR])
        words = np.array([-1], dtype=np.int32)  # segment -> id in vocabulary, or -1 for no word
        batches = []
        for chunk in _chunks(texts):
            raw = segments.encode(WordBreaker(_join(chunk), self._locale))
            words = np.append(words, self._encode_segments(segments.since(len(words)), vocabulary))
            ids = words[raw]
            is_word = ids >= 0
            ends = np.append(np.flatnonzero(raw == 0), len(raw))
            words_before = offsets(is_word.astype(np.int64))[ends]
            indptr = np.concatenate((np.zeros(1, np.int64), words_before))
            batches.append(TokenMatrix((), ids[is_word], indptr))
        return concatenate(batches, list(vocabulary))

    def _encode_segments(
        self, segments: Sequence[str], vocabulary: Vocabulary
    ) -> NDArray[np.int32]:
        folded = [self._fold(segment) if _has_alnum(segment) else "" for segment in segments]
        shortest, longest = self._parameters.min_length, self._parameters.max_length
        lengths = np.fromiter(map(len, folded), dtype=np.int64, count=len(folded))
        keep = (lengths >= shortest) & (lengths <= longest)
        result = np.full(len(folded), -1, dtype=np.int32)
        result[keep] = vocabulary.encode(map(folded.__getitem__, np.flatnonzero(keep).tolist()))
        return result

    def _fold(self, word: str) -> str:
        if self._parameters.normalization is not None:
            word = unicodedata.normalize(self._parameters.normalization, word)
        if self._parameters.lowercase:
            word = (word.translate(_DOTLESS) if self._dotless else word).lower()
        return word


def _has_alnum(segment: str) -> bool:
    return segment.isalnum() or any(map(str.isalnum, segment))


def _chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    size = 0
    for text in texts:
        chunk.append(text)
        size += len(text)
        if size >= _CHUNK_CHARACTERS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _join(texts: Sequence[str]) -> str:
    joined = _SEPARATOR.join(texts)
    if joined.count(_SEPARATOR) != len(texts) - 1:
        joined = _SEPARATOR.join(text.replace(_SEPARATOR, "\n") for text in texts)
    try:
        joined.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate, which ICU can't take
        joined = joined.encode("utf-8", "replace").decode("utf-8")
    return joined
