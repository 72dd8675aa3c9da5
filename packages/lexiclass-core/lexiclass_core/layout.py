"""Storage layout: the one module that knows every path.

All paths are relative to STORAGE__BASE_PATH and use forward slashes, so that they mean the same on
a disk and in an object store::

    {project_id}/documents/{document_id}.txt
    {project_id}/indexes/{tokenizer}-{locale}/index.json, data files
    {project_id}/indexes/{feature_extractor}-{digest}/index.json, data files
    {project_id}/models/{field_id}/v{version}/manifest.json, data files
    {project_id}/predictions/{field_id}/v{version}/{message_id}.jsonl
    {project_id}/reports/{field_id}/v{version}/{test set digest}/report.json, report.html, ...
    {project_id}/incoming/{key}/{document_id}.txt      texts that replace others, for moments
    {project_id}/erasures/{key}.json, {key}.unreadable notes of erasures that are under way
    .additions/{project_id}-{key}/                     notes of additions that are under way
    .database.json                                     whose storage it is
    .scratch/                                          work in progress
"""

import re
from pathlib import PurePosixPath
from typing import Final

REPORT_JSON: Final = "report.json"
REPORT_PAGE: Final = "report.html"
REPORT_PREDICTIONS: Final = "predictions.jsonl"

_OF_A_PROJECT: Final = frozenset(
    {"documents", "erasures", "incoming", "indexes", "models", "predictions", "reports"}
)
LONGEST_NAME: Final = 200
"""Characters of what names a file, before its ending."""

_SAFE_NAME: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_NAME - 1}}}")


class UnsafeNameError(ValueError):
    """A name that cannot be one component of a path on every storage."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} cannot name a file: expected 1 to 200 letters, digits, '.', '_' or '-', "
            "beginning with a letter or digit"
        )
        self.name = name


class PathOutsideProjectError(ValueError):
    """A path that leaves the storage of its project."""

    def __init__(self, path: str, project_id: int) -> None:
        super().__init__(
            f"the path {path!r} leaves the storage of project {project_id}: "
            f"expected a path inside '{project_id}/', without '..'"
        )
        self.path = path
        self.project_id = project_id


def owner_file() -> PurePosixPath:
    """File that names the database to which all others belong."""
    return PurePosixPath(".database.json")


def scratch_directory() -> PurePosixPath:
    """Folder of work in progress: on a disk, and in an object store what is not published yet."""
    return PurePosixPath(".scratch")


def project_root(project_id: int) -> PurePosixPath:
    """Folder of everything a project owns."""
    return PurePosixPath(str(project_id))


def documents_directory(project_id: int) -> PurePosixPath:
    """Folder of a project's documents."""
    return project_root(project_id) / "documents"


def document_file_name(document_id: int) -> str:
    """File name of a document in its folder."""
    return f"{document_id}.txt"


def document_path(project_id: int, document_id: int) -> PurePosixPath:
    """File of one document (UTF-8 text)."""
    return documents_directory(project_id) / document_file_name(document_id)


def erasure_notes(project_id: int) -> PurePosixPath:
    """Folder of the notes of a project's erasures that are under way."""
    return project_root(project_id) / "erasures"


def additions_directory() -> PurePosixPath:
    """Folder of the notes of all additions that are under way."""
    return PurePosixPath(".additions")


def addition_notes(project_id: int, key: str) -> PurePosixPath:
    """Folder of the notes of one addition of documents.

    Raises:
        UnsafeNameError: If the key cannot be part of a file name.
    """
    return additions_directory() / _safe_name(f"{project_id}-{key}")


def incoming_directory(project_id: int, key: str = "") -> PurePosixPath:
    """Folder of the texts with which one addition, or any, replaces others.

    Raises:
        UnsafeNameError: If the key cannot be a file name.
    """
    folder = project_root(project_id) / "incoming"
    return folder / _safe_name(key) if key else folder


def indexes_directory(project_id: int) -> PurePosixPath:
    """Folder of a project's indexes."""
    return project_root(project_id) / "indexes"


