"""Labels that look wrong: found by a training, listed, settled, and gone with what they are of."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from lexiclass.label_quality import TrainingEvidence
from lexiclass.manifest import EVIDENCE_FILE
from lexiclass.serialization import read_all_arrays, write_arrays
from lexiclass_core import documents
from lexiclass_core.client import AsyncTaskClient
from lexiclass_core.documents import Label
from lexiclass_core.models import SuspectStatus
from lexiclass_worker.admin.suspects import find_again
from lexiclass_worker.errors import ModelCorrupt
from lexiclass_worker.jobs.suspects import FoundSuspect
from lexiclass_worker.repositories.suspects import replace_open
from tests.support.corpora import SmallProject
from tests.support.damage import reseal
from tests.support.services import Workshop

REMOVE_LABEL = "DELETE FROM document_label WHERE document_id = :id"
WAITING = (
    "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)
SUSPECTS = "SELECT * FROM label_suspect ORDER BY document_id, id"


async def planted(workshop: Workshop, *, training: int = 25) -> tuple[SmallProject, int, str]:
    """A project with a wrong label: the document, and the class that it should have."""
    project = await workshop.project(training=training, test=1)
    wrong = project.training_ids[0]
    row = await workshop.row(
        "SELECT name FROM document_label l JOIN field_class c ON c.id = l.class_id "
        "WHERE l.document_id = :id",
        id=wrong,
    )
    other = next(name for name in project.class_ids if name != row["name"])
    await relabel(workshop, project, wrong, other)
    return project, wrong, str(row["name"])


async def relabel(workshop: Workshop, project: SmallProject, document: int, name: str) -> None:
    async with workshop.sessions.begin() as session:
        label = Label(class_name=name, is_training_data=None)
        await documents.set_label(session, project.project_id, project.field_id, document, label)


async def found_at(
    workshop: Workshop, project: SmallProject, document: int, *, suggested: str | None = None
) -> FoundSuspect:
    """What a training says of a document's label as it is."""
    row = await workshop.row(
        "SELECT class_id FROM document_label WHERE document_id = :id", id=document
    )
    label = next(name for name, number in project.class_ids.items() if number == row["class_id"])
    other = next(name for name in project.class_ids if name != label)
    return FoundSuspect(
        document=document, label=label, suggested=suggested or other, score=0.5,
        reasons=["equal_text"], label_probability=None, suggested_probability=None, neighbours=[],
        num_neighbours=0,
    )  # fmt: skip


async def judge(
    workshop: Workshop, project: SmallProject, document: int, status: SuspectStatus
) -> bool:
    async with workshop.sessions.begin() as session:
        return await documents.judge_suspect(
            session, project.project_id, project.field_id, document, status
        )


async def listed(
    workshop: Workshop, project: SmallProject, **wanted: Any
) -> list[documents.SuspectLabel]:
    async with workshop.sessions() as session:
        return await documents.list_suspects(
            session, project.project_id, project.field_id, **wanted
        )


async def test_a_training_finds_a_wrong_label_and_says_why(workshop: Workshop) -> None:
    project, wrong, right = await planted(workshop)
    result = await workshop.train(project, feature_extractor="tfidf")

    (suspect,) = await listed(workshop, project)
    assert (suspect.document_id, suspect.suggested, suspect.model_version) == (wrong, right, 1)
    assert (suspect.found_by, suspect.status) == (["confident_learning"], "open")
    assert suspect.label_probability is not None
    assert suspect.suggested_probability is not None
    assert suspect.suggested_probability > suspect.label_probability
    assert 0.5 < suspect.score <= 1
    # The text has words of the class that fits it; the model learned them from other documents.
    text = workshop.document(project, wrong).read_text().casefold()
    assert suspect.suggested_terms
    assert all(word in text for term in suspect.suggested_terms for word in term.split())
    found = result.metrics.label_suspects
    assert found is not None
    assert (found.num_held_out, found.num_suspects) == (result.metrics.num_documents, 1)
    evidence = TrainingEvidence.load(workshop.model(project), 3)
    assert evidence is not None
    assert sorted(evidence.documents.tolist()) == sorted(project.training_ids)
    manifest = json.loads((workshop.model(project) / "manifest.json").read_bytes())
    assert "held_out.safetensors" in manifest["files"]


@pytest.mark.slow
async def test_copies_with_other_labels_are_named(workshop: Workshop) -> None:
    project = await workshop.project(training=10, test=0)
    first, *_, last = project.training_ids
    workshop.document(project, last).write_text(workshop.document(project, first).read_text())
    await workshop.train(project)

    found = {suspect.document_id: suspect for suspect in await listed(workshop, project)}
    (copy,) = [found[number] for number in (first, last) if number in found]
    other = last if copy.document_id == first else first
    assert "equal_text" in copy.found_by
    assert [neighbour.document_id for neighbour in copy.neighbours] == [other]
    assert copy.neighbours[0].label == copy.suggested != copy.label

    # What is erased is named no more.
    await workshop.erase(project, other)
    (kept,) = [each for each in await listed(workshop, project) if each.document_id != other]
    assert kept.neighbours == []
    assert [row["neighbours"] for row in await workshop.rows(SUSPECTS)] == [[]]


