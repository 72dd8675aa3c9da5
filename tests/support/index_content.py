"""What an index holds, whatever its files are called and whenever it was made."""

import hashlib
from pathlib import Path

from lexiclass.index.tokens.manifest import IndexManifest
from lexiclass.serialization import read_all_arrays


def index_content(directory: Path, *, with_stamps: bool = False) -> list[str]:
    """A digest of each file of an index of tokens, in the order of the manifest.

    Args:
        directory: Of the index.
        with_stamps: Whole files, to the byte. Without, all but the stamps of documents, which a
            file has none of for the first two seconds.
    """
    manifest = IndexManifest.read(directory)
    names = [manifest.documents.name, *(record.name for record in manifest.terms)]
    for shard in manifest.shards:
        names += shard.files
    return [_digest(directory / name, with_stamps=with_stamps) for name in names]


def _digest(path: Path, *, with_stamps: bool) -> str:
    if with_stamps:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    arrays = read_all_arrays(path)
    found = hashlib.sha256()
    for name in sorted(arrays.keys() - {"stamps"}):
        found.update(f"{name} {arrays[name].dtype} {arrays[name].shape} ".encode())
        found.update(arrays[name].tobytes())
    return found.hexdigest()
