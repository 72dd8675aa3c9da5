"""The files of a model version, on their way to readiness and in use."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from lexiclass_core import layout
from lexiclass_core.codes import ErrorCode
from lexiclass_core.schemas import ModelRequest
from lexiclass_worker.artifacts.storage import NoSuchFolder, Staged, Storage
from lexiclass_worker.artifacts.transfers import transferring
from lexiclass_worker.errors import ModelCorrupt, StorageUnavailable, WorkerError
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.jobs.inputs import ExpectedPipeline
from lexiclass_worker.jobs.training import VerifyJob


@contextmanager
def model_files(storage: Storage, request: ModelRequest, version: int) -> Iterator[Path]:
    """A local folder with the version's files.

    Raises:
        ModelCorrupt: If they are gone.
    """
    directory = layout.model_directory(request.project_id, request.field_id, version)
    try:
        with storage.reading(directory) as path:
            yield path
    except NoSuchFolder as error:
        raise ModelCorrupt(
            f"the files of model version {version} of field {request.field_id} are gone from "
            f"{storage.locate(directory)}: restore them or train a new version",
            details={"field_id": request.field_id, "model_version": version},
        ) from error


async def verify_staged(task: TaskContext, staged: Staged, manifest_digest: str) -> dict[str, Any]:
    """Read a model back from the storage it was written to, and check every byte of it.

    ``manifest_digest`` is that of the manifest as it was written: others may write there as well.
    Returned is what :func:`lexiclass_worker.ml.verification.verified` says.

    Raises:
        StorageUnavailable: If the storage does not give back what was written.
    """
    async with transferring(staged.reading()) as directory:
        try:
            files = await task.sandbox.run(VerifyJob(directory=directory))
        except WorkerError as error:
            if error.code != ErrorCode.MODEL_CORRUPT:
                raise
            # The model was sound a moment ago: written once more, it may be so again.
            raise StorageUnavailable(
                f"the storage does not give back the model that was written: {error.message}",
                details=error.details,
            ) from error
    if files["summary"]["manifest_digest"] != manifest_digest:
        raise StorageUnavailable(
            "the storage gives back another model than the one that was written: somebody else "
            "writes there",
        )
    return files


async def require_complete(
    task: TaskContext, directory: PurePosixPath, sizes: Mapping[str, int]
) -> None:
    """Check that a published model has every file, in full.

    Raises:
        StorageUnavailable: If not.
    """
    found = await asyncio.to_thread(task.storage.file_sizes, directory)
    if found != dict(sizes):
        wrong = sorted(name for name in {*found, *sizes} if found.get(name) != sizes.get(name))
        raise StorageUnavailable(
            f"{task.storage.locate(directory)} is incomplete after its publication, "
            f"{len(wrong)} of {len(sizes)} files are not as they should be, such as {wrong[0]!r}",
            details={"files": wrong[:10]},
        )


def expected_pipeline(request: ModelRequest) -> ExpectedPipeline:
    """What a request says the model was trained with; None where it says nothing."""
    return ExpectedPipeline(
        tokenizer=request.tokenizer,
        feature_extractor=request.feature_extractor,
        locale=request.locale,
    )
