"""Several machines with an object store and no shared disk: ``make bench-machines`` (root, Linux).

Each machine is a network namespace with one worker, one thread, one process of its sandbox and
folders of its own; it reaches PostgreSQL, Redis and the object store over the network, and no
other machine. With ``--share`` each has that part of one core, so that more machines than cores can
be compared; without, they share the cores there are.

The same project is indexed from nothing, trained and predicted with every number of machines, and
once more with three of which one is killed in the middle of the indexing and another in the middle
of the prediction. All have to come to the index, to the byte, the model and the predictions that
the library alone comes to in one process without any of this; if not, this fails.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from benchmarks.house import House, open_house
from benchmarks.library_alone import Alone, StoredFolder, class_ids_of
from benchmarks.service import connect
from benchmarks.synthetic import demo_words, synthetic_documents
from lexiclass import PipelineSpec
from lexiclass_core.client.snapshot import TaskSnapshot
from lexiclass_core.layout import documents_directory
from lexiclass_worker.admin.import_report import ImportReport
from lexiclass_worker.config import export_environment
from lexiclass_worker.embedded.process import free_port
from lexiclass_worker.worker_group import dramatiq_command

RESULTS = Path(__file__).parent / "results" / "machines.json"

Prediction = tuple[int, int, float]
"""Ids of a document and of a class, and the confidence."""

_NETWORK = f"10.213.{os.getpid() % 256}"
_TRAINING = 2_000
_FEWEST_CHUNKS = 8
_LARGEST_CHUNK = 20_000
_READY_S = 180.0
_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(slots=True)
class Network:
    """A bridge, and the address that servers have on it."""

    name: str
    host: str = f"{_NETWORK}.1"
    _namespaces: list[str] = field(default_factory=list)

    @classmethod
    @contextmanager
    def open(cls) -> Iterator[Network]:
        """Make a network for the time of a ``with`` block."""
        network = cls(f"lx{os.getpid() % 100_000}")
        try:
            _ip("link", "add", network.name, "type", "bridge")
            _ip("addr", "add", f"{network.host}/24", "dev", network.name)
            _ip("link", "set", network.name, "up")
            yield network
        finally:
            for namespace in network._namespaces:
                _ip("netns", "del", namespace)
            _ip("link", "del", network.name)

    def add_machine(self) -> str:
        """Make a namespace that reaches the servers. Returns its name."""
        number = len(self._namespaces) + 2
        namespace = f"{self.name}m{number}"
        outside, inside = f"{self.name}o{number}", f"{self.name}i{number}"
        _ip("netns", "add", namespace)
        self._namespaces.append(namespace)
        _ip("link", "add", outside, "type", "veth", "peer", "name", inside)
        _ip("link", "set", outside, "master", self.name)
        # No machine reaches another, only the servers.
        _ip("link", "set", "dev", outside, "type", "bridge_slave", "isolated", "on")
        _ip("link", "set", outside, "up")
        _ip("link", "set", inside, "netns", namespace)
        for command in (
            ("addr", "add", f"{_NETWORK}.{number}/24", "dev", inside),
            ("link", "set", inside, "up"),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", namespace, *command)
        return namespace


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A worker in a namespace of its own."""

    process: subprocess.Popen[bytes]
    group: Path | None

    def limit(self, share: float) -> None:
        """Give it, and all that it has started, a part of a core, whatever else runs."""
        if self.group is None:
            return
        self.group.mkdir()
        if (self.group / "cpu.max").exists():
            (self.group / "cpu.max").write_text(f"{round(share * 100_000)} 100000")
            (self.group / "cpu.weight").write_text("10000")
        else:
            (self.group / "cpu.cfs_quota_us").write_text(str(round(share * 100_000)))
            (self.group / "cpu.shares").write_text("102400")
        for pid in _session(self.process.pid):
            (self.group / "cgroup.procs").write_text(str(pid))

    def end(self, number: signal.Signals) -> None:
        """End it by a signal, and wait for it."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
            self.process.wait(90)
        if self.group is not None and self.group.exists():
            deadline = time.monotonic() + 10
            while (self.group / "cgroup.procs").read_text() and time.monotonic() < deadline:
                time.sleep(0.05)
            self.group.rmdir()


def _session(leader: int) -> list[int]:
    """Return the processes that a process has started, and itself."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if os.getsid(int(entry.name)) == leader:
                    found.append(int(entry.name))
            except ProcessLookupError:
                continue
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A house, and a network of machines that work for it."""

    house: House
    network: Network
    environment: dict[str, str]
    share: float | None

    @contextmanager
    def machines(self, number: int) -> Iterator[list[Machine]]:
        """Run so many machines, nothing copied to any of them yet."""
        with ExitStack() as stack:
            started = []
            for _ in range(number):
                started.append(self._start())
                stack.callback(started[-1].end, signal.SIGTERM)
            self._wait_ready(number)
            if self.share is not None:
                for machine in started:
                    machine.limit(self.share)
            yield started

    def _start(self) -> Machine:
        namespace = self.network.add_machine()
        folder = self.house.directory / namespace
        (folder / "tmp").mkdir(parents=True)
        environment = {
            **self.environment,
            "STORAGE__CACHE_DIRECTORY": str(folder / "cache"),
            "TMPDIR": str(folder / "tmp"),
        }
        command = dramatiq_command(processes=1, threads=1, queues=())
        with (folder / "worker.log").open("wb") as log:
            process = subprocess.Popen(
                ["ip", "netns", "exec", namespace, *command],
                env=export_environment(environment),
                cwd=folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        base = next((path for path in (_CGROUPS / "cpu", _CGROUPS) if path.is_dir()), _CGROUPS)
        return Machine(process=process, group=base / namespace if self.share else None)

    def _wait_ready(self, number: int) -> None:
        deadline = time.monotonic() + _READY_S
        question = "SELECT count(*) FROM worker WHERE seen_at > now() - interval '5 seconds'"
        while self.ask(question)[0]["count"] < number:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the machines are not ready: see {self.house.directory}")
            time.sleep(0.2)

    def ask(self, statement: str, *values: Any) -> list[Any]:
        """Return the rows of a statement."""

        async def fetch() -> list[Any]:
            connection = await connect(self.house)
            try:
                return list(await connection.fetch(statement, *values))
            finally:
                await connection.close()

        return asyncio.run(fetch())

    def chunks(self, task: TaskSnapshot) -> tuple[set[str], set[int]]:
        """Return the statuses of a task's chunks, and which processes are at one."""
        rows = self.ask("SELECT status, lease_owner FROM task WHERE parent_id = $1", task.id)
        owners = [row["lease_owner"] for row in rows if row["lease_owner"] is not None]
        return {row["status"] for row in rows}, {int(owner.split(":")[1]) for owner in owners}


