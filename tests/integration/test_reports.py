"""Reports of evaluations: kept beside the version, read only as they were written."""

import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from lexiclass.report.model import Report
from lexiclass_core import versions
from lexiclass_core.schemas import EvaluateResult
from lexiclass_core.versions import Author, ReportNotFound
from lexiclass_worker.admin.pruning import prune
from lexiclass_worker.admin.reports import read_report
from lexiclass_worker.artifacts.local import LocalStorage
from lexiclass_worker.artifacts.object_store import ObjectStorage
from lexiclass_worker.artifacts.storage import Staged
from lexiclass_worker.errors import ModelCorrupt
from lexiclass_worker.repositories import reports
from tests.integration.test_signed_files import NEW, OLD, use_keys
from tests.support.corpora import SmallProject, add_document, add_label, make_text
from tests.support.services import Workshop

REPORTS = "SELECT metrics->'reports' AS kept FROM model ORDER BY version"


@pytest.fixture(params=["disk", "object store"])
def stored(request: pytest.FixtureRequest, workshop: Workshop) -> Workshop:
    """A workshop whose storage is a directory, or an object store."""
    if request.param == "object store":
        workshop.storage = ObjectStorage(f"file://{workshop.path}")
    return workshop


async def evaluated(workshop: Workshop) -> tuple[SmallProject, EvaluateResult]:
    project = await workshop.project(training=6, test=3)
    await workshop.train(project)
    return project, await workshop.evaluate(project)


async def read(workshop: Workshop, project: SmallProject, version: int = 1) -> Report:
    return (await read_report(workshop.admin(), project.field_id, version)).report


def folder_of(workshop: Workshop, project: SmallProject, version: int = 1) -> Path:
    """The folder of the one report of a version."""
    reports = workshop.path / str(project.project_id) / "reports" / str(project.field_id)
    (folder,) = (reports / f"v{version}").iterdir()
    return folder


@pytest.mark.slow_variants
async def test_an_evaluation_keeps_its_report_and_its_predictions(stored: Workshop) -> None:
    project, result = await evaluated(stored)

    report = await read(stored, project)

    folder = folder_of(stored, project)
    assert result.report_path is not None
    assert result.report_path.removeprefix("file://") == str(folder)
    assert report.accuracy.value == pytest.approx(result.metrics.accuracy)
    assert report.model.version == 1
    assert (report.test_set.digest, report.test_set.num_documents) == (folder.name, 9)
    assert report.test_set.num_skipped == 0
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    assert [line["document_id"] for line in lines] == project.test_ids
    assert [line["true_class"] for line in lines] == [
        project.true_class[document_id] for document_id in project.test_ids
    ]
    found = [each.model_dump() for each in report.acceptance.thresholds]
    assert result.metrics.acceptance is not None
    assert found == [each.model_dump() for each in result.metrics.acceptance]
    assert not [*stored.path.glob(".scratch/*")]


@pytest.mark.slow
async def test_evaluating_again_on_the_same_test_set_replaces_the_report(
    stored: Workshop,
) -> None:
    project, _ = await evaluated(stored)
    before = await read(stored, project)

    await stored.evaluate(project)

    after = await read(stored, project)
    assert after.created_at > before.created_at
    assert after.model_copy(update={"created_at": before.created_at}) == before
    (kept,) = (await stored.row(REPORTS))["kept"].values()
    assert kept["next"] == []


@pytest.mark.slow
async def test_reports_of_the_latest_test_sets_are_kept(
    stored: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "MOST_REPORTS", 2)
    project, _ = await evaluated(stored)
    digests = [(await read(stored, project)).test_set.digest]
    for document_id in project.test_ids[:2]:
        await stored.execute("DELETE FROM document_label WHERE document_id = :d", d=document_id)
        await stored.evaluate(project)
        digests.append((await read(stored, project)).test_set.digest)

    assert len(set(digests)) == 3
    assert set((await stored.row(REPORTS))["kept"]) == set(digests[1:])
    folders = stored.path / str(project.project_id) / "reports" / str(project.field_id) / "v1"
    assert {path.name for path in folders.iterdir() if any(path.iterdir())} == set(digests[1:])
    earlier = await versions.read_report(
        stored.sessions, stored.storage, project.field_id, 1, test_set=digests[1]
    )
    assert json.loads(earlier.content)["test_set"]["digest"] == digests[1]


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "changed": lambda path: path.write_bytes(path.read_bytes().replace(b"animals", b"ANIMALS")),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\n"),
    "empty": lambda path: path.write_bytes(b""),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.slow_variants
