"""Every error code of the contract, produced for real and read from the task row."""

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from lexiclass_core.codes import ErrorCode
from lexiclass_core.schemas import (
    EvaluateFieldModel,
    IndexDocuments,
    IndexResult,
    PredictFieldDocuments,
    Request,
    TaskError,
    TrainFieldModel,
)
from lexiclass_core.tasks import cancelling
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.execution.outcome import TaskFailed
from lexiclass_worker.jobs.job import Job
from lexiclass_worker.services.evaluation import evaluate_field_model
from lexiclass_worker.services.indexing import index_documents
from lexiclass_worker.services.prediction import predict_field_documents
from lexiclass_worker.services.training import train_field_model
from tests.support.corpora import SmallProject
from tests.support.deliveries import Recorder, deliver, delivery, task_row, with_limits
from tests.support.jobs import DieJob, HungryJob, SleepJob
from tests.support.services import Workshop

SERVICES: dict[type[Request], Any] = {
    IndexDocuments: index_documents,
    TrainFieldModel: train_field_model,
    PredictFieldDocuments: predict_field_documents,
    EvaluateFieldModel: evaluate_field_model,
}


async def fail(
    workshop: Workshop, schema: type[Request], *, service: Any = None, **kwargs: Any
) -> TaskError:
    """Deliver a message, which must fail; what its row and its exception say."""
    message = delivery(**kwargs)
    with pytest.raises(TaskFailed) as raised:
        await deliver(workshop, service or SERVICES[schema], message, schema=schema)
    row = await task_row(workshop, message)
    assert row["status"] == "failed"
    assert row["error"] == raised.value.error.model_dump(mode="json")
    assert row["error"].keys() == {"code", "message", "details", "retryable"}
    return raised.value.error


def ids(project: SmallProject) -> dict[str, int]:
    return {"project_id": project.project_id, "field_id": project.field_id}


async def trained(workshop: Workshop, **arguments: Any) -> SmallProject:
    project = await workshop.project(**{"training": 4, "test": 1, **arguments})
    await workshop.train(project)
    return project


async def sandboxed(workshop: Workshop, job: Job) -> TaskError:
    """Fail with whatever a job in the sandbox ends with."""

    async def service(task: TaskContext, request: Request) -> IndexResult:
        await task.sandbox.run(job, on_progress=task.progress.report)
        raise AssertionError("the job should not have come to an end")

    return await fail(workshop, IndexDocuments, service=service, project_id=1)


Scenario = Callable[[Workshop], Awaitable[TaskError]]
SCENARIOS: dict[ErrorCode, Scenario] = {}


def scenario(code: ErrorCode) -> Callable[[Scenario], Scenario]:
    def register(function: Scenario) -> Scenario:
        assert code not in SCENARIOS
        SCENARIOS[code] = function
        return function

    return register


@scenario(ErrorCode.VALIDATION_ERROR)
async def a_project_id_that_is_text(workshop: Workshop) -> TaskError:
    return await fail(workshop, IndexDocuments, project_id="7")


@scenario(ErrorCode.NOT_FOUND)
async def a_project_that_is_not_there(workshop: Workshop) -> TaskError:
    return await fail(workshop, IndexDocuments, project_id=7)


@scenario(ErrorCode.NO_TRAINING_LABELS)
async def a_field_with_test_labels_only(workshop: Workshop) -> TaskError:
    project = await workshop.project(training=0, test=2)
    return await fail(workshop, TrainFieldModel, **ids(project))


@scenario(ErrorCode.NO_TEST_LABELS)
async def a_field_with_training_labels_only(workshop: Workshop) -> TaskError:
    project = await trained(workshop, test=0)
    return await fail(workshop, EvaluateFieldModel, **ids(project))


@scenario(ErrorCode.NOT_ENOUGH_DOCUMENTS)
async def a_field_with_one_class(workshop: Workshop) -> TaskError:
    project = await workshop.project(labels=("animals",), training=4, test=0)
    return await fail(workshop, TrainFieldModel, **ids(project))


@scenario(ErrorCode.NO_READY_MODEL)
async def a_field_that_was_never_trained(workshop: Workshop) -> TaskError:
    project = await workshop.project(training=2, test=0)
    return await fail(workshop, PredictFieldDocuments, **ids(project), document_ids=None)