@contextmanager
def open_site(directory: Path, *, documents: int, share: float | None) -> Iterator[Site]:
    """Run servers and a network for the time of a ``with`` block."""
    with ExitStack() as stack:
        house = stack.enter_context(open_house(directory))
        network = stack.enter_context(Network.open())
        ports = [
            int(urlsplit(house.environment[name]).port or 0)
            for name in ("DATABASE_URI", "DRAMATIQ__BROKER_URL")
        ]
        store = free_port()
        servers = subprocess.Popen(
            [
                sys.executable, "-m", "benchmarks.object_server", "--host", network.host,
                "--port", str(store), "--folder", str(directory),
                "--forward", *map(str, ports),
            ]
        )  # fmt: skip
        stack.callback(servers.wait)
        stack.callback(servers.terminate)
        chunk = str(min(_LARGEST_CHUNK, -(-documents // _FEWEST_CHUNKS)))
        environment = {
            name: value.replace("127.0.0.1", network.host)
            for name, value in house.environment.items()
        } | {
            "STORAGE__BASE_PATH": f"s3://{house.storage.name}",
            "AWS_ENDPOINT_URL_S3": f"http://{network.host}:{store}",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
            "SANDBOX__PROCESSES": "1",
            "SANDBOX__NATIVE_THREADS": "1",
            "INDEXING__CHUNK_SIZE": chunk,
            "PREDICTION__CHUNK_SIZE": chunk,
        }
        yield Site(house=house, network=network, environment=environment, share=share)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was come to, and how long it took.

    Attributes:
        seconds: Of each step.
        index: A digest of the index; likewise ``model`` and ``predictions``.
        trained: Folder of the model.
    """

    seconds: dict[str, float]
    index: str
    model: str
    predictions: str
    trained: Path


def work(site: Site, project: ImportReport, machines: int, *, kills: bool = False) -> Outcome:
    """Index, train and predict a project, and say what came of it."""
    client = site.house.client
    seconds = {}
    with site.machines(machines + kills) as running:
        victims = iter(running[:-1] if kills else ())
        began = time.perf_counter()
        task = client.index(project.project_id, is_incremental=False)
        if kills:
            _kill_in_the_middle(site, task, next(victims))
        site.house.succeed(task)
        seconds["index"] = time.perf_counter() - began

        began = time.perf_counter()
        trained = site.house.succeed(client.train(project.project_id, project.field_id))
        seconds["train"] = time.perf_counter() - began
        version = (trained.result or {})["model_version"]

        began = time.perf_counter()
        task = client.predict(project.project_id, project.field_id, None)
        if kills:
            _kill_in_the_middle(site, task, next(victims))
        site.house.succeed(task)
        seconds["predict"] = time.perf_counter() - began
    folder = site.house.storage / str(project.project_id)
    model = folder / "models" / str(project.field_id) / f"v{version}"
    return Outcome(
        {name: round(each, 1) for name, each in seconds.items()},
        _index_digest(folder / "indexes" / "icu-en"),
        _model_digest(model),
        _digest_of_predictions(_predictions(site, project.field_id)),
        model,
    )


def work_alone(site: Site, project: ImportReport, model: Path) -> Outcome:
    """Let the library do the same with the documents, in one process.

    Args:
        site: The documents, their labels and the names of their classes.
        project: Which.
        model: One that a machine trained; of it the pipeline is taken, and the ids of the classes.
    """
    spec = PipelineSpec.model_validate(json.loads((model / "manifest.json").read_text())["spec"])
    labels = site.ask(
        "SELECT document_id, name FROM document_label JOIN field_class ON class_id = field_class.id"
        " WHERE document_label.field_id = $1",
        project.field_id,
    )
    ids = [
        row["id"]
        for row in site.ask("SELECT id FROM document WHERE project_id = $1", project.project_id)
    ]
    documents = StoredFolder(
        site.house.storage / documents_directory(project.project_id), np.array(sorted(ids))
    )
    alone = Alone(documents, site.house.directory / "alone")
    began = time.perf_counter()
    alone.build_index(
        spec.tokenizer,
        spec.locale,
        most_documents=int(site.environment["INDEXING__CHUNK_SIZE"]),
    )
    indexed = time.perf_counter()
    alone.train(spec, {row["document_id"]: row["name"] for row in labels})
    trained = time.perf_counter()
    class_ids = class_ids_of(model)
    predictions = [(number, class_ids[name], sure) for number, name, sure in alone.predict()]
    seconds = {
        "index": indexed - began,
        "train": trained - indexed,
        "predict": time.perf_counter() - trained,
    }
    return Outcome(
        {name: round(each, 1) for name, each in seconds.items()},
        _index_digest(alone.index),
        _model_digest(alone.model),
        _digest_of_predictions(predictions),
        alone.model,
    )


def _kill_in_the_middle(site: Site, task: TaskSnapshot, victim: Machine) -> None:
    """Kill a machine that is at a chunk once some are done and others wait."""
    while True:
        statuses, working = site.chunks(task)
        if {"succeeded", "pending"} <= statuses and working & set(_session(victim.process.pid)):
            break
        time.sleep(0.02)
    victim.end(signal.SIGKILL)


def _index_digest(folder: Path) -> str:
    """Return a digest of all files of an index, in the order in which the manifest has them."""
    manifest = json.loads((folder / "index.json").read_text())
    named = [manifest["documents"]["file"], *(terms["file"] for terms in manifest["terms"])]
    for shard in manifest["shards"]:
        named += [shard["file"], shard["numbers"]]
    return _digest(json.dumps([file["sha256"] for file in named]).encode())


def _model_digest(folder: Path) -> str:
    """Return a digest of all files of a model but its manifest, which says when it was made."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return _digest(*(path.read_bytes() for path in files if path.name != "manifest.json"))


def _predictions(site: Site, field_id: int) -> list[Prediction]:
    rows = site.ask(
        "SELECT document_id, class_id, confidence FROM prediction WHERE field_id = $1 "
        "ORDER BY document_id",
        field_id,
    )
    return [tuple(row) for row in rows]


def _digest_of_predictions(predictions: list[Prediction]) -> str:
    return _digest(repr(predictions).encode())


def _digest(*contents: bytes) -> str:
    found = hashlib.sha256()
    for content in contents:
        found.update(hashlib.sha256(content).digest())
    return found.hexdigest()


def main() -> None:
    """Measure, compare, print, write."""
    options = _options()
    documents = list(synthetic_documents(demo_words(), options.documents, seed=0))
    with (
        TemporaryDirectory(prefix="lexiclass-bench-") as name,
        open_site(Path(name), documents=options.documents, share=options.share) as site,
    ):
        project = site.house.import_texts(documents, min(_TRAINING, options.documents))
        outcomes = {}
        for number in options.machines:
            outcomes[str(number)] = _told(str(number), work(site, project, number))
        killed = _told("killed", work(site, project, 2, kills=True))
        alone = _told("alone", work_alone(site, project, killed.trained))
    results = {
        "documents": options.documents,
        "characters": sum(len(text) for text, _ in documents),
        "cores": os.cpu_count(),
        "cores_of_a_machine": options.share,
        "seconds": {number: outcome.seconds for number, outcome in outcomes.items()},
        "speed_up": _speed_up(outcomes),
        "seconds_with_two_of_three_killed": killed.seconds,
        "seconds_of_the_library_alone": alone.seconds,
        **_same([*outcomes.values(), killed, alone]),
    }
    print(json.dumps(results, indent=2))
    options.results.write_text(json.dumps(results, indent=2) + "\n")


def _told(who: str, outcome: Outcome) -> Outcome:
    print(who, outcome.seconds, file=sys.stderr, flush=True)
    return outcome


def _same(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """Return the digests that all have.

    Raises:
        SystemExit: If there are others.
    """
    same = {}
    for what in ("index", "model", "predictions"):
        found = [getattr(outcome, what) for outcome in outcomes]
        if len(set(found)) > 1:
            raise SystemExit(f"not the same everywhere: {what} {found}")
        same[what] = found[0]
    return same


def _speed_up(outcomes: Mapping[str, Outcome]) -> dict[str, dict[str, float]]:
    """How many times as fast as the first so many machines were."""
    return {
        number: {
            name: round(next(iter(outcomes.values())).seconds[name] / outcome.seconds[name], 2)
            for name in ("index", "predict")
        }
        for number, outcome in outcomes.items()
    }


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--machines", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--share", type=float, help="cores of a machine, such as 0.25")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file to write")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
