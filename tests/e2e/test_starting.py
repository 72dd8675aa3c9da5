"""Ways to start a worker, to stop it, and to be told that it cannot start."""

import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from lexiclass_worker.config import export_environment
from lexiclass_worker.embedded.process import free_port
from tests.support.corpora import SmallProject
from tests.support.house import House
from tests.support.processes import living_tree, wait_until_gone

SCRIPTS = Path(sys.executable).parent


@pytest.fixture
def foreign_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to start in, with modules of others. Returns where each that is imported shows."""
    shared, shown = tmp_path / "shared", tmp_path / "shown"
    shared.mkdir()
    shown.mkdir()
    # What others could put there: modules of the worker, its libraries and the standard library.
    for name in ("actors", "loguru", "numpy", "queue", "sitecustomize", "lexiclass_worker"):
        module = shared / name / "__init__.py" if name == "actors" else shared / f"{name}.py"
        module.parent.mkdir(exist_ok=True)
        module.write_text(f"open({str(shown / name)!r}, 'w')\nraise ImportError('foreign')\n")
    monkeypatch.chdir(shared)
    return shown


def test_a_python_with_dramatiq_alone_can_send(
    house: House, trained: SmallProject, tmp_path: Path
) -> None:
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    packages = ["dramatiq", "redis"]
    if sys.version_info < (3, 11, 3):
        packages.append("async_timeout")  # which redis needs there
    for package in packages:
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        (libraries / package).symlink_to(Path(spec.origin).parent)
    program = f"""
import sys
sys.path.append({str(libraries)!r})
import importlib.util
for name in ("lexiclass", "lexiclass_core", "lexiclass_worker", "actors", "pydantic"):
    assert importlib.util.find_spec(name) is None, name
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
broker = RedisBroker(url=sys.argv[1], namespace=sys.argv[2], middleware=[])
message = Message(
    queue_name="prediction", actor_name="predict_field_documents", args=(), options={{}},
    kwargs=dict(project_id={trained.project_id}, field_id={trained.field_id}, document_ids=None),
)
broker.enqueue(message)
print(message.message_id)
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, house.environment["DRAMATIQ__BROKER_URL"],
         house.environment["DRAMATIQ__NAMESPACE"]],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    task = house.database.succeeded(done.stdout.strip())
    assert task["result"]["predictions_created"] == len(trained.document_ids)


