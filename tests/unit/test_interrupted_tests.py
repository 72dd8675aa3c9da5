"""A run of the tests that is told to end ends what it has started."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.workers import wait_until

ROOT = Path(__file__).parents[2]

SLEEPING = """
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def something():
    (HERE / "began").touch()
    yield
    (HERE / "ended").touch()


def test_sleeps(something):
    time.sleep(600)
"""


@pytest.fixture
def _no_signal_ignored() -> Iterator[None]:
    """What `nohup` has started ignores one, and so would all that it starts."""
    before = signal.signal(signal.SIGHUP, signal.default_int_handler)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.slow
@pytest.mark.usefixtures("_no_signal_ignored")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_tests_in_order(tmp_path: Path, number: signal.Signals) -> None:
    file = tmp_path / "test_that_sleeps.py"
    file.write_text(SLEEPING)
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.conftest",
         "--rootdir", str(tmp_path), "-c", str(ROOT / "pyproject.toml"), str(file)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            wait_until((tmp_path / "began").exists)
            process.send_signal(number)
            assert process.wait(60) == pytest.ExitCode.INTERRUPTED
        finally:
            process.kill()
    assert (tmp_path / "ended").exists()
