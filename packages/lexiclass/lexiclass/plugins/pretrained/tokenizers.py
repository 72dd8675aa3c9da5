"""A ``tokenizer.json`` as Hugging Face's tokenizers reads it, without what is of no use here."""

from __future__ import annotations

import os
from typing import Any

# Its threads do not survive a fork, after which the child hangs; whoever knows better sets it.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # noqa: TID251 - written, not read

from tokenizers import Tokenizer

# BERT's is 100. Whoever looks for pieces of a longer word takes the square of its length.
_LONGEST_WORD = 1_000


def read_tokenizer(definition: bytes) -> Any:
    """Make a tokenizer of its file's content, which is data.

    Raises:
        ValueError: If it is no UTF-8, or settles for more than can be done with.
        Exception: If the library does not understand it; it raises nothing more special.
    """
    return settled(Tokenizer.from_str(definition.decode("utf-8")))


def settled(tokenizer: Any) -> Any:
    """Have a tokenizer split a text the same way each time, in a time that its length bounds.

    BPE-dropout, with which some are saved, is for the training of encoders: I. Provilkov et al.,
    ACL 2020. Tokens would be others whenever a text is read.

    Raises:
        ValueError: If it looks for pieces of words without end.
    """
    model = tokenizer.model
    if getattr(model, "dropout", None):
        model.dropout = None
    longest = getattr(model, "max_input_chars_per_word", 0)
    if longest > _LONGEST_WORD:
        raise ValueError(
            f"its max_input_chars_per_word is {longest}, expected {_LONGEST_WORD} or less"
        )
    return tokenizer
