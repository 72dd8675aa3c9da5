"""Embeddings of whole texts by a pretrained sentence encoder."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lexiclass.corruption import is_panic
from lexiclass.errors import (
    InvalidParameters,
    LexiClassError,
    ModelCorrupt,
    PluginMismatch,
    PluginUnavailable,
)
from lexiclass.plugins.base import EmbeddingExtractor, PluginContext
from lexiclass.plugins.features.parameters import SbertParameters
from lexiclass.plugins.features.sbert.files import copy_encoder, encoder_files, find_encoders
from lexiclass.plugins.pretrained.models import content_digest
from lexiclass.plugins.tokenizers.batches import well_formed
from lexiclass.serialization import read_json, write_json

if TYPE_CHECKING:
    from lexiclass.plugins.features.sbert.encoder import SentenceEncoder

_log = logging.getLogger(__name__)

_STATE = "encoder.json"
_COPY = "encoder"


class _State(BaseModel):
    """What is kept of an encoder with every model."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    dimension: int = Field(ge=1, le=100_000)


class _Found(NamedTuple):
    """An encoder on this machine."""

    directory: Path
    files: Mapping[str, Path]
    digest: str
    is_of_a_model: bool


class SbertExtractor(EmbeddingExtractor):
    """Encodes texts as they are; learns nothing from them.

    A model keeps the digest of the encoder's files, and refuses another encoder of the same name;
    with ``store_encoder`` it keeps the files themselves. The encoder is loaded when the first text
    is encoded, so documents that are indexed cost neither its time nor its memory.

    Source: N. Reimers, I. Gurevych, "Sentence-BERT: Sentence Embeddings using Siamese
    BERT-Networks", EMNLP 2019.
    """

    def __init__(self, parameters: SbertParameters, context: PluginContext) -> None:
        self._parameters = parameters
        self._context = context
        self._found: _Found | None = None
        self._encoder: SentenceEncoder | None = None
        self._dimension = 0

    def versions(self) -> Mapping[str, str]:
        """Name the libraries that compute embeddings."""
        return {name: version(name) for name in ("sentence-transformers", "transformers", "torch")}

    def prepare(self) -> None:
        """Find the encoder.

        Raises:
            InvalidParameters: If the path leads to no encoder, or to one that needs other code.
            PluginUnavailable: If the encoder is not on this machine.
        """
        directory = self._places()[0]
        try:
            files = encoder_files(directory, self._context)
        except ValueError as error:
            raise self._unusable(error) from error
        self._found = _Found(directory, files, content_digest(files), is_of_a_model=False)

    def identity(self) -> Mapping[str, Any]:
        """Name the encoder by its files, and what is done to texts and rows.

        Raises:
            InvalidParameters: Before :meth:`prepare`.
        """
        return {
            "encoder": self._known().digest,
            "max_tokens": self._parameters.max_tokens,
            "normalize": self._parameters.normalize,
        }

    def fit_transform(self, documents: Sequence[str]) -> NDArray[np.float32]:
        """Find the encoder and encode the training texts.

        Raises:
            InvalidParameters: If the path leads to no encoder, or to one that needs other code.
            PluginUnavailable: If the encoder or the device is not on this machine.
        """
        self.prepare()
        return self.transform(documents)

    def take_rows(self, rows: NDArray[np.float32]) -> None:
        """Take the length of embeddings from those of the training documents.

        Raises:
            InvalidParameters: Before :meth:`prepare`.
        """
        self._known()
        self._dimension = rows.shape[1]

    def transform(self, documents: Iterable[str]) -> NDArray[np.float32]:
        """Encode texts: (n, num_features) float32.

        Raises:
            InvalidParameters: Before :meth:`fit_transform`, or if the encoder can't be used.
            PluginUnavailable: If the device is not on this machine.
            ModelCorrupt: If the encoder of a loaded model can't be used.
        """
        if self._encoder is None:
            self._encoder = self._load_encoder(self._known())
            self._dimension = self._encoder.dimension
        try:
            return self._encoder.encode(
                well_formed(list(documents)),
                batch_size=self._parameters.batch_size,
                normalize=self._parameters.normalize,
            )
        except BaseException as error:
            # A token that the encoder has no vector of, modules that make no vector of a text, and
            # what tokenizers raise, which is nothing more special.
            is_of_files = isinstance(error, IndexError | KeyError) or type(error) is Exception
            if not is_of_files and not is_panic(error):
                raise
            raise self._refused(ValueError(f"it fails over a text ({error!r})")) from error

    def num_features(self) -> int:
        """Return the length of an embedding."""
        return self._dimension

    def save(self, directory: Path) -> None:
        """Write the encoder's digest, and with ``store_encoder`` its files."""
        found = self._known()
        state = _State(digest=found.digest, dimension=self._dimension)
        write_json(directory / _STATE, state.model_dump())
        if self._parameters.store_encoder:
            copy_encoder(found.files, directory / _COPY)

    def load(self, directory: Path) -> None:
        """Find the encoder the model was trained with.

        Raises:
            ModelCorrupt: If the files do not fit together.
            PluginMismatch: If the encoder of that name is another one here.
            PluginUnavailable: If there is none.
        """
        try:
            state = _State.model_validate(read_json(directory / _STATE))
        except ValidationError as error:
            raise ModelCorrupt(_STATE, f"not understood ({error})") from error
        copy = directory / _COPY
        try:
            places = [copy] if self._parameters.store_encoder else self._places()
            found = self._matching(places, state)
        except ValueError as error:
            raise ModelCorrupt(_COPY, str(error)) from error
        if found is None and self._parameters.store_encoder:
            raise ModelCorrupt(_COPY, "not the encoder the model was trained with")
        if found is None:
            raise PluginMismatch(
                f"The encoder {self._parameters.model!r} here has other files than the one the "
                "model was trained with, so it would predict otherwise. Restore that encoder, or "
                "train again.",
                details={"model": self._parameters.model, "stored": state.digest},
            )
        self._found, self._dimension = found, state.dimension

    def _places(self) -> list[Path]:
        return find_encoders(self._parameters.model, self._context)

    def _matching(self, places: Sequence[Path], state: _State) -> _Found | None:
        for place in places:
            files = encoder_files(place, self._context)
            if content_digest(files) == state.digest:
                return _Found(place, files, state.digest, is_of_a_model=True)
        return None

    def _load_encoder(self, found: _Found) -> SentenceEncoder:
        try:
            # Here, because documents that are indexed need none of what it imports.
            from lexiclass.plugins.features.sbert.encoder import (  # noqa: PLC0415
                SentenceEncoder,
                available_devices,
            )
        except ImportError as error:
            raise PluginUnavailable(
                f"The feature extractor 'sbert' can't be imported: {error}. Install it anew: "
                "pip install 'packages/lexiclass[sbert]'.",
                details={"reason": str(error)},
            ) from error
        device = self._parameters.device
        if found.is_of_a_model and device != "auto" and device not in available_devices():
            # Models move between machines.
            _log.warning("no device %s here; taking %s", device, available_devices()[0])
            device = "auto"
        try:
            encoder = SentenceEncoder(
                found.files, device=device, max_tokens=self._parameters.max_tokens
            )
        except ValueError as error:
            raise self._refused(error) from error
        if self._dimension not in {0, encoder.dimension}:
            raise ModelCorrupt(_STATE, "says another length of embeddings than the encoder")
        return encoder

    def _refused(self, error: ValueError) -> LexiClassError:
        if self._known().is_of_a_model:
            return ModelCorrupt(_COPY, str(error))
        return self._unusable(error)

    def _unusable(self, error: ValueError) -> InvalidParameters:
        model = self._parameters.model
        return InvalidParameters(
            f"The encoder {model!r} can't be used: {error}. Give a sentence-transformers model "
            "with weights as safetensors.",
            details={"model": model, "reason": str(error)},
        )

    def _known(self) -> _Found:
        if self._found is None:
            raise InvalidParameters(
                "The feature extractor 'sbert' has no encoder yet; train the pipeline first."
            )
        return self._found
