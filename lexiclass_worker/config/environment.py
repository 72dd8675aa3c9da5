"""The environment of this process and of its children. The one module that reads ``os.environ``."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from lexiclass_worker.redaction import (
    header_secrets,
    is_sensitive,
    secrets_in_json,
    url_secrets,
)

_SHORTEST_OF_OTHERS = 8
_HEADERS = re.compile(r"OTEL_EXPORTER_OTLP_(?:\w+_)?HEADERS")

# What libraries of the children read; whatever else is there may hold a password.
_FOR_LIBRARIES = re.compile(
    r"LANG|LANGUAGE|LC_\w+|TZ|TZDIR|TMPDIR|TEMP|TMP|LD_LIBRARY_PATH|LD_PRELOAD"
    r"|(?:OMP|KMP|GOMP|OPENBLAS|GOTO|MKL|BLIS|NUMEXPR|RAYON|POLARS|ARROW|MALLOC)_\w+|GLIBC_TUNABLES"
    r"|TOKENIZERS_PARALLELISM|(?:CUDA|NVIDIA|HIP|ROCR|PYTORCH|TORCH)_\w+"
)

# Some libraries ask for the account, which need not be known; see getpass.getuser.
_NOBODY = "lexiclass"


def variables_of_process() -> Mapping[str, str]:
    """The environment, as it is now."""
    return os.environ


def environment_secrets() -> frozenset[str]:
    """The secrets of other libraries in the environment, by the names of the variables.

    Those that hold JSON, as FSSPEC_S3 does, are looked into, and OpenTelemetry's headers.
    """
    found: set[str] = set()
    for name, value in os.environ.items():
        if is_sensitive(name):
            # Not the folder PWD, the file of a key, or HF_HUB_DISABLE_IMPLICIT_TOKEN=true.
            is_other = len(value) < _SHORTEST_OF_OTHERS or os.path.exists(value)  # noqa: PTH110 - any length
            found |= set() if is_other else {value}
        elif _HEADERS.fullmatch(name):
            found |= header_secrets(value)
        elif value.startswith("{"):
            found |= secrets_in_json(value)
        elif "://" in value:
            found |= url_secrets(value)
    return frozenset(found)


def open_telemetry_variables() -> dict[str, str]:
    """The standard variables of OpenTelemetry, which are no settings of ours."""
    return {name: value for name, value in os.environ.items() if name.startswith("OTEL_")}


def export_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child process: ours, with some variables set."""
    return {**os.environ, **variables}


def environment_of_children() -> dict[str, str]:
    """The environment of processes that read foreign bytes: what libraries need, and no secrets."""
    kept = {name: value for name, value in os.environ.items() if _FOR_LIBRARIES.fullmatch(name)}
    return {**kept, "HF_HUB_CACHE": pretrained_cache(), "USER": _NOBODY, "LOGNAME": _NOBODY}


def pretrained_cache() -> str:
    """Folder of the models that were downloaded from the Hugging Face hub, there or not.

    See https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables.
    """
    caches = os.environ.get("XDG_CACHE_HOME") or Path("~", ".cache")
    home = os.environ.get("HF_HOME") or Path(caches, "huggingface")
    folder = Path(os.environ.get("HF_HUB_CACHE") or Path(home, "hub"))
    try:
        return str(folder.expanduser())
    except RuntimeError:
        return str(folder)  # of an account that nobody knows, and without a home


def set_process_variable(name: str, value: str) -> None:
    """Set a variable that a library of this process reads (Prometheus' shared folder)."""
    os.environ[name] = value
