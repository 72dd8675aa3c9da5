"""Digests of documents' contents, by which an index knows them again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lexiclass.errors import InvalidParameters
from lexiclass.io import Document

#: Bytes of a document's digest.
DIGEST_BYTES = 16


def digest_bytes(document: Document) -> bytes:
    """Return the digest of a document's content.

    Raises:
        InvalidParameters: If it is not 16 bytes in hexadecimal.
    """
    try:
        digest = bytes.fromhex(document.digest)
    except ValueError:
        digest = b""
    if len(digest) != DIGEST_BYTES:
        raise InvalidParameters(
            f"Document {document.id} has the digest {document.digest!r}; expected {DIGEST_BYTES} "
            "bytes in hexadecimal, as DocumentLoader gives."
        )
    return digest


def digest_rows(digests: bytes) -> NDArray[np.uint8]:
    """Return digests one after the other as (n, 16) rows."""
    return np.frombuffer(digests, np.uint8).reshape(-1, DIGEST_BYTES)


def hexadecimal(digests: NDArray[np.uint8]) -> list[str]:
    """Return (n, 16) digests as documents have them."""
    text, width = digests.tobytes().hex(), 2 * DIGEST_BYTES
    return [text[at : at + width] for at in range(0, len(text), width)]
