"""An index in an object store, and this machine's copy of it.

In the store it is files that never change, and a manifest that names them. The copy has the same
files: what is missing is downloaded, what is named no more is dropped. A build goes on in a folder
beside the copy, with the same files by hard links; see :mod:`lexiclass_worker.artifacts.copies`.
"""

import hashlib
import os
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from fsspec.callbacks import Callback

from lexiclass_core.file_systems import make_folder, naming
from lexiclass_core.folders import Folder
from lexiclass_worker.artifacts.copies import (
    IN_THE_MAKING,
    CopyTooLarge,
    locked,
    make_room,
    place_of,
)
from lexiclass_worker.artifacts.foreign_folders import remove_folder
from lexiclass_worker.artifacts.generations import (
    INDEX_FILE,
    LARGEST_MANIFEST_BYTES,
    Checksum,
    Files,
    has_file,
    holds,
    link,
    names_in,
    replace_file,
)

_STAGED: Final = re.compile(re.escape(INDEX_FILE) + r"\.[0-9a-f]{32}\.staged")

# Beside a shard that no manifest names yet: see lexiclass.index.tokens.claims.
_CLAIM: Final = re.compile(r"shard-[0-9a-f]{32}\.json")
_LARGEST_CLAIM_BYTES: Final = 2**20
_MOST_CLAIMS: Final = 10_000

_DATA_SUFFIX: Final = ".safetensors"
_CHUNK: Final = 2**20


