"""Parameters of the tokenizers whose libraries are optional; none of those is imported here."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from lexiclass.plugins.parameters import Parameters
from lexiclass.plugins.pretrained.models import MINILM, MINILM_HELP, ModelName


def _list_languages(schema: dict[str, Any]) -> None:
    """List the languages that the installed spaCy has rules for; without one, any may be right."""
    spec = find_spec("spacy")
    folders = [] if spec is None else spec.submodule_search_locations or []
    known = {file.parent.name for each in folders for file in Path(each).glob("lang/*/__init__.py")}
    if known:
        schema["anyOf"][0]["enum"] = sorted(known)


class SpacyParameters(Parameters):
    """Parameters of the ``spacy`` tokenizer."""

    model: str | None = Field(
        default=None,
        pattern=r"^[a-z]{2,3}_[a-z0-9_]{1,60}$",
        description="An installed trained pipeline such as 'en_core_web_sm'; by default only the "
        "rules of the locale's language are used, which need no download.",
    )
    language: str | None = Field(
        default=None,
        pattern=r"^[a-z]{2,3}$",
        description="Rules of another language than the locale's; 'xx' are those for any language.",
        json_schema_extra=_list_languages,
    )
    lowercase: bool = Field(default=True, description="Fold words to lower case.")
    lemma: bool = Field(
        default=False, description="Dictionary forms for words; the model must have a lemmatizer."
    )
    drop_punctuation: bool = Field(default=True, description="Leave out punctuation.")
    drop_spaces: bool = Field(default=True, description="Leave out runs of blanks and new lines.")
    drop_stop_words: bool = Field(default=False, description="Leave out the most common words.")
    batch_size: int = Field(default=256, ge=1, le=10_000, description="Texts processed at a time.")


class SentencePieceParameters(Parameters):
    """Parameters of the ``sentencepiece`` tokenizer."""

    algorithm: Literal["unigram", "bpe"] = Field(
        default="unigram", description="How pieces are chosen: by likelihood or by merging pairs."
    )
    vocabulary_size: int = Field(
        default=8000,
        ge=16,
        le=200_000,
        description="Most pieces to learn; fewer where the training texts support no more.",
    )
    character_coverage: float = Field(
        default=0.9995,
        ge=0.9,
        le=1.0,
        description="Share of the characters of the training texts that become pieces.",
    )
    lowercase: bool = Field(default=True, description="Fold case before splitting.")
    max_training_characters: int = Field(
        default=20_000_000,
        ge=10_000,
        le=1_000_000_000,
        description="Learn from a random sample of the training texts beyond so many characters.",
    )


class HuggingFaceParameters(Parameters):
    """Parameters of the ``huggingface`` tokenizer."""

    model: ModelName = Field(
        default=MINILM,
        description="A tokenizer.json, a directory that holds one, the name of a model of the "
        "Hugging Face hub in the local cache, or 'package:NAME' for one inside an installed "
        "Python package. " + MINILM_HELP,
    )
    max_tokens: int | None = Field(
        default=None,
        ge=1,
        le=2**31 - 1,
        description="Keep only so many tokens of every text; all by default.",
    )
    special_tokens: bool = Field(
        default=False, description="Add the model's tokens for beginning and end."
    )
