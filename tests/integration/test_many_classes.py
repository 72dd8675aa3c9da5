"""More classes than a table of class by class can be made for."""

import json

import pytest
from sqlalchemy import text

from lexiclass_core.schemas import ConfusionMatrix
from tests.support.corpora import SmallProject, add_document
from tests.support.services import Workshop

LABEL = text(
    "INSERT INTO document_label (document_id, field_id, class_id) "
    "VALUES (:document, :field, :class)"
)


async def with_many_test_classes(workshop: Workshop, count: int) -> SmallProject:
    """A project of two classes to learn, and `count` more that only test documents have."""
    project = await workshop.project(labels=("animals", "vehicles"), training=8, test=0)
    await workshop.execute(
        "INSERT INTO field_class (field_id, name) "
        "SELECT :field_id, 'class-' || lpad(n::text, 4, '0') FROM generate_series(1, :count) n",
        field_id=project.field_id,
        count=count,
    )
    async with workshop.sessions.begin() as session:
        one = await add_document(session, workshop.path, project.project_id, "cat dog engine")
    path = str(workshop.document(project, one).relative_to(workshop.path))
    # All of them read one file: what counts here is how many there are.
    await workshop.execute(
        "WITH added AS (INSERT INTO document (project_id, content_path) "
        "SELECT :project_id, :path FROM generate_series(1, :count) RETURNING id), "
        "numbered AS (SELECT id, row_number() OVER (ORDER BY id) AS n FROM added), "
        "classes AS (SELECT id, row_number() OVER (ORDER BY id) AS n FROM field_class "
        "WHERE field_id = :field_id AND name LIKE 'class-%') "
        "INSERT INTO document_label (document_id, field_id, class_id, is_training_data) "
        "SELECT numbered.id, :field_id, classes.id, false FROM numbered JOIN classes USING (n)",
        project_id=project.project_id,
        field_id=project.field_id,
        path=path,
        count=count,
    )
    return project


@pytest.mark.slow
async def test_an_evaluation_over_many_classes_keeps_what_is_not_zero(workshop: Workshop) -> None:
    count = 4_900
    project = await with_many_test_classes(workshop, count)
    await workshop.train(project)

    result = await workshop.evaluate(project)

    metrics = result.metrics
    assert (result.num_test_documents, metrics.accuracy, metrics.macro_f1) == (count, 0.0, 0.0)
    matrix = metrics.confusion_matrix
    assert matrix.matrix is None
    assert sum(matrix.count().values()) == count
    assert matrix.num_omitted == 0
    stored = await workshop.row("SELECT metrics->'evaluation' AS evaluation FROM model")
    assert stored["evaluation"] == metrics.model_dump(mode="json")
    assert len(json.dumps(result.model_dump(mode="json"))) < 400 * count
    # Which classes nobody can predict is said in plain words.
    assert metrics.unseen_classes is not None
    assert metrics.unseen_classes.num_classes == count
    assert len(metrics.unseen_classes.classes) == 100
    (warning,) = [said for said in result.warnings if "no training document has" in said]
    assert f"{count} test documents are of {count} classes" in warning
    assert f"and {count - 5} more" in warning


async def test_predictions_of_many_classes_keep_the_highest_scores(workshop: Workshop) -> None:
    labels = ("animals", "vehicles")
    project = await workshop.project(labels=labels, training=1, test=0)
    # 120 classes of a document each, told apart by a word of their own.
    await workshop.execute("DELETE FROM document_label")
    await workshop.execute(
        "INSERT INTO field_class (field_id, name) SELECT :field_id, 'c' || n "
        "FROM generate_series(1, 120) n",
        field_id=project.field_id,
    )
    classes = await workshop.rows("SELECT id, name FROM field_class WHERE name LIKE 'c%'")
    async with workshop.sessions.begin() as session:
        for row in classes:
            for number in range(2):
                document = await add_document(
                    session, workshop.path, project.project_id, f"word{row['id']} the {number}"
                )
                await session.execute(
                    LABEL,
                    {"document": document, "field": project.field_id, "class": row["id"]},
                )
    await workshop.train(project, classifier_params={"calibration": "none"})

    result = await workshop.predict(project, message_id="m")

    lines = [json.loads(line) for line in workshop.history(project, "m").read_text().splitlines()]
    assert len(lines) == result.predictions_created == 242
    for line in lines:
        scores = list(line["scores"].values())
        assert len(scores) == 20
        assert scores == sorted(scores, reverse=True)
        assert next(iter(line["scores"])) == line["predicted_class"]
        assert scores[0] == line["confidence"]


def test_a_confusion_matrix_counts_alike_in_both_forms() -> None:
    whole = ConfusionMatrix(classes=["a", "b"], matrix=[[3, 0], [1, 2]])
    cells = ConfusionMatrix(
        classes=["a", "b"], matrix=None, cells=[(0, 0, 3), (1, 1, 2), (1, 0, 1)]
    )
    assert whole.count() == cells.count() == {("a", "a"): 3, ("b", "a"): 1, ("b", "b"): 2}
