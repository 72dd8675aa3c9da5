"""What the JSON files of a sentence encoder may say, beside its ``config.json``.

sentence-transformers hands much of them on to other libraries, where a setting can name code to
run or a file to read. Each file is therefore made anew, of the settings of a list whose values were
looked at; see :mod:`lexiclass.plugins.pretrained.config`, which has the reasons.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

# Beyond what any encoder reads.
_MOST_TOKENS = 2**20

_Text: TypeAlias = Annotated[str, StringConstraints(max_length=10_000)]
_Word: TypeAlias = Annotated[str, StringConstraints(max_length=1000)]

_Side = Literal["left", "right"]

_TOKENIZERS = (
    "Albert", "Bert", "Camembert", "Deberta", "DebertaV2", "DistilBert", "Electra", "MPNet",
    "PreTrained", "Roberta", "XLMRoberta",
)  # fmt: skip

# Classes of tokenizers that read their vocabulary and nothing else.
_TOKENIZER_CLASSES = frozenset(
    {f"{name}Tokenizer{kind}" for name in _TOKENIZERS for kind in ("", "Fast")}
    | {"TokenizersBackend"}
)


class _Settings(BaseModel):
    """Settings of a list; what else a file says is left out."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Module(_Settings):
    """One entry of ``modules.json``."""

    type: str
    path: Annotated[str, StringConstraints(max_length=200)]


class AddedToken(_Settings):
    """A token with its own way of being found in a text."""

    content: _Word
    lstrip: bool = False
    normalized: bool = True
    rstrip: bool = False
    single_word: bool = False
    special: bool = False


_Token: TypeAlias = AddedToken | _Word | None


class SpecialTokens(_Settings):
    """``special_tokens_map.json``."""

    additional_special_tokens: list[AddedToken | _Word] | None = None
    bos_token: _Token = None
    cls_token: _Token = None
    eos_token: _Token = None
    mask_token: _Token = None
    pad_token: _Token = None
    sep_token: _Token = None
    unk_token: _Token = None


class TokenizerSettings(SpecialTokens):
    """``tokenizer_config.json``."""

    add_bos_token: bool | None = None
    add_eos_token: bool | None = None
    add_prefix_space: bool | None = None
    added_tokens_decoder: dict[_Word, AddedToken] | None = None
    clean_up_tokenization_spaces: bool | None = None
    do_basic_tokenize: bool | None = None
    do_lower_case: bool | None = None
    errors: Literal["ignore", "replace", "strict"] | None = None
    keep_accents: bool | None = None
    legacy: bool | None = None
    max_length: Annotated[int, Field(ge=1)] | None = None
    model_input_names: list[Literal["attention_mask", "input_ids", "token_type_ids"]] | None = None
    model_max_length: int | Annotated[float, Field(allow_inf_nan=False)] | None = None
    pad_token_type_id: int | None = None
    padding_side: _Side | None = None
    remove_space: bool | None = None
    split_by_punct: bool | None = None
    strip_accents: bool | None = None
    tokenize_chinese_chars: bool | None = None
    tokenizer_class: str | None = None
    trim_offsets: bool | None = None
    truncation_side: _Side | None = None


class TransformerSettings(_Settings):
    """``sentence_bert_config.json``, or an older name of it."""

    max_seq_length: Annotated[int, Field(ge=1, le=_MOST_TOKENS)] | None = None
    do_lower_case: bool = False
    transformer_task: Literal["feature-extraction"] = "feature-extraction"


class ModelSettings(_Settings):
    """``config_sentence_transformers.json``."""

    prompts: dict[_Word, _Text | None] = Field(default_factory=dict, max_length=1000)
    default_prompt_name: _Word | None = None


_Mode = Literal["cls", "lasttoken", "max", "mean", "mean_sqrt_len_tokens", "weightedmean"]


class PoolingSettings(_Settings):
    """``config.json`` of the module that makes one vector of a text's."""

    embedding_dimension: Annotated[int, Field(ge=1, le=100_000)] | None = None
    word_embedding_dimension: Annotated[int, Field(ge=1, le=100_000)] | None = None
    pooling_mode: _Mode | list[_Mode] | None = None
    pooling_mode_cls_token: bool | None = None
    pooling_mode_lasttoken: bool | None = None
    pooling_mode_max_tokens: bool | None = None
    pooling_mode_mean_sqrt_len_tokens: bool | None = None
    pooling_mode_mean_tokens: bool | None = None
    pooling_mode_weightedmean_tokens: bool | None = None
    include_prompt: bool | None = None


def module_folder(module: Module) -> PurePosixPath:
    """Return where a module's files are, relative to the encoder.

    Raises:
        ValueError: If that leads out of it.
    """
    folder = PurePosixPath(module.path)
    if folder.is_absolute() or ".." in folder.parts or "\\" in module.path or "\0" in module.path:
        raise ValueError(f"its module path {module.path!r} leads out of the directory")
    return folder


def settings_of(model: type[_Settings], content: Any) -> dict[str, Any]:
    """Return what a file says of the settings of a list, as JSON.

    Raises:
        ValueError: If one has a value that it can't have.
    """
    try:
        return model.model_validate(content).model_dump(exclude_none=True)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise ValueError(f"{where or 'it'} can't be that: {problem['msg']}") from error


def special_tokens(content: Any) -> dict[str, Any]:
    """Return the settings of a ``special_tokens_map.json``.

    Raises:
        ValueError: If one has a value that it can't have.
    """
    found = settings_of(SpecialTokens, content)
    return {name: _marked(value) for name, value in found.items()}


def tokenizer_settings(content: Any) -> dict[str, Any]:
    """Return the settings of a ``tokenizer_config.json``.

    Raises:
        ValueError: If one has a value that it can't have, or the tokenizer is of another kind.
    """
    found = settings_of(TokenizerSettings, content)
    kind = found.get("tokenizer_class")
    if kind is not None and kind not in _TOKENIZER_CLASSES:
        raise ValueError(f"its tokenizer is a {kind!r:.80}, which is no plain one")
    # A dictionary stands for a token with a way of its own, which the library tells by this.
    return {name: _marked(value) for name, value in found.items()}


def _marked(value: Any) -> Any:
    if isinstance(value, list):
        return [_marked(item) for item in value]
    if isinstance(value, dict) and "content" in value:
        return {"__type": "AddedToken", **value}
    return value
