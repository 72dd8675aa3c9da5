"""A tokenizer that derives from :class:`lexiclass.Tokenizer`."""

from collections.abc import Sequence

from lexiclass import PluginContext, Tokenizer
from lexiclass_plugin_example.parameters import CharactersParameters


class CharactersTokenizer(Tokenizer):
    """Splits every word into overlapping runs of characters, with a mark at both its ends."""

    def __init__(self, parameters: CharactersParameters, context: PluginContext) -> None:
        del context  # characters are the same in every language
        self._lengths = range(parameters.shortest, parameters.longest + 1)

    def tokenize_batch(self, texts: Sequence[str]) -> list[list[str]]:
        """Return one list of runs per text."""
        return [self._split(text) for text in texts]

    def _split(self, text: str) -> list[str]:
        return [
            word[start : start + length]
            for word in (f"<{word}>" for word in text.lower().split())
            for length in self._lengths
            for start in range(len(word) - length + 1)
        ]
