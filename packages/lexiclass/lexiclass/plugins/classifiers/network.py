"""An encoder of texts with a layer on top that scores classes.

Whatever is loaded is data: the architecture is one of a list, built by transformers' own code from
numbers; weights are safetensors; the tokenizer is JSON.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Its threads do not survive a fork, after which the child hangs; whoever knows better sets it.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # noqa: TID251 - written, not read

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModel
from transformers.utils import logging

from lexiclass.errors import InvalidParameters, ModelCorrupt
from lexiclass.serialization import parse_json, write_json

# A bar for each loaded model is of no use in a worker's log.
logging.disable_progress_bar()

CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
WEIGHTS = "network.safetensors"

#: What to fetch from a hub.
PATTERNS = (CONFIG, TOKENIZER, "model*.safetensors", "model.safetensors.index.json")

# Encoders that read whole texts, each with how many of its positions no token can have.
_ARCHITECTURES = {
    "albert": 0,
    "bert": 0,
    "camembert": 2,
    "deberta": 0,
    "deberta-v2": 0,
    "distilbert": 0,
    "electra": 0,
    "modernbert": 0,
    "mpnet": 2,
    "roberta": 2,
    "xlm-roberta": 2,
}

# Settings by which a model brings code along, loads something else, or says how it was stored.
_DROPPED = frozenset(
    {"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version"}
)
_REFUSED = frozenset({"auto_map", "custom_pipelines", "quantization_config", "trust_remote_code"})

# Larger than in any encoder; a number beyond would only fill the memory.
_LARGEST_SETTING = 2**24
_MOST_LAYERS = 512


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """An encoder, the mean of whose outputs is scored by a linear layer.

    Attributes:
        settings: What the encoder is like.
        tokenizer: Splits texts into numbered tokens.
        modules: ``encoder`` and ``head``.
    """

    settings: dict[str, Any]
    tokenizer: Any
    modules: Any

    @classmethod
    def pretrained(cls, directory: Path, num_classes: int) -> Network:
        """Load an encoder and put a new layer on top.

        Raises:
            ValueError: If the files are not those of an encoder.
        """
        settings = _checked_settings((directory / CONFIG).read_bytes())
        try:
            tokenizer = Tokenizer.from_file(str(directory / TOKENIZER))
            encoder = AutoModel.from_pretrained(
                str(directory),
                config=_config(settings),
                dtype=torch.float32,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
            )
        except Exception as error:  # dozens of kinds, from JSON to shapes of weights
            raise ValueError(f"it can't be loaded ({type(error).__name__}: {error})") from error
        _check_tokenizer(tokenizer, settings)
        return cls(settings, tokenizer, _assemble(encoder, num_classes))

    @classmethod
    def load(cls, directory: Path, num_classes: int) -> Network:
        """Read what :meth:`save` wrote.

        Raises:
            ModelCorrupt: If the files do not fit together.
        """
        try:
            settings = _checked_settings((directory / CONFIG).read_bytes())
            with torch.device("meta"):  # shapes only: nothing is allocated before they are checked
                shapes = _shapes(_build(settings, num_classes).state_dict())
        except Exception as error:
            raise ModelCorrupt(CONFIG, f"not an encoder ({error})") from error
        try:
            weights = load_file(directory / WEIGHTS)
        except (OSError, SafetensorError, ValueError, KeyError) as error:
            raise ModelCorrupt(WEIGHTS, f"not a safetensors file ({error})") from error
        if _shapes(weights) != shapes:
            raise ModelCorrupt(WEIGHTS, "not the weights of this encoder and these classes")
        if not all(bool(tensor.isfinite().all()) for tensor in weights.values()):
            raise ModelCorrupt(WEIGHTS, "weights that are not finite")
        try:
            tokenizer = Tokenizer.from_file(str(directory / TOKENIZER))
            _check_tokenizer(tokenizer, settings)
        except Exception as error:  # tokenizers raises nothing more special
            raise ModelCorrupt(TOKENIZER, f"not a tokenizer ({error})") from error
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
        save_file(weights, directory / WEIGHTS)

    def tokenize(self, texts: Sequence[str], max_length: int) -> list[list[int]]:
        """Return the token numbers of texts, cut to what the encoder can read.

        Raises:
            InvalidParameters: If the tokenizer can't cope with them.
        """
        positions = int(self.settings.get("max_position_embeddings", max_length))
        usable = positions - _ARCHITECTURES[self.settings["model_type"]]
        self.tokenizer.enable_truncation(min(max_length, usable))
        self.tokenizer.no_padding()
        # Never nothing at all: the mean of no output is no number.
        empty = [int(self.settings.get("pad_token_id") or 0)]
        try:
            encodings = self.tokenizer.encode_batch(list(texts))
        except Exception as error:  # tokenizers raises nothing more special
            raise InvalidParameters(
                f"The encoder's tokenizer fails: {error}. Choose another encoder."
            ) from error
        return [encoding.ids or empty for encoding in encodings]

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


def _build(settings: Mapping[str, Any], num_classes: int) -> Any:
    return _assemble(AutoModel.from_config(_config(settings), trust_remote_code=False), num_classes)


def _assemble(encoder: Any, num_classes: int) -> Any:
    if hasattr(encoder, "pooler"):
        encoder.pooler = None  # made for another task, and never used here
    head = torch.nn.Linear(encoder.config.hidden_size, num_classes)
    return torch.nn.ModuleDict({"encoder": encoder, "head": head})


def _config(settings: Mapping[str, Any]) -> Any:
    fields = {name: value for name, value in settings.items() if name != "model_type"}
    return AutoConfig.for_model(settings["model_type"], **fields)


def _checked_settings(data: bytes) -> dict[str, Any]:
    """Return the settings of a config.json.

    Raises:
        ValueError: If it is for no encoder of the list, or wants more than to be built.
        ModelCorrupt: If it is not JSON.
    """
    settings = parse_json(data, file=CONFIG)
    if not isinstance(settings, dict) or settings.get("model_type") not in _ARCHITECTURES:
        found = settings.get("model_type") if isinstance(settings, dict) else None
        raise ValueError(f"its type {found!r} is none of {', '.join(_ARCHITECTURES)}")
    refused = sorted(_REFUSED.intersection(settings))
    if refused:
        raise ValueError(f"its {CONFIG} asks for {', '.join(refused)}")
    for name, value in settings.items():
        most = _MOST_LAYERS if "layers" in name else _LARGEST_SETTING
        if isinstance(value, int) and value > most:
            raise ValueError(f"its {name} is {value}, more than {most}")
    return {name: value for name, value in settings.items() if name not in _DROPPED}


def _check_tokenizer(tokenizer: Any, settings: Mapping[str, Any]) -> None:
    highest = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
    size = _config(settings).vocab_size
    if not 0 <= highest < size:
        raise ValueError(f"its tokens go up to {highest}, its vectors to {size - 1}")


def _shapes(tensors: Mapping[str, Any]) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {name: (str(tensor.dtype), tuple(tensor.shape)) for name, tensor in tensors.items()}