@pytest.mark.slow
async def test_what_is_dismissed_is_not_suspected_again_for_the_same_label(
    workshop: Workshop,
) -> None:
    project, wrong, right = await planted(workshop)
    await workshop.train(project)
    wrongly = (await listed(workshop, project))[0].label
    assert await judge(workshop, project, wrong, SuspectStatus.DISMISSED)
    await workshop.train(project)

    assert await listed(workshop, project) == []
    (dismissed,) = await listed(workshop, project, status=None)
    assert (dismissed.status, dismissed.model_version) == ("dismissed", 1)
    # Under another label it is looked at anew.
    third = next(name for name in project.class_ids if name not in {wrongly, right})
    await relabel(workshop, project, wrong, third)
    await workshop.train(project)
    (suspect,) = await listed(workshop, project)
    assert (suspect.label, suspect.suggested, suspect.model_version) == (third, right, 3)


@pytest.mark.slow
async def test_a_label_that_is_changed_is_corrected_whoever_changes_it(workshop: Workshop) -> None:
    project, wrong, right = await planted(workshop)
    await workshop.train(project)
    wrongly = (await listed(workshop, project))[0].label
    assert await judge(workshop, project, wrong, SuspectStatus.CONFIRMED)
    await workshop.execute(
        "UPDATE document_label SET class_id = :class WHERE document_id = :id",
        **{"class": project.class_ids[right]},
        id=wrong,
    )

    assert await listed(workshop, project) == []
    (corrected,) = await listed(workshop, project, status=SuspectStatus.CORRECTED)
    assert (corrected.document_id, corrected.label) == (wrong, wrongly)
    assert not await judge(workshop, project, wrong, SuspectStatus.DISMISSED)
    # As wrong as it was, it is found as it was.
    await relabel(workshop, project, wrong, wrongly)
    await workshop.train(project)
    assert [each.document_id for each in await listed(workshop, project)] == [wrong]


@pytest.mark.slow
async def test_who_may_change_labels_alone_settles_what_looks_wrong(workshop: Workshop) -> None:
    project, wrong, right = await planted(workshop)
    await workshop.train(project)
    async with workshop.sessions.begin() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("CREATE ROLE labeller")
        await connection.exec_driver_sql("GRANT USAGE ON SCHEMA public TO labeller")
        await connection.exec_driver_sql("GRANT SELECT, UPDATE ON document_label TO labeller")
        await connection.exec_driver_sql("SET LOCAL ROLE labeller")
        await connection.exec_driver_sql(
            f"UPDATE document_label SET class_id = {project.class_ids[right]} "
            f"WHERE document_id = {wrong}"
        )
        await connection.exec_driver_sql("RESET ROLE")
        await connection.exec_driver_sql("DROP OWNED BY labeller")
        await connection.exec_driver_sql("DROP ROLE labeller")

    assert [each.status for each in await listed(workshop, project, status=None)] == ["corrected"]


@pytest.mark.slow_variants
@pytest.mark.parametrize(
    "gone",
    [
        "field_class", "document_label", "project",
        *(pytest.param(table, marks=pytest.mark.slow) for table in ("document", "field")),
    ],
)  # fmt: skip
async def test_a_suspect_goes_with_what_it_is_of(workshop: Workshop, gone: str) -> None:
    project, wrong, _ = await planted(workshop)
    await workshop.train(project)
    column = "document_id" if gone == "document_label" else "id"
    key = {
        "document": wrong,
        "document_label": wrong,
        "field": project.field_id,
        "project": project.project_id,
        "field_class": (await workshop.row(SUSPECTS))["class_id"],
    }[gone]
    await workshop.execute(f"DELETE FROM {gone} WHERE {column} = :key", key=key)

    assert await workshop.rows(SUSPECTS) == []


@pytest.mark.slow
async def test_a_label_of_something_else_is_not_suspected(workshop: Workshop) -> None:
    project, wrong, _ = await planted(workshop)
    await workshop.train(project)
    added = await workshop.row(
        "INSERT INTO document (project_id) VALUES (:project) RETURNING id",
        project=project.project_id,
    )
    await workshop.execute(
        "UPDATE document_label SET document_id = :new WHERE document_id = :old",
        new=added["id"],
        old=wrong,
    )

    assert await workshop.rows(SUSPECTS) == []


