"""The HTTP server of a worker group: /metrics, /healthz, /readyz.

Dramatiq runs :func:`serve` as a fork of the group's master process.
"""

import errno
import json
import multiprocessing
import os
import signal
import socket
import socketserver
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from threading import Thread
from types import FrameType
from typing import Any, Final, cast

from loguru import logger
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from lexiclass_worker.config import ConfigurationError, Settings, load_settings
from lexiclass_worker.telemetry.backups import read_backups
from lexiclass_worker.telemetry.bounded_server import BoundedHandler, BoundedServer
from lexiclass_worker.telemetry.checks.outcome import Check
from lexiclass_worker.telemetry.counted_tasks import TaskSource
from lexiclass_worker.telemetry.logs import configure_logging
from lexiclass_worker.telemetry.metrics_directory import open_directory
from lexiclass_worker.telemetry.model_ages import read_model_ages
from lexiclass_worker.telemetry.queues import QueueSource
from lexiclass_worker.telemetry.readiness import Readiness, ReadinessSource
from lexiclass_worker.telemetry.scrape import ProcessSource, Reading, RowSource, Scrape, Source
from lexiclass_worker.telemetry.task_counts import read_task_waits, read_worker_counts

_WATCH_S: Final = 0.2
_BIND_TRIES: Final = 10


def serve() -> int:
    """Answer until the group ends.

    Returns:
        0 after SIGTERM, SIGHUP or the end of the master process; 1 if the settings cannot be used
        or the address is taken. The workers go on without it.
    """
    try:
        settings = load_settings()
        configure_logging(settings)
        sources: tuple[Source, ...] = (
            ProcessSource(open_directory(settings)),
            QueueSource(settings.dramatiq),
            *_row_sources(settings),
        )
        server = _open_server(settings, sources)
    except ConfigurationError as error:
        logger.error("no metrics and no health checks: {}", error)
        return 1
    except OSError as error:
        logger.error(
            "no metrics and no health checks: cannot listen on METRICS__HOST {}, METRICS__PORT {}: "
            "{}. Give each worker group on a machine a METRICS__PORT of its own",
            settings.metrics.host,
            settings.metrics.port,
            error.strerror or error,
        )
        return 1
    with server:
        _run(server)
    if server.is_hanging:
        # Python would wait for the thread of a name server that does not answer.
        os._exit(0)
    return 0


@dataclass(frozen=True, slots=True)
class Response:
    """What is sent back."""

    status: HTTPStatus
    content_type: str
    body: bytes


class ExpositionServer(BoundedServer):
    """Serves one worker group.

    Args:
        master_pid: The process whose life /healthz reports.

    Raises:
        OSError: The address cannot be had.
    """

    def __init__(self, settings: Settings, sources: Sequence[Source], *, master_pid: int) -> None:
        if ":" in settings.metrics.host:
            self.address_family = socket.AF_INET6
        self._master_pid = master_pid
        self._readiness = Readiness(settings)
        self._registry = CollectorRegistry()
        self._scrape = Scrape([*sources, ReadinessSource(self._readiness)])
        self._registry.register(self._scrape)
        self.routes = {"/metrics": self.metrics, "/healthz": self.health, "/readyz": self.readiness}
        super().__init__((settings.metrics.host, settings.metrics.port), _Handler)

    def server_bind(self) -> None:
        """Bind without asking DNS for a name of the address, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    @property
    def is_hanging(self) -> bool:
        """Whether something that was asked has not come back yet."""
        return self._readiness.is_hanging or self._scrape.is_hanging

    def master_lives(self) -> bool:
        """Whether the group's master process is still our parent."""
        return os.getppid() == self._master_pid

    def metrics(self) -> Response:
        """Everything Prometheus is told."""
        return Response(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self._registry))

    def health(self) -> Response:
        """Whether the group is alive."""
        if self.master_lives():
            return _json(HTTPStatus.OK, {"status": "alive"})
        reason = f"the group's master process {self._master_pid} is gone"
        return _json(HTTPStatus.SERVICE_UNAVAILABLE, {"status": "dead", "reason": reason})

    def tell_state(self) -> None:
        """Log what is down, or could be better, as /readyz has it."""
        for check in self._readiness.check():
            if not check.ok:
                logger.warning("{} is DOWN: {}", check.name, check.reason)
            elif check.warning:
                logger.warning("{} could be better: {}", check.name, check.warning)

    def readiness(self) -> Response:
        """Whether tasks can be worked on, and if not, what is down."""
        checks = self._readiness.check()
        down = [check.name for check in checks if not check.ok]
        return _json(
            HTTPStatus.SERVICE_UNAVAILABLE if down else HTTPStatus.OK,
            {
                "status": "unavailable" if down else "ready",
                "down": down,
                "checks": [_described(check) for check in checks],
            },
        )


