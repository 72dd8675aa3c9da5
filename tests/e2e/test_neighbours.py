"""Whatever ids of another project a request names, nothing of that project is read or written."""

import json
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest

from lexiclass_core import schemas
from lexiclass_core.schemas import Request
from tests.support.corpora import SmallProject
from tests.support.database import Row
from tests.support.house import House, fingerprint

# A worker and two projects, for what the tests of each operation ask as well.
pytestmark = pytest.mark.slow

SECRET = "neighboursecret"

Choice = Callable[[SmallProject, SmallProject], Any]


def mine(name: str) -> Choice:
    return lambda own, _: getattr(own, name)


def theirs(name: str) -> Choice:
    return lambda _, other: getattr(other, name)


def some_of_both(own: SmallProject, other: SmallProject) -> list[int]:
    return [*own.document_ids[:2], *other.document_ids]


CHOICES: dict[str, dict[str, Choice]] = {
    "field_id": {"own": mine("field_id"), "theirs": theirs("field_id")},
    "document_id": {"theirs": lambda _, other: other.document_ids[0]},
    "document_ids": {
        "theirs": theirs("document_ids"), "both": some_of_both, "all": lambda _own, _other: None
    },
    "documents": {
        "theirs": theirs("document_ids"),
        "both": some_of_both,
        "range": lambda _own, _other: {"first": 1, "last": 2**62},
    },
    # Their newest version has a number that no own one gets here.
    "model_version": {
        "own": lambda _own, _other: 1,
        "theirs": lambda _own, _other: 3,
        "none": lambda _own, _other: None,
    },
    "documents_path": {
        "none": lambda _own, _other: None,
        "theirs": lambda _, other: f"{other.project_id}/documents",
        "up": lambda own, other: f"{own.project_id}/../{other.project_id}/documents",
    },
    "shards": {
        "theirs": lambda _, other: [other.document_ids],
        "range": lambda _own, _other: [{"first": 1, "last": 2**62}],
    },
    "index": {
        "own": lambda _own, _other: "icu-en",
        "theirs": lambda _, other: f"../../{other.project_id}/indexes/icu-en",
    },
    "remove_models": {"yes": lambda _own, _other: True},
}  # fmt: skip
"""What a request may name of another project. What says nothing of any is left out."""

NAMES_NOTHING = {
    "project_id", "is_incremental", "tokenizer", "feature_extractor", "classifier", "locale",
    "tokenizer_params", "feature_extractor_params", "classifier_params", "accept_at", "accept_from",
    "slice_by", "limit", "build",
}  # fmt: skip

NEEDED: dict[type[Request], dict[str, str]] = {
    schemas.IndexDocumentChunk: {"build": "a build", "tokenizer": "icu", "locale": "en"},
}
"""What a request must name beside that."""

REQUESTS: list[type[Request]] = [
    schemas.IndexDocuments, schemas.IndexDocumentChunk, schemas.TrainFieldModel,
    schemas.PredictFieldDocuments, schemas.PredictDocumentChunk, schemas.EvaluateFieldModel,
    schemas.EraseDocuments, schemas.DeleteProject, schemas.DescribeDocument,
]  # fmt: skip


def cases() -> Iterator[tuple[type[Request], dict[str, str]]]:
    """Every request with every choice of what it may name."""
    for request in REQUESTS:
        names = [name for name in request.model_fields if name in CHOICES]
        for chosen in product(*(CHOICES[name] for name in names)):
            if request is schemas.EraseDocuments and "all" in chosen:
                continue  # it names documents, or is none
            if request is schemas.PredictDocumentChunk and "none" in chosen:
                continue  # it names a version
            yield request, dict(zip(names, chosen, strict=True))


def test_every_request_is_tried_and_all_that_may_name_something() -> None:
    def below(request: type[Request]) -> Iterator[type[Request]]:
        for inner in request.__subclasses__():
            yield from below(inner)
            yield inner

    # Other tests of this process may have some of their own.
    package = f"{schemas.__name__}."
    ours = (request for request in below(Request) if request.__module__.startswith(package))
    assert {request for request in ours if "actor_name" in vars(request)} == set(REQUESTS)
    named = {name for request in REQUESTS for name in request.model_fields}
    assert named == CHOICES.keys() | NAMES_NOTHING


