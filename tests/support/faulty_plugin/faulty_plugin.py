"""What a mistake in a parser written in C does to the process that calls it."""

import ctypes
from collections.abc import Iterable, Sequence

from pydantic import BaseModel

from lexiclass import PluginContext, PluginInfo, PluginType, Tokenizer
from lexiclass.tokens import TokenMatrix, Vocabulary

# What a document holds at which it crashes, one at which it never comes back, and one at which it
# raises what nobody foresaw.
CRASH = "\N{SKULL AND CROSSBONES}"
HANG = "\N{HOURGLASS}"
BUG = "\N{BUG}"


class NoParameters(BaseModel):
    """It has none."""


class FaultyTokenizer(Tokenizer):
    """Splits at blanks, with mistakes."""

    def __init__(self, parameters: NoParameters, context: PluginContext) -> None:
        del parameters, context

    def tokenize_batch(self, texts: Sequence[str]) -> list[list[str]]:
        return [self._split(text) for text in texts]

    def encode(self, texts: Iterable[str], vocabulary: Vocabulary | None = None) -> TokenMatrix:
        # One after the other, as they come: none is read ahead.
        return TokenMatrix.from_lists(map(self._split, texts), vocabulary)

    def _split(self, text: str) -> list[str]:
        if CRASH in text:
            ctypes.string_at(0)
        if HANG in text:
            # Does not let the interpreter's lock go: no line of Python runs in this process.
            ctypes.PyDLL(None).sleep(600)
        if BUG in text:
            raise ZeroDivisionError("a bug of the plugin")
        return text.split()


PLUGIN = PluginInfo(
    name="faulty",
    type=PluginType.TOKENIZER,
    description="Fails at some documents",
    implementation="faulty_plugin:FaultyTokenizer",
    parameters=NoParameters,
)
