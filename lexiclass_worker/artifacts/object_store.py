"""Storage in an object store, through fsspec."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from errno import ENOENT
from hashlib import sha256
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeVar

import fsspec
from loguru import logger

from lexiclass_core import layout
from lexiclass_core.file_systems import has_folders, make_folder
from lexiclass_worker.artifacts.copies import CopyTooLarge
from lexiclass_worker.artifacts.cut_off_uploads import Upload, abort, cut_off_uploads
from lexiclass_worker.artifacts.kept_copies import KeptCopies
from lexiclass_worker.artifacts.lines import copy_lines
from lexiclass_worker.artifacts.naming import naming
from lexiclass_worker.artifacts.storage import NoSuchFolder, Staged
from lexiclass_worker.artifacts.temporary import temporary_folder
from lexiclass_worker.causes import cause_of
from lexiclass_worker.errors import StorageUnavailable

T = TypeVar("T")

# Small objects that are read or written side by side.
_TOGETHER: Final = 256

# What was uploaded and is not published yet.
_STAGING: Final = layout.scratch_directory()

# What says that a folder's other files are complete; goes last.
_MANIFESTS: Final = frozenset({"manifest.json"})


class ObjectStorage:
    """Files in an object store. Nothing can be renamed there: a manifest goes last.

    Args:
        url: Such as ``s3://bucket/prefix``.
        copies: Keeps the folders with a manifest that were read; none are kept if not given.

    Raises:
        ImportError: If the URL's protocol needs a package that is not installed.
    """

    def __init__(self, url: str, copies: KeptCopies | None = None) -> None:
        self._copies = copies
        self._fs: Any
        self._fs, self._base = fsspec.core.url_to_fs(url.rstrip("/"))
        self._url = url.rstrip("/")
        self._base = self._base.rstrip("/")
        self._is_bulk_refused = False
        self._is_listing_refused = False

    @property
    def root(self) -> str:
        """See :class:`Storage`."""
        return self._url

    def locate(self, path: PurePosixPath) -> str:
        """See :class:`Storage`."""
        return f"{self._url}/{path}"

    def require_root(self) -> None:
        """See :class:`Storage`. There is no root to miss: keys begin with it."""

    def make_root(self) -> None:
        """See :class:`Storage`."""
        make_folder(self._fs, self._base)

    def is_empty(self) -> bool:
        """See :class:`Storage`."""
        self._fs.invalidate_cache()
        with naming(self._url):
            try:
                keys = self._fs.ls(self._base, detail=False)
            except FileNotFoundError:
                return True
        return all(key.rstrip("/").rpartition("/")[2].startswith(".") for key in keys)

    def is_directory(self, path: PurePosixPath) -> bool:
        """See :class:`Storage`."""
        return bool(self._fs.isdir(self._key(path)))

    def resolve(self, path: PurePosixPath, folder: PurePosixPath) -> PurePosixPath | None:
        """See :class:`Storage`. An object store has no links."""
        return path if path.is_relative_to(folder) else None

    def scratch(self) -> AbstractContextManager[Path]:
        """See :class:`Storage`."""
        return temporary_folder()

    @contextmanager
    def reading(self, directory: PurePosixPath) -> Iterator[Path]:
        """See :class:`Storage`."""
        sizes = self.file_sizes(directory)
        with ExitStack() as stack:
            if self._copies is None or not sizes.keys() & _MANIFESTS:
                yield stack.enter_context(self.reading_anew(directory))
                return
            (manifest,) = sizes.keys() & _MANIFESTS
            # It holds the checksum of every other file, so it says what the folder holds.
            with naming(self.locate(directory / manifest)):
                content = self._fs.cat_file(self._key(directory / manifest))
            copy = self._copies.using(
                f"{directory.parts[0]}/{directory.name}",
                self.locate(directory).encode() + content,
                sum(sizes.values()),
                lambda folder: self._download_as(directory, set(sizes), folder, manifest, content),
            )
            try:
                folder = stack.enter_context(copy)
            except CopyTooLarge:
                folder = stack.enter_context(self.reading_anew(directory))
            yield folder

    @contextmanager
    def reading_anew(self, directory: PurePosixPath) -> Iterator[Path]:
        """As :meth:`reading`, and always from the store."""
        with self.scratch() as scratch:
            names = self._file_names(directory)
            if not names:
                raise NoSuchFolder(f"no folder {self.locate(directory)}")
            self._download(directory, names, scratch)
            yield scratch

    def file_sizes(self, directory: PurePosixPath) -> dict[str, int]:
        """See :class:`Storage`."""
        key, found = self._find(directory)
        return {name.removeprefix(f"{key}/"): int(info["size"]) for name, info in found.items()}

    def stage(self, source: Path, target: PurePosixPath, attempt: int = 0) -> Staged:
        """See :class:`Storage`. Uploaded under another name; publishing copies inside the store."""
        staging = _StagingName(sha256(str(target).encode()).hexdigest()[:32], attempt)
        is_folder = source.is_dir()
        files = {name: source / name for name in _names_in(source)}
        if not is_folder:
            files, target = {target.name: source}, target.parent
        staged = _StagedInStore(self, staging, target, names=set(files), is_folder=is_folder)
        try:
            self._upload(files, staging.path)
        except BaseException:
            try:
                staged.close()
            except Exception as error:  # noqa: BLE001 - what the upload failed with says more
                logger.warning(
                    "{folder} stays: {error}",
                    folder=self.locate(staging.path),
                    error=cause_of(error),
                )
            raise
        return staged

    def revoke_earlier(self, staging: "_StagingName") -> None:
        """Remove what earlier attempts have staged for the same place.

        One of them that stalled in the midst of its copies, and goes on with them later, finds
        nothing to copy any more.
        """
        key = self._key(_STAGING)
        with naming(self.locate(_STAGING)):
            try:
                found = self._fs.ls(key, detail=False, refresh=True)
            except FileNotFoundError:
                return
        names = {entry.rstrip("/").rpartition("/")[2] for entry in found}
        for name in sorted(filter(staging.follows, names)):
            self.remove(_STAGING / name)

    def replace_files(
        self, source: PurePosixPath, target: PurePosixPath, names: set[str], *, is_whole: bool
    ) -> None:
        """Copy files from folder to folder inside the store, manifests last.

        Args:
            source: Where they are.
            target: Where they go.
            names: Relative to both.
            is_whole: Whether they are all that the target is to hold.

        Raises:
            FileNotFoundError: If a later attempt has published: it has removed the files before.
        """
        before = self._file_names(target) if is_whole else set()
        # What an earlier attempt has published and this one has again is replaced, never removed:
        # a later one may have put its own there meanwhile. No row names the manifest of a folder
        # that holds some files of each.
        for name in _manifests_last(names):
            with self._writing(target / name) as key:
                self._fs.cp_file(self._key(source / name), key)
        old = before - names
        if old and not self._file_names(source):
            raise FileNotFoundError(ENOENT, "a later attempt has published", self.locate(target))
        self._remove_files(target, old)

    def remove_abandoned(self, *, older_than_s: float, is_dry_run: bool = False) -> list[str]:
        """See :class:`Storage`."""
        limit = datetime.now(UTC) - timedelta(seconds=older_than_s)
        newest: dict[str, datetime] = {}
        for name in self._file_names(_STAGING):
            folder = name.partition("/")[0]
            written = self._fs.modified(self._key(_STAGING / name))
            newest[folder] = max(written, newest.get(folder, written))
        abandoned = [_STAGING / name for name, written in newest.items() if written < limit]
        uploads = self._cut_off_uploads(limit)
        if not is_dry_run:
            for path in abandoned:
                self.remove(path)
            for upload in uploads:
                abort(self._fs, upload)
        return [self.locate(path) for path in abandoned] + [
            f"{self._url}/{upload.path} (cut off)" for upload in uploads
        ]

    def _cut_off_uploads(self, limit: datetime) -> list[Upload]:
        try:
            return [
                upload
                for upload in cut_off_uploads(self._fs, self._base, before=limit)
                # The root may be a bucket that is shared with others.
                if layout.is_own(PurePosixPath(upload.path))
            ]
        except OSError as error:
            if not self._is_listing_refused:
                self._is_listing_refused = True
                logger.warning(
                    "{store} does not tell of uploads that were cut off, so their parts stay: give "
                    "the bucket a rule that ends them: {error}",
                    store=self._url,
                    error=cause_of(error),
                )
            return []

    def read_texts(self, paths: Sequence[PurePosixPath]) -> list[bytes | None]:
        """See :class:`Storage`."""
        found: list[bytes | None] = []
        for batch in _batches(paths, _TOGETHER):
            # Many at a time, and what is missing among them is no error.
            read = self._fs.cat([self._key(path) for path in batch], on_error="return")
            contents = {self._fs._strip_protocol(key): value for key, value in read.items()}  # noqa: SLF001
            for path in batch:
                content = contents[self._fs._strip_protocol(self._key(path))]  # noqa: SLF001
                if isinstance(content, BaseException) and not isinstance(
                    content, FileNotFoundError
                ):
                    raise content
                found.append(None if isinstance(content, BaseException) else content)
        return found

    def move_file(self, source: PurePosixPath, target: PurePosixPath) -> None:
        """See :class:`Storage`."""
        with self._writing(target) as key:
            self._fs.cp_file(self._key(source), key)
        with naming(self.locate(source)):
            self._fs.rm_file(self._key(source))

    def filter_lines(self, path: PurePosixPath, keep: Callable[[bytes], bool]) -> int:
        """See :class:`Storage`."""
        with self.scratch() as scratch:
            there, kept = scratch / "there", scratch / "kept"
            with naming(self.locate(path)):
                self._fs.get_file(self._key(path), str(there))
            with there.open("rb") as source, kept.open("wb") as target:
                removed = copy_lines(source, target, keep)
            if removed:
                with self._writing(path) as key:
                    self._fs.put_file(str(kept), key)
        return removed

    def write_texts(self, texts: Iterable[tuple[PurePosixPath, str]]) -> None:
        """See :class:`Storage`."""
        for batch in _batches(texts, _TOGETHER):
            for parent in {path.parent for path, _ in batch}:
                make_folder(self._fs, self._key(parent))
            with naming(self.locate(batch[0][0].parent)):
                self._fs.pipe({self._key(path): text.encode() for path, text in batch})

    def remove(self, path: PurePosixPath) -> None:
        """See :class:`Storage`."""
        # What another process wrote since it was listed is there, too.
        self._fs.invalidate_cache()
        with naming(self.locate(path)):
            if has_folders(self._fs):
                if self._fs.exists(self._key(path)):
                    self._fs.rm(self._key(path), recursive=True)
                return
            key, found = self._find(path)
            if not found and self._fs.exists(key):
                found = {key: {}}
            self._remove_objects(path, sorted(found))

    def _remove_objects(self, path: PurePosixPath, keys: list[str]) -> None:
        """Remove objects by one request, or one by one where the store refuses that.

        Some want a checksum that clients send no more, some grant no right to it, some do not know
        it. What is refused of a single object in a list comes as a success.
        """
        refusal: Exception | None = None
        if len(keys) > 1 and not self._is_bulk_refused:
            try:
                self._fs.rm(keys)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next requests tell
                refusal = error
            else:
                keys = sorted(self._find(path)[1])
        for key in keys:
            with suppress(FileNotFoundError):
                self._fs.rm_file(key)
        if refusal is not None:
            # It was not the connection: the same objects are gone now.
            self._is_bulk_refused = True
            logger.warning(
                "{store} refuses to remove several objects by one request, so they are removed "
                "one by one: {error}",
                store=self._url,
                error=cause_of(refusal),
            )

    @contextmanager
    def _writing(self, path: PurePosixPath) -> Iterator[str]:
        """The key of an object that is written in a ``with`` block."""
        make_folder(self._fs, self._key(path.parent))
        with naming(self.locate(path)):
            yield self._key(path)

    def _key(self, path: PurePosixPath) -> str:
        return f"{self._base}/{path}"

    def _file_names(self, directory: PurePosixPath) -> set[str]:
        key, found = self._find(directory)
        return {name.removeprefix(f"{key}/") for name in found}

    def _find(self, directory: PurePosixPath) -> tuple[str, dict[str, Any]]:
        """A folder as listings spell it, and what the store says of each file below it."""
        # A listing cached before another worker wrote would hide what it wrote.
        self._fs.invalidate_cache()
        key = self._fs._strip_protocol(self._key(directory))  # noqa: SLF001 - how find() spells it
        with naming(self.locate(directory)):
            return key, self._fs.find(key, detail=True) if self._fs.isdir(key) else {}

    def _download(self, directory: PurePosixPath, names: set[str], target: Path) -> None:
        for name in sorted(names):
            local = target / name
            local.parent.mkdir(parents=True, exist_ok=True)
            with naming(self.locate(directory / name)):
                self._fs.get_file(self._key(directory / name), str(local))

    def _download_as(
        self, directory: PurePosixPath, names: set[str], target: Path, manifest: str, content: bytes
    ) -> None:
        self._download(directory, names, target)
        if (target / manifest).read_bytes() != content:
            raise StorageUnavailable(f"{self.locate(directory)} was replaced while it was copied")

    def _upload(self, files: Mapping[str, Path], target: PurePosixPath) -> None:
        for name in _manifests_last(set(files)):
            with self._writing(target / name) as key:
                self._fs.put_file(str(files[name]), key)

    def _remove_files(self, directory: PurePosixPath, names: set[str]) -> None:
        for name in sorted(names):
            with naming(self.locate(directory / name)):
                self._fs.rm_file(self._key(directory / name))


class _StagingName:
    """Names what one attempt has staged for a place.

    Args:
        place: Digest of the place.
        attempt: Which attempt.
    """

    def __init__(self, place: str, attempt: int) -> None:
        self._place = place
        self._attempt = attempt
        self.path = _STAGING / f"{place}-{attempt}-{uuid.uuid4().hex}"

    def follows(self, name: str) -> bool:
        """Whether another name is of an earlier attempt at the same place."""
        place, _, rest = name.partition("-")
        attempt = rest.partition("-")[0]
        return place == self._place and attempt.isdecimal() and int(attempt) < self._attempt


class _StagedInStore:
    """Published by copies inside the store, which take moments where an upload takes minutes."""

    def __init__(
        self,
        storage: ObjectStorage,
        staging: _StagingName,
        target: PurePosixPath,
        *,
        names: set[str],
        is_folder: bool,
    ) -> None:
        self._storage = storage
        self._staging = staging
        self._target = target
        self._names = names
        self._is_folder = is_folder

    def reading(self) -> AbstractContextManager[Path]:
        """See :class:`Staged`."""
        return self._storage.reading_anew(self._staging.path)

    def publish(self) -> None:
        """See :class:`Staged`."""
        self._storage.revoke_earlier(self._staging)
        self._storage.replace_files(
            self._staging.path, self._target, self._names, is_whole=self._is_folder
        )

    def withdraw(self) -> None:
        """See :class:`Staged`. What was replaced is gone; rows say that the rest does not count."""

    def close(self) -> None:
        """See :class:`Staged`."""
        self._storage.remove(self._staging.path)


def _manifests_last(names: set[str]) -> list[str]:
    return sorted(names, key=lambda name: (name in _MANIFESTS, name))


def _names_in(directory: Path) -> set[str]:
    return {
        path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()
    }


def _batches(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    # itertools.batched needs Python 3.12.
    iterator = iter(items)
    while batch := tuple(islice(iterator, size)):
        yield batch
