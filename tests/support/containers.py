"""Containers of an image, run by runc as an orchestrator has it run them, without a daemon."""

import json
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.workers import wait_until


def missing_tools() -> list[str]:
    """What this machine lacks to build and run an image."""
    missing = [name for name in ("buildah", "mmdebstrap", "runc") if shutil.which(name) is None]
    return missing if os.geteuid() == 0 else [*missing, "root"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image in a store of buildah.

    Attributes:
        store: Options of buildah that name the store.
    """

    name: str
    store: Sequence[str]

    @contextmanager
    def mounted(self) -> Iterator[Path]:
        """Its files, for the time of a ``with`` block."""
        container = self._buildah("from", "--pull-never", self.name)
        try:
            yield Path(self._buildah("mount", container))
        finally:
            self._buildah("umount", container)
            self._buildah("rm", container)

    @property
    def config(self) -> dict[str, Any]:
        """What it says of how it is run: Env, Entrypoint, Cmd, User, WorkingDir, Healthcheck."""
        inspected = json.loads(self._buildah("inspect", "--type=image", self.name))
        config: dict[str, Any] = inspected["Docker"]["config"]
        return config

    def _buildah(self, *arguments: str) -> str:
        done = subprocess.run(
            ["buildah", *self.store, *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()


@dataclass(slots=True, kw_only=True)
class Container:
    """A running container. Its processes have no rights, a root that is read-only and no init."""

    id: str
    state: Path
    process: subprocess.Popen[bytes]
    log: Path

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its first process, as an orchestrator does."""
        self._runc("kill", self.id, number.name)

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as an ``exec`` probe does."""
        return self._runc("exec", self.id, *command)

    def wait(self, timeout_s: float) -> int:
        """Wait for its end. Returns the status of its first process."""
        return self.process.wait(timeout_s)

    def _runc(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["runc", "--root", self.state, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a container is run.

    Attributes:
        command: In place of the image's own arguments.
        volumes: Places inside, and folders of the machine.
        tmp_bytes: Size of ``/tmp``.
        shm_bytes: Size of ``/dev/shm``.
    """

    user: tuple[int, int]
    command: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, Path] = field(default_factory=dict)
    tmp_bytes: int = 64 * 2**20
    shm_bytes: int = 2**20


@contextmanager
def running(image: Image, directory: Path, options: Options) -> Iterator[Container]:
    """A container on the machine's own network, for the time of a ``with`` block."""
    name = f"lexi-{uuid.uuid4().hex[:12]}"
    bundle, state, log = directory / name, directory / f"{name}-state", directory / f"{name}.log"
    bundle.mkdir()
    with image.mounted() as root, log.open("wb") as output:
        subprocess.run(["runc", "spec"], cwd=bundle, check=True)
        specification = json.loads((bundle / "config.json").read_text())
        specify(specification, image.config, root, options)
        (bundle / "config.json").write_text(json.dumps(specification))
        process = subprocess.Popen(
            ["runc", "--root", state, "run", "--bundle", bundle, name],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        container = Container(id=name, state=state, process=process, log=log)
        try:
            yield container
        finally:
            if process.poll() is None:
                container.signal(signal.SIGKILL)
                process.wait(60)
            wait_until(lambda: not (state / name).exists())


def specify(
    specification: dict[str, Any], config: Mapping[str, Any], root: Path, options: Options
) -> None:
    """Turn runc's default into this image under the profile "restricted" of Kubernetes."""
    command = [*config["Entrypoint"], *(options.command or config["Cmd"])]
    environment = {
        **dict(line.split("=", 1) for line in config["Env"]),
        **options.environment,
    }
    specification["root"] = {"path": str(root), "readonly": True}
    specification["process"].update(
        terminal=False,
        user=dict(zip(("uid", "gid"), options.user, strict=True)),
        args=command,
        env=[f"{name}={value}" for name, value in environment.items()],
        cwd=config["WorkingDir"],
        noNewPrivileges=True,
        capabilities={},
    )
    specification["mounts"] = [
        *(each for each in specification["mounts"] if each["destination"] != "/dev/shm"),
        _temporary("/dev/shm", options.shm_bytes),
        _temporary("/tmp", options.tmp_bytes),
        *(
            {"destination": inside, "type": "bind", "source": str(outside),
             "options": ["rbind", "rw"]}
            for inside, outside in options.volumes.items()
        ),
    ]  # fmt: skip
    # Servers of tests listen on the machine's loopback.
    specification["linux"]["namespaces"] = [
        each for each in specification["linux"]["namespaces"] if each["type"] != "network"
    ]


def _temporary(place: str, size: int) -> dict[str, Any]:
    return {
        "destination": place,
        "type": "tmpfs",
        "source": "tmpfs",
        "options": ["nosuid", "nodev", "noexec", "mode=1777", f"size={size}"],
    }
