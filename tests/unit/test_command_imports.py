"""What a command loads before it does anything: none of what another one needs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lexiclass_core.statuses import TaskStatus

HEAVY = ("numpy", "scipy", "sklearn", "sqlalchemy", "redis", "fsspec", "icu4py", "dramatiq")

SCRIPT = """\
import json, sys
from {package}.cli import app
try:
    app(sys.argv[2:])
except SystemExit as ended:
    status = ended.code
loaded = [name for name in json.loads(sys.argv[1]) if name in sys.modules]
print(json.dumps([status, loaded]), file=sys.stderr)
"""


@pytest.mark.slow_variants(2)
@pytest.mark.parametrize(
    ("package", "arguments"),
    [
        ("lexiclass_worker", "--version"),
        ("lexiclass_worker", "--help"),  # describes every command
        ("lexiclass_worker", "tasks list --help"),
        ("lexiclass_worker", "config show"),
        ("lexiclass", "--version"),
        ("lexiclass", "--help"),
        ("lexiclass", "plugins list --help"),
    ],
)
def test_a_command_that_computes_nothing_loads_no_library_for_it(
    package: str, arguments: str, tmp_path: Path
) -> None:
    script = SCRIPT.format(package=package)
    run = subprocess.run(
        [sys.executable, "-c", script, json.dumps(HEAVY), *arguments.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(run.stderr.splitlines()[-1]) == [0, []]
    assert run.stdout


@pytest.mark.slow_variants
@pytest.mark.parametrize("package", ["lexiclass", "lexiclass_worker"])
def test_the_version_is_told_and_a_misspelt_command_is_guessed(
    package: str, tmp_path: Path
) -> None:
    name = package.replace("_", "-")
    script = f"from {package}.cli import main; main()"

    def run(argument: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", script, argument]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    told = run("--version")
    assert told.stdout.startswith(f"{name} 0.")
    assert (told.stdout.count("\n"), told.returncode) == (1, 0)
    guessed = run("trian")
    assert guessed.returncode == 2
    assert "Did you mean 'train'?" in guessed.stderr


def test_a_status_is_the_same_with_and_without_the_tables() -> None:
    from lexiclass_core import models

    assert models.TaskStatus is TaskStatus
