"""Checks and builds a release: ``make release``.

``release.py check`` says what keeps the tree from being the release that VERSION names;
``release.py build`` makes the wheels and source distributions of all four in dist/.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
OWN = ("packages/lexiclass-core", "packages/lexiclass", "packages/lexiclass-console", ".")
BUILD = (
    "import sys; from hatchling.build import build_sdist, build_wheel; "
    "build_wheel(sys.argv[1]); build_sdist(sys.argv[1])"
)


def version() -> str:
    """The version of all four distributions."""
    return (ROOT / "VERSION").read_text().strip()


def obstacles(number: str) -> Iterator[str]:
    """What is missing for the release of this version."""
    if git("status", "--porcelain"):
        yield "files are changed that are not committed"
    if f"v{number}" in git("tag", "--list").split():
        yield f"the tag v{number} is there already: write the next version into VERSION"
    heading = rf"^## \[{re.escape(number)}\] - \d{{4}}-\d\d-\d\d$"
    if not re.search(heading, (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE):
        yield f"CHANGELOG.md has no heading '## [{number}] - YYYY-MM-DD'"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name in ("lexiclass", "lexiclass-core[client]"):
        if f"{name}=={number}" not in project["dependencies"]:
            yield f"pyproject.toml does not ask for {name}=={number}"


def git(*arguments: str) -> str:
    """What a command of git prints."""
    run = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return run.stdout


def main(step: str) -> None:
    """Do a step, or say why not."""
    number = version()
    if step == "check":
        found = list(obstacles(number))
        if found:
            sys.exit("\n".join((f"Not ready for the release of {number}:", *found)))
        return
    target = ROOT / "dist"
    for folder in OWN:
        subprocess.run([sys.executable, "-c", BUILD, target], cwd=ROOT / folder, check=True)
    print(f"Release {number} is in {target}. Tag it: git tag --sign v{number}")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
