"""Tokens of a pretrained model, by Hugging Face's tokenizers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from lexiclass.corruption import taking_in
from lexiclass.errors import InvalidParameters, ModelCorrupt
from lexiclass.plugins.base import PluginContext, Tokenizer
from lexiclass.plugins.pretrained.models import find_pretrained
from lexiclass.plugins.pretrained.tokenizers import read_tokenizer
from lexiclass.plugins.tokenizers.batches import encode_numbered, first_pieces, renumber
from lexiclass.plugins.tokenizers.parameters import HuggingFaceParameters
from lexiclass.regular_files import read_regular
from lexiclass.tokens import TokenMatrix, Vocabulary

_FILE = "tokenizer.json"
_BATCH_SIZE = 512

# The largest vocabularies in use make 35 MB.
_MAX_BYTES = 128 * 2**20


class HuggingFaceTokenizer(Tokenizer):
    """Splits text as a pretrained model does.

    The model keeps a copy of the ``tokenizer.json`` it was trained with and reads no other file
    afterwards. Only that format is read: it holds data, never code.
    """

    def __init__(self, parameters: HuggingFaceParameters, context: PluginContext) -> None:
        self._parameters = parameters
        self._context = context
        self._definition = b""
        self._tokenizer: Any = None

    def versions(self) -> Mapping[str, str]:
        """Name the library."""
        return {"tokenizers": version("tokenizers")}

    def identity(self) -> Mapping[str, str]:
        """Name the library and the SHA-256 of the ``tokenizer.json``.

        Raises:
            InvalidParameters: If the path leads to no tokenizer.
            PluginUnavailable: If the model is not on this machine.
        """
        self._require()
        return {**self.versions(), _FILE: hashlib.sha256(self._definition).hexdigest()}

    def tokenize_batch(self, texts: Sequence[str]) -> list[list[str]]:
        """Return one list of tokens per text."""
        return self.encode(texts).to_lists()

    def encode(self, texts: Iterable[str], vocabulary: Vocabulary | None = None) -> TokenMatrix:
        """Tokenize a stream of texts into integers.

        Raises:
            InvalidParameters: If the path leads to no tokenizer.
            PluginUnavailable: If the model is not on this machine.
        """
        self._require()
        if self._parameters.max_tokens is not None:
            # They are the first of a text, and not of each of its pieces.
            texts = first_pieces(texts)
        return encode_numbered(texts, vocabulary, batch_size=_BATCH_SIZE, number=self._number)

    def save(self, directory: Path) -> None:
        """Write the ``tokenizer.json``."""
        self._require()
        (directory / _FILE).write_bytes(self._definition)

    def load(self, directory: Path) -> None:
        """Read the ``tokenizer.json``.

        Raises:
            ModelCorrupt: If it is missing or not understood.
        """
        self._read(directory / _FILE)

    def _require(self) -> None:
        """Read the tokenizer when it is first needed: a loaded model brings its own."""
        if self._tokenizer is not None:
            return
        model = self._parameters.model
        try:
            self._read(find_pretrained(model, _FILE, self._context, patterns=(_FILE,)))
        except ModelCorrupt as error:
            reason = error.reason
            raise InvalidParameters(
                f"The tokenizer of {model!r} can't be used: {reason}. Give the tokenizer.json of a "
                "pretrained model.",
                details={"model": model, "reason": reason},
            ) from error

    def _read(self, path: Path) -> None:
        # The hub's cache links its files to a neighbouring folder; in a model there are no links.
        definition = read_regular(path.resolve(), _MAX_BYTES)
        with taking_in(_FILE):
            tokenizer = read_tokenizer(definition)
        tokenizer.no_padding()
        tokenizer.no_truncation()
        if self._parameters.max_tokens is not None:
            tokenizer.enable_truncation(self._parameters.max_tokens)
        self._definition, self._tokenizer = definition, tokenizer

    def _number(self, texts: Sequence[str], vocabulary: Vocabulary) -> TokenMatrix:
        # Some of what is wrong with a tokenizer shows only now.
        with taking_in(_FILE):
            encodings = self._tokenizer.encode_batch_fast(
                list(texts), add_special_tokens=self._parameters.special_tokens
            )
        ids = [encoding.ids for encoding in encodings]
        lengths = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
        numbers = np.fromiter(chain.from_iterable(ids), dtype=np.int64, count=lengths.sum())
        return renumber((numbers, lengths), self._tokenizer.id_to_token, vocabulary)
