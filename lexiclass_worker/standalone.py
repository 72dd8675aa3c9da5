"""Everything on one machine: embedded servers, migrated, and worker groups on them."""

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lexiclass_core.db import create_engine
from lexiclass_core.db.migrate import upgrade
from lexiclass_core.queue_config import QueueName
from lexiclass_worker.config import (
    ENV_FILE,
    Settings,
    given_variables,
    load_settings,
    make_settings,
)
from lexiclass_worker.embedded import EmbeddedServer, embedded_servers
from lexiclass_worker.embedded.process import free_port, launch_command
from lexiclass_worker.standalone_file import standalone_file
from lexiclass_worker.stop_signals import stop_signals_put_off
from lexiclass_worker.variables import read_env_file
from lexiclass_worker.worker_group import WorkerGroup, dramatiq_command

_READY_TIMEOUT_S: Final = 90.0

# Two groups, so that nobody waits for a prediction behind a training, and neither ends the other.
_GROUPS: Final = {
    "training": (QueueName.INDEXING, QueueName.TRAINING),
    "prediction": (QueueName.PREDICTION,),
}


# Their files in the folder of the data.
_SECRETS: Final = {"DATABASE_URI": "database_uri", "DRAMATIQ__BROKER_URL": "broker_url"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standalone:
    """What is running.

    Attributes:
        environment: The variables with which any other command uses it; the secrets are in files.
        storage: Where the documents, indexes, models and predictions are.
        unwritten: Why other commands in this folder do not find its settings; empty if they do.
    """

    environment: dict[str, str]
    settings: Settings
    storage: Path
    groups: list[WorkerGroup]
    servers: tuple[EmbeddedServer, ...]
    unwritten: str

    def what_ended(self) -> tuple[str, Path] | None:
        """The name and the log of a worker group or server that runs no more; None if all do."""
        for server in self.servers:
            if not server.is_running:
                return server.name, server.log_path
        for group in self.groups:
            if group.process.poll() is not None:
                return f"worker group {group.name}", group.log
        return None


@contextmanager
def standalone(
    directory: Path, *, threads: int, on_step: Callable[[str], None]
) -> Iterator[Standalone]:
    """Run servers and workers for the time of a ``with`` block.

    ``directory`` keeps the data; starting again on it finds them. Each worker group runs
    ``threads`` tasks side by side.

    Raises:
        ConfigurationError: If a setting is wrong.
        EmbeddedServerError: If a server cannot be found or started.
        WorkerGroupFailed: If the workers do not start.
    """
    settings = load_settings()
    ports = _metrics_ports(settings)
    with ExitStack() as stack:
        on_step("starting Redis and PostgreSQL")
        servers = stack.enter_context(embedded_servers(directory))
        on_step("migrating the database")
        asyncio.run(_migrate(servers.database_uri))
        storage = directory.resolve() / "storage"
        servers_settings = {
            "DATABASE_URI": servers.database_uri,
            "DRAMATIQ__BROKER_URL": servers.broker_url,
            "STORAGE__BASE_PATH": str(storage),
        }
        environment = {**given_variables(), **servers_settings}
        on_step("starting the workers")
        groups: list[WorkerGroup] = []
        stack.callback(_stop, groups, on_step)
        for name, queues in _GROUPS.items():
            command = dramatiq_command(processes=1, threads=threads, queues=queues)
            # Between its start and its entry in the list, nobody would stop a group.
            with stop_signals_put_off():
                groups.append(
                    WorkerGroup.start(
                        name,
                        # The workers end with this process even if it is killed, as servers do.
                        launch_command(command, account=None, death_signal=signal.SIGTERM),
                        environment=environment,
                        metrics_host=settings.metrics.host,
                        metrics_port=next(ports),
                        log=directory / "logs" / f"worker-{name}.log",
                    )
                )
        for group in groups:
            group.wait_ready(_READY_TIMEOUT_S)
        # Each worker group has a port of its own, which is not for those that others start.
        shared = {name: value for name, value in environment.items() if name != "METRICS__PORT"}
        unwritten = stack.enter_context(standalone_file(shared)) or _overruled()
        yield Standalone(
            environment={
                **_in_files(directory.resolve(), servers_settings),
                "STORAGE__BASE_PATH": str(storage),
            },
            settings=make_settings(environment),
            storage=storage,
            groups=groups,
            servers=servers.each,
            unwritten=unwritten,
        )


def _in_files(directory: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Write the secret ones to files that the owner alone may read. Returns what names these."""
    for name, file in _SECRETS.items():
        draft = directory / f"{file}.new"
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(variables[name])
        draft.replace(directory / file)
    return {f"{name}_FILE": str(directory / file) for name, file in _SECRETS.items()}


def _overruled() -> str:
    """Why commands in this folder use another database although they find the settings."""
    given = read_env_file(ENV_FILE)
    is_given = any(given.get(name) for name in ("DATABASE_URI", "DATABASE_URI_FILE"))
    return f"{ENV_FILE} names another database, which goes first" if is_given else ""


def _metrics_ports(settings: Settings) -> Iterator[int]:
    """METRICS__PORT and the one after it, if it is set; ports that are free otherwise."""
    if "port" in settings.metrics.model_fields_set:
        yield settings.metrics.port
        yield settings.metrics.port + 1
    while True:
        yield free_port()


def _stop(groups: list[WorkerGroup], on_step: Callable[[str], None]) -> None:
    on_step("stopping the workers")
    for group in groups:
        group.request_stop()
    for group in groups:
        group.stop()
    on_step("stopping Redis and PostgreSQL")


async def _migrate(database_uri: str) -> None:
    engine = create_engine(database_uri, command_timeout_s=None)
    try:
        await upgrade(engine)
    finally:
        await engine.dispose()