@pytest.mark.slow
def test_the_dramatiq_script_works_from_any_folder_and_takes_only_its_queues(
    own_house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    project = own_house.project(training=2, test=0)
    script = [str(SCRIPTS / "dramatiq"), "actors", "--processes", "1", "--threads", "2"]
    with own_house.worker(command=[*script, "--queues", "prediction"]):
        indexing = own_house.send("index_documents", project_id=project.project_id)
        predicted = own_house.send_prediction(project, None)
        assert own_house.database.failed(predicted)["error"]["code"] == "NO_READY_MODEL"
        assert own_house.database.task(indexing) is None
        assert own_house.sender.size("indexing") == 1
    # Processes that are measured leave their measurements where they ran.
    assert [file for file in elsewhere.iterdir() if not file.name.startswith(".coverage.")] == []


@pytest.mark.slow
def test_a_stopped_worker_hands_its_task_back_and_leaves_no_process(
    own_house: House, foreign_modules: Path
) -> None:
    project = own_house.slow_project()
    with own_house.worker(command=[str(SCRIPTS / "lexiclass-worker"), "run"]) as group:
        message_id = own_house.send_training(project)
        (worker,) = own_house.database.rows("SELECT * FROM worker")
        assert (worker["group_pid"], worker["threads"]) == (group.process.pid, 2)
        assert sorted(worker["queues"]) == ["bulk", "indexing", "prediction", "training"]
        # Work that hangs: it cannot be done before the signal is.
        child = own_house.training_process(project, group)
        child.suspend()
        tree = living_tree(group.process.pid)
        group.process.send_signal(signal.SIGTERM)
        wait_until_gone([child])
        assert group.process.wait(60) == 0
        wait_until_gone(tree)
    task = own_house.database.task(message_id)
    assert task is not None
    assert (task["status"], task["attempts"], task["started_at"]) == ("pending", 0, None)
    assert (task["progress"], task["error"], task["finished_at"]) == (0, None, None)
    assert own_house.database.rows("SELECT * FROM worker") == []
    # Said before the first message was taken.
    (catalog,) = own_house.database.rows("SELECT * FROM plugin_catalog")
    assert catalog["digest"] == worker["plugins_digest"]
    assert "svm" in [plugin["name"] for plugin in catalog["content"]["plugins"]]
    assert own_house.sender.size("training") == 1
    assert own_house.sender.dead_letters("training") == {}
    assert not own_house.model_directory(project, 1).exists()
    own_house.wait_tidy()
    model = own_house.database.row("SELECT * FROM model WHERE field_id = :id", id=project.field_id)
    assert model is not None
    assert (model["status"], model["metrics"]["error"]["code"]) == ("failed", "CANCELLED")
    assert list(foreign_modules.iterdir()) == []


@pytest.mark.slow
def test_a_worker_does_not_start_on_tables_that_do_not_serve_it(own_house: House) -> None:
    own_house.database.execute("UPDATE alembic_version SET version_num = '9999'")
    own_house.database.execute("UPDATE schema_support SET serves_from = '9999'")
    done = subprocess.run(
        [str(SCRIPTS / "lexiclass-worker"), "run"],
        env=export_environment({**own_house.environment, "METRICS__PORT": str(free_port())}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "newer than the" in done.stderr
    assert "install the release of lexiclass-worker that made them" in done.stderr
    assert "Traceback" not in done.stderr


# A worker that is stopped in the middle of its work, above, imports all but what comes after.
@pytest.mark.slow
def test_a_worker_imports_nothing_from_the_folder_it_is_started_in(
    own_house: House, foreign_modules: Path
) -> None:
    project = own_house.project(training=4, test=2)
    with own_house.worker(command=[str(SCRIPTS / "lexiclass-worker"), "run"]):
        own_house.train(project)
    assert list(foreign_modules.iterdir()) == []


WRONG = {
    "misspelt": ({"METRICS__PROT": "9191"}, ("METRICS__PROT", "METRICS__PORT")),
}
ALSO_WRONG = {
    "missing": ({"DATABASE_URI": None}, ("DATABASE_URI is not set", "postgresql+asyncpg://")),
    "no such storage": ({"STORAGE__BASE_PATH": "s4://bucket"}, ("STORAGE__BASE_PATH", "s4")),
    "other database": (
        {"DATABASE_URI": "mysql://root:hunter22@db/x"},
        ("DATABASE_URI", "postgresql+asyncpg://"),
    ),
    "bad port": ({"METRICS__PORT": "70000"}, ("METRICS__PORT", "65535")),
    "other broker": ({"DRAMATIQ__BROKER_URL": "http://hunter22@redis"}, ("DRAMATIQ__BROKER_URL",)),
    "bad level": ({"LOG_LEVEL": "LOUD"}, ("LOG_LEVEL", "DEBUG")),
}


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        *(pytest.param(*case, id=name) for name, case in WRONG.items()),
        *(
            pytest.param(*case, id=name, marks=pytest.mark.slow)
            for name, case in ALSO_WRONG.items()
        ),
    ],
)
def test_a_worker_that_is_set_up_wrong_ends_at_once_and_names_the_variable(
    tmp_path: Path, variables: dict[str, str | None], told: tuple[str, ...]
) -> None:
    given = {
        "DATABASE_URI": "postgresql+asyncpg://u:hunter22@127.0.0.1:1/x",
        "METRICS__PORT": str(free_port()),
        **variables,
    }
    environment = export_environment({k: v for k, v in given.items() if v is not None})
    done = subprocess.run(
        [SCRIPTS / "dramatiq", "actors", "--processes", "1"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert [text for text in told if text not in output] == []
    assert "hunter22" not in output


@pytest.mark.slow
def test_an_object_store_serves_the_whole_way(own_house: House) -> None:
    project = own_house.project()
    # An fsspec file system that is on this machine: what S3 is to the worker, without a server.
    url = f"local://{own_house.storage}"
    with own_house.worker(STORAGE__BASE_PATH=url):
        indexed = own_house.database.succeeded(
            own_house.send("index_documents", project_id=project.project_id)
        )
        assert indexed["result"]["index_path"].startswith(f"{url}/")
        own_house.train(project)
        assert own_house.train(project)["result"]["model_version"] == 2
        evaluated = own_house.database.succeeded(
            own_house.send(
                "evaluate_field_model", project_id=project.project_id, field_id=project.field_id
            )
        )
        metrics = evaluated["result"]["metrics"]
        assert metrics["accuracy"] > 0.9
        # Only an index tells.
        assert metrics["duplicates_in_training"]["num_compared"] == len(project.test_ids)
        message_id = own_house.send_prediction(project, project.test_ids)
        own_house.database.succeeded(message_id)
    assert (own_house.model_directory(project, 2) / "manifest.json").is_file()
    written = own_house.storage / str(project.project_id) / "predictions" / str(project.field_id)
    lines = (written / "v2" / f"{message_id}.jsonl").read_text().splitlines()
    assert len(lines) == len(project.test_ids)
