"""What the image installs is known by version and hash, and our names are asked of no index."""

import importlib.util
import re
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import requires
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
LOCKS = sorted(DEPLOY.glob("requirements*.txt"))
OURS = {"lexiclass", "lexiclass-core", "lexiclass-console", "lexiclass-worker"}
EXTRAS = ("formats", "otel", "parquet", "s3")
# The image's by default, and Debian's.
PYTHONS = ("3.11.14", "3.11.2")


def script(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(name, DEPLOY / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def pinned(path: Path) -> dict[str, str]:
    lines = re.findall(r"^([\w.-]+)==(\S+)", path.read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}


CONSTRAINTS = pinned(ROOT / "constraints.txt")
HEAVY = pinned(ROOT / "constraints-heavy.txt") | CONSTRAINTS


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_has_the_versions_that_are_tested_with_a_hash_each(lock: Path) -> None:
    first, *lines = lock.read_text().replace(" \\\n", " ").splitlines()
    assert first.startswith("# Written by: make lock")
    for line in lines:
        assert re.fullmatch(r"[a-z0-9-]+==[\w.+]+( +--hash=sha256:[0-9a-f]{64})+", line), line
    # Of torch the build for CPUs is locked, which has a local version.
    found = {name: version.partition("+")[0] for name, version in pinned(lock).items()}
    expected = HEAVY if lock.stem == "requirements-heavy" else CONSTRAINTS
    assert found == {name: expected[name] for name in found}
    assert not OURS & found.keys()


@pytest.mark.slow_variants(4)
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_the_locks_hold_everything_that_is_needed(extra: str, machine: str) -> None:
    """By what the installed distributions say that they need, as the image's Python takes it."""
    locked = pinned(DEPLOY / "requirements.txt")
    if extra:
        locked |= pinned(DEPLOY / f"requirements-{extra}.txt")
    needed = [names_needed(extra, machine, python, locked) for python in PYTHONS]
    assert set().union(*needed) == locked.keys()


def names_needed(extra: str, machine: str, python: str, locked: dict[str, str]) -> set[str]:
    environment = {
        "python_version": "3.11",
        "python_full_version": python,
        "platform_machine": machine,
        "sys_platform": "linux",
        "platform_system": "Linux",
    }
    seen: set[tuple[str, str]] = set()
    open_ = [Requirement(line) for line in script("lock").needed(ROOT, filter(None, [extra]))]
    while open_:
        requirement = open_.pop()
        name = canonicalize_name(requirement.name)
        assert requirement.specifier.contains(locked[name]), requirement
        for wanted in {"", *requirement.extras}:
            if (name, wanted) in seen:
                continue
            seen.add((name, wanted))
            # Those of older Pythons need nothing, and are not installed here.
            for line in () if name in script("lock").OLDER_PYTHON else requires(name) or ():
                needed = Requirement(line)
                marker = needed.marker
                if marker is None or marker.evaluate({**environment, "extra": wanted}):
                    open_.append(needed)
    return {name for name, _ in seen}


def test_the_locks_are_for_the_python_of_the_image() -> None:
    containerfile = (ROOT / "Containerfile").read_text()
    assert f"ARG BASE=python:{script('lock').PYTHON}-" in containerfile


def test_what_builds_is_pinned() -> None:
    folders = (ROOT, *(ROOT / "packages").iterdir())
    for folder in folders:
        needed = tomllib.loads((folder / "pyproject.toml").read_text())["build-system"]["requires"]
        assert needed == [f"hatchling=={CONSTRAINTS['hatchling']}"]
    assert "hatchling" in pinned(DEPLOY / "requirements-build.txt")


def test_the_image_installs_by_hash_or_from_files_alone() -> None:
    text = (ROOT / "Containerfile").read_text().replace("\\\n", " ")
    commands = re.findall(r"pip (?:--python \S+ )?(?:install|wheel) [^&\n]*", text)
    assert len(commands) == 4
    for command in commands:
        assert ("--require-hashes" in command) != ("--no-index" in command), command


def test_every_lock_is_in_the_build_context() -> None:
    assert "!deploy/requirements*.txt" in (ROOT / ".dockerignore").read_text().splitlines()


@pytest.mark.parametrize(
    ("report", "status", "text"),
    [
        ({"dependencies": [{"name": "a", "version": "1", "vulns": []}]}, 0, "No vulnerability"),
        (
            {"dependencies": [
                {"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]},
                {"name": "b", "skip_reason": "not found"},
            ]},
            1, "a 1: CVE-1, mended in 2",
        ),
        ({"dependencies": [{"name": "b", "skip_reason": "not found"}]}, 2, "1 of 1"),
        ("ConnectionError: no route", 2, "nothing is known: ConnectionError"),
    ],
)  # fmt: skip
def test_an_audit_without_advisories_does_not_say_that_all_is_well(
    report: Any, status: int, text: str
) -> None:
    said, found = script("audit").verdict(report)

    assert found == status
    assert text in said


def test_advisories_are_looked_up_of_versions_that_are_published() -> None:
    heavy = (DEPLOY / "requirements-heavy.txt").read_text()
    assert "\ntorch==2.13.0+cpu \\\n" in heavy
    audited = script("audit").published(heavy)
    assert "\ntorch==2.13.0 \\\n" in audited
    assert audited == heavy.replace("+cpu", "")


class Index(ThreadingHTTPServer):
    """A package index that has whatever it is asked for, and remembers it."""

    def __init__(self, wheels: Path) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.wheels = wheels
        self.asked: list[str] = []


class Answer(BaseHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        name = self.path.strip("/").rpartition("/")[2]
        if name.endswith(".whl"):
            content, kind = (self.server.wheels / name).read_bytes(), "application/zip"
        else:
            self.server.asked.append(name)
            version = CONSTRAINTS.get(name, "0.1.0")
            wheel = make_wheel(self.server.wheels, name, version)
            content, kind = f'<a href="/files/{wheel}">{wheel}</a>'.encode(), "text/html"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing on standard error."""


def make_wheel(folder: Path, name: str, version: str) -> str:
    """A wheel without content, under any name. Returns its file's name."""
    stem = f"{name.replace('-', '_')}-{version}"
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(
            f"{stem}.dist-info/METADATA",
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        )
        wheel.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{stem}.dist-info/RECORD", "")
    return f"{stem}-py3-none-any.whl"


@contextmanager
def serving(wheels: Path) -> Iterator[Index]:
    with Index(wheels) as index:
        thread = threading.Thread(target=index.serve_forever)
        thread.start()
        try:
            yield index
        finally:
            index.shutdown()
            thread.join()


def installed_by(tmp_path: Path, *arguments: str) -> tuple[str, list[str]]:
    """What pip says that it would install, and what it asks an index for."""
    with serving(tmp_path) as index:
        done = subprocess.run(
            [
                sys.executable, "-m", "pip", "--isolated", "install", "--dry-run",
                "--ignore-installed", "--no-build-isolation", "--no-cache-dir",
                "--disable-pip-version-check",
                "--index-url", f"http://127.0.0.1:{index.server_port}/simple", *arguments,
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
    return done.stdout + done.stderr, index.asked


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        "packages/lexiclass-core[client] packages/lexiclass[formats] .[embedded]",
        *(
            pytest.param(command, marks=pytest.mark.slow)
            for command in (
                "packages/lexiclass-core packages/lexiclass .",
                "packages/lexiclass-core packages/lexiclass .[embedded]",
                "packages/lexiclass-core[client]",
                "packages/lexiclass[formats]",
            )
        ),
    ],
)
def test_no_documented_command_asks_an_index_for_our_names(tmp_path: Path, arguments: str) -> None:
    said, asked = installed_by(tmp_path, *arguments.split())

    assert "Would install" in said, said
    assert "pydantic" in asked
    assert not OURS & set(asked)