async def test_a_damaged_report_is_corrupt(stored: Workshop) -> None:
    project, _ = await evaluated(stored)
    path = folder_of(stored, project) / "report.json"
    written = path.read_bytes()
    for damage in DAMAGE.values():
        path.write_bytes(written)
        assert (await read(stored, project)).test_set.num_documents == 9

        damage(path)

        with pytest.raises(ModelCorrupt, match=r"not as it was written.*evaluate the version"):
            await read(stored, project)

    await stored.evaluate(project)
    assert (await read(stored, project)).test_set.num_documents == 9


@pytest.mark.slow
async def test_the_report_of_another_version_is_corrupt(workshop: Workshop) -> None:
    project, _ = await evaluated(workshop)
    await workshop.train(project)
    await workshop.evaluate(project)
    theirs, ours = (folder_of(workshop, project, version) for version in (1, 2))
    (ours / "report.json").write_bytes((theirs / "report.json").read_bytes())

    with pytest.raises(ModelCorrupt, match="was changed"):
        await read(workshop, project, 2)

    # Not either where somebody has made the row fit.
    (first,) = (await workshop.rows(REPORTS))[:1]
    await workshop.execute(
        "UPDATE model SET metrics = metrics || jsonb_build_object('reports', CAST(:r AS jsonb)) "
        "WHERE version = 2",
        r=json.dumps(first["kept"]),
    )
    for name in ("report.json", "report.html", "predictions.jsonl"):
        (ours / name).write_bytes((theirs / name).read_bytes())
    with pytest.raises(ModelCorrupt, match=r"not as it was written|of another model"):
        await read(workshop, project, 2)


@pytest.mark.slow
async def test_no_link_is_followed_to_a_report(workshop: Workshop) -> None:
    project, _ = await evaluated(workshop)
    path = folder_of(workshop, project) / "report.json"
    path.rename(workshop.path / "elsewhere.json")
    path.symlink_to(workshop.path / "elsewhere.json")

    with pytest.raises((ModelCorrupt, OSError)):
        await read(workshop, project)


@pytest.mark.slow_variants
@pytest.mark.parametrize(
    "written",
    [
        '"x"',
        "[1]",
        '{"../../../1": {"current": {"created_at": "2026-01-01T00:00:00Z", "files": {}}}}',
        '{"DIGEST": {"current": {"created_at": 1, "files": {"report.json": {"size": -1}}}}}',
    ],
)
async def test_what_other_programs_write_of_reports_names_none(
    workshop: Workshop, written: str
) -> None:
    project, _ = await evaluated(workshop)
    digest = folder_of(workshop, project).name
    await workshop.execute(
        "UPDATE model SET metrics = metrics || jsonb_build_object('reports', CAST(:r AS jsonb))",
        r=written.replace("DIGEST", digest),
    )

    with pytest.raises(ReportNotFound, match="evaluate it"):
        await read(workshop, project)


class Dead(BaseException):
    """What becomes of a worker that is killed: nothing that it would have done is done."""


class Dying(LocalStorage):
    """A storage whose worker dies in the midst of a publication."""

    def __init__(self, path: Path, *, has_published: bool) -> None:
        super().__init__(path)
        self._has_published = has_published

    def stage(self, source: Path, target: PurePosixPath, attempt: int = 0) -> Staged:
        staged = super().stage(source, target, attempt)
        publish = staged.publish

        def die() -> None:
            if self._has_published:
                publish()
            raise Dead

        staged.publish = die  # type: ignore[method-assign]
        staged.withdraw = lambda: None  # type: ignore[method-assign]
        return staged


@pytest.mark.slow_variants
@pytest.mark.parametrize("has_published", [False, True])
async def test_whoever_is_killed_while_a_report_is_published_leaves_the_old_one_or_the_new(
    workshop: Workshop, has_published: bool
) -> None:
    project, _ = await evaluated(workshop)
    before = await read(workshop, project)
    storage = workshop.storage

    for _ in range(3):
        workshop.storage = Dying(workshop.path, has_published=has_published)
        with pytest.raises(Dead):
            await workshop.evaluate(project)
        workshop.storage = storage
        after = await read(workshop, project)
        assert (after.created_at > before.created_at) is has_published
        if has_published:
            before = after

    await workshop.evaluate(project)
    assert (await read(workshop, project)).created_at > after.created_at
    (kept,) = (await workshop.row(REPORTS))["kept"].values()
    assert kept["next"] == []


