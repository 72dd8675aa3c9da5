"""An encoder of texts with a layer on top that scores classes.

Whatever is loaded is data: the architecture is one of a list, built by transformers' own code from
numbers; weights are safetensors; the tokenizer is JSON.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# Its threads do not survive a fork, after which the child hangs; whoever knows better sets it.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # noqa: TID251 - written, not read

import torch
from safetensors.torch import save_file
from transformers import AutoModel
from transformers.utils import logging

from lexiclass.corruption import is_panic, taking_in
from lexiclass.errors import InvalidParameters, ModelCorrupt
from lexiclass.plugins.pretrained.config import ARCHITECTURES, CONFIG, checked_config
from lexiclass.plugins.pretrained.folder import find_weights, write_folder
from lexiclass.plugins.pretrained.tokenizers import read_tokenizer
from lexiclass.plugins.pretrained.weights import (
    build_encoder,
    encoder_config,
    offline,
    require_weights,
)
from lexiclass.regular_files import read_regular
from lexiclass.serialization import read_all_arrays, write_json

# A bar for each loaded model is of no use in a worker's log.
logging.disable_progress_bar()

TOKENIZER = "tokenizer.json"
_WEIGHTS = "network.safetensors"

# The largest vocabularies in use make 35 MB.
_MAX_TOKENIZER_BYTES = 128 * 2**20

#: What to fetch from a hub.
PATTERNS = (CONFIG, TOKENIZER, "model*.safetensors", "model.safetensors.index.json")


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """An encoder, the mean of whose outputs is scored by a linear layer."""

    settings: dict[str, Any]
    tokenizer: Any
    modules: Any

    @classmethod
    def pretrained(cls, directory: Path, num_classes: int) -> Network:
        """Load an encoder and put a new layer on top.

        Raises:
            ValueError: If the files are not those of an encoder.
        """
        settings = checked_config(read_regular((directory / CONFIG).resolve()))
        try:
            tokenizer = _read_tokenizer(directory / TOKENIZER)
            encoder = _pretrained_encoder(settings, directory)
        except BaseException as error:  # dozens of kinds, from JSON to shapes of weights
            if not isinstance(error, Exception) and not is_panic(error):
                raise
            raise ValueError(f"it can't be loaded ({type(error).__name__}: {error})") from error
        _check_tokenizer(tokenizer, settings)
        return cls(settings, tokenizer, _assemble(encoder, num_classes))

    @classmethod
    def load(cls, directory: Path, num_classes: int) -> Network:
        """Read what :meth:`save` wrote.

        Raises:
            ModelCorrupt: If the files do not fit together.
        """
        with taking_in(CONFIG):
            settings = checked_config(read_regular(directory / CONFIG))
            with torch.device("meta"):  # shapes only: nothing is allocated before they are checked
                shapes = _shapes(_build(settings, num_classes).state_dict())
        arrays = read_all_arrays(directory / _WEIGHTS)
        weights = {name: torch.from_numpy(array) for name, array in arrays.items()}
        if _shapes(weights) != shapes:
            raise ModelCorrupt(_WEIGHTS, "not the weights of this encoder and these classes")
        if not all(bool(tensor.isfinite().all()) for tensor in weights.values()):
            raise ModelCorrupt(_WEIGHTS, "weights that are not finite")
        with taking_in(TOKENIZER):
            tokenizer = _read_tokenizer(directory / TOKENIZER)
            _check_tokenizer(tokenizer, settings)
        modules = _build(settings, num_classes)
        modules.load_state_dict(weights)
        return cls(settings, tokenizer, modules)

    def save(self, directory: Path) -> None:
        """Write settings, tokenizer and weights."""
        write_json(directory / CONFIG, self.settings)
        (directory / TOKENIZER).write_text(self.tokenizer.to_str(), encoding="utf-8")
        weights = {
            name: tensor.detach().cpu().contiguous()
            for name, tensor in self.modules.state_dict().items()
        }
        save_file(weights, directory / _WEIGHTS)

    def tokenize(self, texts: Sequence[str], max_length: int) -> list[list[int]]:
        """Return the token numbers of texts, cut to what the encoder can read.

        Raises:
            InvalidParameters: If the tokenizer can't cope with them.
            ModelCorrupt: If it gives what is no token of the encoder.
        """
        positions = int(self.settings.get("max_position_embeddings", max_length))
        usable = positions - ARCHITECTURES[self.settings["model_type"]]
        self.tokenizer.enable_truncation(min(max_length, usable))
        self.tokenizer.no_padding()
        # Never nothing at all: the mean of no output is no number.
        empty = [int(self.settings.get("pad_token_id") or 0)]
        try:
            encodings = self.tokenizer.encode_batch(list(texts))
        except BaseException as error:  # tokenizers raises nothing more special
            if not isinstance(error, Exception) and not is_panic(error):
                raise
            raise InvalidParameters(
                f"The encoder's tokenizer fails: {error}. Choose another encoder."
            ) from error
        rows = [encoding.ids or empty for encoding in encodings]
        # A tokenizer adds numbers that its vocabulary need not have; no processor looks at them.
        if max(map(max, rows), default=0) >= encoder_config(self.settings).vocab_size:
            raise ModelCorrupt(TOKENIZER, "gives tokens that the encoder has no vectors of")
        return rows

    def known_tokens(self, rows: Sequence[Sequence[int]]) -> list[int]:
        """Return how many tokens of each row are of its text, and known."""
        added = self.tokenizer.get_added_tokens_decoder()
        special = {number for number, token in added.items() if token.special}
        return [sum(number not in special for number in row) for row in rows]

    def scores(self, batch: Sequence[Sequence[int]], device: str, dropout: float = 0.0) -> Any:
        """Return the (n, k) scores of tokenized texts, as a tensor on the device."""
        length = max(1, *map(len, batch))
        padding = int(self.settings.get("pad_token_id") or 0)
        ids = torch.tensor([[*row, *[padding] * (length - len(row))] for row in batch])
        mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in batch])
        ids, mask = ids.to(device), mask.to(device)
        states = self.modules["encoder"](input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).to(states.dtype)
        mean = (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
        mean = torch.nn.functional.dropout(mean, dropout, training=self.modules.training)
        return self.modules["head"](mean)


def _pretrained_encoder(settings: Mapping[str, Any], directory: Path) -> Any:
    """Load an encoder from a folder that has nothing beside its settings and weights."""
    weights = find_weights({path.name: path for path in directory.iterdir()})
    with TemporaryDirectory(prefix="lexiclass-encoder-") as made, offline():
        require_weights(settings, weights.values())
        write_folder(Path(made), {CONFIG: settings}, {}, weights)
        return AutoModel.from_pretrained(
            made,
            config=encoder_config(settings),
            dtype=torch.float32,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
        )


def _read_tokenizer(path: Path) -> Any:
    # The hub's cache links its files to a neighbouring folder.
    return read_tokenizer(read_regular(path.resolve(), _MAX_TOKENIZER_BYTES))


def _build(settings: Mapping[str, Any], num_classes: int) -> Any:
    return _assemble(build_encoder(settings), num_classes)


def _assemble(encoder: Any, num_classes: int) -> Any:
    if hasattr(encoder, "pooler"):
        encoder.pooler = None  # made for another task, and never used here
    head = torch.nn.Linear(encoder.config.hidden_size, num_classes)
    return torch.nn.ModuleDict({"encoder": encoder, "head": head})


def _check_tokenizer(tokenizer: Any, settings: Mapping[str, Any]) -> None:
    highest = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
    size = encoder_config(settings).vocab_size
    if not 0 <= highest < size:
        raise ValueError(f"its tokens go up to {highest}, its vectors to {size - 1}")


def _shapes(tensors: Mapping[str, Any]) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {name: (str(tensor.dtype), tuple(tensor.shape)) for name, tensor in tensors.items()}
