"""Known vulnerabilities of what the image installs, by pip-audit: ``make audit``.

Exit status 0: none is known. 1: some are. 2: that could not be found out, for all or for some; an
audit that looked nothing up says "none" by itself.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def audited(files: Sequence[str]) -> dict[str, Any] | str:
    """The report of pip-audit on files of requirements, or why there is none."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as together:
        together.write("".join(published(Path(file).read_text()) for file in files))
        together.flush()
        done = subprocess.run(
            [
                Path(sys.executable).with_name("pip-audit"), "--disable-pip", "--require-hashes",
                "--format=json", "--progress-spinner=off", "--requirement", together.name,
            ],
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
    if done.stdout.strip():
        report: dict[str, Any] = json.loads(done.stdout)
        return report
    return next(iter(reversed(done.stderr.strip().splitlines())), "it says nothing")


def published(requirements: str) -> str:
    """Requirements by the versions that advisories name: those without what a build has added.

    Of torch the build for CPUs is locked, 2.13.0+cpu, which PyPI does not know.
    """
    return re.sub(r"^([\w.-]+==[^+\s]+)\+\S+", r"\1", requirements, flags=re.MULTILINE)


def verdict(report: Mapping[str, Any] | str) -> tuple[str, int]:
    """What to print, and the exit status."""
    if isinstance(report, str):
        return f"No advisories could be had, so nothing is known: {report}", 2
    dependencies = report["dependencies"]
    lines = [
        f"{each['name']} {each['version']}: {found['id']}, mended in "
        f"{', '.join(found['fix_versions']) or 'no version yet'}"
        for each in dependencies
        for found in each.get("vulns", ())
    ]
    skipped = [each for each in dependencies if "skip_reason" in each]
    if skipped:
        lines.append(
            f"No advisories could be had for {len(skipped)} of {len(dependencies)} distributions, "
            f"so of these nothing is known ({skipped[0]['skip_reason']}). A mirror has none: "
            "run this where pypi.org answers."
        )
    if not lines:
        return f"No vulnerability is known of {len(dependencies)} distributions.", 0
    return "\n".join(lines), 2 if len(lines) == bool(skipped) else 1


if __name__ == "__main__":
    text, status = verdict(audited(sys.argv[1:]))
    print(text)  # noqa: T201 - a script
    sys.exit(status)
