"""Words by the International Components for Unicode (UAX #29, dictionaries for Thai, CJK, ...)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Literal

import icu4py
import numpy as np
from icu4py.breakers import WordBreaker
from numpy.typing import NDArray
from pydantic import Field

from lexiclass.locales import check_locale
from lexiclass.plugins.base import PluginContext, Tokenizer
from lexiclass.plugins.parameters import Parameters
from lexiclass.plugins.tokenizers.icu.symbols import is_symbol, join_marks
from lexiclass.tokens import TokenMatrix, Vocabulary, concatenate, offsets

# A line tabulation: UAX #29 rules WB3a and WB3b break before and after it whatever stands there,
# so many pieces of text can be broken in one call and told apart again. It is a blank, so no piece
# holds one.
_SEPARATOR = "\x0b"

# No rule of UAX #29 joins what stands before and after a blank, but for this one (WB13a), which
# groups digits. So a text can be cut at its other blanks, and each distinct piece broken once.
_JOINING_BLANK = "\u202f"
_BLANKS = re.compile(rf"[^\S{_JOINING_BLANK}]+")

# Beyond a million characters at a time nothing is gained and the cache suffers.
_BATCH_CHARACTERS = 1_000_000

# Languages whose lower case of I is a dotless one (Unicode SpecialCasing.txt).
_DOTLESS_LANGUAGES = frozenset({"az", "tr"})
_DOTLESS = str.maketrans({"I": "ı", "İ": "i"})  # noqa: RUF001 - the point of the table

# Where names such as numpy.array, max_iter, DataFrame and HTTPServer are split. Two letters on both
# sides: U.S., o_O, iPhone and McDonald stay as they are. Each begins with the character it is about
# and looks back from there, so that a text is searched for these alone.
_LETTER, _ALNUM = r"[^\W\d_]", r"[^\W_]"
_JOINTS = re.compile(
    rf"[._](?:(?<={_LETTER}{{2}}\.)(?={_LETTER}{{2}})|(?<={_ALNUM}{{2}}_)(?={_ALNUM}{{2}}))"
)
_HUMPS = re.compile(r"[A-Z](?:(?<=[a-z]{2}.)|(?<=[A-Z].)(?=[a-z]{2}))")

# So many characters can become one by normalization.
_MOST_COMPOSED = 4

# They choose between two drawings of one emoji, and are written or left out at will.
_VARIATION_SELECTORS = dict.fromkeys((0xFE0E, 0xFE0F))


class IcuParameters(Parameters):
    """Parameters of the ``icu`` tokenizer."""

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
    split_identifiers: bool = Field(
        default=True,
        description="Split names as programs and networks write them: numpy.array, max_iter, "
        "DataFrame.",
    )
    keep_symbols: bool = Field(
        default=False,
        description="Keep emoji and other symbols too, and punctuation marks that stand together, "
        "such as :) or ?!.",
    )


class IcuTokenizer(Tokenizer):
    """Splits text at word boundaries and keeps the segments that hold a letter or a number.

    With ``keep_symbols`` an emoji is a word, whatever it is composed of, and so are another symbol
    and a run of two punctuation marks or more.

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

        What stands between two blanks is broken once, however often it occurs, and what is decided
        about a segment (is it a word, how is it folded) is decided once per distinct segment.
        """
        vocabulary = Vocabulary() if vocabulary is None else vocabulary
        pieces = _Pieces(vocabulary, self._break)
        batches = list(map(pieces.encode, _batches(texts)))
        return concatenate(batches, list(vocabulary))

    def _break(self, pieces: Sequence[str], vocabulary: Vocabulary) -> TokenMatrix:
        """Return the words of pieces that hold no blank."""
        segments = Vocabulary([_SEPARATOR])
        text = _well_formed(_SEPARATOR.join(pieces))
        if self._parameters.split_identifiers:
            text = _HUMPS.sub(r" \g<0>", _JOINTS.sub(" ", text))
        broken = WordBreaker(text, self._locale)
        raw = segments.encode(join_marks(broken) if self._parameters.keep_symbols else broken)
        words = np.append(np.int32(-1), self._encode_segments(segments.since(1), vocabulary))
        ids = words[raw]
        is_word = ids >= 0
        ends = np.append(np.flatnonzero(raw == 0), len(raw))
        words_before = offsets(is_word.astype(np.int64))[ends]
        return TokenMatrix((), ids[is_word], np.concatenate((np.zeros(1, np.int64), words_before)))

    def _encode_segments(
        self, segments: Sequence[str], vocabulary: Vocabulary
    ) -> NDArray[np.int32]:
        folded = [self._fold(segment) if self._is_word(segment) else "" for segment in segments]
        shortest, longest = self._parameters.min_length, self._parameters.max_length
        lengths = np.fromiter(map(len, folded), dtype=np.int64, count=len(folded))
        keep = (lengths >= shortest) & (lengths <= longest)
        result = np.full(len(folded), -1, dtype=np.int32)
        result[keep] = vocabulary.encode(map(folded.__getitem__, np.flatnonzero(keep).tolist()))
        return result

    def _is_word(self, segment: str) -> bool:
        return _has_alnum(segment) or (self._parameters.keep_symbols and is_symbol(segment))

    def _fold(self, word: str) -> str:
        # One that is this long is none of the vocabulary in any form, and to order the marks upon a
        # letter takes a time that grows with the square of their number.
        if len(word) > self._parameters.max_length * _MOST_COMPOSED:
            return word
        if self._parameters.normalization is not None:
            word = unicodedata.normalize(self._parameters.normalization, word)
        if self._parameters.lowercase:
            word = (word.translate(_DOTLESS) if self._dotless else word).lower()
        return word.translate(_VARIATION_SELECTORS) if self._parameters.keep_symbols else word


class _Pieces:
    """What stands between blanks, and the words of each distinct piece."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        break_pieces: Callable[[Sequence[str], Vocabulary], TokenMatrix],
    ) -> None:
        self._vocabulary = vocabulary
        self._break = break_pieces
        self._numbers = Vocabulary()
        self._words = concatenate((), ())

    def encode(self, texts: Sequence[str]) -> TokenMatrix:
        """Return the words of texts."""
        lengths: list[int] = []
        # One text at a time: its pieces lie in the processor's cache while they are looked up.
        ids = self._numbers.encode(chain.from_iterable(_cut(texts, lengths)))
        if new := self._numbers.since(len(self._words)):
            self._words = concatenate((self._words, self._break(new, self._vocabulary)), ())
        words = self._words.take(ids)
        return TokenMatrix((), words.ids, words.indptr[offsets(np.array(lengths, dtype=np.int64))])


def _cut(texts: Iterable[str], lengths: list[int]) -> Iterator[list[str]]:
    for text in texts:
        is_plain = _JOINING_BLANK not in text
        pieces = text.split() if is_plain else list(filter(None, _BLANKS.split(text)))
        lengths.append(len(pieces))
        yield pieces


def _has_alnum(segment: str) -> bool:
    return segment.isalnum() or any(map(str.isalnum, segment))


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= _BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _well_formed(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate, which ICU can't take
        return text.encode("utf-8", "replace").decode("utf-8")
    return text
