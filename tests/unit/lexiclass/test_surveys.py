"""Looking at many documents of a source: by several processes where that takes long."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from lexiclass import Document, UnreadableDocument
from lexiclass.index import Survey
from lexiclass.index.store import source

POSITIONS = np.arange(60)
OWN = os.getpid()


class Slow:
    """Documents that take a moment to look at; their stamps tell which process did."""

    ids = POSITIONS

    def survey(self, positions: NDArray[np.int64]) -> Survey:
        time.sleep(0.02)
        return Survey(np.full(len(positions), os.getpid()), positions)

    def read(self, positions: NDArray[np.int64]) -> Iterator[Document | UnreadableDocument]:
        raise AssertionError("nobody reads them")


@pytest.mark.parametrize(("worth_s", "is_shared"), [(0.0, True), (float("inf"), False)])
def test_processes_are_started_only_where_looking_takes_longer_than_that(
    monkeypatch: pytest.MonkeyPatch, worth_s: float, is_shared: bool
) -> None:
    monkeypatch.setattr(source, "_SURVEY_DOCUMENTS", 10)
    monkeypatch.setattr(source, "_WORTH_PROCESSES_S", worth_s)

    found = source.survey(Slow(), POSITIONS, num_processes=2)

    assert found.sizes.tolist() == POSITIONS.tolist()
    assert set(found.stamps[:10].tolist()) == {OWN}
    assert (OWN not in found.stamps[10:]) == is_shared
