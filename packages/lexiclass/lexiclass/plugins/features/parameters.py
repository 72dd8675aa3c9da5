"""Parameters of the feature extractors whose libraries are optional; none is imported here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lexiclass.plugins.parameters import Parameters
from lexiclass.plugins.pretrained.models import MINILM, MINILM_HELP, ModelName


class FastTextParameters(Parameters):
    """Parameters of the ``fasttext`` feature extractor."""

    path: ModelName | None = Field(
        default=None,
        description="A file of pretrained word vectors as text (.vec); by default vectors are "
        "learned from the training documents.",
    )
    max_words: int = Field(
        default=200_000,
        ge=1,
        le=2_000_000,
        description="Most words kept: the most frequent, or the first ones of the file.",
    )
    dimension: int = Field(default=100, ge=2, le=1000, description="Length of learned vectors.")
    epochs: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Passes over the documents; by default 10, and up to 100 on small corpora.",
    )
    learning_rate: float = Field(
        default=0.05, gt=0, le=10, description="Size of the first steps; halved where they diverge."
    )
    algorithm: Literal["skipgram", "cbow"] = Field(
        default="skipgram", description="Predict the context from a word, or the word from it."
    )
    window: int = Field(default=5, ge=1, le=100, description="Words of context on each side.")
    min_count: int = Field(
        default=2,
        ge=1,
        description="Fewest occurrences of a word with a vector of its own, eased on corpora below "
        "50 times as many documents.",
    )
    min_n: int = Field(
        default=3, ge=1, le=10, description="Shortest run of characters with a vector."
    )
    max_n: int = Field(
        default=5, ge=0, le=10, description="Longest one; 0 for whole words without their parts."
    )
    buckets: int = Field(
        default=50_000,
        ge=1,
        le=10_000_000,
        description="Most vectors for runs of characters, which are shared beyond.",
    )
    weighting: Literal["none", "idf", "sif"] = Field(
        default="none",
        description="What a word counts for in a document's mean: all the same, or less, the more "
        "documents hold it (idf) or the more frequent it is (sif). On AG News none did best.",
    )


class SbertParameters(Parameters):
    """Parameters of the ``sbert`` feature extractor."""

    model: ModelName = Field(
        default=MINILM,
        description="A sentence-transformers model: its name on the Hugging Face hub, in the local "
        "cache; a directory; or 'package:NAME' for one inside an installed Python package. "
        + MINILM_HELP,
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        default="auto", description="Where to compute; 'auto' takes a GPU where there is one."
    )
    batch_size: int = Field(default=32, ge=1, le=4096, description="Texts encoded at a time.")
    max_tokens: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="Read only so many tokens of every text; the model's own limit by default.",
    )
    normalize: bool = Field(default=True, description="Scale every embedding to length 1.")
    store_encoder: bool = Field(
        default=False,
        description="Keep a copy of the encoder with the model (90 MB for the default one), "
        "instead of its name and digest.",
    )
