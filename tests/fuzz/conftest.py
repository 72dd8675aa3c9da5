"""Fuzzing takes FUZZ_MINUTES, shared by the tests that run; without, a few examples each."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support import fuzzing
from tests.support.house import House, open_house


@pytest.fixture
def own_house(database_uri: str, broker_url: str, tmp_path: Path) -> Iterator[House]:
    """A database and a namespace of this test's own, without a worker."""
    with open_house(database_uri, broker_url, tmp_path) as house:
        yield house


@pytest.fixture
def fuzz(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Tries examples for this test's share of the time; see :func:`tests.support.fuzzing.fuzz`."""
    minutes = float(os.environ.get("FUZZ_MINUTES", "0"))
    return partial(fuzzing.fuzz, seconds=60 * minutes / request.session.testscollected)
