"""The compose stack: what it runs exists, and it hands out neither passwords nor ports."""

import os
import re
import shlex
import stat
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from lexiclass_core.keys import SHORTEST_KEY
from lexiclass_core.queue_config import QueueName
from lexiclass_worker.setting_groups import DramatiqSettings
from tests.unit.test_docs import check_command

ROOT = Path(__file__).parents[2]


def read(name: str) -> dict[str, Any]:
    """A compose file; `!reset` is Compose's own."""
    content: dict[str, Any] = yaml.safe_load((ROOT / name).read_text().replace("!reset ", ""))
    return content


COMPOSE = read("compose.yaml")
PRODUCTION = read("compose.prod.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
WORKERS = [name for name in SERVICES if name.startswith("worker-")]
# What people look at, on the machine itself.
LOOKED_AT = {"console", "prometheus", "grafana"}


def command_of(service: str) -> list[str]:
    return [str(word) for word in SERVICES[service]["command"]]


def test_the_workers_serve_every_queue() -> None:
    queues = {
        queue
        for worker in WORKERS
        for option, queue in zip(command_of(worker), command_of(worker)[1:], strict=False)
        if option == "--queue"
    }
    assert queues == {*QueueName}


@pytest.mark.parametrize("service", [*WORKERS, "migrate", "console"])
def test_it_runs_commands_that_exist(service: str) -> None:
    check_command(command_of(service))


@pytest.mark.parametrize("worker", WORKERS)
def test_a_worker_group_is_started_with_all_or_alone(worker: str) -> None:
    assert SERVICES[worker]["profiles"] == ["workers", worker.removeprefix("worker-")]


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_what_it_refers_to(service: str) -> None:
    definition = SERVICES[service]
    assert "container_name" not in definition
    assert set(definition.get("secrets", ())) <= COMPOSE["secrets"].keys()
    assert definition.get("depends_on", {}).keys() <= SERVICES.keys()
    for mount in definition["volumes"]:
        source = mount.partition(":")[0]
        assert source in COMPOSE["volumes"] or (ROOT / source).is_dir(), source


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_is_published_but_what_people_look_at_on_this_machine(service: str) -> None:
    ports = SERVICES[service].get("ports", ())
    assert bool(ports) == (service in LOOKED_AT)
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_secrets_stay_out_of_the_image() -> None:
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"
    for secret in (*COMPOSE["secrets"].values(), *PRODUCTION["secrets"].values()):
        assert Path(secret["file"]).parent == Path("deploy/secrets")


@pytest.mark.parametrize("services", [SERVICES, PRODUCTION["services"]], ids=["base", "prod"])
def test_no_password_is_on_a_command_line_or_in_an_environment(
    services: dict[str, dict[str, Any]],
) -> None:
    for definition in services.values():
        environment, command = definition.get("environment", {}), definition.get("command", ())
        assert not re.search(r"://[^/\s]*@", f"{environment} {command}")
        assert all(name.endswith("_FILE") for name in environment if "PASSWORD" in name)
        assert not any("pass" in argument for argument in command)
    redis = SERVICES["redis"]
    assert redis["command"][:2] == ["redis-server", "/run/secrets/redis_conf"]
    assert "redis_conf" in redis["secrets"]


def test_in_production_everything_is_bounded_logs_too() -> None:
    services = PRODUCTION["services"]
    assert services.keys() == {*SERVICES, "backup"}
    for definition in services.values():
        assert definition["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
        assert definition["logging"]["options"].keys() == {"max-size", "max-file"}


def test_in_production_redis_is_full_before_the_kernel_ends_it() -> None:
    """Beside what it holds, it takes up to as much again while it writes its file anew."""
    redis = PRODUCTION["services"]["redis"]
    command = [str(word) for word in redis["command"]]
    base = command_of("redis")
    assert command[: len(base)] == base
    allowed = dict(pairwise(command))["--maxmemory"]
    assert (allowed, redis["deploy"]["resources"]["limits"]["memory"]) == ("1200mb", "2g")
    # All that dead letters may take in their queues fits in.
    assert len(QueueName) * DramatiqSettings().dead_letter_bytes < 1200 * 2**20


def test_what_is_made_at_the_first_time_are_the_files_that_are_mounted(tmp_path: Path) -> None:
    """But for the console's accounts, whose password the image hashes."""
    secrets = tmp_path / "secrets"
    make = ["make", f"--file={ROOT / 'Makefile'}", f"SECRETS={secrets}", "secrets"]
    subprocess.run(make, cwd=ROOT, check=True, capture_output=True)
    made = {file.name: file.read_text() for file in secrets.iterdir()}
    declared = {*COMPOSE["secrets"], *PRODUCTION["secrets"]}
    assert made.keys() == declared - {"console_accounts"}
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert made["postgres_password"] in made["database_uri"]
    assert made["redis_conf"].split()[1] in made["broker_url"]
    assert len(made["message_keys"]) >= SHORTEST_KEY

    subprocess.run(make, cwd=ROOT, check=True, capture_output=True)
    assert made == {file.name: file.read_text() for file in secrets.iterdir()}


def test_there_are_tables_before_the_first_backup() -> None:
    assert PRODUCTION["services"]["backup"]["depends_on"]["migrate"] == {
        "condition": "service_completed_successfully"
    }


def test_the_scripts_of_backups_are_run_as_they_are_mounted() -> None:
    (command,) = PRODUCTION["services"]["backup"]["command"]
    script = next(word for word in shlex.split(command) if word.startswith("/backup/"))
    assert os.access(ROOT / "deploy" / script.strip("/"), os.X_OK)
