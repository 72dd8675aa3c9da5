"""JSON documents that notice every change to themselves."""

from __future__ import annotations

import hashlib
from typing import Any

from lexiclass.errors import InvalidParameters, ModelCorrupt
from lexiclass.serialization import canonical_json, parse_json

#: Longest such document that is read, in bytes: a manifest of 100,000 classes has some MB.
MAX_SEALED_BYTES = 64 * 2**20

_SEAL = "digest"


def seal(content: dict[str, Any]) -> bytes:
    """Encode a JSON object together with the SHA-256 of its own canonical encoding.

    Raises:
        InvalidParameters: If it has no JSON form.
    """
    digest = hashlib.sha256(canonical_json(content)).hexdigest()
    return canonical_json({**content, _SEAL: digest})


def unseal(data: bytes, *, file: str) -> dict[str, Any]:
    """Decode what :func:`seal` encoded.

    Args:
        data: The encoded object.
        file: What to call it in an error.

    Raises:
        ModelCorrupt: If any byte differs from what was sealed.
    """
    content = parse_json(data, file=file)
    if not isinstance(content, dict):
        raise ModelCorrupt(file, "not a JSON object")
    content.pop(_SEAL, None)
    # Encoding again and comparing catches what parsing forgives: blanks, repeated keys, escapes.
    try:
        is_sealed = seal(content) == data
    except InvalidParameters as error:
        raise ModelCorrupt(file, f"not as it was written ({error.message})") from error
    if not is_sealed:
        raise ModelCorrupt(file, "its digest differs: the content was changed")
    return content
