"""Storage in an object store, through fsspec."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

from loguru import logger

from lexiclass_core import layout
from lexiclass_core.file_systems import make_folder, naming
from lexiclass_worker.artifacts.copies import CopyTooLarge
from lexiclass_worker.artifacts.cut_off_uploads import Upload, abort, cut_off_uploads
from lexiclass_worker.artifacts.kept_copies import KeptCopies
from lexiclass_worker.artifacts.lines import copy_lines
from lexiclass_worker.artifacts.staged_objects import STAGING, StagedObjects
from lexiclass_worker.artifacts.storage import Staged
from lexiclass_worker.artifacts.stored_objects import MANIFESTS, StoredObjects
from lexiclass_worker.artifacts.temporary import temporary_folder
from lexiclass_worker.causes import cause_of
from lexiclass_worker.errors import StorageUnavailable


class ObjectStorage(StoredObjects):
    """Files in an object store. Nothing can be renamed there: a manifest goes last.

    Args:
        url: Such as ``s3://bucket/prefix``.
        copies: Keeps the folders with a manifest that were read; none are kept if not given.

    Raises:
        ImportError: If the URL's protocol needs a package that is not installed.
    """

    def __init__(self, url: str, copies: KeptCopies | None = None) -> None:
        super().__init__(url)
        self._copies = copies
        self._is_listing_refused = False

    def require_root(self) -> None:
        """See :class:`Storage`. There is no root to miss: keys begin with it."""

    def make_root(self) -> None:
        make_folder(self.fs, self.base)

    def is_empty(self) -> bool:
        self.fs.invalidate_cache()
        with naming(self.root):
            try:
                keys = self.fs.ls(self.base, detail=False)
            except FileNotFoundError:
                return True
        return all(key.rstrip("/").rpartition("/")[2].startswith(".") for key in keys)

    def is_directory(self, path: PurePosixPath) -> bool:
        return bool(self.fs.isdir(self.key(path)))

    def resolve(self, path: PurePosixPath, folder: PurePosixPath) -> PurePosixPath | None:
        """See :class:`Storage`. An object store has no links."""
        return path if path.is_relative_to(folder) else None

    def scratch(self) -> AbstractContextManager[Path]:
        return temporary_folder()

    @contextmanager
    def reading(self, directory: PurePosixPath) -> Iterator[Path]:
        sizes = self.file_sizes(directory)
        with ExitStack() as stack:
            if self._copies is None or not sizes.keys() & MANIFESTS:
                yield stack.enter_context(self.fetched(directory))
                return
            (manifest,) = sizes.keys() & MANIFESTS
            # It holds the checksum of every other file, so it says what the folder holds.
            with naming(self.locate(directory / manifest)):
                content = self.fs.cat_file(self.key(directory / manifest))
            copy = self._copies.using(
                f"{directory.parts[0]}/{directory.name}",
                self.locate(directory).encode() + content,
                sum(sizes.values()),
                lambda folder: self._download_as(directory, set(sizes), folder, manifest, content),
            )
            try:
                folder = stack.enter_context(copy)
            except CopyTooLarge:
                folder = stack.enter_context(self.fetched(directory))
            yield folder

    def stage(self, source: Path, target: PurePosixPath, attempt: int = 0) -> Staged:
        """See :class:`Storage`. Uploaded under another name; publishing copies inside the store."""
        is_folder = source.is_dir()
        files = {name: source / name for name in _names_in(source)}
        if not is_folder:
            files, target = {target.name: source}, target.parent
        staged = StagedObjects(self, set(files), target, attempt, is_folder=is_folder)
        try:
            self.upload(files, staged.path)
        except BaseException:
            try:
                staged.close()
            except Exception as error:  # noqa: BLE001 - what the upload failed with says more
                logger.warning(
                    "{folder} stays: {error}",
                    folder=self.locate(staged.path),
                    error=cause_of(error),
                )
            raise
        return staged

    def remove_abandoned(self, *, older_than_s: float, is_dry_run: bool = False) -> list[str]:
        limit = datetime.now(UTC) - timedelta(seconds=older_than_s)
        newest: dict[str, datetime] = {}
        for name in self.names_in(STAGING):
            folder = name.partition("/")[0]
            try:
                written = self.fs.modified(self.key(STAGING / name))
            except FileNotFoundError:
                continue  # its owner has published or removed it since
            newest[folder] = max(written, newest.get(folder, written))
        abandoned = [STAGING / name for name, written in newest.items() if written < limit]
        uploads = self._cut_off_uploads(limit)
        if not is_dry_run:
            for path in abandoned:
                self.remove(path)
            for upload in uploads:
                abort(self.fs, upload)
        return [self.locate(path) for path in abandoned] + [
            f"{self.root}/{upload.path} (cut off)" for upload in uploads
        ]

    def _cut_off_uploads(self, limit: datetime) -> list[Upload]:
        try:
            return [
                upload
                for upload in cut_off_uploads(self.fs, self.base, before=limit)
                # The root may be a bucket that is shared with others.
                if layout.is_own(PurePosixPath(upload.path))
            ]
        except OSError as error:
            if not self._is_listing_refused:
                self._is_listing_refused = True
                logger.warning(
                    "{store} does not tell of uploads that were cut off, so their parts stay: give "
                    "the bucket a rule that ends them: {error}",
                    store=self.root,
                    error=cause_of(error),
                )
            return []

    def filter_lines(self, path: PurePosixPath, keep: Callable[[bytes], bool]) -> int:
        with self.scratch() as scratch:
            there, kept = scratch / "there", scratch / "kept"
            with naming(self.locate(path)):
                self.fs.get_file(self.key(path), str(there))
            with there.open("rb") as source, kept.open("wb") as target:
                removed = copy_lines(source, target, keep)
            if removed:
                with self.writing(path) as key:
                    self.fs.put_file(str(kept), key)
        return removed

    def _download_as(
        self, directory: PurePosixPath, names: set[str], target: Path, manifest: str, content: bytes
    ) -> None:
        self.download(directory, names, target)
        if (target / manifest).read_bytes() != content:
            raise StorageUnavailable(f"{self.locate(directory)} was replaced while it was copied")


def _names_in(directory: Path) -> set[str]:
    return {
        path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()
    }
