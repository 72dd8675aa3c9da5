"""Models changed by someone who can write to the storage and makes every checksum fit."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lexiclass import read_manifest
from lexiclass.self_digest import dump_with_digest
from lexiclass_worker.errors import WorkerError
from tests.support.damage import reseal, rewrite_json, rewrite_manifest
from tests.support.services import Workshop

CLASSES = "classifier/classes.json"


def name_classes(*names: str) -> Callable[[Path], None]:
    def damage(model: Path) -> None:
        rewrite_json(model, CLASSES, list(names))
        manifest = read_manifest(model)
        ids = dict(zip(names, manifest.metadata["class_ids"].values(), strict=True))
        rewrite_manifest(model, classes=names, metadata={**manifest.metadata, "class_ids": ids})

    return damage


def escape_half_of_a_character(model: Path) -> None:
    """JSON can spell it; no file and no database can hold it."""
    text = (model / CLASSES).read_text().replace("animals", "\\ud800")
    (model / CLASSES).write_text(text)
    reseal(model)


def seal_half_of_a_character(model: Path) -> None:
    data = (model / "manifest.json").read_bytes().replace(b'"animals"', b'"\\ud800"')
    (model / "manifest.json").write_bytes(data)


def add_a_file_without_a_name(model: Path) -> None:
    Path(os.fsdecode(os.fsencode(model) + b"/\xff\xfe")).touch()


def name_a_file_with_nul(model: Path) -> None:
    files = {name: record.model_dump() for name, record in read_manifest(model).files.items()}
    rewrite_manifest(model, files={**files, "a\0b": {"sha256": "0" * 64, "size": 0}})


def replace_by_a_fifo(model: Path) -> None:
    (model / CLASSES).unlink()
    os.mkfifo(model / CLASSES)


def replace_the_manifest_by_a_fifo(model: Path) -> None:
    (model / "manifest.json").unlink()
    os.mkfifo(model / "manifest.json")


@pytest.mark.slow_variants(3)
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "damage",
    [
        name_classes("a\0b", "vehicles", "weather"),
        escape_half_of_a_character,
        seal_half_of_a_character,
        add_a_file_without_a_name,
        name_a_file_with_nul,
        replace_by_a_fifo,
        replace_the_manifest_by_a_fifo,
        lambda model: rewrite_json(model, CLASSES, []),
        lambda model: rewrite_json(model, CLASSES, {"a": 1}),
        lambda model: rewrite_manifest(model, metadata={"class_ids": []}),
        lambda model: rewrite_manifest(model, metadata={"class_ids": {"animals": {}}}),
        lambda model: (model / "manifest.json").write_bytes(
            dump_with_digest({"files": "\0" * 1000})
        ),
    ],
)
async def test_every_one_is_refused_as_corrupt(
    workshop: Workshop, damage: Callable[[Path], None]
) -> None:
    project = await workshop.project(training=8, test=2)
    await workshop.train(project)
    # As of a version from before its digest was kept: else that alone would tell.
    await workshop.execute("UPDATE model SET manifest = manifest - 'manifest_digest'")
    damage(workshop.model(project))

    with pytest.raises(WorkerError) as raised:
        await workshop.predict(project)

    assert raised.value.code == "MODEL_CORRUPT"
    assert raised.value.as_task_error().model_dump_json()
    assert await workshop.rows("SELECT * FROM prediction") == []
