"""The weights of a pretrained encoder: all that its settings ask for, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import torch
from transformers import AutoConfig, AutoModel

from lexiclass.serialization import read_array_shapes

# Layers of the task that an encoder was pretrained for, which are not built here.
_HEADS = frozenset(
    {
        "classifier",
        "cls",
        "decoder",
        "discriminator_predictions",
        "generator_lm_head",
        "generator_predictions",
        "head",
        "lm_head",
        "lm_predictions",
        "mask_predictions",
        "predictions",
        "qa_outputs",
        "sop_classifier",
        "vocab_layer_norm",
        "vocab_projector",
        "vocab_transform",
    }
)

# Made for a task as well, and never used here.
_POOLER = "pooler."

# Counted up from 0 by whoever builds the encoder; old files hold it.
_COUNTED = ("position_ids", "token_type_ids")

_FLOATS = frozenset({"BF16", "F16", "F32", "F64"})

_Shapes = dict[str, tuple[int, ...]]


def encoder_config(settings: Mapping[str, Any]) -> Any:
    """Return checked settings as transformers has them."""
    fields = {name: value for name, value in settings.items() if name != "model_type"}
    return AutoConfig.for_model(settings["model_type"], **fields)


def build_encoder(settings: Mapping[str, Any]) -> Any:
    """Build an encoder by transformers' own code, with weights of no meaning."""
    return AutoModel.from_config(encoder_config(settings), trust_remote_code=False)


def require_weights(settings: Mapping[str, Any], files: Iterable[Path]) -> None:
    """Check that weights are those of an encoder, by their headers; nothing is allocated.

    A library would fill in what is missing with random numbers.

    Raises:
        ValueError: If one is missing, unknown, or of another shape or type.
        ModelCorrupt: If a file is not in that format.
    """
    with torch.device("meta"):
        encoder = build_encoder(settings)
    expected = {name: tuple(tensor.shape) for name, tensor in encoder.state_dict().items()}
    wanted = {name: shape for name, shape in expected.items() if not name.startswith(_POOLER)}
    found = _found(files, f"{encoder.base_model_prefix}.")
    if missing := sorted(wanted.keys() - found.keys()):
        raise ValueError(f"{len(missing)} of its weights are missing, such as {missing[0]!r}")
    for name, shape in found.items():
        if name in expected and shape != expected[name]:
            raise ValueError(f"its weight {name!r} is {shape}, expected {expected[name]}")
    unknown = [name for name in found if name not in expected and not _is_known(name)]
    if unknown:
        raise ValueError(f"{len(unknown)} weights are none of its, such as {min(unknown)!r}")


@contextmanager
def offline() -> Iterator[None]:
    """Have the hub's client refuse the network, whatever the environment says."""
    before = huggingface_hub.constants.HF_HUB_OFFLINE
    huggingface_hub.constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        huggingface_hub.constants.HF_HUB_OFFLINE = before


def _found(files: Iterable[Path], prefix: str) -> _Shapes:
    shapes: _Shapes = {}
    for path in files:
        for name, (dtype, shape) in read_array_shapes(path).items():
            # As transformers has it: the encoder may be part of a whole with its head, and older
            # files have other names for the numbers of a normalization.
            own = name.removeprefix(prefix)
            own = own.removesuffix("gamma") + "weight" if own.endswith(".gamma") else own
            own = own.removesuffix("beta") + "bias" if own.endswith(".beta") else own
            if own in shapes:
                raise ValueError(f"its weight {own!r} is there twice")
            if dtype not in _FLOATS and not own.endswith(_COUNTED):
                raise ValueError(f"its weight {own!r} is of the type {dtype}")
            shapes[own] = shape
    return shapes


def _is_known(name: str) -> bool:
    head, _, _ = name.partition(".")
    return name.startswith(_POOLER) or name.endswith(_COUNTED) or head in _HEADS