def index_directory(
    project_id: int, tokenizer: str, locale: str, params_key: str = ""
) -> PurePosixPath:
    """Folder of a project's index under one tokenizer configuration.

    Both spellings of a locale, ``en-US`` and ``en_US``, have one.

    ``params_key`` tells parameters apart; it is empty for the tokenizer's own.

    Raises:
        UnsafeNameError: If one of them cannot be part of a file name.
    """
    parts = [tokenizer, locale.replace("_", "-"), *([params_key] if params_key else [])]
    return indexes_directory(project_id) / _safe_name("-".join(parts))


def embeddings_directory(project_id: int, key: str) -> PurePosixPath:
    """Folder of a project's index of embeddings under one configuration.

    The key is a feature extractor and the digest of its configuration, such as ``sbert-`` and 16
    hexadecimal digits; no locale looks like these.

    Raises:
        UnsafeNameError: If the key cannot be a file name.
    """
    return indexes_directory(project_id) / _safe_name(key)


def model_directory(project_id: int, field_id: int, version: int) -> PurePosixPath:
    """Folder of one model version."""
    return project_root(project_id) / "models" / str(field_id) / f"v{version}"


def predictions_directory(project_id: int, field_id: int, version: int) -> PurePosixPath:
    """Folder of the predictions one model version made."""
    return project_root(project_id) / "predictions" / str(field_id) / f"v{version}"


def predictions_path(
    project_id: int, field_id: int, version: int, message_id: str
) -> PurePosixPath:
    """File of the predictions one message made, one JSON object a line.

    Raises:
        UnsafeNameError: If the message id cannot be a file name.
    """
    return predictions_directory(project_id, field_id, version) / f"{_safe_name(message_id)}.jsonl"


def is_own(path: PurePosixPath) -> bool:
    """Whether a path is one of these, and not of somebody else who shares the root."""
    first, second = (*path.parts, "", "")[:2]
    if first.isascii() and first.isdecimal():
        return second in _OF_A_PROJECT
    return PurePosixPath(first) in {owner_file(), scratch_directory(), additions_directory()}


def reports_directory(
    project_id: int, field_id: int | None = None, version: int | None = None
) -> PurePosixPath:
    """Folder of the reports of one model version's evaluations, or of a whole project's."""
    folder = project_root(project_id) / "reports"
    return folder if field_id is None else folder / str(field_id) / f"v{version}"


def report_directory(project_id: int, field_id: int, version: int, test_set: str) -> PurePosixPath:
    """Folder of the report of an evaluation, by the digest of what it was evaluated on.

    Raises:
        UnsafeNameError: If the digest cannot be a file name.
    """
    return reports_directory(project_id, field_id, version) / _safe_name(test_set)


def inside_project(project_id: int, path: str, *, base_path: str = "") -> PurePosixPath:
    """The path relative to the storage root, once it is known to stay inside the project.

    Three spellings are understood: absolute below ``base_path``; relative to the storage root
    (``7/documents``); relative to the project (``documents``).

    ``base_path`` is STORAGE__BASE_PATH as an absolute path or URL, without a trailing slash.

    Returns:
        A path that starts with the project's folder.

    Raises:
        PathOutsideProjectError: For a path that leaves the project's folder, by ``..``, by being
            absolute elsewhere, or by naming another project's folder.
    """
    relative = path.removeprefix(f"{base_path}/") if base_path else path
    parts = PurePosixPath(relative).parts
    if (
        relative.startswith("/")
        or ".." in parts
        or "\\" in relative
        or "\0" in relative
        or "://" in relative
    ):
        raise PathOutsideProjectError(path, project_id)
    if relative != path:  # was absolute: the project's own folder must come first
        if not parts or parts[0] != str(project_id):
            raise PathOutsideProjectError(path, project_id)
        return PurePosixPath(*parts)
    if parts and parts[0] == str(project_id):
        return PurePosixPath(*parts)
    if parts and parts[0].isdigit():
        raise PathOutsideProjectError(path, project_id)
    return project_root(project_id).joinpath(*parts)


def _safe_name(name: str) -> str:
    """The name, if it can be one path component on every storage."""
    if not _SAFE_NAME.fullmatch(name):
        raise UnsafeNameError(name)
    return name
