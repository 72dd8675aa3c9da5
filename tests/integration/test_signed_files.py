"""Models and indexes that are signed: who can write to the storage and to the tables has no key."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from lexiclass_core import versions
from lexiclass_core.keys import Keys
from lexiclass_worker.admin import promotion
from lexiclass_worker.admin.doctor.signatures import check_signatures
from lexiclass_worker.admin.reports import read_report
from lexiclass_worker.admin.signing import Signing, sign_files
from lexiclass_worker.admin.similarity import IndexChoice, find_similar
from lexiclass_worker.config import ConfigurationError
from lexiclass_worker.errors import ModelCorrupt, WorkerError
from lexiclass_worker.services.signatures import index_content, model_content
from lexiclass_worker.telemetry.checks.outcome import Check, State
from tests.support.checks import failed, passed
from tests.support.corpora import SmallProject
from tests.support.damage import rewrite_json
from tests.support.services import Workshop

OLD, NEW = "old" * 11, "new" * 11
CLASSES = "classifier/classes.json"


def use_keys(workshop: Workshop, *keys: str) -> None:
    found = SecretStr(" ".join(keys)) if keys else None
    storage = workshop.settings.storage.model_copy(update={"signing_keys": found})
    workshop.settings = workshop.settings.model_copy(update={"storage": storage})


async def sign(workshop: Workshop, project: SmallProject) -> list[Signing]:
    return await sign_files(workshop.admin(), project.project_id)


async def complete(workshop: Workshop) -> SmallProject:
    project = await workshop.project(training=6, test=2)
    await workshop.index(project)
    await workshop.train(project)
    return project


async def use_all(workshop: Workshop, project: SmallProject) -> None:
    """Whatever reads the model and the index."""
    await workshop.predict(project)
    await workshop.evaluate(project)
    await similar(workshop, project)


async def similar(workshop: Workshop, project: SmallProject) -> list[Any]:
    choice = IndexChoice(project_id=project.project_id)
    document_id = project.document_ids[0]
    return await find_similar(workshop.admin(), choice, document_id, limit=3)


async def refusal(workshop: Workshop, project: SmallProject) -> str:
    with pytest.raises(WorkerError) as raised:
        await workshop.predict(project)
    assert raised.value.code == "MODEL_CORRUPT"
    with pytest.raises(WorkerError, match="sign"):
        await workshop.evaluate(project)
    return str(raised.value)


def outcomes(done: list[Signing]) -> list[tuple[str, str]]:
    return [(each.name, each.outcome) for each in done if each.test_set is None]


async def test_what_is_made_with_a_key_is_signed_and_used(workshop: Workshop) -> None:
    use_keys(workshop, NEW)

    project = await complete(workshop)

    await use_all(workshop, project)
    assert outcomes(await sign(workshop, project)) == [
        ("1", "signed before"), ("icu-en", "signed before"),
    ]  # fmt: skip


@pytest.mark.slow
async def test_reports_of_before_a_key_or_of_an_older_one_are_signed(workshop: Workshop) -> None:
    project = await complete(workshop)
    await workshop.evaluate(project)

    async def read() -> None:
        await read_report(workshop.admin(), project.field_id, 1)

    def of_report(done: list[Signing]) -> list[str]:
        return [each.outcome for each in done if each.test_set is not None]

    for keys in ((OLD,), (NEW, OLD)):
        use_keys(workshop, *keys)
        assert of_report(await sign(workshop, project)) == ["signed"]
        assert of_report(await sign(workshop, project)) == ["signed before"]
        use_keys(workshop, keys[0])
        await read()

    use_keys(workshop, "other" * 7)
    (page,) = workshop.path.glob("*/reports/**/report.html")
    whole = page.read_bytes()
    page.write_bytes(whole.replace(b"<", b">", 1))
    (refused,) = [each for each in await sign(workshop, project) if each.test_set is not None]
    assert refused.outcome == "refused"
    assert "report.html is gone, was changed" in refused.reason
    page.write_bytes(whole)
    with pytest.raises(ModelCorrupt, match="no signature"):
        await read()
    assert of_report(await sign(workshop, project)) == ["signed"]
    await read()


def test_what_is_signed_is_what_the_documentation_says() -> None:
    assert model_content(1, 2, 3, "d" * 64) == b'["model",1,2,3,"' + b"d" * 64 + b'"]'
    assert index_content(1, "icu-en", "d" * 64) == b'["index",1,"icu-en","' + b"d" * 64 + b'"]'


@pytest.mark.slow
async def test_what_was_made_without_a_key_is_refused_until_it_is_signed(
    workshop: Workshop,
) -> None:
    project = await complete(workshop)
    # As before either digest was kept.
    await workshop.execute("UPDATE model SET manifest = manifest - 'manifest_digest'")
    await workshop.execute("DELETE FROM project_index")
    await workshop.execute("UPDATE project SET takes_unknown_indexes = true")
    use_keys(workshop, NEW)

    assert "models sign" in await refusal(workshop, project)
    author = versions.Author("a", "b")
    with pytest.raises(ModelCorrupt, match="not signed"):
        await promotion.promote(workshop.admin(), project.field_id, 1, author)
    with pytest.raises(WorkerError, match="Index the project again"):
        await similar(workshop, project)
    assert outcomes(await sign(workshop, project)) == [("1", "signed"), ("icu-en", "signed")]
    await use_all(workshop, project)


async def test_check_names_the_fields_whose_serving_model_no_key_has_signed(
    workshop: Workshop,
) -> None:
    """As after a restore with other keys: nothing else says so before the first prediction."""
    assert (await look(workshop)).state is State.SKIPPED
    use_keys(workshop, OLD)
    project = await complete(workshop)
    assert "serving models (1)" in passed(await look(workshop))

    use_keys(workshop, NEW)
    said = failed(await look(workshop))
    assert "1 of 1 serving models are signed by none of the keys" in said
    assert f"(fields {project.field_id})" in said
    assert "lexiclass-worker models sign" in said
    assert OLD not in said
    assert NEW not in said
    await refusal(workshop, project)

    use_keys(workshop, NEW, OLD)
    passed(await look(workshop))
    await sign(workshop, project)
    use_keys(workshop, NEW)
    passed(await look(workshop))


async def look(workshop: Workshop) -> Check:
    return await asyncio.to_thread(check_signatures, workshop.settings)


@pytest.mark.slow
async def test_a_key_is_replaced_while_everything_goes_on(workshop: Workshop) -> None:
    use_keys(workshop, OLD)
    project = await complete(workshop)

    use_keys(workshop, NEW, OLD)
    await use_all(workshop, project)
    assert outcomes(await sign(workshop, project)) == [("1", "signed"), ("icu-en", "signed")]
    use_keys(workshop, NEW)
    await use_all(workshop, project)
    use_keys(workshop, OLD)
    assert "by any of its keys" in await refusal(workshop, project)


async def test_whoever_writes_rows_and_files_but_has_no_key_is_refused(workshop: Workshop) -> None:
    use_keys(workshop, NEW)
    project = await complete(workshop)
    model = workshop.model(project)
    rewrite_json(model, CLASSES, ["vehicles", "animals", "kitchen"])
    await set_digest(workshop, hashlib.sha256((model / "manifest.json").read_bytes()).hexdigest())

    await refusal(workshop, project)
    # Nor is it signed for them: the rows know it now, and it is theirs that was not signed.
    index = Path(workshop.path / str(project.project_id) / "indexes" / "icu-en" / "index.json")
    index.write_bytes(index.read_bytes().replace(b"generation", b"generativn"))
    assert ("icu-en", "refused") in outcomes(await sign(workshop, project))


@pytest.mark.slow
async def test_the_signature_of_one_version_is_none_of_another(workshop: Workshop) -> None:
    use_keys(workshop, NEW)
    project = await complete(workshop)
    await workshop.train(project)
    await workshop.execute(
        "UPDATE model SET manifest = manifest || jsonb_build_object('signature', "
        "(SELECT manifest -> 'signature' FROM model WHERE version = 1)) WHERE version = 2"
    )

    await refusal(workshop, project)
    await workshop.predict(project, model_version=1)


@pytest.mark.slow
async def test_a_changed_model_is_not_signed(workshop: Workshop) -> None:
    project = await complete(workshop)
    rewrite_json(workshop.model(project), CLASSES, ["vehicles", "animals", "kitchen"])
    use_keys(workshop, NEW)

    done = await sign(workshop, project)

    assert outcomes(done) == [("1", "refused"), ("icu-en", "signed")]
    assert "another model's" in done[0].reason


async def test_without_a_key_nothing_can_be_signed(workshop: Workshop) -> None:
    project = await workshop.project(training=2, test=0)

    with pytest.raises(ConfigurationError, match="STORAGE__SIGNING_KEYS"):
        await sign(workshop, project)


async def set_digest(workshop: Workshop, digest: str) -> None:
    await workshop.execute(
        "UPDATE model SET manifest = manifest || "
        "jsonb_build_object('manifest_digest', CAST(:digest AS text))",
        digest=digest,
    )


def test_a_signature_is_of_one_of_the_keys() -> None:
    keys = Keys.parse(f"{NEW} {OLD}")
    assert keys is not None
    old = Keys(OLD.encode())
    assert keys.verify(b"x", old.sign(b"x"))
    assert not old.verify(b"x", keys.sign(b"x"))
    for claimed in (None, 1, "", "ä", keys.sign(b"y")):
        assert not keys.verify(b"x", claimed)
