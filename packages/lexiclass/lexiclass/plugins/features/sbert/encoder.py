"""sentence-transformers behind one typed class."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexiclass.corruption import is_panic
from lexiclass.errors import PluginUnavailable
from lexiclass.plugins.features.sbert.files import checked_encoder

# Its threads do not survive a fork, after which the child hangs; whoever knows better sets it.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # noqa: TID251 - written, not read

import torch
from sentence_transformers import SentenceTransformer
from transformers.utils import logging

from lexiclass.plugins.pretrained.tokenizers import settled
from lexiclass.plugins.pretrained.weights import offline, require_weights

# A bar for each loaded model is of no use in a worker's log.
logging.disable_progress_bar()


class SentenceEncoder:
    """A pretrained encoder of texts.

    Args:
        files: Its files; of what they say a library is given what was checked, and nothing is
            fetched. See :func:`~lexiclass.plugins.features.sbert.files.checked_encoder`.
        device: A torch device, or ``auto``.
        max_tokens: Tokens read of a text; the model's own limit if not given, or if that is lower.

    Raises:
        PluginUnavailable: If this machine has no such device.
        ValueError: If the files are not those of an encoder.
    """

    def __init__(self, files: Mapping[str, Path], *, device: str, max_tokens: int | None) -> None:
        chosen = available_devices()[0] if device == "auto" else device
        if chosen not in available_devices():
            raise PluginUnavailable(
                f"There is no device {device!r} here; there are: {', '.join(available_devices())}. "
                "Set device to one of them, or to 'auto'.",
                details={"device": device, "available": list(available_devices())},
            )
        try:
            self._model: Any = _load(files, chosen)
        except BaseException as error:
            if not isinstance(error, Exception) and not is_panic(error):
                raise
            raise ValueError(f"it can't be loaded ({type(error).__name__}: {error})") from error
        if max_tokens is not None:
            self._model.max_seq_length = min(max_tokens, self._model.max_seq_length or max_tokens)
        self._model.eval()
        self.dimension = int(self._model.get_embedding_dimension())

    def encode(
        self, texts: Sequence[str], *, batch_size: int, normalize: bool
    ) -> NDArray[np.float32]:
        """Return (n, dimension) embeddings."""
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        embeddings = self._model.encode(
            list(texts),
            batch_size=batch_size,
            show_progress_bar=False,
            convert_to_numpy=True,
            normalize_embeddings=normalize,
        )
        return np.asarray(embeddings, dtype=np.float32)


def _load(files: Mapping[str, Path], device: str) -> Any:
    with TemporaryDirectory(prefix="lexiclass-encoder-") as made, offline():
        checked = checked_encoder(files)
        require_weights(checked.config, checked.weights.values())
        checked.write(Path(made))
        model = SentenceTransformer(
            made,
            device=device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True, "dtype": torch.float32},
        )
    # Those that are written in Python have none, nor what is settled there.
    if (backend := getattr(model.tokenizer, "backend_tokenizer", None)) is not None:
        settled(backend)
    encoder = model[0].auto_model
    if hasattr(encoder, "pooler"):
        encoder.pooler = None  # never used here, and random where a file has none
    if not all(bool(tensor.isfinite().all()) for tensor in encoder.state_dict().values()):
        raise ValueError("it has weights that are not finite")
    return model


def available_devices() -> tuple[str, ...]:
    """Return the devices of this machine, the fastest first."""
    found = (
        ("cuda", torch.cuda.is_available()),
        ("mps", torch.backends.mps.is_available()),
        ("cpu", True),
    )
    return tuple(name for name, there in found if there)