@pytest.fixture(scope="module")
def neighbour(house: House) -> SmallProject:
    """A project that has all a project can have; words and names of it are no others'."""
    project = house.project(training=3, test=2)
    for document_id in project.document_ids:
        file = house.document_file(project, document_id)
        file.write_text(f"{file.read_text()} {SECRET}")
    house.database.execute(
        "UPDATE field_class SET name = name || :secret WHERE field_id = :id",
        secret=SECRET,
        id=project.field_id,
    )
    house.database.succeeded(house.send("index_documents", project_id=project.project_id))
    for _ in range(3):
        house.train(project)
    house.database.succeeded(house.send_prediction(project, None))
    return project


@pytest.fixture(scope="module")
def own(house: House, neighbour: SmallProject) -> SmallProject:
    """A trained project with documents before and after those of its neighbour."""
    del neighbour
    project = house.project(training=3, test=2)
    house.train(project)
    return project


def state_of(house: House, project: SmallProject) -> dict[str, Any]:
    """All rows of a project, and all its files."""
    values = {"p": project.project_id, "f": project.field_id}
    documents = "(SELECT id FROM document WHERE project_id = :p)"
    conditions = {
        "project": "id = :p",
        "document": "project_id = :p",
        "field": "project_id = :p",
        "task": "project_id = :p",
        "field_class": "field_id = :f",
        "model": "field_id = :f",
        "model_event": "field_id = :f",
        "document_label": f"field_id = :f OR document_id IN {documents}",
        "label_suspect": f"field_id = :f OR document_id IN {documents}",
        "prediction": f"field_id = :f OR document_id IN {documents}",
    }
    rows = {
        table: house.database.rows(
            f"SELECT to_jsonb({table})::text AS row FROM {table} WHERE {condition} ORDER BY id",
            **{name: value for name, value in values.items() if f":{name}" in condition},
        )
        for table, condition in conditions.items()
    }
    return {**rows, "files": fingerprint(house.storage / str(project.project_id))}


def shown(house: House, project: SmallProject, task: Row) -> str:
    """All that somebody who may see a project and its task can read."""
    folder = house.storage / str(project.project_id)
    files = [file.read_bytes() for file in folder.rglob("*") if file.is_file()]
    told = json.dumps([task["result"], task["error"], task["stage"]])
    return told + b"".join(files).decode("latin-1")


@pytest.mark.parametrize(
    ("request_type", "choice"),
    list(cases()),
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else None,
)
def test_nothing_of_a_neighbour_is_read_or_written(
    house: House,
    own: SmallProject,
    neighbour: SmallProject,
    request_type: type[Request],
    choice: dict[str, str],
) -> None:
    if request_type is schemas.DeleteProject:
        own = house.project(training=2, test=0)
    before = state_of(house, neighbour)
    kwargs = {name: CHOICES[name][chosen](own, neighbour) for name, chosen in choice.items()}

    kwargs |= NEEDED.get(request_type, {})
    message_id = house.send(request_type.actor_name, project_id=own.project_id, **kwargs)
    task = house.database.finished(message_id)

    assert state_of(house, neighbour) == before
    assert SECRET not in shown(house, own, task)
    if "theirs" in (choice.get("field_id"), choice.get("model_version")):
        assert task["status"] == "failed"
        assert task["error"]["code"] in {"NOT_FOUND", "NO_DOCUMENTS"}


def test_the_message_id_of_a_neighbours_version_trains_no_other(
    house: House, own: SmallProject, neighbour: SmallProject
) -> None:
    before = house.database.rows("SELECT * FROM model WHERE field_id = :f", f=neighbour.field_id)
    message_id = "a-version-of-theirs"
    house.database.execute(
        "INSERT INTO model (field_id, version, status, message_id) VALUES (:f, 9, 'ready', :m)",
        f=neighbour.field_id,
        m=message_id,
    )
    try:
        error = house.database.failed(house.sender.send(
            "train_field_model", message_id=message_id,
            project_id=own.project_id, field_id=own.field_id,
        ))["error"]  # fmt: skip
        assert error["code"] == "VALIDATION_ERROR"
        assert message_id in error["message"]
    finally:
        house.database.execute("DELETE FROM model WHERE message_id = :m", m=message_id)
    after = house.database.rows("SELECT * FROM model WHERE field_id = :f", f=neighbour.field_id)
    assert after == before