async def test_another_project_sees_and_settles_nothing(workshop: Workshop) -> None:
    project, wrong, _ = await planted(workshop)
    await workshop.train(project)
    other = await workshop.project(training=1, test=0)

    async with workshop.sessions.begin() as session:
        assert await documents.list_suspects(session, other.project_id, project.field_id) == []
        for field_id in (project.field_id, other.field_id):
            assert not await documents.judge_suspect(
                session, other.project_id, field_id, wrong, SuspectStatus.DISMISSED
            )
    assert [each.status for each in await listed(workshop, project)] == ["open"]
    with pytest.raises(DBAPIError, match="fk_label_suspect_document_id_field_id"):
        await workshop.execute(
            "INSERT INTO label_suspect (document_id, field_id, class_id, suggested_class_id, "
            "score, model_version) VALUES (:document, :field, :class, :class, 0.5, 1)",
            document=wrong,
            field=other.field_id,
            **{"class": next(iter(other.class_ids.values()))},
        )


async def test_an_api_lists_and_judges_them_by_names(
    workshop: Workshop, database_uri: str, broker_url: str
) -> None:
    project, wrong, right = await planted(workshop)
    await workshop.train(project)
    async with AsyncTaskClient(database_uri=database_uri, broker_url=broker_url) as client:
        (suspect,) = await client.documents.suspects(project.project_id, "topic")
        assert (suspect.document_id, suspect.suggested) == (wrong, right)
        judge = client.documents.judge_suspect
        assert await judge(project.project_id, "topic", wrong, SuspectStatus.CONFIRMED)
        assert not await judge(
            project.project_id, "topic", project.training_ids[-1], SuspectStatus.CONFIRMED
        )
        confirmed = await client.documents.suspects(
            project.project_id, "topic", status=SuspectStatus.CONFIRMED
        )
        assert [each.document_id for each in confirmed] == [wrong]
        await client.documents.set_label(project.project_id, "topic", wrong, right)
        every = await client.documents.suspects(project.project_id, "topic", status=None)
        assert [each.status for each in every] == ["corrected"]


@pytest.mark.slow_variants
@pytest.mark.parametrize("document", ["none", "another"])
async def test_whatever_a_file_names_only_labels_that_are_there_are_suspected(
    workshop: Workshop, document: str
) -> None:
    project, wrong, _ = await planted(workshop)
    await workshop.train(project, feature_extractor="tfidf")
    path = workshop.model(project) / EVIDENCE_FILE
    arrays = {name: array.copy() for name, array in read_all_arrays(path).items()}
    of_wrong = arrays["documents"] == wrong
    arrays["documents"][of_wrong] = {"none": 0, "another": 10**9}[document]
    path.chmod(0o600)
    write_arrays(path, arrays)
    reseal(workshop.model(project))
    await workshop.execute("UPDATE model SET manifest = '{}'")

    again = find_again(workshop.admin(), project.project_id, project.field_id, 1)
    if document == "none":
        with pytest.raises(ModelCorrupt, match="names no documents"):
            await again
    else:
        await again

    assert {row["document_id"] for row in await workshop.rows(SUSPECTS)} <= {wrong}


async def test_a_suspect_that_is_named_twice_is_one(workshop: Workshop) -> None:
    project, wrong, right = await planted(workshop)
    found = await found_at(workshop, project, wrong, suggested=right)

    async with workshop.sessions.begin() as session:
        await replace_open(session, project.field_id, 1, [found, found], project.class_ids)

    assert [row["document_id"] for row in await workshop.rows(SUSPECTS)] == [wrong]


async def test_a_label_that_is_removed_while_suspects_are_written_hinders_nobody(
    workshop: Workshop,
) -> None:
    project = await workshop.project(training=6, test=0)
    first, second = sorted(project.training_ids)[:2]
    found = [await found_at(workshop, project, document) for document in (first, second)]

    async def write(version: int) -> None:
        async with workshop.sessions.begin() as session:
            await replace_open(session, project.field_id, version, found, dict(project.class_ids))

    await write(1)
    async with workshop.sessions.begin() as holder:
        # Who writes comes as far as the first, while the second is removed.
        await holder.execute(
            text("SELECT FROM document_label WHERE document_id = :id FOR UPDATE"), {"id": first}
        )
        writing = asyncio.create_task(write(2))
        await workshop.until_there_is(WAITING)
        removing = asyncio.create_task(workshop.execute(REMOVE_LABEL, id=second))
        await asyncio.wait([removing], timeout=1)
    await asyncio.gather(writing, removing)
    left = await workshop.rows(SUSPECTS)
    assert [(row["document_id"], row["model_version"]) for row in left] == [(first, 2)]


@pytest.mark.slow
async def test_who_judges_a_label_that_is_being_corrected_judges_nothing(
    workshop: Workshop,
) -> None:
    project, wrong, right = await planted(workshop)
    await workshop.train(project)
    async with workshop.sessions.begin() as annotator:
        await documents.set_label(
            annotator,
            project.project_id,
            project.field_id,
            wrong,
            Label(class_name=right, is_training_data=None),
        )
        judging = asyncio.create_task(judge(workshop, project, wrong, SuspectStatus.CONFIRMED))
        await workshop.until_there_is(WAITING)
    assert await judging is False
    (row,) = await workshop.rows(SUSPECTS)
    assert row["status"] == "corrected"
