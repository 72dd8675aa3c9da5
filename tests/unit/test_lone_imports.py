"""Each package, and each module beside them, can be the first that somebody imports."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

# Forked for each module from a process that has the libraries, and nothing of ours.
CHILD = """
import importlib, os, sys
import numpy, pydantic, scipy.sparse, sqlalchemy.ext.asyncio

assert not any(name.partition(".")[0].startswith("lexiclass") for name in sys.modules)
failed = []
for name in sys.argv[1:]:
    pid = os.fork()
    if pid == 0:
        try:
            importlib.import_module(name)
        except ImportError as error:
            print(f"{name}: {error}", flush=True)
            os._exit(1)
        os._exit(0)
    if os.waitpid(pid, 0)[1]:
        failed.append(name)
sys.exit(1 if failed else 0)
"""

# Programs, and what is Alembic's to import.
NOT_IMPORTED = ("__main__", "migrations")


def modules_of(package: str) -> list[str]:
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    root = Path(spec.origin).parent
    # A module in a package comes after this.
    files = {*root.glob("*.py"), *root.rglob("__init__.py")}
    names = []
    for file in sorted(files):
        parts = file.relative_to(root.parent).with_suffix("").parts
        if not set(parts) & set(NOT_IMPORTED):
            names.append(".".join(part for part in parts if part != "__init__"))
    return names


@pytest.mark.slow
@pytest.mark.parametrize(
    "package", ["lexiclass_core", "lexiclass", "lexiclass_console", "lexiclass_worker"]
)
def test_what_is_imported_first_can_be(package: str) -> None:
    modules = modules_of(package)
    assert len(modules) > 10
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *modules], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
