"""What stands in the way of a release is said before anything is tested or built."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")

HEADING = "## [{}] - 2026-01-02\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with all that a release of the version named is looked up in."""
    (tmp_path / "deploy").mkdir()
    for name in ("VERSION", "pyproject.toml", "deploy/release.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    number = (ROOT / "VERSION").read_text().strip()
    (tmp_path / "CHANGELOG.md").write_text(HEADING.format(number))
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def git(tree: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=tree, check=True)


def commit(tree: Path) -> None:
    git(tree, "add", ".")
    git(tree, "commit", "--quiet", "--allow-empty", "--message", "A change")


def check(tree: Path) -> tuple[int, str]:
    run = subprocess.run(
        [sys.executable, "deploy/release.py", "check"],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stderr


def test_a_tree_that_is_ready_passes(tree: Path) -> None:
    assert check(tree) == (0, "")


def test_changes_that_are_not_committed_are_named(tree: Path) -> None:
    (tree / "another").touch()
    status, told = check(tree)
    assert status == 1
    assert "not committed" in told


def test_another_version_asks_for_its_changes_and_requirements(tree: Path) -> None:
    (tree / "VERSION").write_text("7.8.9\n")
    commit(tree)
    status, told = check(tree)
    assert status == 1
    assert "no heading '## [7.8.9] - YYYY-MM-DD'" in told
    assert "does not ask for lexiclass==7.8.9" in told
    assert "does not ask for lexiclass-core[client]==7.8.9" in told


def test_a_version_that_is_out_is_not_released_again(tree: Path) -> None:
    git(tree, "tag", "v" + (tree / "VERSION").read_text().strip())
    status, told = check(tree)
    assert status == 1
    assert "write the next version into VERSION" in told
