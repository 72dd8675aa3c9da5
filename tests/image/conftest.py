"""The image, built here of Debian's packages and of this working tree."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.containers import Image, missing_tools
from tests.support.house import House, open_house

ROOT = Path(__file__).parents[2]
# Kept from run to run: of an image that has not changed nothing is built.
STORE = ROOT / ".images"


@pytest.fixture(scope="session")
def image() -> Image:
    """The image with the console and what reads an object store."""
    assert not missing_tools(), f"missing: {', '.join(missing_tools())}"
    subprocess.run(
        [
            sys.executable, ROOT / "deploy" / "image.py", f"--store={STORE}",
            "--extras=console,s3", "--tag=localhost/lexiclass-worker:test",
        ],
        check=True,
    )  # fmt: skip
    return Image(
        name="localhost/lexiclass-worker:test", store=(f"--root={STORE}", f"--runroot={STORE}/run")
    )


@pytest.fixture
def own_house(database_uri: str, broker_url: str, tmp_path: Path) -> Iterator[House]:
    """A database, a namespace and a storage of this test's own."""
    with open_house(database_uri, broker_url, tmp_path) as house:
        yield house
