"""What somebody puts below a project's folder leads to no other project's files."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from lexiclass.index import DocumentIndex, build_index
from lexiclass.index.tokens.manifest import IndexManifest
from lexiclass_core.client import open_texts
from lexiclass_core.documents import NewDocument, adding
from lexiclass_worker.errors import WorkerError
from lexiclass_worker.jobs.supervision import Publication
from lexiclass_worker.ml import index_files
from lexiclass_worker.ml.documents import StoredDocuments
from lexiclass_worker.services.inputs import documents_of
from lexiclass_worker.services.known_indexes import KnownIndexes
from tests.support.corpora import SmallProject
from tests.support.services import Workshop

Put = Callable[[Path, Path], None]


def tree(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Identity, number of names and content of every file below a folder, by its name."""
    found = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path.relative_to(folder))] = (status.st_ino, status.st_nlink, content)
    return found


async def complete(workshop: Workshop) -> SmallProject:
    """A project that has all a project can have."""
    project = await workshop.project(training=3, test=2)
    await workshop.index(project)
    await workshop.train(project)
    await workshop.predict(project)
    return project


async def try_all(workshop: Workshop, project: SmallProject) -> list[str]:
    """Have every task done to a project; those that were refused, and why."""
    first = project.document_ids[0]
    refused = []
    operations: dict[str, Callable[[], Awaitable[object]]] = {
        "index": lambda: workshop.index(project, is_incremental=True),
        "index anew": lambda: workshop.index(project, is_incremental=False),
        "train": lambda: workshop.train(project),
        "predict": lambda: workshop.predict(project),
        "evaluate": lambda: workshop.evaluate(project),
        "erase": lambda: workshop.erase(project, first, remove_models=True),
        "delete": lambda: workshop.delete(project),
    }
    for name, operation in operations.items():
        try:
            await operation()
        except (WorkerError, OSError) as error:
            refused.append(f"{name}: {error}")
    return refused


@pytest.mark.slow
@pytest.mark.parametrize(
    "place",
    [
        "indexes/icu-en", "models/{field}/v1", "predictions/{field}", "documents", "",
        *(pytest.param(place, marks=pytest.mark.slow) for place in (
            "indexes", "models", "models/{field}", "predictions", "predictions/{field}/v1",
            "predictions/{field}/v2", "incoming", "erasures",
        )),
    ],
)  # fmt: skip
async def test_a_link_in_the_place_of_a_folder_leads_no_task_to_a_neighbour(
    workshop: Workshop, place: str
) -> None:
    project, neighbour = await complete(workshop), await complete(workshop)
    ours, theirs = (
        workshop.path / str(each.project_id) / place.format(field=each.field_id)
        for each in (project, neighbour)
    )
    theirs.mkdir(exist_ok=True, parents=True)
    before = tree(workshop.path / str(neighbour.project_id))
    if ours.exists():
        ours.rename(workshop.path / "aside")
    ours.symlink_to(theirs)

    refused = await try_all(workshop, project)

    assert tree(workshop.path / str(neighbour.project_id)) == before
    assert not os.path.lexists(workshop.path / str(project.project_id)), refused
    await workshop.predict(neighbour)


def link(at: Path, theirs: Path) -> None:
    at.symlink_to(theirs)


def second_name(at: Path, theirs: Path) -> None:
    at.hardlink_to(theirs)


def pipe(at: Path, theirs: Path) -> None:
    del theirs
    os.mkfifo(at)


@pytest.mark.slow
@pytest.mark.parametrize(
    "put", [second_name, *(pytest.param(put, marks=pytest.mark.slow) for put in (link, pipe))]
)
async def test_odd_files_among_a_projects_own_lead_no_task_to_a_neighbour(
    workshop: Workshop, put: Put
) -> None:
    project, neighbour = await complete(workshop), await complete(workshop)
    own = workshop.path / str(project.project_id)
    for kind in ("indexes", "predictions", "documents"):
        theirs = [path for path in (workshop.path / str(neighbour.project_id) / kind).rglob("*")
                  if path.is_file()]  # fmt: skip
        for number, path in enumerate(path for path in (own / kind).rglob("*") if path.is_file()):
            path.unlink()
            put(path, theirs[number % len(theirs)])
    before = tree(workshop.path / str(neighbour.project_id))

    refused = await try_all(workshop, project)

    after = tree(workshop.path / str(neighbour.project_id))
    assert {name: file[2] for name, file in after.items()} == {
        name: file[2] for name, file in before.items()
    }
    assert not own.exists(), refused
    await workshop.predict(neighbour)


@pytest.mark.parametrize("put", [link, second_name, pipe])
async def test_documents_are_added_and_replaced_beside_odd_files(
    workshop: Workshop, put: Put
) -> None:
    project, neighbour = await workshop.project(), await workshop.project()
    theirs = workshop.document(neighbour, neighbour.document_ids[0])
    text = theirs.read_text()
    own = workshop.path / str(project.project_id)
    after = max(neighbour.document_ids)
    for number in range(after + 1, after + 4):  # the next ids
        put(own / "documents" / f"{number}.txt", theirs)
    named = NewDocument(text="new", external_id="a"), NewDocument(text="newer", external_id="a")
    texts = open_texts(str(workshop.path))
    for document in named:
        async with adding(workshop.sessions.begin, texts, project.project_id) as addition:
            (document_id,) = await addition.add([document])
        assert workshop.document(project, document_id).read_text() == document.text
        assert workshop.document(project, document_id).stat().st_nlink == 1
    (own / "documents").rename(own / "aside")
    (own / "documents").symlink_to(theirs.parent)
    with pytest.raises(PermissionError, match="symbolic link"):
        async with adding(workshop.sessions.begin, texts, project.project_id) as addition:
            await addition.add([NewDocument(text="newest", external_id="b")])

    assert theirs.read_text() == text
    assert len(list(theirs.parent.iterdir())) == len(neighbour.document_ids)


@pytest.mark.slow
async def test_a_storage_behind_a_link_is_a_storage(workshop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "behind").symlink_to(workshop.path)
    behind = Workshop(workshop.sessions, workshop.settings, tmp_path / "behind")
    project = await complete(behind)
    assert await try_all(behind, project) == []
    assert not (workshop.path / str(project.project_id)).exists()


@pytest.mark.slow
async def test_a_folder_replaced_while_it_is_built_in_leads_nowhere_else(
    workshop: Workshop,
) -> None:
    project, neighbour = await complete(workshop), await complete(workshop)
    folder, theirs = (
        workshop.path / str(each.project_id) / "indexes" / "icu-en" for each in (project, neighbour)
    )
    before = tree(workshop.path / str(neighbour.project_id))
    indexes = await KnownIndexes(workshop.context(), project.project_id).at_hand()
    documents = [(document_id, None) for document_id in project.document_ids[1:]]
    source = await documents_of(workshop.context(), project.project_id)

    def replace(_: Publication | None = None) -> None:
        """Called before each step of a build that others could notice."""
        if not folder.is_symlink():
            folder.rename(workshop.path / "moved")
            folder.symlink_to(theirs)

    with index_files.building(indexes, "icu-en", IndexManifest.read, replace) as building:
        stored = StoredDocuments(source, documents)
        build_index(building.directory, stored, before_publication=replace)

    assert tree(workshop.path / str(neighbour.project_id)) == before
    assert len(DocumentIndex.open(workshop.path / "moved")) == len(documents)
