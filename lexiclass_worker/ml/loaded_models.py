"""Loading the model of a request, or finding it where an earlier request has loaded it."""

from collections import OrderedDict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from lexiclass import Manifest, Pipeline, PipelineSpec, PluginMismatch, read_manifest
from lexiclass.checksums import FileIdentity, file_identity
from lexiclass_worker.errors import MemoryLimitReached
from lexiclass_worker.jobs.prediction import ModelJob, PredictTextJob

# See loaded_size.
_JSON_FACTOR: Final = 10

# The text of a JSON file and the strings in it, each once.
_LEAST_JSON_FACTOR: Final = 2


def load_model(
    job: ModelJob | PredictTextJob, memory_bytes: int | None = None
) -> tuple[Pipeline, Manifest]:
    """The model of a job, if it is what the request expects.

    The task may take ``memory_bytes``; None for no limit.

    Raises:
        PluginMismatch: If the request names another tokenizer, feature extractor or locale than
            the model was trained with.
        ModelCorrupt: If the files are damaged, or another model's.
        MemoryLimitReached: If the model alone takes more than the task may.
    """
    manifest = read_manifest(job.model_directory, digest=job.manifest_digest)
    needed = _least_size(manifest)
    if memory_bytes is not None and needed > memory_bytes:
        raise MemoryLimitReached(
            f"the model takes {needed / 2**20:,.0f} MiB of memory at least, and the task may take "
            f"{memory_bytes / 2**20:,.0f} MiB: raise LIMITS__MEMORY_BYTES",
            details={"needed_bytes": needed, "limit_bytes": memory_bytes},
        )
    trained_with = manifest.spec.model_dump()
    named = {name: value for name, value in asdict(job.expected).items() if value is not None}
    for name, wanted in PipelineSpec(**named).model_dump(include=set(named)).items():
        if wanted != trained_with[name]:
            raise PluginMismatch(
                f"the request names the {name} {wanted!r}, the model was trained with "
                f"{trained_with[name]!r}: leave {name} out, or train a version with {wanted!r}",
                details={"plugin": name, "requested": wanted, "model": trained_with[name]},
            )
    return _models.load(job.model_directory, manifest, job.pretrained_directory), manifest


def keep_models(capacity_bytes: int) -> None:
    """Set how much of loaded models this process keeps; 0, as at first, keeps none."""
    global _models  # noqa: PLW0603 - one for the process, whose memory it takes
    _models = ModelCache(capacity_bytes)


def take_lookups() -> list[Literal["hit", "miss"]]:
    """What came of the look-ups since this was last asked; none are counted without a cache."""
    lookups, _models.lookups = _models.lookups, []
    return lookups


@dataclass(frozen=True, slots=True, eq=False)
class _Loaded:
    """A model in memory.

    Attributes:
        size: An estimate of what it takes, in bytes.
        files: What its files were then; see :func:`file_identity`.
    """

    pipeline: Pipeline
    size: int
    directory: Path
    files: list[FileIdentity | None]


class ModelCache:
    """Loaded models, the longest unused given up first.

    A model is known by its manifest, which holds the checksum of each of its files, and not by its
    directory: one that is published anew is another, and one that an object store's files were
    copied from twice is the same.

    Args:
        capacity_bytes: Size of all models together; 0 keeps none.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity_bytes = capacity_bytes
        self._loaded: OrderedDict[tuple[str, Path], _Loaded] = OrderedDict()
        self.lookups: list[Literal["hit", "miss"]] = []

    def load(self, directory: Path, manifest: Manifest, pretrained_directory: Path) -> Pipeline:
        """The model in a directory, whose files are all verified when it is loaded.

        Raises:
            LexiClassError: What :meth:`lexiclass.Pipeline.load` raises.
        """
        if self._capacity_bytes == 0:
            return _load(directory, manifest, pretrained_directory)
        self._give_up_the_removed()
        key = (manifest.file_digest, pretrained_directory)
        loaded = self._loaded.pop(key, None)
        if loaded is None or not _is_as_loaded(loaded, manifest):
            self.lookups.append("miss")
            files = _look_at_files(directory, manifest)
            pipeline = _load(directory, manifest, pretrained_directory)
            loaded = _Loaded(pipeline, loaded_size(manifest), directory, files)
        else:
            self.lookups.append("hit")
        self._loaded[key] = loaded
        self._give_up_the_oldest()
        return loaded.pipeline

    def _give_up_the_removed(self) -> None:
        """A disk has the room of a removed version again once nobody maps its files."""
        for key, loaded in list(self._loaded.items()):
            if _is_removed(loaded.directory):
                del self._loaded[key]

    def _give_up_the_oldest(self) -> None:
        while sum(loaded.size for loaded in self._loaded.values()) > self._capacity_bytes:
            self._loaded.popitem(last=False)


def _load(directory: Path, manifest: Manifest, pretrained_directory: Path) -> Pipeline:
    """Load a model that may have been replaced since its manifest was read."""
    return Pipeline.load(
        directory, model_directory=pretrained_directory, digest=manifest.file_digest
    )


def loaded_size(manifest: Manifest) -> int:
    """Estimate what a model takes in memory, in bytes.

    Its arrays take what their files do, in memory that the kernel shares and can drop. A vocabulary
    becomes strings and a dictionary of them: for ``tfidf`` and ``svm`` with 20,000 to 300,000 terms
    the process grew by 7.6 to 10 times the bytes of the JSON files.
    """
    return sum(
        record.size * (_JSON_FACTOR if name.endswith(".json") else 1)
        for name, record in manifest.files.items()
    )


def _least_size(manifest: Manifest) -> int:
    """What loading a model takes at least, in bytes; its arrays lie in files that are mapped."""
    return _LEAST_JSON_FACTOR * sum(
        record.size for name, record in manifest.files.items() if name.endswith(".json")
    )


def _is_removed(directory: Path) -> bool:
    """Whether a version was removed from a storage that is a directory.

    What was copied from an object store lies elsewhere: it goes when room is needed.
    """
    return directory.match("models/*/v*") and not directory.exists()


def _is_as_loaded(loaded: _Loaded, manifest: Manifest) -> bool:
    """Whether nobody has written to the files, which the model's arrays are mapped from.

    Files that are gone cannot be written to; what is mapped of them is kept by the kernel.
    """
    now = _look_at_files(loaded.directory, manifest)
    return all(
        file is None or file == before for file, before in zip(now, loaded.files, strict=True)
    )


def _look_at_files(directory: Path, manifest: Manifest) -> list[FileIdentity | None]:
    """Each file of a model as it is; None for one that is not there."""
    found: list[FileIdentity | None] = []
    for name in manifest.files:
        try:
            status = (directory / name).lstat()
        except FileNotFoundError:
            found.append(None)
        else:
            found.append(file_identity(status))
    return found


_models = ModelCache(0)
