"""An installation in which every page of the console has something to show."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.client import TaskClient
from lexiclass_core.schemas import AcceptAt
from tests.support.corpora import SmallProject, add_document, add_label, insert, make_text
from tests.support.house import House

_WRONG_LABELS = 3
_UNLABELLED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Showcase:
    """What is in it.

    Attributes:
        project: One with two versions that were evaluated, predictions and labels that look wrong.
        empty_project_id: One with a field without labels.
        failed_id: A task that failed for want of a plugin.
    """

    project: SmallProject
    empty_project_id: int
    failed_id: int


def opened_client(house: House) -> TaskClient:
    """What submits tasks."""
    return TaskClient(
        database_uri=house.environment["DATABASE_URI"],
        broker_url=house.environment["DRAMATIQ__BROKER_URL"],
        namespace=house.environment["DRAMATIQ__NAMESPACE"],
    )


def furnish(house: House) -> Showcase:
    """Make it, with the workers of a house."""
    project = house.project(training=24, test=8)

    async def write(session: AsyncSession) -> tuple[int, int, int]:
        for number in range(_WRONG_LABELS):
            content = make_text("animals", 1_000 + number)
            document_id = await add_document(session, house.storage, project.project_id, content)
            await add_label(session, project, document_id, "vehicles", is_training_data=True)
        for number in range(_UNLABELLED):
            content = make_text("vehicles" if number % 2 else "animals", 2_000 + number)
            newest = await add_document(session, house.storage, project.project_id, content)
        empty = await insert(session, "INSERT INTO project (name) VALUES ('invoices') RETURNING id")
        field = await insert(
            session,
            "INSERT INTO field (project_id, name) VALUES (:project, 'supplier') RETURNING id",
            project=empty,
        )
        return empty, field, newest

    empty_project_id, empty_field_id, newest_id = house.database.run(write)
    house.database.execute(
        "UPDATE project SET name = 'zoo and garage' WHERE id = :id", id=project.project_id
    )
    with opened_client(house) as client:
        ids = project.project_id, project.field_id
        done = [client.index(project.project_id)]
        for extractor in ("tfidf", "bow"):
            done.append(client.train(*ids, feature_extractor=extractor))
            house.database.succeeded(done[-1].message_id)
        done += [client.evaluate(*ids, model_version=version) for version in (1, 2)]
        client.models.promote(project.field_id, 1, by="anna", reason="the first that was measured")
        done.append(client.predict(*ids, None, accept_at=AcceptAt(confidence=1.0)))
        house.database.succeeded(done[-1].message_id)
        done.append(client.describe_document(project.project_id, newest_id))
        failed = client.train(*ids, classifier="nosuch")
        others = [client.train(empty_project_id, empty_field_id), client.index(empty_project_id)]
        for task in done:
            house.database.succeeded(task.message_id)
        for task in (failed, *others):
            house.database.finished(task.message_id)
        house.database.execute(
            "INSERT INTO queue_pause (queue, reason) VALUES ('indexing', 'the disk is exchanged')"
        )
        client.index(project.project_id)
        client.cancel(client.index(empty_project_id).id)
    return Showcase(project=project, empty_project_id=empty_project_id, failed_id=failed.id)
