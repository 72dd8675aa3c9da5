"""Words by spaCy: the rules of a language, or a trained pipeline with its lemmas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from itertools import chain
from typing import Any

import numpy as np
import spacy
from spacy.attrs import IS_PUNCT, IS_SPACE, IS_STOP, LEMMA, LOWER, ORTH

from lexiclass.errors import InvalidParameters, PluginUnavailable
from lexiclass.locales import check_locale
from lexiclass.plugins.base import PluginContext, Tokenizer
from lexiclass.plugins.tokenizers.batches import encode_numbered, renumber
from lexiclass.plugins.tokenizers.parameters import SpacyParameters
from lexiclass.plugins.tokenizers.pieces import cut_text
from lexiclass.plugins.tokenizers.spacy.word_splitters import cut_runs, language_versions, max_bytes
from lexiclass.tokens import TokenMatrix, Vocabulary, offsets

_LEMMATIZERS = frozenset({"lemmatizer", "trainable_lemmatizer"})

# They take most of a trained pipeline's time and change no token or lemma.
_UNUSED_PIPES = ("parser", "senter", "ner", "entity_ruler", "entity_linker", "textcat")

# How a package says that it is a trained pipeline; `spacy package` writes it.
_PIPELINES = "spacy_models"

# spaCy's own limit guards the memory of parsers, which are not used.
_MAX_CHARACTERS = 2**31 - 1


class SpacyTokenizer(Tokenizer):
    """Splits text as spaCy does for the language of the locale (``en`` for ``en-US``).

    Words are handled as spaCy's 64-bit hashes; only distinct ones become strings. Each batch runs
    in a memory zone, so the strings it met are forgotten after it.

    Raises:
        InvalidParameters: If spaCy does not know the language, the model is for another one, or
            lemmas are asked for and there is no lemmatizer.
        PluginUnavailable: If the model, or a package the language needs, is not installed.
    """

    def __init__(self, parameters: SpacyParameters, context: PluginContext) -> None:
        self._parameters = parameters
        language = parameters.language or check_locale(context.locale).split("-")[0].lower()
        if parameters.model is None:
            self._nlp = _blank(language)
        else:
            self._nlp = _trained(parameters.model, language)
        self._nlp.max_length = _MAX_CHARACTERS
        self._max_bytes = max_bytes(self._nlp.lang)
        if parameters.lemma and _LEMMATIZERS.isdisjoint(self._nlp.pipe_names):
            raise InvalidParameters(
                f"The spaCy pipeline {parameters.model or language!r} has no lemmatizer. Set model "
                "to a trained pipeline that has one, such as 'en_core_web_sm', or lemma to false.",
                details={"model": parameters.model, "language": language},
            )
        self._attributes = [
            LEMMA if parameters.lemma else LOWER if parameters.lowercase else ORTH,
            *((IS_PUNCT,) if parameters.drop_punctuation else ()),
            *((IS_SPACE,) if parameters.drop_spaces else ()),
            *((IS_STOP,) if parameters.drop_stop_words else ()),
        ]

    def versions(self) -> Mapping[str, str]:
        """Name spaCy, the trained pipeline, and what splits words for it."""
        versions = {"spaCy": str(spacy.__version__), **language_versions(self._nlp.lang)}
        if self._parameters.model is not None:
            # Without dots, so that all of it counts: lemmas differ between minor versions.
            versions[self._parameters.model] = str(self._nlp.meta["version"]).replace(".", "-")
        return versions

    def tokenize_batch(self, texts: Sequence[str]) -> list[list[str]]:
        """Return one list of words per text."""
        return self.encode(texts).to_lists()

    def encode(self, texts: Iterable[str], vocabulary: Vocabulary | None = None) -> TokenMatrix:
        """Tokenize a stream of texts into integers."""
        return encode_numbered(
            texts, vocabulary, batch_size=self._parameters.batch_size, number=self._number
        )

    def _number(self, texts: Sequence[str], vocabulary: Vocabulary) -> TokenMatrix:
        cut = [
            [run for piece in cut_text(text, self._max_bytes) for run in cut_runs(piece)]
            for text in texts
        ]
        with self._nlp.memory_zone():
            rows = [
                doc.to_array(self._attributes).reshape(len(doc), len(self._attributes))
                for doc in self._nlp.pipe(
                    chain.from_iterable(cut), batch_size=self._parameters.batch_size
                )
            ]
            keep = [~row[:, 1:].any(axis=1) for row in rows]
            hashes = [row[kept, 0] for row, kept in zip(rows, keep, strict=True)]
            lengths = np.fromiter(map(len, hashes), dtype=np.int64, count=len(hashes))
            ends = offsets(lengths)[offsets(np.array(list(map(len, cut)), dtype=np.int64))]
            return renumber((np.concatenate(hashes), np.diff(ends)), self._name, vocabulary)

    def _name(self, number: int) -> str:
        word = str(self._nlp.vocab.strings[number])
        return word.lower() if self._parameters.lowercase else word


def _blank(language: str) -> Any:
    try:
        return spacy.blank(language)
    except ImportError as error:
        # Both an unknown language and one that needs another package end here.
        if find_spec(f"spacy.lang.{language}") is not None:
            raise PluginUnavailable(
                f"spaCy needs more packages for the language {language!r}: {error}. Install them, "
                "or use the tokenizer 'icu', which needs none.",
                details={"language": language, "reason": str(error)},
            ) from error
        raise InvalidParameters(
            f"spaCy has no rules for the language {language!r}. Use the tokenizer 'icu', which "
            "knows every language; set the parameter language to 'xx' for spaCy's rules for any "
            "language; or choose a locale of https://spacy.io/usage/models#languages.",
            details={"language": language},
        ) from error


def _trained(model: str, language: str) -> Any:
    try:
        _require_pipeline(model)
        nlp = spacy.load(model, exclude=list(_UNUSED_PIPES))
    except (PackageNotFoundError, OSError, ImportError, ValueError, AttributeError) as error:
        raise PluginUnavailable(
            f"The spaCy pipeline {model!r} can't be loaded: {error}. Install one of spaCy's own, "
            "https://spacy.io/models, or leave the model out for the rules of the language.",
            details={"model": model, "reason": str(error)},
        ) from error
    if nlp.lang not in {language, "xx"}:
        raise InvalidParameters(
            f"The spaCy pipeline {model!r} is for the language {nlp.lang!r}, the documents are in "
            f"{language!r}. Choose another model, or set the locale.",
            details={"model": model, "model_language": nlp.lang, "language": language},
        )
    return nlp


def _require_pipeline(model: str) -> None:
    """Check that a package says that it is a pipeline: it is imported, and is code."""
    if not distribution(model).entry_points.select(group=_PIPELINES, name=model):
        raise ValueError(f"the package {model!r} is none of spaCy's pipelines")
