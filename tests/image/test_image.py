"""The image runs real tasks as it is run where nothing is allowed, and gives them back in order."""

import json
import secrets
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lexiclass_worker.embedded.process import free_port
from tests.support.containers import Container, Image, Options, running
from tests.support.house import House
from tests.support.workers import wait_until

# The first one builds the image, which downloads some hundred megabytes.
pytestmark = [pytest.mark.image, pytest.mark.timeout(1500)]

OWN_USER = (10001, 10001)
# As OpenShift gives a project one of its own.
FOREIGN_USER = (1_000_000 + secrets.randbelow(1_000_000), 0)


def answers(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


@contextmanager
def worker(
    image: Image, house: House, user: tuple[int, int] = OWN_USER, *, command: tuple[str, ...] = ()
) -> Iterator[tuple[Container, int]]:
    """A container with a worker that is ready, and its port."""
    port = free_port()
    with running(image, house.directory, options(house, user, port, command)) as container:
        wait_until(
            lambda: answers(port, "/readyz") or container.process.poll() is not None, timeout_s=180
        )
        assert container.process.poll() is None, container.log.read_text()
        yield container, port


def options(
    house: House, user: tuple[int, int], port: int, command: tuple[str, ...] = ()
) -> Options:
    """With the storage as a volume, which belongs to nobody in particular."""
    for path in (house.storage, *house.storage.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o644)
    for path in (house.directory, *house.directory.parents[:3]):
        path.chmod(path.stat().st_mode | 0o011)
    return Options(
        user=user,
        command=command,
        environment={
            **house.environment,
            "STORAGE__BASE_PATH": "/data",
            "STORAGE__CACHE_DIRECTORY": "/tmp/cache",
            "METRICS__PORT": str(port),
        },
        volumes={"/data": house.storage},
    )


@pytest.mark.parametrize("user", [OWN_USER, FOREIGN_USER], ids=["own", "foreign"])
def test_a_worker_indexes_trains_and_predicts_without_any_right(
    image: Image, own_house: House, user: tuple[int, int]
) -> None:
    project = own_house.project()
    with worker(image, own_house, user) as (container, port):
        own_house.database.succeeded(
            own_house.send("index_documents", project_id=project.project_id)
        )
        own_house.train(project)
        own_house.database.succeeded(own_house.send_prediction(project, project.test_ids))

        assert answers(port, "/healthz")
        assert answers(port, "/metrics")
        assert container.execute("touch", "/app/file").returncode != 0
        status = container.execute("cat", "/proc/1/status").stdout
        assert f"Uid:\t{user[0]}\t" in status
        assert "CapEff:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status
        owners = {path.stat().st_uid for path in (own_house.storage / ".database.json",)}
        assert owners == {user[0]}


def test_what_is_stopped_is_handed_back_to_the_next(image: Image, own_house: House) -> None:
    project = own_house.slow_project()
    with worker(image, own_house) as (container, _):
        message = own_house.send_training(project)
        wait_until(lambda: own_house.model_status(project) == "training")
        container.signal(signal.SIGTERM)
        assert container.wait(60) == 0, container.log.read_text()
        task = own_house.database.task(message)
        assert task is not None
        assert task["status"] in {"pending", "retrying"}
        assert task["lease_expires_at"] is None or task["crashes"] == 0
    with worker(image, own_house):
        assert own_house.database.succeeded(message)["crashes"] == 0


def test_the_health_check_of_the_image_tells_a_worker_that_runs(
    image: Image, own_house: House
) -> None:
    kind, *command = image.config["Healthcheck"]["Test"]
    assert kind == "CMD"
    with worker(image, own_house, command=("run", "--queue", "indexing")) as (container, _):
        assert container.execute(*command).returncode == 0


def test_the_doctor_finds_nothing_wrong_in_it(image: Image, own_house: House) -> None:
    with running(
        image,
        own_house.directory,
        options(own_house, FOREIGN_USER, free_port(), ("check", "--json")),
    ) as container:
        status = container.wait(180)
        said = container.log.read_text()
    assert status == 0, said
    assert '"tables"' in said


def test_it_can_neither_install_nor_compile(image: Image) -> None:
    with image.mounted() as root:
        programs = {path.name for path in (root / "opt/lexiclass/bin").iterdir()}
        assert {"lexiclass-worker", "dramatiq", "python"} <= programs
        assert not [name for name in programs if name.startswith("pip")]
        assert not (root / "usr/bin/gcc").exists()
        # What pip was set to while it was built.
        assert not (root / "etc/pip.conf").exists() or not (root / "etc/pip.conf").read_text()


def test_the_console_runs_in_it(image: Image, own_house: House) -> None:
    port = free_port()
    chosen = options(own_house, FOREIGN_USER, free_port(), ("console",))
    environment = {
        **chosen.environment,
        "CONSOLE__PORT": str(port),
        "CONSOLE__HOST": "0.0.0.0",
        "CONSOLE__ALLOWED_HOSTS": "127.0.0.1",
        "CONSOLE__ACCOUNTS": json.dumps({"anna": {"role": "viewer", "password_hash": hashed()}}),
    }
    with running(
        image, own_house.directory,
        Options(user=chosen.user, command=chosen.command, environment=environment),
    ) as container:  # fmt: skip
        wait_until(
            lambda: answers(port, "/login") or container.process.poll() is not None, timeout_s=60
        )
        assert container.process.poll() is None, container.log.read_text()
        container.signal(signal.SIGTERM)
        assert container.wait(30) == 0, container.log.read_text()


def hashed() -> str:
    from lexiclass_console.access.passwords import hash_password

    return hash_password("a made-up password")
