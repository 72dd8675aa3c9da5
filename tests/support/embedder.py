"""An extractor of embeddings that needs no library: words are hashed to directions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from lexiclass import (
    EmbeddingExtractor,
    InputKind,
    PluginContext,
    PluginInfo,
    PluginType,
    Registry,
    RowKind,
    build_registry,
)
from lexiclass.serialization import read_json, write_json

DIMENSION = 8


class Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid")

    salt: str = ""


class HashedWords(EmbeddingExtractor):
    """Sums of a direction per word; it notes which texts it was given."""

    def __init__(self, parameters: Parameters, context: PluginContext) -> None:
        self._salt = parameters.salt
        self._dimension = 0
        self.seen: list[str] = []
        self.library = "1.2"

    def versions(self) -> Mapping[str, str]:
        return {"hashing": self.library}

    def prepare(self) -> None:
        pass

    def identity(self) -> Mapping[str, Any]:
        return {"salt": self._salt}

    def fit_transform(self, documents: Iterable[str]) -> NDArray[np.float32]:
        return self.transform(documents)

    def take_rows(self, rows: NDArray[np.float32]) -> None:
        self._dimension = rows.shape[1]

    def transform(self, documents: Iterable[str]) -> NDArray[np.float32]:
        texts = list(documents)
        self.seen += texts
        self._dimension = DIMENSION
        return np.array([self._row(text) for text in texts], np.float32).reshape(-1, DIMENSION)

    def num_features(self) -> int:
        return self._dimension

    def save(self, directory: Path) -> None:
        write_json(directory / "state.json", {"dimension": self._dimension})

    def load(self, directory: Path) -> None:
        self._dimension = read_json(directory / "state.json")["dimension"]

    def _row(self, text: str) -> NDArray[np.float64]:
        rows = [_direction(self._salt + word) for word in text.split()]
        return np.asarray(np.sum([np.full(DIMENSION, 0.01), *rows], axis=0))


def _direction(word: str) -> NDArray[np.float64]:
    digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=DIMENSION).digest()
    return np.frombuffer(digest, np.uint8) / 255.0 - 0.5


def registry_with_it() -> Registry:
    """A registry that has it as ``hashed``."""
    registry = build_registry()
    registry.register(
        PluginInfo(
            name="hashed",
            type=PluginType.FEATURE_EXTRACTOR,
            description="Sums of hashed words",
            implementation=HashedWords,
            parameters=Parameters,
            input=InputKind.TEXT,
            gives=RowKind.DENSE,
        )
    )
    return registry


def hashed_words(salt: str = "") -> HashedWords:
    """A prepared one."""
    return HashedWords(Parameters(salt=salt), PluginContext())
