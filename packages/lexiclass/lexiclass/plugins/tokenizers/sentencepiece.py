"""Pieces of words, learned from the training texts by SentencePiece."""

from __future__ import annotations

import io
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece

from lexiclass.errors import EmptyVocabulary, InvalidParameters, ModelCorrupt
from lexiclass.plugins.base import PluginContext, Tokenizer
from lexiclass.plugins.tokenizers.batches import encode_numbered, renumber, well_formed
from lexiclass.plugins.tokenizers.parameters import SentencePieceParameters
from lexiclass.regular_files import read_regular
from lexiclass.tokens import TokenMatrix, Vocabulary

_FILE = "tokenizer.model"
_BATCH_SIZE = 1024

# 200,000 pieces, the most there can be, make 5 MB.
_MAX_BYTES = 64 * 2**20

# The trainer skips longer sentences without a word; texts are cut at blanks below that.
_MAX_SENTENCE_CHARACTERS = 4000
_MAX_SENTENCE_BYTES = 4 * _MAX_SENTENCE_CHARACTERS

# Log only what ends the training.
_LOG_LEVEL = 3


class SentencePieceTokenizer(Tokenizer):
    """Learns a vocabulary of pieces from the training texts and splits by it.

    Two trainings on the same texts give the same bytes: one thread, no shuffling. Characters that
    were not seen in training become ``<unk>``.

    Source: T. Kudo, J. Richardson, "SentencePiece: A simple and language independent subword
    tokenizer and detokenizer for Neural Text Processing", EMNLP 2018.
    """

    learns = True

    def __init__(self, parameters: SentencePieceParameters, context: PluginContext) -> None:
        self._parameters = parameters
        self._seed = context.seed
        self._model = b""
        self._processor: Any = None

    def versions(self) -> Mapping[str, str]:
        """Name SentencePiece."""
        return {"SentencePiece": str(sentencepiece.__version__)}

    def fit(self, texts: Iterable[str]) -> None:
        """Learn the pieces.

        Raises:
            EmptyVocabulary: If the texts hold no characters but blanks.
            InvalidParameters: If there are more characters than pieces allowed.
        """
        sample = _sample(list(texts), self._parameters.max_training_characters, self._seed)
        if not any(map(str.strip, sample)):
            raise EmptyVocabulary(
                f"No piece can be learned: the {len(sample)} training texts are empty. Check that "
                "the documents hold text.",
                details={"num_documents": len(sample)},
            )
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=_sentences(sample),
                model_writer=model,
                model_type=self._parameters.algorithm,
                vocab_size=self._parameters.vocabulary_size,
                hard_vocab_limit=False,
                character_coverage=self._parameters.character_coverage,
                normalization_rule_name=(
                    "nmt_nfkc_cf" if self._parameters.lowercase else "nmt_nfkc"
                ),
                num_threads=1,
                shuffle_input_sentence=False,
                max_sentence_length=_MAX_SENTENCE_BYTES,
                bos_id=-1,
                eos_id=-1,
                minloglevel=_LOG_LEVEL,
            )
        except RuntimeError as error:
            raise InvalidParameters(
                f"SentencePiece can't learn {self._parameters.vocabulary_size} pieces from these "
                f"texts: {error}. Raise vocabulary_size, or lower character_coverage.",
                details={"reason": str(error)},
            ) from error
        self._take(model.getvalue())

    def tokenize_batch(self, texts: Sequence[str]) -> list[list[str]]:
        """Return one list of pieces per text."""
        return self.encode(texts).to_lists()

    def encode(self, texts: Iterable[str], vocabulary: Vocabulary | None = None) -> TokenMatrix:
        """Tokenize a stream of texts into integers.

        Raises:
            InvalidParameters: Before :meth:`fit`.
        """
        if self._processor is None:
            raise InvalidParameters(
                "The tokenizer 'sentencepiece' has learned nothing yet; train the pipeline first."
            )
        return encode_numbered(texts, vocabulary, batch_size=_BATCH_SIZE, number=self._number)

    def save(self, directory: Path) -> None:
        """Write the model in SentencePiece's own format."""
        (directory / _FILE).write_bytes(self._model)

    def load(self, directory: Path) -> None:
        """Read the model.

        Raises:
            ModelCorrupt: If it is missing or not understood.
        """
        try:
            self._take(read_regular(directory / _FILE, _MAX_BYTES))
        except RuntimeError as error:
            raise ModelCorrupt(_FILE, f"not a SentencePiece model ({error})") from error

    def _take(self, model: bytes) -> None:
        if not model:
            # The library takes no bytes for a model with no pieces.
            raise ModelCorrupt(_FILE, "empty")
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        self._model = model

    def _number(self, texts: Sequence[str], vocabulary: Vocabulary) -> TokenMatrix:
        pieces = self._processor.encode(list(texts), out_type=int, num_threads=1)
        lengths = np.fromiter(map(len, pieces), dtype=np.int64, count=len(pieces))
        numbers = np.fromiter(chain.from_iterable(pieces), dtype=np.int32, count=lengths.sum())
        return renumber((numbers, lengths), self._processor.id_to_piece, vocabulary)


def _sample(texts: Sequence[str], most: int, seed: int) -> list[str]:
    """Return all texts, or a random part of them with about ``most`` characters, in order."""
    characters = sum(map(len, texts))
    if characters <= most:
        return well_formed(texts)
    size = max(1, len(texts) * most // characters)
    chosen = random.Random(seed).sample(range(len(texts)), size)  # noqa: S311 - not a secret
    return well_formed([texts[number] for number in sorted(chosen)])


def _sentences(texts: Iterable[str]) -> Iterator[str]:
    """Cut texts at blanks into pieces that the trainer does not skip."""
    for text in texts:
        for line in text.splitlines():
            start = 0
            while len(line) - start > _MAX_SENTENCE_CHARACTERS:
                end = line.rfind(" ", start, start + _MAX_SENTENCE_CHARACTERS)
                end = end if end > start else start + _MAX_SENTENCE_CHARACTERS
                yield line[start:end]
                start = end
            yield line[start:]
