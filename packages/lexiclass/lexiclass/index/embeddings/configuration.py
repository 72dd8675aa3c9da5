"""What makes two indexes of embeddings the same kind: everything that decides an embedding."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from lexiclass.plugins.base import EmbeddingExtractor
from lexiclass.serialization import canonical_json

_KEY_DIGITS = 16


class EmbeddingConfiguration(BaseModel):
    """A feature extractor and its identity; see :meth:`lexiclass.EmbeddingExtractor.identity`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    feature_extractor: str
    identity: dict[str, Any]

    @classmethod
    def of(cls, feature_extractor: str, embedder: EmbeddingExtractor) -> Self:
        """Return the configuration of a prepared or trained feature extractor.

        Args:
            feature_extractor: Its name.
            embedder: The feature extractor itself.
        """
        return cls(feature_extractor=feature_extractor, identity=dict(embedder.identity()))

    @property
    def key(self) -> str:
        """Directory name: readable, and different for every configuration."""
        digest = hashlib.sha256(canonical_json(self.model_dump())).hexdigest()[:_KEY_DIGITS]
        return f"{re.sub(r'[^A-Za-z0-9_.-]', '_', self.feature_extractor)}-{digest}"
