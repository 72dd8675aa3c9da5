"""The image, built here of Debian's packages and of this working tree."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.containers import Image, missing_tools

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
