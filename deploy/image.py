"""Builds the image with buildah where no registry of images answers: ``make image``.

The base is made of Debian's packages by mmdebstrap, unless BASE names another. Nothing of a daemon,
a user namespace or a registry is needed; root is.
"""

import argparse
import ast
import configparser
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
SUITE = "bookworm"
PACKAGES = "python3,python3-venv,ca-certificates"
TAG = "lexiclass-worker"
DEBIAN_BASE = "localhost/lexiclass-base:bookworm"


def make_base(store: Sequence[str]) -> None:
    """Make the base of Debian's packages, unless the store has it."""
    if subprocess.run(["buildah", *store, "inspect", "--type=image", DEBIAN_BASE],
                      capture_output=True, check=False).returncode == 0:  # fmt: skip
        return
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        archive = Path(directory) / "base.tar"
        subprocess.run(
            ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", SUITE, archive],
            check=True,
        )
        (Path(directory) / "Containerfile").write_text("FROM scratch\nADD base.tar /\n")
        subprocess.run(
            ["buildah", *store, "build", "--isolation=chroot", "--quiet", "--tag", DEBIAN_BASE,
             directory], check=True,
        )  # fmt: skip


def build(store: Sequence[str], *, base: str, extras: str, tag: str) -> None:
    """Build the image; pip inside asks what pip is set to outside, which leaves no trace."""
    with tempfile.TemporaryDirectory() as directory:
        configuration = Path(directory) / "pip.conf"
        settings = pip_settings()
        with configuration.open("w") as file:
            settings.write(file)
        subprocess.run(
            [
                "buildah", *store, "build", "--isolation=chroot", "--layers", "--format=docker",
                f"--file={ROOT / 'Containerfile'}", f"--ignorefile={ROOT / '.dockerignore'}",
                f"--build-arg=BASE={base}", f"--build-arg=EXTRAS={extras}", f"--tag={tag}",
                f"--secret=id=pip,src={configuration}",
                *(f"--volume={path}:{path}:ro" for path in local_paths(settings)), str(ROOT),
            ],
            check=True,
        )  # fmt: skip


def pip_settings() -> configparser.RawConfigParser:
    """What pip is set to here, by files and by variables, as one file."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    settings = configparser.RawConfigParser()
    settings.add_section("global")
    lines = [line.partition("=") for line in listed.stdout.splitlines()]
    # Variables go before files, so they come last.
    for name, _, value in sorted(lines, key=lambda line: line[0].startswith(":env:")):
        section, _, key = name.rpartition(".")
        if section in {"global", "install", ":env:"} and key not in {
            "constraint",
            "require-virtualenv",
        }:
            settings.set("global", key, ast.literal_eval(value))
    return settings


def local_paths(settings: configparser.RawConfigParser) -> list[str]:
    """Folders and files of this machine that pip is set to."""
    words = [word for _, value in settings.items("global") for word in value.split()]
    paths = {Path(word.removeprefix("file://")) for word in words if "/" in word}
    # Certificates are links within their folder; an index of files refers to what lies beside it.
    found = {path.parent if path.is_file() or path.name == "simple" else path for path in paths}
    return sorted(str(path) for path in found if path.is_absolute() and path.exists())


def main() -> None:
    """Build, and say how large the result is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default=os.environ.get("BASE") or DEBIAN_BASE)  # noqa: TID251
    parser.add_argument("--extras", default="", help="as EXTRAS of the Containerfile")
    parser.add_argument("--tag", default=TAG)
    parser.add_argument("--store", type=Path, help="keeps images here, not in the system's store")
    options = parser.parse_args()
    store = [f"--root={options.store}", f"--runroot={options.store}/run"] if options.store else []
    if options.base == DEBIAN_BASE:
        make_base(store)
    build(store, base=options.base, extras=options.extras, tag=options.tag)
    subprocess.run(["buildah", *store, "images", options.tag], check=True)


if __name__ == "__main__":
    main()