class _Handler(BoundedHandler):
    """One request."""

    def do_GET(self) -> None:  # noqa: N802 - as the base class calls it
        """Answer with the body."""
        response = self._answer()
        self._send_head(response)
        self.wfile.write(response.body)

    def do_HEAD(self) -> None:  # noqa: N802 - as the base class calls it
        """Answer without the body."""
        self._send_head(self._answer())

    def version_string(self) -> str:
        """The program's name; its version is nobody's business."""
        return "lexiclass-worker"

    def _answer(self) -> Response:
        server = cast("ExpositionServer", self.server)
        server.note_request(self.connection)
        routes = server.routes
        route = routes.get(self.path.partition("?")[0])
        if route is None:
            return _json(HTTPStatus.NOT_FOUND, {"error": "not found", "paths": sorted(routes)})
        return route()

    def _send_head(self, response: Response) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()


def _row_sources(settings: Settings) -> list[Source]:
    readings: dict[str, Reading] = {
        "waits": read_task_waits,
        "workers": partial(
            read_worker_counts, expected_workers=settings.metrics.num_expected_workers
        ),
        "models": read_model_ages,
        "backups": read_backups,
    }
    uri = settings.require_database_uri()
    rows = [
        RowSource(name=name, database_uri=uri, reading=reading)
        for name, reading in readings.items()
    ]
    return [TaskSource(uri), *rows]


def _described(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "ok": check.ok,
        "reason": check.reason,
        "warning": check.warning,
        "detail": check.detail,
        "state": check.state,
        "found": check.found,
        "remedy": check.remedy,
    }


def _json(status: HTTPStatus, content: dict[str, Any]) -> Response:
    return Response(status, "application/json", json.dumps(content).encode() + b"\n")


def _open_server(settings: Settings, sources: Sequence[Source]) -> ExpositionServer:
    parent = multiprocessing.parent_process()
    master_pid = os.getppid() if parent is None or parent.pid is None else parent.pid
    for _ in range(_BIND_TRIES - 1):
        try:
            return ExpositionServer(settings, sources, master_pid=master_pid)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            # The group that ran here a moment ago may still be letting the port go.
            time.sleep(_WATCH_S)
    return ExpositionServer(settings, sources, master_pid=master_pid)


def _run(server: ExpositionServer) -> None:
    stopping: list[int] = []

    def stop(signum: int, frame: FrameType | None) -> None:
        # No logging in here: the signal may have come while a line was being written.
        del frame
        stopping.append(signum)

    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)
    thread = Thread(target=server.serve_forever, args=(_WATCH_S,), name="exposition", daemon=True)
    thread.start()
    logger.info("metrics and health on {}:{}", *server.server_address[:2])
    Thread(target=server.tell_state, name="first-look", daemon=True).start()
    # Left behind by a master that was killed, this process would keep the port, and the reading
    # end of the workers' log pipes, from the next group.
    while not stopping and server.master_lives():
        time.sleep(_WATCH_S)
    logger.info("metrics and health end: {}", "signal" if stopping else "the master is gone")
    server.shutdown()
    thread.join()
