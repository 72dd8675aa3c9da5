"""Object stores with few rights, and those that are not Amazon's: MinIO, Ceph and others."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath

import fsspec
import pytest
from pydantic import SecretStr

from lexiclass_core.documents.objects import ObjectTexts
from lexiclass_worker.artifacts.object_store import ObjectStorage
from lexiclass_worker.causes import cause_of
from lexiclass_worker.config import Settings
from lexiclass_worker.errors import translate
from lexiclass_worker.setting_groups import StorageSettings
from lexiclass_worker.telemetry.checks.files import check_storage
from tests.support.object_store import ObjectStore
from tests.support.s3_proxy import (
    Proxy,
    Refusal,
    Rule,
    rights_on_prefix,
    running_proxy,
    without_bulk_deletes,
    without_checksums,
    without_right_to_bulk_deletes,
)

Behind = Callable[[Rule], AbstractContextManager[Proxy]]


@pytest.fixture
def behind(
    object_store: ObjectStore, object_store_port: int, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Behind]:
    """Puts a proxy before the object store, for clients that are made then."""

    @contextmanager
    def run(rule: Rule) -> Iterator[Proxy]:
        with running_proxy(object_store_port, rule) as proxy:
            monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)
            # fsspec keeps clients for the same settings.
            fsspec.filesystem("s3").clear_instance_cache()
            yield proxy

    yield run
    monkeypatch.undo()
    fsspec.filesystem("s3").clear_instance_cache()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model, to be published."""
    source = tmp_path / "model"
    source.mkdir()
    for name in ("manifest.json", "a.json", "b.json"):
        (source / name).write_text(name)
    return source


TARGET = PurePosixPath("1/models/1/v1")


def objects(url: str) -> list[str]:
    files = fsspec.filesystem("s3")
    files.invalidate_cache()
    return list(files.find(url))


def settings_at(url: str) -> Settings:
    return Settings(
        database_uri=SecretStr("postgresql+asyncpg://u:p@127.0.0.1:1/x"),
        storage=StorageSettings(base_path=url),
    )


@pytest.mark.slow_variants
@pytest.mark.parametrize(
    "rule",
    [without_checksums, pytest.param(without_bulk_deletes, marks=pytest.mark.slow)],
)
def test_objects_go_one_by_one_where_many_at_once_are_refused(
    object_store: ObjectStore,
    behind: Behind,
    folder: Path,
    caplog: pytest.LogCaptureFixture,
    rule: Rule,
) -> None:
    url = f"{object_store.url}/{folder.parent.name}"
    with behind(rule) as proxy:
        storage = ObjectStorage(url)
        for _ in range(2):
            staged = storage.stage(folder, TARGET)
            staged.publish()
            staged.close()
        assert {key.rpartition("/")[2] for key in objects(url)} == {
            "manifest.json",
            "a.json",
            "b.json",
        }
        storage.remove(TARGET)
        assert objects(url) == []
        # Tried once, and said once.
        assert len(proxy.refused) == 1
    (line,) = [
        record.getMessage() for record in caplog.records if record.name == ObjectTexts.__module__
    ]
    assert "one by one" in line
    assert "DeleteObjects" in line


@pytest.mark.slow
@pytest.mark.parametrize("rule", [without_checksums, without_right_to_bulk_deletes])
def test_what_a_client_wrote_goes_one_by_one_where_many_at_once_are_refused(
    object_store: ObjectStore, behind: Behind, tmp_path: Path, rule: Rule
) -> None:
    url = f"{object_store.url}/{tmp_path.name}"
    paths = [PurePosixPath(f"1/incoming/k/{number}.txt") for number in range(3)]
    with behind(rule) as proxy:
        texts = ObjectTexts(url)
        for _ in range(2):
            texts.write_texts((path, "a text") for path in paths)
            texts.remove(PurePosixPath("1/incoming/k"))
            assert objects(url) == []
        assert proxy.refused


def answering(refusal: Refusal) -> Rule:
    """Lists of objects to remove are answered so."""
    return lambda request: refusal if request.is_bulk_delete else None


