"""JSON objects with a digest of themselves, which notice every change."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar, Self

from pydantic import PrivateAttr, ValidationError

from lexiclass.compatibility import check_format
from lexiclass.errors import InvalidParameters, ModelCorrupt
from lexiclass.serialization import canonical_json, parse_json
from lexiclass.values import Value

#: Longest such document that is read, in bytes: a manifest of 100,000 classes has some MB.
MAX_MANIFEST_BYTES = 64 * 2**20

_KEY = "digest"


def dump_with_digest(content: dict[str, Any]) -> bytes:
    """Encode a JSON object together with the SHA-256 of its own canonical encoding.

    Raises:
        InvalidParameters: If it has no JSON form.
    """
    digest = hashlib.sha256(canonical_json(content)).hexdigest()
    return canonical_json({**content, _KEY: digest})


def load_with_digest(data: bytes, *, file: str) -> dict[str, Any]:
    """Decode what :func:`dump_with_digest` encoded.

    Raises:
        ModelCorrupt: If any byte differs from what that wrote.
    """
    content = parse_json(data, file=file)
    if not isinstance(content, dict):
        raise ModelCorrupt(file, "not a JSON object")
    content.pop(_KEY, None)
    # Encoding again and comparing catches what parsing forgives: blanks, repeated keys, escapes.
    try:
        is_unchanged = dump_with_digest(content) == data
    except InvalidParameters as error:
        raise ModelCorrupt(file, f"not as it was written ({error.message})") from error
    if not is_unchanged:
        raise ModelCorrupt(file, "its digest differs: the content was changed")
    return content


class StoredManifest(Value):
    """What a model or an index is made of, as a file with a digest of itself."""

    #: Name of the file, and the newest version of its layout that is understood here.
    file_name: ClassVar[str]
    supported: ClassVar[int]

    _file_digest: str = PrivateAttr(default="")

    @property
    def file_digest(self) -> str:
        """SHA-256 of the file it was read from or written to, and so of all; empty of a new one.

        Whoever keeps it elsewhere can tell whether a model or an index is still the one that was
        saved, however well its files fit together; see :meth:`lexiclass.Pipeline.load`.
        """
        return self._file_digest

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Decode the content of the file.

        Raises:
            ModelCorrupt: If it is changed or not understood.
            PluginMismatch: If a newer version of this library wrote it.
        """
        content = load_with_digest(data, file=cls.file_name)
        check_format(content, cls.supported, file=cls.file_name)
        try:
            manifest = cls.model_validate(content)
        except ValidationError as error:
            raise ModelCorrupt(cls.file_name, f"not understood ({error})") from error
        manifest._file_digest = hashlib.sha256(data).hexdigest()  # noqa: SLF001 - its own
        return manifest
