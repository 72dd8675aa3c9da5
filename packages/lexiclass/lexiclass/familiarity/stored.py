"""Familiarity in a model's directory."""

from __future__ import annotations

from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from lexiclass.errors import ModelCorrupt
from lexiclass.familiarity.centroids import CentroidFamiliarity
from lexiclass.familiarity.words import WordFamiliarity
from lexiclass.serialization import read_arrays, read_json, write_arrays, write_json

#: What a model knows of its training documents.
Familiarity: TypeAlias = WordFamiliarity | CentroidFamiliarity

#: Name of the file in a model's directory; models of earlier versions, and those whose features
#: tell neither which words they know nor where a document lies, have none.
FILE: Final = "familiarity.json"

_MEANS: Final = "familiarity.safetensors"


def save_familiarity(directory: Path, familiarity: Familiarity | None) -> None:
    """Write what a model knows of its training documents, if anything."""
    if familiarity is not None:
        write_json(directory / FILE, familiarity.state())
    if isinstance(familiarity, CentroidFamiliarity):
        write_arrays(directory / _MEANS, {"centroids": familiarity.centroids})


def load_familiarity(directory: Path, num_features: int) -> Familiarity:
    """Read what :func:`save_familiarity` wrote.

    Raises:
        ModelCorrupt: If it is not that.
    """
    state = read_json(directory / FILE)
    try:
        if state["kind"] == WordFamiliarity.kind:
            return WordFamiliarity.from_state(state)
        if state["kind"] == CentroidFamiliarity.kind:
            arrays = read_arrays(directory / _MEANS, {"centroids": (np.float32, 2)})
            if arrays["centroids"].shape[1] != num_features:
                raise ModelCorrupt(_MEANS, f"not means of {num_features} features")
            return CentroidFamiliarity.from_state(state, arrays["centroids"])
        reason = f"of the unknown kind {state['kind']!r}"
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ModelCorrupt(FILE, f"not what it was trained on ({error!r})") from error
    raise ModelCorrupt(FILE, reason)
