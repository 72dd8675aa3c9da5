"""Embeddings of whole texts by a pretrained sentence encoder."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lexiclass.errors import InvalidParameters, ModelCorrupt, PluginMismatch
from lexiclass.plugins.base import FeatureExtractor, PluginContext
from lexiclass.plugins.features.encoder_files import (
    copy_encoder,
    digest_of,
    encoder_files,
    find_encoders,
)
from lexiclass.plugins.features.parameters import SbertParameters
from lexiclass.plugins.features.sentence_encoder import SentenceEncoder, available_devices
from lexiclass.plugins.tokenizers.batches import well_formed
from lexiclass.serialization import read_json, write_json

_log = logging.getLogger(__name__)

_STATE = "encoder.json"
_COPY = "encoder"


class _State(BaseModel):
    """What is kept of an encoder with every model.

    Attributes:
        digest: Of its files.
        dimension: Length of its embeddings.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    dimension: int = Field(ge=1, le=100_000)


class SbertExtractor(FeatureExtractor):
    """Encodes texts as they are; learns nothing from them.

    A model keeps the digest of the encoder's files, and refuses another encoder of the same name;
    with ``store_encoder`` it keeps the files themselves.

    Source: N. Reimers, I. Gurevych, "Sentence-BERT: Sentence Embeddings using Siamese
    BERT-Networks", EMNLP 2019.
    """

    def __init__(self, parameters: SbertParameters, context: PluginContext) -> None:
        self._parameters = parameters
        self._context = context
        self._encoder: SentenceEncoder | None = None
        self._files: Mapping[str, Path] = {}
        self._state: _State | None = None

    def versions(self) -> Mapping[str, str]:
        """Name the libraries that compute embeddings."""
        return {name: version(name) for name in ("sentence-transformers", "transformers", "torch")}

    def fit_transform(self, documents: Sequence[str]) -> NDArray[np.float32]:
        """Find the encoder and encode the training texts.

        Raises:
            InvalidParameters: If the path leads to no encoder, or to one that needs other code.
            PluginUnavailable: If the encoder or the device is not on this machine.
        """
        model = self._parameters.model
        directory = find_encoders(model, self._context)[0]
        try:
            files = encoder_files(directory, self._context)
            self._take(directory, files, self._parameters.device)
        except ValueError as error:
            raise InvalidParameters(
                f"The encoder {model!r} can't be used: {error}. Give a sentence-transformers model "
                "with weights as safetensors.",
                details={"model": model, "reason": str(error)},
            ) from error
        return self.transform(documents)

    def transform(self, documents: Iterable[str]) -> NDArray[np.float32]:
        """Encode texts: (n, num_features) float32.

        Raises:
            InvalidParameters: Before :meth:`fit_transform`.
        """
        encoder, _ = self._trained()
        return encoder.encode(
            well_formed(list(documents)),
            batch_size=self._parameters.batch_size,
            normalize=self._parameters.normalize,
        )

    def num_features(self) -> int:
        """Return the length of an embedding."""
        return 0 if self._state is None else self._state.dimension

    def save(self, directory: Path) -> None:
        """Write the encoder's digest, and with ``store_encoder`` its files."""
        _, state = self._trained()
        write_json(directory / _STATE, state.model_dump())
        if self._parameters.store_encoder:
            copy_encoder(self._files, directory / _COPY)

    def load(self, directory: Path) -> None:
        """Take back the encoder.

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
        try:
            self._take(*found, self._device_here())
        except ValueError as error:
            raise ModelCorrupt(_COPY, str(error)) from error
        if self._state != state:
            raise ModelCorrupt(_STATE, "says another length of embeddings than the encoder")

    def _places(self) -> list[Path]:
        return find_encoders(self._parameters.model, self._context)

    def _matching(
        self, places: Sequence[Path], state: _State
    ) -> tuple[Path, Mapping[str, Path]] | None:
        for place in places:
            files = encoder_files(place, self._context)
            if digest_of(files) == state.digest:
                return place, files
        return None

    def _device_here(self) -> str:
        """Return the device asked for, or the best one here: models move between machines."""
        device = self._parameters.device
        if device != "auto" and device not in available_devices():
            _log.warning("no device %s here; taking %s", device, available_devices()[0])
            return "auto"
        return device

    def _take(self, directory: Path, files: Mapping[str, Path], device: str) -> None:
        self._encoder = SentenceEncoder(
            directory, device=device, max_tokens=self._parameters.max_tokens
        )
        self._files = files
        self._state = _State(digest=digest_of(files), dimension=self._encoder.dimension)

    def _trained(self) -> tuple[SentenceEncoder, _State]:
        if self._encoder is None or self._state is None:
            raise InvalidParameters(
                "The feature extractor 'sbert' has no encoder yet; train the pipeline first."
            )
        return self._encoder, self._state
