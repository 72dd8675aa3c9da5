"""The three distributions: what their wheels hold, and what importing them loads."""

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PLACES = {
    "lexiclass-worker": ROOT,
    "lexiclass": ROOT / "packages" / "lexiclass",
    "lexiclass-core": ROOT / "packages" / "lexiclass-core",
}
PACKAGES = {
    "lexiclass-worker": ("lexiclass_worker", "actors"),
    "lexiclass": ("lexiclass",),
    "lexiclass-core": ("lexiclass_core",),
}


def project(name: str) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((PLACES[name] / "pyproject.toml").read_text())["project"]
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels and source distributions, made by the backend alone: no index is asked."""
    target = tmp_path_factory.mktemp("dist")
    script = (
        "import sys; from hatchling.build import build_sdist, build_wheel; "
        "build_wheel(sys.argv[1]); build_sdist(sys.argv[1])"
    )
    for place in PLACES.values():
        subprocess.run(
            [sys.executable, "-c", script, str(target)], cwd=place, check=True, capture_output=True
        )
    return target


def wheel(built: Path, name: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(next(built.glob(f"{name.replace('-', '_')}-[0-9]*.whl")))


@pytest.mark.slow
@pytest.mark.parametrize("name", PLACES)
def test_a_wheel_holds_every_file_of_its_packages_and_nothing_else(built: Path, name: str) -> None:
    with wheel(built, name) as archive:
        found = {path for path in archive.namelist() if ".dist-info/" not in path}

    wanted = {
        path.relative_to(PLACES[name]).as_posix()
        for package in PACKAGES[name]
        for path in (PLACES[name] / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert found == wanted
    for package in PACKAGES[name]:
        assert f"{package}/py.typed" in found


@pytest.mark.slow
@pytest.mark.parametrize("name", PLACES)
def test_a_wheels_metadata_is_complete(built: Path, name: str) -> None:
    with wheel(built, name) as archive:
        names = archive.namelist()
        metadata = Parser().parsestr(
            archive.read(next(path for path in names if path.endswith("/METADATA"))).decode()
        )
        assert any(path.endswith("licenses/LICENSE") for path in names)

    assert metadata["Name"] == name
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Summary"]
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert len(metadata.get_payload()) > 40


@pytest.mark.slow
@pytest.mark.parametrize("name", PLACES)
def test_a_source_distribution_holds_what_the_wheel_needs(built: Path, name: str) -> None:
    path = next(built.glob(f"{name.replace('-', '_')}-[0-9]*.tar.gz"))
    with tarfile.open(path) as archive:
        names = {member.partition("/")[2] for member in archive.getnames()}

    assert {"pyproject.toml", "README.md", "LICENSE"} <= names
    assert not any(member.startswith(("tests/", ".venv", "data/")) for member in names)
    for package in PACKAGES[name]:
        assert f"{package}/__init__.py" in names


@pytest.mark.slow
def test_the_command_is_installed(built: Path) -> None:
    with wheel(built, "lexiclass-worker") as archive:
        (path,) = (path for path in archive.namelist() if path.endswith("entry_points.txt"))
        assert "lexiclass-worker = lexiclass_worker.cli:main" in archive.read(path).decode()


def test_the_three_have_one_version_and_pin_each_other_to_it() -> None:
    import lexiclass
    import lexiclass_core
    import lexiclass_worker

    number = (ROOT / "VERSION").read_text().strip()
    assert {version(name) for name in PLACES} == {number}
    packages = (lexiclass, lexiclass_core, lexiclass_worker)
    assert {package.__version__ for package in packages} == {number}
    dependencies = project("lexiclass-worker")["dependencies"]
    assert f"lexiclass=={number}" in dependencies
    assert f"lexiclass-core[client]=={number}" in dependencies


def test_a_plugin_asks_for_the_versions_that_its_extra_installs() -> None:
    from lexiclass import default_registry

    metadata = project("lexiclass")
    extras = [line for extra in metadata["optional-dependencies"].values() for line in extra]
    installed = {line.partition(";")[0].strip() for line in (*metadata["dependencies"], *extras)}
    asked = {
        each.strip()
        for info in default_registry().list()
        for requirement in info.requires
        for each in requirement.split("|")
    }
    assert len(asked) > 8
    assert asked <= installed


def test_no_text_asks_a_registry_for_names_that_are_not_ours_there() -> None:
    """Whoever registers one of them there would be run by all who do as they are told."""
    by_name = re.compile(r"""(pip install|install=)[^\n`#]*?[ '"]lexiclass""")
    folders = ("lexiclass_worker", "actors", "packages", "docs", "examples")
    files = [
        file for folder in folders for file in (ROOT / folder).rglob("*")
        if file.suffix in {".py", ".md"}
    ]  # fmt: skip
    assert len(files) > 200
    for file in [*files, ROOT / "README.md"]:
        assert by_name.search(file.read_text()) is None, file


def test_no_command_in_an_error_has_a_name_that_a_request_brought() -> None:
    """Whoever does what an error says would install what somebody else has chosen."""
    filled = re.compile(r"""(?:pip install|hf download|spacy download)[^"\n]*\{(\w+)""")
    names = {
        name
        for folder in ("lexiclass_worker", "packages")
        for file in (ROOT / folder).rglob("*.py")
        for name in filled.findall(file.read_text())
    }
    # A constant, and what the metadata of installed plugins say.
    assert names <= {"_MINILM_PACKAGE", "info"}


@pytest.mark.parametrize("name", PLACES)
def test_each_distribution_carries_the_same_licence(name: str) -> None:
    assert (PLACES[name] / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def loaded_by(*modules: str, environment: dict[str, str] | None = None) -> set[str]:
    """Names of the top-level packages a fresh interpreter has after importing modules.

    The library's are its modules, without those for containment, which a parent uses as well.
    """
    script = (
        "import importlib, json, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "contain = ('lexiclass.containment', 'lexiclass.core_dumps')\n"
        "names = {name for name in sys.modules if not name.startswith(contain)}\n"
        "own = {name for name in names if name.startswith('lexiclass.')}\n"
        "print(json.dumps(sorted(own | {name.partition('.')[0] for name in names - own})))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        check=True,
        capture_output=True,
        text=True,
    )
    return set(json.loads(done.stdout))


ML = {"numpy", "scipy", "sklearn", "icu4py", "safetensors"}


def of_library(loaded: set[str]) -> set[str]:
    return {name for name in loaded if name.startswith("lexiclass.")}


def test_the_core_loads_no_machine_learning_no_worker_and_no_queue() -> None:
    loaded = loaded_by(
        "lexiclass_core.client",
        "lexiclass_core.codes",
        "lexiclass_core.db",
        "lexiclass_core.layout",
        "lexiclass_core.models",
        "lexiclass_core.queue_config",
        "lexiclass_core.schemas",
    )

    assert not loaded & {
        *ML, "lexiclass", "dramatiq", "redis", "lexiclass_worker", "actors", "typer", "loguru",
    }  # fmt: skip


def test_the_library_loads_no_database_no_queue_and_no_worker() -> None:
    loaded = loaded_by("lexiclass")

    assert not loaded & {
        "sqlalchemy", "asyncpg", "alembic", "dramatiq", "redis", "lexiclass_core",
        "lexiclass_worker", "loguru",
    }  # fmt: skip


def test_a_workers_process_loads_no_machine_learning() -> None:
    """What parses foreign files lives in the sandbox alone, and a worker stays small."""
    loaded = loaded_by(
        "actors", environment={"DATABASE_URI": "postgresql+asyncpg://user:password@host/db"}
    )

    assert "dramatiq" in loaded
    assert not loaded & ML
    assert of_library(loaded) == set()


@pytest.mark.slow
def test_services_load_neither_the_queue_nor_machine_learning() -> None:
    loaded = loaded_by(
        *(
            f"lexiclass_worker.services.{name}"
            for name in "indexing training prediction evaluation".split()
        )
    )

    assert not loaded & {*ML, "dramatiq", "redis"}
    assert of_library(loaded) == set()


@pytest.mark.slow
def test_importing_a_corpus_needs_no_queue() -> None:
    assert "dramatiq" not in loaded_by("lexiclass_worker.admin.importing")
