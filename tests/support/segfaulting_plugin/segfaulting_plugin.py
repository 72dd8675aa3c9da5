"""What a mistake in a parser written in C does to the process that calls it."""

import ctypes
from collections.abc import Iterable, Sequence

from pydantic import BaseModel

from lexiclass import PluginContext, PluginInfo, PluginType, Tokenizer
from lexiclass.tokens import TokenMatrix, Vocabulary

# A document that holds this is not survived.
POISON = "\N{SKULL AND CROSSBONES}"


class NoParameters(BaseModel):
    """It has none."""


class SegfaultingTokenizer(Tokenizer):
    """Splits at blanks; reads from address 0 when it meets the poison."""

    def __init__(self, parameters: NoParameters, context: PluginContext) -> None:
        del parameters, context

    def tokenize_batch(self, texts: Sequence[str]) -> list[list[str]]:
        return [self._split(text) for text in texts]

    def encode(self, texts: Iterable[str], vocabulary: Vocabulary | None = None) -> TokenMatrix:
        # One after the other, as they come: none is read ahead.
        return TokenMatrix.from_lists(map(self._split, texts), vocabulary)

    def _split(self, text: str) -> list[str]:
        if POISON in text:
            ctypes.string_at(0)
        return text.split()


PLUGIN = PluginInfo(
    name="segfaulting",
    type=PluginType.TOKENIZER,
    description="Ends the process at some documents",
    implementation="segfaulting_plugin:SegfaultingTokenizer",
    parameters=NoParameters,
)