@scenario(ErrorCode.NO_CERTIFIED_THRESHOLD)
async def a_model_that_was_not_evaluated(workshop: Workshop) -> TaskError:
    project = await trained(workshop)
    accept_at = {"accuracy": 0.95}
    return await fail(
        workshop, PredictFieldDocuments, **ids(project), document_ids=None, accept_at=accept_at
    )


@scenario(ErrorCode.NO_DOCUMENTS)
async def a_project_without_documents(workshop: Workshop) -> TaskError:
    project = await workshop.project(training=0, test=0)
    return await fail(workshop, IndexDocuments, project_id=project.project_id)


@scenario(ErrorCode.EMPTY_VOCABULARY)
async def documents_without_words(workshop: Workshop) -> TaskError:
    project = await workshop.project(training=3, test=0)
    for document_id in project.document_ids:
        workshop.document(project, document_id).write_text("... !!! ---")
    return await fail(workshop, TrainFieldModel, **ids(project))


@scenario(ErrorCode.PLUGIN_NOT_FOUND)
async def a_classifier_that_is_not_there(workshop: Workshop) -> TaskError:
    project = await workshop.project(training=2, test=0)
    return await fail(workshop, TrainFieldModel, **ids(project), classifier="swm")


@scenario(ErrorCode.PLUGIN_UNAVAILABLE)
async def a_tokenizer_of_another_distribution(workshop: Workshop) -> TaskError:
    project = await workshop.project(training=2, test=0)
    return await fail(workshop, TrainFieldModel, **ids(project), tokenizer="shouting")


@scenario(ErrorCode.PLUGIN_MISMATCH)
async def another_extractor_than_the_models(workshop: Workshop) -> TaskError:
    project = await trained(workshop)
    return await fail(workshop, EvaluateFieldModel, **ids(project), feature_extractor="tfidf")


@scenario(ErrorCode.MODEL_CORRUPT)
async def a_model_without_files(workshop: Workshop) -> TaskError:
    project = await trained(workshop)
    shutil.rmtree(workshop.model(project))
    return await fail(workshop, PredictFieldDocuments, **ids(project), document_ids=None)


@scenario(ErrorCode.STORAGE_ERROR)
async def a_file_where_models_should_go(workshop: Workshop) -> TaskError:
    workshop.settings = with_limits(workshop.settings, max_attempts=1)
    project = await workshop.project(training=2, test=0)
    (workshop.path / str(project.project_id) / "models").write_text("in the way")
    return await fail(workshop, TrainFieldModel, **ids(project))


@scenario(ErrorCode.DATABASE_ERROR)
async def a_connection_that_is_cut(workshop: Workshop) -> TaskError:
    workshop.settings = with_limits(workshop.settings, max_attempts=1)

    async def service(task: TaskContext, request: Request) -> IndexResult:
        async with task.sessions.begin() as session:
            await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        raise AssertionError

    return await fail(workshop, IndexDocuments, service=service, project_id=1)


@scenario(ErrorCode.TIME_LIMIT)
async def work_that_takes_too_long(workshop: Workshop) -> TaskError:
    workshop.settings = with_limits(workshop.settings, time_limit_s=0.3)
    return await sandboxed(workshop, SleepJob(note=workshop.path / "pid"))


@scenario(ErrorCode.MEMORY_LIMIT)
async def work_that_needs_too_much_memory(workshop: Workshop) -> TaskError:
    return await sandboxed(workshop, HungryJob())


@scenario(ErrorCode.CRASHED)
async def a_child_that_is_killed(workshop: Workshop) -> TaskError:
    workshop.settings = with_limits(workshop.settings, max_attempts=1)
    return await sandboxed(workshop, DieJob())


@scenario(ErrorCode.INTERNAL_ERROR)
async def a_fault_of_ours(workshop: Workshop) -> TaskError:
    service = Recorder(ZeroDivisionError("password=hunter2"))
    return await fail(workshop, IndexDocuments, service=service, project_id=1)


