"""The Hugging Face hub's local cache behind one typed function."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import model_info, snapshot_download
from huggingface_hub.errors import HFValidationError

from lexiclass.errors import InvalidParameters, PluginUnavailable

# A hub that can't be reached must not keep a worker waiting.
_TIMEOUT_S = 5.0


def find_in_hub(
    name: str, marker: str, patterns: tuple[str, ...], *, allow_downloads: bool
) -> Path:
    """Return a file of a model of the hub; the cache is asked first and, by default, only.

    Raises:
        InvalidParameters: If it is no name of the hub.
        PluginUnavailable: If the model is not there, or has no such file.
    """
    reason = "is not in the local cache"
    for offline in (True, False) if allow_downloads else (True,):
        try:
            if not offline:
                # What follows would wait without end for a hub that takes connections only.
                model_info(name, timeout=_TIMEOUT_S)
            path = Path(
                snapshot_download(
                    name,
                    allow_patterns=list(patterns),
                    local_files_only=offline,
                    etag_timeout=_TIMEOUT_S,
                )
            )
        except HFValidationError as error:
            raise InvalidParameters(
                f"{name!r} is neither a path that exists nor the name of a model: {error}",
                details={"model": name},
            ) from error
        except Exception as error:  # noqa: BLE001 - HTTP, socket, cache and repository errors
            if not offline:
                first_line = str(error).split("\n", 1)[0]
                reason = f"can't be fetched ({type(error).__name__}: {first_line})"
            continue
        if (path / marker).is_file():
            return path / marker
        reason = f"has no {marker!r} in the local cache"
    raise PluginUnavailable(
        f"The model {name!r} {reason}. If it is one that you trust, fetch it on a machine with "
        "access (hf download) and copy its cache here, or give the path of a local copy.",
        details={"model": name, "file": marker},
    )
