"""What tests of the console in a browser share."""

from collections.abc import Iterator

import pytest

from tests.support.house import House
from tests.support.served import served_console


@pytest.fixture(scope="module")
def address(house: House) -> Iterator[str]:
    """Where the console of a module's house is."""
    with served_console(house) as address:
        yield address
