"""Which storage a URL or a path is of."""

from lexiclass_worker.artifacts.kept_copies import KeptCopies
from lexiclass_worker.artifacts.local import LocalStorage
from lexiclass_worker.artifacts.object_store import ObjectStorage
from lexiclass_worker.artifacts.storage import Storage
from lexiclass_worker.config import ConfigurationError


def open_storage(
    base_path: str, copies: KeptCopies | None = None, *, makes_root: bool = True
) -> Storage:
    """The storage at STORAGE__BASE_PATH: a directory, or an fsspec URL such as s3://bucket/x.

    ``copies`` keeps what was read from a URL. A directory that is not there is made on first use if
    ``makes_root``.

    Raises:
        ConfigurationError: If nothing that is installed speaks the URL's protocol.
    """
    # A file system has links, and renames: what LocalStorage is for.
    base_path = base_path.removeprefix("file://")
    if "://" in base_path:
        try:
            return ObjectStorage(base_path, copies)
        except (ValueError, ImportError) as error:
            raise ConfigurationError(f"STORAGE__BASE_PATH cannot be used: {error}") from error
    return LocalStorage(base_path, makes_root=makes_root)
