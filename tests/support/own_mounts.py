"""Commands in mounts of their own: a machine that lacks something, for one process tree."""

import subprocess

import pytest


def in_own_mounts(preparation: str, *command: str) -> list[str]:
    """The command line that prepares mounts nobody else sees, then becomes a command.

    Args:
        preparation: A shell script that mounts; one that fails ends with status 99.
        command: What runs there.
    """
    script = f'mount --make-rprivate / && {{ {preparation.strip()}; }} || exit 99; exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, "sh", *command]


def require_own_mounts() -> None:
    """Skip the test where the kernel does not let this account mount."""
    tried = subprocess.run(
        in_own_mounts("mount -t tmpfs tmpfs /mnt", "true"), capture_output=True, check=False
    )
    if tried.returncode != 0:
        pytest.skip(f"this account cannot mount: {tried.stderr.decode().strip()}")