@pytest.mark.slow
async def test_with_keys_only_signed_reports_are_read(workshop: Workshop) -> None:
    use_keys(workshop, OLD)
    project, _ = await evaluated(workshop)

    use_keys(workshop, NEW, OLD)
    assert (await read(workshop, project)).model.version == 1
    use_keys(workshop, NEW)
    with pytest.raises(ModelCorrupt, match="no signature by any"):
        await read(workshop, project)


@pytest.mark.slow
async def test_the_signature_of_one_version_is_none_of_another(workshop: Workshop) -> None:
    use_keys(workshop, OLD)
    project, _ = await evaluated(workshop)
    await workshop.train(project)
    await workshop.evaluate(project)
    await workshop.execute(
        "UPDATE model SET metrics = metrics || jsonb_build_object('reports', "
        "(SELECT metrics->'reports' FROM model WHERE version = 1)) WHERE version = 2"
    )
    theirs, ours = (folder_of(workshop, project, version) for version in (1, 2))
    for path in theirs.iterdir():
        (ours / path.name).write_bytes(path.read_bytes())

    with pytest.raises(ModelCorrupt, match="no signature"):
        await read(workshop, project, 2)


@pytest.mark.slow
async def test_reports_go_with_their_version(stored: Workshop) -> None:
    project, _ = await evaluated(stored)
    await stored.train(project)
    await stored.evaluate(project)
    folder = folder_of(stored, project, 1)

    await prune(stored.admin(), project.field_id, Author("anna"), keep=1)

    assert not folder.exists()
    assert (await read(stored, project, 2)).model.version == 2
    with pytest.raises(ReportNotFound, match="was pruned"):
        await read(stored, project, 1)


@pytest.mark.slow
async def test_reports_go_with_their_project(workshop: Workshop) -> None:
    project, _ = await evaluated(workshop)

    await workshop.delete(project)

    assert not (workshop.path / str(project.project_id)).exists()


@pytest.mark.slow_variants
async def test_erased_documents_take_the_reports_along_that_name_them(stored: Workshop) -> None:
    project, _ = await evaluated(stored)
    first = folder_of(stored, project)
    async with stored.sessions.begin() as session:
        added = await add_document(
            session, stored.path, project.project_id, make_text("animals", 7)
        )
        await add_label(session, project, added, "animals", is_training_data=False)
    await stored.evaluate(project)
    assert (await read(stored, project)).test_set.num_documents == 10

    await stored.erase(project, added)

    with pytest.raises(ReportNotFound, match=r"no report is kept .* for this test set"):
        await read(stored, project)
    assert folder_of(stored, project) == first
    assert set((await stored.row(REPORTS))["kept"]) == {first.name}
    assert (await stored.row("SELECT accuracy FROM model"))["accuracy"] is not None
    await stored.evaluate(project)
    assert (await read(stored, project)).test_set.digest == first.name


@pytest.mark.slow
async def test_reports_that_cannot_be_read_go_with_any_erased_document(
    workshop: Workshop,
) -> None:
    project, _ = await evaluated(workshop)
    (folder_of(workshop, project) / "predictions.jsonl").write_text("{" * 1000)
    mine = workshop.path / str(project.project_id) / "reports" / "mine.txt"
    mine.write_text("somebody's own")

    await workshop.erase(project, project.training_ids[0])

    assert not [*mine.parent.rglob("report.json")]
    assert mine.read_text() == "somebody's own"
    assert (await workshop.row(REPORTS))["kept"] == {}


async def test_a_version_that_was_not_evaluated_has_no_report(workshop: Workshop) -> None:
    project = await workshop.project(training=4, test=1)
    await workshop.train(project)

    with pytest.raises(ReportNotFound, match="lexiclass-worker evaluate"):
        await read(workshop, project)
    with pytest.raises(versions.VersionNotFound):
        await read(workshop, project, 7)


