"""What makes two indexes of embeddings the same kind: everything that decides an embedding."""

from __future__ import annotations

from typing import Any, Self

from lexiclass.index.store.manifest import Configuration
from lexiclass.plugins.base import EmbeddingExtractor


class EmbeddingConfiguration(Configuration):
    """A feature extractor and its identity; see :meth:`lexiclass.EmbeddingExtractor.identity`."""

    plugin = "feature extractor"
    key_digits = 16

    feature_extractor: str
    identity: dict[str, Any]

    @classmethod
    def of(cls, feature_extractor: str, embedder: EmbeddingExtractor) -> Self:
        """Return the configuration of a prepared or trained feature extractor."""
        return cls(feature_extractor=feature_extractor, identity=dict(embedder.identity()))

    @property
    def name(self) -> str:
        """The feature extractor."""
        return self.feature_extractor