@scenario(ErrorCode.CANCELLED)
async def a_task_cancelled_while_it_waits(workshop: Workshop) -> TaskError:
    message, service = delivery(project_id=1), Recorder()
    row = await workshop.row(
        "INSERT INTO task (message_id, type) VALUES (:id, 'index_documents') RETURNING id",
        id=message.message_id,
    )
    async with workshop.sessions.begin() as session:
        await cancelling.cancel(session, row["id"])
    with pytest.raises(TaskFailed) as raised:
        await deliver(workshop, service, message)
    assert service.runs == []
    after = await task_row(workshop, message)
    assert (after["status"], after["error"]["code"]) == ("cancelled", "CANCELLED")
    assert after["finished_at"] is not None
    return raised.value.error


@pytest.fixture
def shouting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed distribution with a tokenizer that needs one which is not installed.

    With it the sandbox starts another fork server, which takes seconds.
    """
    packages = tmp_path / "packages"
    metadata = packages / "shouting-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: shouting\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[lexiclass.plugins]\nshouting = shouting_plugin:PLUGIN\n"
    )
    (packages / "shouting_plugin.py").write_text(
        "from lexiclass import PluginInfo, PluginType\n"
        "PLUGIN = PluginInfo(name='shouting', type=PluginType.TOKENIZER, description='LOUD',\n"
        "    implementation='shouting_plugin:Nothing', requires=('megaphone-ng',),\n"
        "    install='shouting[loud]')\n"
    )
    # The sandbox's children take the path over from the worker.
    monkeypatch.syspath_prepend(str(packages))


TRANSIENT = {ErrorCode.STORAGE_ERROR, ErrorCode.DATABASE_ERROR, ErrorCode.CRASHED}

SAYS = {
    ErrorCode.VALIDATION_ERROR: "project_id",
    ErrorCode.NOT_FOUND: "project 7",
    ErrorCode.NO_TRAINING_LABELS: "is_training_data = true",
    ErrorCode.NO_TEST_LABELS: "is_training_data = false",
    ErrorCode.NOT_ENOUGH_DOCUMENTS: "2 classes are needed",
    ErrorCode.NO_READY_MODEL: "train one first",
    ErrorCode.NO_CERTIFIED_THRESHOLD: "evaluate it first",
    ErrorCode.PLUGIN_NOT_FOUND: "Did you mean 'svm'?",
    ErrorCode.PLUGIN_UNAVAILABLE: "pip install 'shouting[loud]'",
    ErrorCode.PLUGIN_MISMATCH: "leave feature_extractor out",
    ErrorCode.MODEL_CORRUPT: "restore them or train a new version",
    ErrorCode.TIME_LIMIT: "0.3 s",
    ErrorCode.CRASHED: "SIGKILL",
}


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(code, marks=pytest.mark.slow) if code is ErrorCode.PLUGIN_UNAVAILABLE else code
        for code in ErrorCode
    ],
)
async def test_the_code_is_produced_and_says_what_to_do(
    request: pytest.FixtureRequest, workshop: Workshop, code: ErrorCode
) -> None:
    if code is ErrorCode.PLUGIN_UNAVAILABLE:
        request.getfixturevalue("shouting")
    error = await SCENARIOS[code](workshop)

    assert error.code == code
    assert error.retryable is (code in TRANSIENT)
    assert SAYS.get(code, "") in error.message
    assert len(error.message) > 10
    assert "hunter2" not in error.model_dump_json()


def test_every_code_has_its_scenario() -> None:
    assert set(SCENARIOS) == set(ErrorCode)


def test_the_codes_are_those_of_the_contract() -> None:
    assert {str(code) for code in ErrorCode} == set(
        """
        VALIDATION_ERROR NOT_FOUND NO_TRAINING_LABELS NO_TEST_LABELS NOT_ENOUGH_DOCUMENTS
        NO_READY_MODEL NO_CERTIFIED_THRESHOLD NO_DOCUMENTS EMPTY_VOCABULARY PLUGIN_NOT_FOUND
        PLUGIN_UNAVAILABLE PLUGIN_MISMATCH MODEL_CORRUPT STORAGE_ERROR DATABASE_ERROR TIME_LIMIT
        MEMORY_LIMIT CANCELLED CRASHED INTERNAL_ERROR
        """.split()
    )
