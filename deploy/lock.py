"""Writes down what the image installs, with the hash of every file: ``make lock``.

The versions are those of constraints.txt. What is asked is the registry that pip is set to, for the
wheels of each platform of the image; no address of it is written down, so that a mirror will do. A
file with another content is not installed from whatever answers to a name.

The heavy plugins are locked for x86_64 alone, with torch's build for CPUs, which its own index has
and pypi.org has not: give pip that one too. pip asks for what a wheel needs on the machine it runs
on, so an aarch64 wheel of torch would ask for CUDA here.

The image's own four distributions are built from their folders and are in no registry: they are
never asked for.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
OWN = {name: f"packages/{name}" for name in ("lexiclass", "lexiclass-core", "lexiclass-console")}
EXTRAS = ("console", "formats", "otel", "parquet", "s3")
HEAVY = ("fasttext", "huggingface", "sbert", "sentencepiece", "spacy", "transformer", "xgboost")
# That of the Containerfile's base, Debian 12 with the GNU C library 2.36.
PYTHON = "3.11"
# What Debian's own Python, 3.11.2, needs besides: pip decides that by the Python it runs on.
OLDER_PYTHON = ("async-timeout",)
MACHINES = ("x86_64", "aarch64")
GLIBC_MINORS = range(36, 16, -1)

Locked = dict[str, tuple[str, set[str]]]
"""Version and hashes by name."""


def needed(folder: Path, extras: Iterable[str]) -> list[str]:
    """What a distribution needs of others, in place of our own what these need."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    lines = list(project["dependencies"])
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    found = []
    for line in lines:
        requirement = Requirement(line)
        if (own := OWN.get(canonicalize_name(requirement.name))) is not None:
            found += needed(ROOT / own, requirement.extras)
        else:
            found.append(line)
    return found


def locked(requirements: Iterable[str], machines: Iterable[str] = MACHINES) -> Locked:
    """Versions and hashes of the wheels that fulfil requirements, for some machines."""
    found: Locked = {}
    hashes: dict[str, set[str]] = defaultdict(set)
    for machine in machines:
        for entry in report(requirements, machine)["install"]:
            name = canonicalize_name(entry["metadata"]["name"])
            if name in OWN or name == "lexiclass-worker":
                raise SystemExit(f"{name} was found in the registry: it is not ours")
            hashes[name].add(entry["download_info"]["archive_info"]["hashes"]["sha256"])
            found[name] = (entry["metadata"]["version"], hashes[name])
    return found


def report(requirements: Iterable[str], machine: str) -> dict[str, list[dict[str, dict]]]:
    """What pip would install on a machine."""
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS]
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "report.json"
        subprocess.run(
            [
                sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                "--dry-run", "--ignore-installed", "--only-binary=:all:",
                "--constraint", ROOT / "constraints.txt",
                "--constraint", ROOT / "constraints-heavy.txt", "--report", file,
                "--target", directory, "--implementation=cp", f"--python-version={PYTHON}",
                *(f"--platform={name}" for name in [*platforms, f"manylinux2014_{machine}"]),
                *requirements,
            ],
            check=True,
        )  # fmt: skip
        return json.loads(file.read_text())


def write(
    name: str,
    entries: Mapping[str, tuple[str, set[str]]],
    machines: Iterable[str] = MACHINES,
) -> None:
    """Write a file for ``pip install --require-hashes --requirement``."""
    for_ = " and ".join(machines)
    lines = [f"# Written by: make lock. Versions and hashes of wheels for Linux, {for_}."]
    for distribution, (version, hashes) in sorted(entries.items()):
        lines.append(f"{distribution}=={version} \\")
        lines.append(" \\\n".join(f"    --hash=sha256:{digest}" for digest in sorted(hashes)))
    (ROOT / "deploy" / name).write_text("\n".join(lines) + "\n")
    print(f"deploy/{name}: {len(entries)} distributions")  # noqa: T201 - a script


def main() -> None:
    """Write every file."""
    base = locked([*needed(ROOT, ()), *OLDER_PYTHON])
    write("requirements.txt", base)
    for extra in EXTRAS:
        more = locked(needed(ROOT, (extra,)))
        write(f"requirements-{extra}.txt", {n: entry for n, entry in more.items() if n not in base})
    heavy = locked([*needed(ROOT / OWN["lexiclass"], HEAVY), *needed(ROOT, ())], MACHINES[:1])
    more = {name: entry for name, entry in heavy.items() if name not in base}
    write("requirements-heavy.txt", more, MACHINES[:1])
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    write("requirements-build.txt", locked(build))


if __name__ == "__main__":
    main()
