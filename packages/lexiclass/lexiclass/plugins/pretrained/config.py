"""What the ``config.json`` of a pretrained encoder may say.

transformers takes such a file for a program's own words: some settings name code to fetch and run,
kernels, or other files. So a library is only ever given a document that was made anew here, of the
settings of this list, each with a value that was looked at.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lexiclass.serialization import parse_json

CONFIG = "config.json"

#: Encoders that read whole texts, each with how many of its positions no token can have.
ARCHITECTURES = {
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

# What a model asks code, kernels or other models for; "null" and the like ask for nothing.
_REFUSED = frozenset(
    {
        "_attn_implementation",
        "_attn_implementation_internal",
        "_experts_implementation",
        "adapter_name_or_path",
        "allow_all_kernels",
        "attn_implementation",
        "auto_map",
        "base_model_name_or_path",
        "code_revision",
        "compression_config",
        "config_args",
        "config_kwargs",
        "custom_pipelines",
        "experts_implementation",
        "kernel_config",
        "model_args",
        "model_kwargs",
        "peft_type",
        "processing_kwargs",
        "processor_kwargs",
        "quantization_config",
        "sp_model_kwargs",
        "tokenizer_args",
        "tokenizer_kwargs",
        "trust_remote_code",
        "use_kernels",
    }
)

# Numbers, truth values, or nothing. A number that is too large or not finite is refused.
_NUMBERS = frozenset(
    {
        "add_cross_attention",
        "attention_bias",
        "attention_dropout",
        "attention_probs_dropout_prob",
        "bos_token_id",
        "classifier_bias",
        "classifier_dropout",
        "classifier_dropout_prob",
        "cls_token_id",
        "conv_kernel_size",
        "decoder_bias",
        "dim",
        "dropout",
        "embedding_dropout",
        "embedding_size",
        "eos_token_id",
        "global_attn_every_n_layers",
        "global_rope_theta",
        "hidden_dim",
        "hidden_dropout_prob",
        "hidden_size",
        "initializer_cutoff_factor",
        "initializer_range",
        "inner_group_num",
        "intermediate_size",
        "is_decoder",
        "layer_norm_eps",
        "legacy",
        "local_attention",
        "local_rope_theta",
        "max_position_embeddings",
        "max_relative_positions",
        "mlp_bias",
        "mlp_dropout",
        "n_heads",
        "n_layers",
        "norm_bias",
        "norm_eps",
        "num_attention_heads",
        "num_hidden_groups",
        "num_hidden_layers",
        "pad_token_id",
        "pooler_dropout",
        "pooler_hidden_size",
        "position_biased_input",
        "position_buckets",
        "qa_dropout",
        "relative_attention",
        "relative_attention_num_buckets",
        "sep_token_id",
        "seq_classif_dropout",
        "share_att_key",
        "sinusoidal_pos_embds",
        "summary_last_dropout",
        "summary_use_proj",
        "tie_word_embeddings",
        "type_vocab_size",
        "use_cache",
        "vocab_size",
    }
)

_ACTIVATIONS = frozenset(
    {
        "gelu", "gelu_10", "gelu_accurate", "gelu_fast", "gelu_new", "gelu_pytorch_tanh",
        "gelu_python", "leaky_relu", "linear", "mish", "quick_gelu", "relu", "relu2", "relu6",
        "sigmoid", "silu", "swish", "tanh",
    }
)  # fmt: skip

# Words, each of a list.
_WORDS: Mapping[str, frozenset[str]] = {
    "activation": _ACTIVATIONS,
    "classifier_activation": _ACTIVATIONS,
    "classifier_pooling": frozenset({"cls", "mean"}),
    "conv_act": _ACTIVATIONS,
    "hidden_act": _ACTIVATIONS,
    "hidden_activation": _ACTIVATIONS,
    "norm_rel_ebd": frozenset({"layer_norm", "none"}),
    "pooler_hidden_act": _ACTIVATIONS,
    "position_embedding_type": frozenset({"absolute"}),
    "summary_activation": _ACTIVATIONS,
    "summary_type": frozenset({"first", "last", "mean"}),
}

# Lists of words.
_LISTS: Mapping[str, frozenset[str]] = {
    "layer_types": frozenset({"full_attention", "sliding_attention"}),
    "pos_att_type": frozenset({"c2c", "c2p", "p2c", "p2p"}),
}

_ROPE = "rope_parameters"

# Larger than in any encoder; a number beyond would only fill the memory.
_LARGEST_SETTING = 2**24
_MOST_LAYERS = 512

# ALBERT's, of which each has as many layers as the second says.
_MOST_GROUPS = {"num_hidden_groups": 32, "inner_group_num": 16}

_HEADS = frozenset({"n_heads", "num_attention_heads"})


def checked_config(data: bytes) -> dict[str, Any]:
    """Return the settings of a config.json that a library may be given; others are left out.

    Raises:
        ValueError: If it is for no encoder of the list, asks for code, or wants more than to be
            built.
        ModelCorrupt: If it is not JSON.
    """
    settings = parse_json(data, file=CONFIG)
    if not isinstance(settings, dict) or settings.get("model_type") not in ARCHITECTURES:
        found = settings.get("model_type") if isinstance(settings, dict) else None
        raise ValueError(f"its type {found!r} is none of {', '.join(ARCHITECTURES)}")
    refuse_code(settings, CONFIG)
    checked = {name: _checked(name, value) for name, value in settings.items() if name in _CHECKED}
    return {"model_type": settings["model_type"], **checked}


def refuse_code(value: Any, file: str, *, depth: int = 0) -> None:
    """Refuse a JSON document that asks for code, kernels, adapters or other models, at any depth.

    Raises:
        ValueError: Naming what it asks for.
    """
    if depth > _DEEPEST:
        raise ValueError(f"{file!r} has more than {_DEEPEST} levels")
    if isinstance(value, dict):
        found = sorted(name for name in _REFUSED.intersection(value) if value[name])
        if found:
            raise ValueError(f"{file!r} asks for code of its own ({', '.join(found)})")
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            refuse_code(item, file, depth=depth + 1)


_DEEPEST = 32

_CHECKED = _NUMBERS | _WORDS.keys() | _LISTS.keys() | {_ROPE}


def _checked(name: str, value: Any) -> Any:
    if name in _NUMBERS:
        return _number(name, value)
    if name == _ROPE:
        return _rope(value)
    if name in _LISTS:
        return _words(name, value)
    if value is not None and (type(value) is not str or value not in _WORDS[name]):
        raise ValueError(f"its {name} {value!r} is none of {', '.join(sorted(_WORDS[name]))}")
    return value


def _number(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    most = _MOST_GROUPS.get(name, _MOST_LAYERS if "layers" in name else _LARGEST_SETTING)
    if type(value) not in (int, float) or not math.isfinite(value) or abs(value) > most:
        raise ValueError(f"its {name} is {value!r:.80}, expected a number up to {most}")
    if name in _HEADS and value < 1:
        raise ValueError(f"its {name} is {value!r:.80}, expected 1 or more")
    return value


def _words(name: str, value: Any) -> Any:
    # DeBERTa's is written in one word: "p2c|c2p".
    words = value.split("|") if isinstance(value, str) else value
    if words is None:
        return None
    allowed = _LISTS[name]
    if not isinstance(words, list) or len(words) > _MOST_LAYERS:
        raise ValueError(f"its {name} is no list of words")
    if any(type(word) is not str or word not in allowed for word in words):
        raise ValueError(f"its {name} holds another word than {', '.join(sorted(allowed))}")
    return value


def _rope(value: Any) -> Any:
    """Rotary positions: a base of the usual kind, for all layers or for each kind of them."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError(f"its {_ROPE} is no object")  # noqa: TRY004 - of a file's content
    return {name: _rope_setting(name, item) for name, item in value.items()}


def _rope_setting(name: str, value: Any) -> Any:
    if name in _LISTS["layer_types"]:
        return _rope(value)
    if name == "rope_type" and value == "default":
        return value
    if name in {"rope_theta", "partial_rotary_factor"}:
        return _number(name, value)
    raise ValueError(f"its {_ROPE} has {name!r}: only the default kind is known")