class IndexCopy:
    """One index of an object store, and the copy of it.

    Args:
        folder: Of the index, as the file system spells it.
        url: Of the same, for people.
        cache: Where this machine keeps copies.
        project: Folder of the project there.
        require_wanted: Raises OSError once nobody wants anything of these any more; asked before
            each file, and while one is transferred.
    """

    def __init__(
        self,
        file_system: Any,
        folder: str,
        url: str,
        cache: Path,
        project: str,
        limit_bytes: int,
        *,
        require_wanted: Callable[[], None] = lambda: None,
    ) -> None:
        self._fs = file_system
        self._folder = folder
        self._url = url
        self._cache = cache
        self._limit_bytes = limit_bytes
        self._require_wanted = require_wanted
        self.directory = place_of(cache, f"{project}/{url.rpartition('/')[2]}", url.encode())
        self._build = self.directory.with_name(self.directory.name + IN_THE_MAKING)
        self.working = self._build / "files"
        """The folder that a build goes on in."""

    def lock(self) -> AbstractContextManager[int]:
        """Keep other processes from changing the copy."""
        return locked(self.directory)

    def manifest(self) -> bytes | None:
        """The manifest of the current generation, or what can be read of it; None without one."""
        with naming(self._locate(INDEX_FILE)):
            try:
                content: bytes = self._fs.cat_file(
                    f"{self._folder}/{INDEX_FILE}", start=0, end=LARGEST_MANIFEST_BYTES + 1
                )
            except FileNotFoundError:
                return None
        return content

    def fetch(self, manifest: bytes, files: Files, *, is_bounded: bool) -> bool:
        """Bring the copy to a generation, under :meth:`lock`.

        Files that are damaged or missing in the store are left out: opening the copy says so.

        ``files`` is what the manifest names, nothing if it is not understood. If ``is_bounded`` the
        copy may take no more than was allowed for all, else whatever it needs. True if all files
        are there.

        Raises:
            CopyTooLarge: If the copy would take more.
            OSError: If the store fails.
        """
        path = self.directory / INDEX_FILE
        # The same one is not written again: those who have opened it would think it another.
        if not holds(path, manifest):
            self.directory.mkdir(exist_ok=True)
            replace_file(path, manifest)
        missing = {
            name for name, record in files.items() if not has_file(self.directory, name, record)
        }
        if missing and is_bounded:
            self._make_room(files)
        # Of all that is missing, even if some cannot be had.
        found = [self._download(name, files[name]) for name in sorted(missing)]
        return all(found)

    def drop_all_but(self, files: Files) -> None:
        """Remove what a generation does not name, under :meth:`lock`."""
        for name in names_in(self.directory) - files.keys():
            (self.directory / name).unlink(missing_ok=True)

    def begin_build(self, manifest: bytes | None) -> None:
        """Make :attr:`working` of the copy, under :meth:`lock`; of a killed build from there.

        The manifest is that of the generation that the copy was brought to; None if there is no
        index.
        """
        begun_from, content = self._build / "begun_from", manifest or b""
        if not holds(begun_from, content):
            remove_folder(self._build)
            self.working.mkdir(parents=True)
            if manifest is not None:
                link(self.directory, self.working, names_in(self.directory))
            replace_file(begun_from, content)
        os.utime(self._build)  # gone on from: not abandoned

    def fetch_claims(self) -> None:
        """Bring to :attr:`working` what is noted of shards that others have made for a build."""
        for name in self._claims()[:_MOST_CLAIMS]:
            if not (self.working / name).exists():
                self._bring(self.working, name, None)

    def fetch_shards(self, files: Files) -> None:
        """Bring such shards to :attr:`working`; what is missing or damaged is left out."""
        for name, record in files.items():
            if not has_file(self.working, name, record):
                self._bring(self.working, name, record)

    def upload(self, files: Files) -> None:
        """Upload what is new of a finished build. Readers see the old generation."""
        there = self._sizes()
        if not there:
            make_folder(self._fs, self._folder)
        for name, record in files.items():
            if there.get(name) != record.size:
                self._upload(name)

    def stage_manifest(self, job: str) -> None:
        """Upload the manifest of a finished build beside the current one, under its job's name."""
        self._upload(INDEX_FILE, _staged_name(job))

    def replace_manifest(self, job: str) -> None:
        """Make what a job has built and staged the current generation.

        Raises:
            FileNotFoundError: If a later build has begun: it has removed what was staged.
        """
        staged = f"{self._folder}/{_staged_name(job)}"
        with naming(self._locate(INDEX_FILE)):
            self._fs.cp_file(staged, f"{self._folder}/{INDEX_FILE}")
            with suppress(FileNotFoundError):
                self._fs.rm_file(staged)

    def staged_manifests(self) -> list[str]:
        """The names of what builds have staged, and not removed since."""
        return [name for name in self._stored() if _STAGED.fullmatch(name)]

    def revoke_staged_manifests(self) -> None:
        """Remove what builds have staged: those that go on with it publish nothing any more."""
        for name in self.staged_manifests():
            with suppress(FileNotFoundError):
                self._fs.rm_file(f"{self._folder}/{name}")

    def conclude_build(self, files: Files) -> None:
        """Remove what no generation names any more, and make what was built the copy."""
        for name in sorted({*self._sizes(), *self._claims()} - files.keys()):
            self._require_wanted()
            with naming(self._locate(name)):
                self._fs.rm_file(f"{self._folder}/{name}")
        with self.lock():
            self.directory.mkdir(exist_ok=True)
            link(self.working, self.directory, files)
            self.drop_all_but(files)
            # One that takes too much is not kept; readers are told why.
            with suppress(CopyTooLarge):
                self._make_room(files)
        remove_folder(self._build)

    def remove(self) -> None:
        """Remove the index in the store, its manifest first, and what this machine has of it."""
        for name in sorted(self._stored(), key=lambda name: name != INDEX_FILE):
            self._fs.rm_file(f"{self._folder}/{name}")
        with self.lock():
            remove_folder(self.directory)
            remove_folder(self._build)

    def _download(self, name: str, record: Checksum) -> bool:
        """Copy a file of the current generation; whether it is whole."""
        return self._bring(self.directory, name, record)

    def _bring(self, folder: Path, name: str, record: Checksum | None) -> bool:
        """Copy a file to a folder, where it has its name only once it is whole; whether it is."""
        target = folder / name
        partial = target.with_name(f".{name}.{uuid4().hex}.partial")
        try:
            with naming(self._locate(name)):
                self._transfer(self._fs.get_file, f"{self._folder}/{name}", str(partial))
            with partial.open("rb+") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                if record is not None and sha256 != record.sha256:
                    return False
                os.fsync(file.fileno())
            partial.replace(target)
        except FileNotFoundError:
            return False
        finally:
            partial.unlink(missing_ok=True)
        return True

    def _upload(self, name: str, target: str | None = None) -> None:
        # Whoever builds may have put a link there, which would lead to a file of the machine.
        with (
            Folder.open(self.working) as folder,
            folder.open_file(name) as file,
            naming(self._locate(name)),
        ):
            source = f"/dev/fd/{file.fileno()}"
            self._transfer(self._fs.put_file, source, f"{self._folder}/{target or name}")

    def _transfer(self, bring: Callable[..., None], source: str, target: str) -> None:
        self._require_wanted()
        bring(source, target, callback=_WhileWanted(self._require_wanted))

    def _make_room(self, files: Files) -> None:
        # Not what a manifest says of them, which a child has read.
        there = self._sizes()
        needed = sum(there.get(name, 0) for name in files)
        make_room(self._cache, self.directory, needed, self._limit_bytes)

    def _locate(self, name: str) -> str:
        return f"{self._url}/{name}"

    def _sizes(self) -> dict[str, int]:
        """Bytes of each data file there is, named or not."""
        return {name: size for name, size in self._stored().items() if name.endswith(_DATA_SUFFIX)}

    def _claims(self) -> list[str]:
        """What is noted of shards that no manifest names yet."""
        return sorted(
            name
            for name, size in self._stored().items()
            if _CLAIM.fullmatch(name) and size <= _LARGEST_CLAIM_BYTES
        )

    def _stored(self) -> dict[str, int]:
        """Bytes of each file there is, by its name."""
        try:
            entries: list[dict[str, Any]] = self._fs.ls(self._folder, detail=True)
        except FileNotFoundError:
            return {}
        files = (entry for entry in entries if entry["type"] == "file")
        return {entry["name"].rpartition("/")[2]: int(entry["size"] or 0) for entry in files}


class _WhileWanted(Callback):  # type: ignore[misc]  # untyped
    """Told of each piece of a transfer; what it raises ends that."""

    def __init__(self, require_wanted: Callable[[], None]) -> None:
        super().__init__()
        self._require_wanted = require_wanted

    def call(self, hook_name: str | None = None, **kwargs: Any) -> None:
        self._require_wanted()
        super().call(hook_name, **kwargs)


def _staged_name(job: str) -> str:
    return f"{INDEX_FILE}.{job}.staged"
