"""Familiarity in a model's directory."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lexiclass.errors import ModelCorrupt
from lexiclass.familiarity.words import WordFamiliarity
from lexiclass.serialization import read_json, write_json

#: Name of the file in a model's directory; models of earlier versions, and those whose features do
#: not tell which words they know, have none.
FILE: Final = "familiarity.json"


def save_familiarity(directory: Path, familiarity: WordFamiliarity | None) -> None:
    """Write what a model knows of its training documents, if anything."""
    if familiarity is not None:
        write_json(directory / FILE, familiarity.state())


def load_familiarity(directory: Path) -> WordFamiliarity:
    """Read what :func:`save_familiarity` wrote.

    Raises:
        ModelCorrupt: If it is not that.
    """
    state = read_json(directory / FILE)
    try:
        if state["kind"] == WordFamiliarity.kind:
            return WordFamiliarity.from_state(state)
        reason = f"of the unknown kind {state['kind']!r}"
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ModelCorrupt(FILE, f"not what it was trained on ({error!r})") from error
    raise ModelCorrupt(FILE, reason)
