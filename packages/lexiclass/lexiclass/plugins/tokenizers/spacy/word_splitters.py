"""The libraries that split words for spaCy where a language writes none: limits and versions."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from typing import Final

# What spaCy imports for a language (its lang/ folder), and the dictionaries these read.
_DISTRIBUTIONS: Final = {
    "ja": ("SudachiPy", "SudachiDict-core"),
    "ko": ("natto-py",),
    "ru": ("pymorphy3", "pymorphy3-dicts-ru"),
    "th": ("pythainlp",),
    "uk": ("pymorphy3", "pymorphy3-dicts-uk"),
    "vi": ("pyvi",),
    "zh": ("spacy-pkuseg", "jieba"),
}

# Sudachi's MAX_LENGTH (sudachi/src/input_text/buffer): what offsets of 16 bits reach, less what
# folding may add.
_MAX_BYTES: Final = {"ja": 49_149}

# Longer than any emoticon. What is left of a run stays with what follows.
_RUN: Final = re.compile(r"(?:[^\w\s]|_){32}(?=[^\w\s]|_)")


def language_versions(language: str) -> dict[str, str]:
    """Name what splits the words of a language, and its dictionaries, where installed."""
    versions = {}
    for name in _DISTRIBUTIONS.get(language, ()):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            # Not all are used at a time: spaCy has said before if one that is needed is missing.
            continue
    return versions


def max_bytes(language: str) -> int | None:
    """Longest text that the language's library takes, in bytes of UTF-8; None for no limit."""
    return _MAX_BYTES.get(language)


def cut_runs(text: str) -> list[str]:
    """Cut runs of signs that are no letters, for spaCy takes them off a word one by one.

    Each time it copies what is left and looks at it in several ways: for a run of 20,000 brackets
    that takes a minute. The signs of a run are tokens of their own, cut or not, but for a few, such
    as dashes, of which a run is a sign.
    """
    ends = [found.end() for found in _RUN.finditer(text)]
    return [text[begin:end] for begin, end in pairwise([0, *ends, len(text)])] if ends else [text]
