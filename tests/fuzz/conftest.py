"""Fuzzing takes FUZZ_MINUTES, shared by the tests that run; without, a few examples each."""

import os
from collections.abc import Callable
from functools import partial

import pytest

from tests.support import fuzzing


@pytest.fixture
def fuzz(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Tries examples for this test's share of the time; see :func:`tests.support.fuzzing.fuzz`."""
    minutes = float(os.environ.get("FUZZ_MINUTES", "0"))
    return partial(fuzzing.fuzz, seconds=60 * minutes / request.session.testscollected)