@pytest.mark.slow
async def test_with_an_index_a_report_knows_twins_and_simpler_ways(workshop: Workshop) -> None:
    project = await workshop.project(training=6, test=3)
    first, second, *_ = project.test_ids
    text = workshop.document(project, first).read_text()
    workshop.document(project, second).write_text(text)
    copied = workshop.document(project, project.training_ids[0]).read_text()
    workshop.document(project, project.test_ids[2]).write_text(copied)
    await workshop.train(project)
    await workshop.evaluate(project)
    without = await read(workshop, project)
    assert (without.test_set.num_groups, without.test_set.num_in_training) == (None, None)
    missing = {each.name: each.missing for each in without.baselines}
    assert missing["majority_class"] is None
    assert missing["nearest_document"] == (
        "the project has no index with the model's tokenizer and locale"
    )

    await workshop.index(project)
    await workshop.evaluate(project)

    report = await read(workshop, project)
    assert report.test_set.num_groups is not None
    assert report.test_set.num_groups <= 8
    assert report.test_set.num_in_training is not None
    assert report.test_set.num_in_training >= 1
    figures = {each.name: each.accuracy for each in report.baselines}
    assert all(figures[name] for name in ("majority_class", "nearest_document", "tfidf_linear"))
    assert "LX001" in {finding.code for finding in report.findings}


@pytest.mark.slow
async def test_a_report_compares_with_the_version_that_serves_on_the_same_test_set(
    workshop: Workshop,
) -> None:
    project, _ = await evaluated(workshop)
    assert (await read(workshop, project)).comparison is None
    await workshop.train(project, feature_extractor="tfidf")

    await workshop.evaluate(project)

    comparison = (await read(workshop, project, 2)).comparison
    assert comparison is not None
    assert (comparison.name, comparison.num_documents) == ("version 1", 9)
    assert comparison.changes is not None
    assert comparison.changes.is_same_training_set is True
    assert comparison.changes.parameters["feature_extractor"] == ("bow", "tfidf")

    # On other documents there is nothing to compare.
    await workshop.execute(
        "DELETE FROM document_label WHERE document_id = :d", d=project.test_ids[0]
    )
    await workshop.evaluate(project)
    assert (await read(workshop, project, 2)).comparison is None


@pytest.mark.slow_variants
async def test_names_of_whoever_makes_fields_and_classes_are_text_on_the_page(
    stored: Workshop,
) -> None:
    project = await stored.project(training=6, test=3)
    await stored.execute("UPDATE field SET name = '<script>alert(1)</script>'")
    await stored.execute(
        "UPDATE field_class SET name = :n WHERE name = 'animals'",
        n='"><img src=x onerror=alert(2)>{{ 7*7 }}',
    )
    await stored.train(project)
    await stored.evaluate(project)

    kept = await read_report(stored.admin(), project.field_id, 1)

    assert kept.page is not None
    page = kept.page.decode()
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page
    assert "{{ 7*7 }}" in page
    assert kept.location.endswith("/report.html")


@pytest.mark.slow
async def test_a_damaged_page_is_corrupt(stored: Workshop) -> None:
    project, _ = await evaluated(stored)
    page = folder_of(stored, project) / "report.html"
    page.write_bytes(page.read_bytes() + b"<script>")

    with pytest.raises(ModelCorrupt, match=r"report\.html is gone, was changed"):
        await read(stored, project)


async def test_texts_are_in_reports_only_where_a_setting_says_so(workshop: Workshop) -> None:
    project = await workshop.project(training=6, test=3)
    wrong = project.test_ids[0]
    workshop.document(project, wrong).write_text(f"{make_text('vehicles', 1)} <b>quuxzanzib</b>")
    await workshop.execute(
        "UPDATE document_label SET class_id = :c WHERE document_id = :d",
        c=project.class_ids["animals"],
        d=wrong,
    )
    await workshop.train(project)
    await workshop.evaluate(project)
    folder = folder_of(workshop, project)
    assert all(b"quuxzanzib" not in path.read_bytes() for path in folder.iterdir())

    shown = workshop.settings.evaluation.model_copy(update={"example_texts": True})
    workshop.settings = workshop.settings.model_copy(update={"evaluation": shown})
    await workshop.evaluate(project)

    (mistake, *_) = (await read(workshop, project)).mistakes
    assert (mistake.document, mistake.true) == (wrong, "animals")
    assert mistake.text is not None
    assert mistake.text.endswith("<b>quuxzanzib</b>")
    page = (folder_of(workshop, project) / "report.html").read_text()
    assert "&lt;b&gt;quuxzanzib" in page