def removed_three_times(url: str) -> None:
    texts = ObjectTexts(url)
    for _ in range(3):
        texts.write_texts((PurePosixPath(f"1/incoming/k/{n}.txt"), "a text") for n in range(2))
        texts.remove(PurePosixPath("1/incoming/k"))
        assert objects(url) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(409, "OperationAborted", "A conflicting operation is in progress."),
        Refusal(404, "NoSuchKey", "The specified key does not exist."),
    ],
)
def test_what_fails_for_a_moment_is_tried_again_with_many_at_once(
    object_store: ObjectStore,
    behind: Behind,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    refusal: Refusal,
) -> None:
    with behind(answering(refusal)) as proxy:
        removed_three_times(f"{object_store.url}/{tmp_path.name}")
        assert len(proxy.refused) == 3
    assert [each for each in caplog.records if each.levelname == "WARNING"] == []


@pytest.mark.slow
def test_a_failure_that_comes_again_is_a_refusal(
    object_store: ObjectStore, behind: Behind, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with behind(answering(Refusal(400, "OfThisStore", "Not here."))) as proxy:
        removed_three_times(f"{object_store.url}/{tmp_path.name}")
        assert len(proxy.refused) == 2
    (line,) = (each.getMessage() for each in caplog.records if each.levelname == "WARNING")
    assert "(OfThisStore in DeleteObjects), so they are removed one by one" in line


def test_a_client_makes_the_folders_of_file_systems_that_have_them() -> None:
    texts = ObjectTexts("memory://client-texts")
    source, target = PurePosixPath("1/incoming/k/1.txt"), PurePosixPath("1/documents/1.txt")

    texts.write_texts([(source, "a text")])
    texts.move_file(source, target)

    files = fsspec.filesystem("memory")
    assert files.isdir("/client-texts/1/documents")
    assert texts.read_texts([source, target]) == [None, b"a text"]
    texts.remove(PurePosixPath("1"))
    assert files.find("/client-texts") == []


@pytest.mark.slow
def test_objects_that_stay_though_a_list_is_accepted_are_removed_alone(
    object_store: ObjectStore, behind: Behind, folder: Path
) -> None:
    url = f"{object_store.url}/{folder.parent.name}"
    with behind(without_right_to_bulk_deletes) as proxy:
        storage = ObjectStorage(url)
        storage.stage(folder, TARGET).publish()
        storage.remove(PurePosixPath("1"))
        assert [key for key in objects(url) if "/1/" in key] == []
        assert len(proxy.refused) == 1
        found = check_storage(settings_at(url))
        assert found.ok
        assert "DeleteObjects" in found.warning


@pytest.mark.slow
def test_check_names_the_request_that_is_refused(object_store: ObjectStore, behind: Behind) -> None:
    with behind(without_checksums):
        found = check_storage(settings_at(f"{object_store.url}/checked"))
    assert found.ok
    assert "DeleteObjects" in found.warning
    assert "MissingContentMD5" in found.warning
    assert objects(f"{object_store.url}/checked") == []


def test_rights_on_a_prefix_suffice(
    object_store: ObjectStore, behind: Behind, folder: Path
) -> None:
    prefix = folder.parent.name
    with behind(rights_on_prefix("bucket", prefix)) as proxy:
        storage = ObjectStorage(f"{object_store.url}/{prefix}")
        storage.write_texts([(PurePosixPath("1/documents/1.txt"), "a text")])
        staged = storage.stage(folder, TARGET)
        staged.publish()
        staged.close()
        with storage.reading(TARGET) as read:
            assert (read / "a.json").read_text() == "a.json"
        assert check_storage(settings_at(storage.root)).ok
        storage.remove(PurePosixPath("1"))
        assert [request.method for request in proxy.refused] == []


def test_what_is_refused_is_told_with_its_code_and_its_object(
    object_store: ObjectStore, behind: Behind
) -> None:
    with behind(rights_on_prefix("bucket", "mine")):
        storage = ObjectStorage(f"{object_store.url}/others")
        with pytest.raises(PermissionError) as raised:
            storage.file_sizes(TARGET)
    told = cause_of(raised.value)
    assert told == (
        "PermissionError: Access Denied (AccessDenied in ListObjectsV2): "
        f"s3://bucket/others/{TARGET}"
    )
    assert translate(raised.value).as_task_error().details["path"] == f"s3://bucket/others/{TARGET}"


def test_no_bucket_is_made(object_store: ObjectStore) -> None:
    storage = ObjectStorage("s3://buckte/data")

    with pytest.raises(FileNotFoundError) as raised:
        storage.write_texts([(PurePosixPath("1/documents/1.txt"), "a text")])

    assert "The specified bucket does not exist" in cause_of(raised.value)
    assert not check_storage(settings_at(storage.root)).ok
    assert fsspec.filesystem("s3").ls("") == ["bucket"]
