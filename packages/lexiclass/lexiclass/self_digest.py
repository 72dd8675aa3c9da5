"""JSON objects with a digest of themselves, which notice every change."""

from __future__ import annotations

import hashlib
from typing import Any

from lexiclass.errors import InvalidParameters, ModelCorrupt
from lexiclass.serialization import canonical_json, parse_json

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
