"""Evaluations that are killed while they publish their report."""

import signal
import subprocess
import sys
from datetime import datetime

import pytest

from lexiclass_worker.admin.reports import read_report
from lexiclass_worker.artifacts.object_store import ObjectStorage
from lexiclass_worker.config import export_environment
from lexiclass_worker.errors import ModelCorrupt
from tests.support.corpora import SmallProject
from tests.support.services import Workshop

# Kills itself before it puts the files in their place, in the midst of it, or before it commits.
KILLED = """
import asyncio, os, signal, sys

from lexiclass_core.db import create_engine, create_session_factory
from lexiclass_core.schemas import EvaluateFieldModel
from lexiclass_worker.artifacts.local import LocalStorage
from lexiclass_worker.artifacts.object_store import ObjectStorage
from lexiclass_worker.config import load_settings
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.services.evaluation import evaluate_field_model

base, project_id, field_id, moment = sys.argv[1:]
storage = ObjectStorage(base) if "://" in base else LocalStorage(base)
stage = storage.stage

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def stage_and_die(*arguments):
    staged = stage(*arguments)
    publish = staged.publish
    def publish_and_die():
        if moment == "amid":
            copy = storage.fs.cp_file
            def copy_until_the_page(source, target, **options):
                copy(source, target, **options)
                if target.endswith("report.html"):
                    die()
            storage.fs.cp_file = copy_until_the_page
        if moment != "before":
            publish()
        die()
    staged.publish = publish_and_die
    return staged

storage.stage = stage_and_die

async def main():
    settings = load_settings()
    engine = create_engine(settings.require_database_uri())
    context = TaskContext(
        message_id="killed",
        settings=settings,
        sessions=create_session_factory(engine),
        storage=storage,
    )
    request = EvaluateFieldModel(project_id=int(project_id), field_id=int(field_id))
    await evaluate_field_model(context, request)

asyncio.run(main())
"""


def evaluate_and_die(
    environment: dict[str, str], base: str, project: SmallProject, moment: str
) -> None:
    arguments = [base, str(project.project_id), str(project.field_id), moment]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments],
        env=export_environment(environment),
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()


async def evaluated_at(workshop: Workshop, project: SmallProject) -> datetime:
    """When the evaluation of the report began that is whole."""
    kept = await read_report(workshop.admin(), project.field_id, 1)
    assert kept.page is not None
    return kept.report.created_at


async def prepared(workshop: Workshop) -> tuple[SmallProject, datetime]:
    project = await workshop.project(training=6, test=3)
    await workshop.train(project)
    await workshop.evaluate(project)
    return project, await evaluated_at(workshop, project)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["disk", "object store"])
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_the_old_report_is_left_or_the_new_one_and_both_are_known(
    workshop: Workshop, environment: dict[str, str], kind: str, moment: str
) -> None:
    base = str(workshop.path)
    if kind == "object store":
        base = f"file://{workshop.path}"
        workshop.storage = ObjectStorage(base)
    project, before = await prepared(workshop)

    evaluate_and_die(environment, base, project, moment)

    left = await evaluated_at(workshop, project)
    assert (left > before) is (moment == "after")
    await workshop.evaluate(project)
    assert await evaluated_at(workshop, project) > left


@pytest.mark.slow
async def test_half_of_a_report_in_an_object_store_is_not_read_and_the_next_attempt_mends_it(
    workshop: Workshop, environment: dict[str, str]
) -> None:
    base = f"file://{workshop.path}"
    workshop.storage = ObjectStorage(base)
    project, before = await prepared(workshop)
    # The next report says more.
    await workshop.index(project)

    evaluate_and_die(environment, base, project, "amid")

    with pytest.raises(ModelCorrupt, match="files of two reports"):
        await evaluated_at(workshop, project)
    await workshop.evaluate(project)
    assert await evaluated_at(workshop, project) > before
