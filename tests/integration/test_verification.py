"""A version becomes ready only once its files are complete and verified."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from lexiclass import read_manifest
from lexiclass_core import versions
from lexiclass_core.versions import Author, ChangeRefused
from lexiclass_worker.admin.promotion import promote
from lexiclass_worker.artifacts.local import LocalStorage
from lexiclass_worker.artifacts.object_store import ObjectStorage
from lexiclass_worker.artifacts.storage import Staged, Storage
from lexiclass_worker.errors import ModelCorrupt, StorageUnavailable
from tests.support.damage import rewrite_manifest
from tests.support.services import Workshop

ANNA = Author("anna")


class Wrapped:
    """A storage that does something between staging and publishing, or after it."""

    def __init__(
        self,
        storage: Storage,
        *,
        staged: Callable[[Path], None] = lambda _: None,
        published: Callable[[Path], None] = lambda _: None,
    ) -> None:
        self._storage = storage
        self._do = staged, published

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def stage(self, source: Path, target: PurePosixPath, attempt: int = 0) -> Staged:
        on_staged, on_published = self._do
        staged = self._storage.stage(source, target, attempt)
        place = Path(self._storage.locate(target).removeprefix("file://"))
        if isinstance(self._storage, ObjectStorage):
            root = Path(self._storage.root.removeprefix("file://"))
            (lying,) = (root / ".scratch").iterdir()
        else:
            lying = source
        on_staged(lying)
        publish = staged.publish

        def publish_and_more() -> None:
            publish()
            on_published(place)

        staged.publish = publish_and_more  # type: ignore[method-assign]
        return staged


def flip_a_byte(directory: Path) -> None:
    path = max((p for p in directory.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_a_file(directory: Path) -> None:
    path = max((p for p in directory.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    path.write_bytes(path.read_bytes()[:-1])


def lose_a_file(directory: Path) -> None:
    max((p for p in directory.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size).unlink()


@contextmanager
def on(workshop: Workshop, kind: str) -> Iterator[Storage]:
    """The same files as a directory, or as an object store."""
    if kind == "object store":
        yield ObjectStorage(f"file://{workshop.path}")
    else:
        yield LocalStorage(workshop.path)


@pytest.mark.slow_variants
@pytest.mark.parametrize(
    ("kind", "damage"),
    [("disk", flip_a_byte), ("object store", cut_a_file), ("object store", flip_a_byte)],
)
async def test_files_that_do_not_come_back_as_written_make_no_version_ready(
    workshop: Workshop, kind: str, damage: Callable[[Path], None]
) -> None:
    project = await workshop.project(training=4, test=0)
    with on(workshop, kind) as storage:
        workshop.storage = Wrapped(storage, staged=damage)
        with pytest.raises(StorageUnavailable, match="does not give back the model") as raised:
            await workshop.train(project, message_id="m")

        assert raised.value.retryable
        model = await workshop.row("SELECT * FROM model")
        assert (model["status"], model["metrics"]["error"]["code"]) == ("failed", "STORAGE_ERROR")
        assert not workshop.model(project).exists()
        assert not [p for p in (workshop.path / ".scratch").rglob("*") if p.is_file()]

        # Written once more, it is sound.
        workshop.storage = storage
        assert (await workshop.train(project, message_id="m")).model_version == 1
    assert (await workshop.row("SELECT status FROM model"))["status"] == "ready"
    assert (await workshop.predict(project)).model_version == 1


@pytest.mark.slow_variants
@pytest.mark.parametrize(("kind", "damage"), [("disk", cut_a_file), ("object store", lose_a_file)])
async def test_a_publication_that_loses_something_makes_no_version_ready(
    workshop: Workshop, kind: str, damage: Callable[[Path], None]
) -> None:
    project = await workshop.project(training=4, test=0)
    with on(workshop, kind) as storage:
        workshop.storage = Wrapped(storage, published=damage)
        with pytest.raises(StorageUnavailable, match="incomplete after its publication"):
            await workshop.train(project)

    assert (await workshop.row("SELECT status FROM model"))["status"] == "failed"
    assert await workshop.rows("SELECT * FROM model_event") == []


async def test_what_is_verified_is_kept_in_the_row(workshop: Workshop) -> None:
    project = await workshop.project(training=4, test=0)
    with on(workshop, "object store") as storage:
        workshop.storage = storage
        await workshop.train(project, classifier_params={"C": 0.5})

    manifest = (await workshop.row("SELECT manifest FROM model"))["manifest"]
    assert manifest["spec"]["classifier_params"]["C"] == 0.5
    assert len(manifest["training_digest"]) == len(manifest["model_digest"]) == 64
    files = [p for p in workshop.model(project).rglob("*") if p.is_file()]
    assert manifest["size_bytes"] == sum(path.stat().st_size for path in files)


# Promoting


@pytest.mark.slow_variants
@pytest.mark.parametrize("kind", ["disk", "object store"])
async def test_a_version_whose_files_were_changed_or_are_gone_is_not_promoted(
    workshop: Workshop, kind: str, tmp_path: Path
) -> None:
    project = await workshop.project(training=4, test=0)
    await workshop.train(project)
    directory, sound = workshop.model(project), tmp_path / "sound"
    shutil.copytree(directory, sound)

    for damage, says in (
        (flip_a_byte, "restore them or train"),
        (cut_a_file, "restore them or train"),
        (lose_a_file, "restore them or train"),
        (shutil.rmtree, "are gone"),
    ):
        damage(directory)
        with on(workshop, kind) as storage, pytest.raises(ModelCorrupt, match=says) as raised:
            await promote(workshop.admin(storage), project.field_id, 1, ANNA)
        assert str(directory) in raised.value.message
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(sound, directory)

    assert (await workshop.row("SELECT promoted_at FROM model"))["promoted_at"] is None


@pytest.mark.slow
async def test_a_version_with_the_files_of_another_is_not_promoted(workshop: Workshop) -> None:
    project = await workshop.project(training=4, test=0)
    for _ in range(2):
        await workshop.train(project)
    shutil.rmtree(workshop.model(project, 1))
    shutil.copytree(workshop.model(project, 2), workshop.model(project, 1))

    with pytest.raises(ModelCorrupt, match=r"another model's: .*'model_version': 2"):
        await promote(workshop.admin(), project.field_id, 1, ANNA)


async def test_a_version_whose_manifest_tells_of_other_data_is_not_promoted(
    workshop: Workshop,
) -> None:
    project = await workshop.project(training=4, test=0)
    await workshop.train(project)
    model = workshop.model(project)
    metadata = read_manifest(model).metadata
    ids = metadata["class_ids"]
    swapped = {**metadata, "class_ids": dict(zip(ids, reversed(ids.values()), strict=True))}
    for changes in ({"training_digest": "0" * 64}, {"metadata": swapped}):
        rewrite_manifest(model, **changes)
        with pytest.raises(ModelCorrupt, match="another model's"):
            await promote(workshop.admin(), project.field_id, 1, ANNA)
        rewrite_manifest(model, training_digest=read_manifest(model).training_digest)


async def test_a_sound_version_is_promoted_and_one_that_is_not_ready_is_not(
    workshop: Workshop,
) -> None:
    project = await workshop.project(training=4, test=0)
    await workshop.train(project)
    await workshop.execute(
        "INSERT INTO model (field_id, version) VALUES (:f, 2)", f=project.field_id
    )

    change = await promote(workshop.admin(), project.field_id, 1, ANNA)

    assert (change.is_new, change.after) == (True, 1)
    with pytest.raises(ChangeRefused, match="is training, not ready"):
        await promote(workshop.admin(), project.field_id, 2, ANNA)
    async with workshop.sessions() as session:
        model = await versions.serving_version(session, project.field_id)
    assert model is not None
    assert model.version == 1


async def test_of_a_version_from_before_the_history_it_is_known_then_what_it_was_trained_on(
    workshop: Workshop,
) -> None:
    project = await workshop.project(training=4, test=0)
    await workshop.train(project)
    manifest = (await workshop.row("SELECT manifest FROM model"))["manifest"]
    await workshop.execute("UPDATE model SET manifest = '{}'")

    await promote(workshop.admin(), project.field_id, 1, ANNA)

    assert (await workshop.row("SELECT manifest FROM model"))["manifest"] == manifest
    event = await workshop.row("SELECT * FROM model_event WHERE action = 'promoted'")
    assert event["training_digest"] == manifest["training_digest"]
