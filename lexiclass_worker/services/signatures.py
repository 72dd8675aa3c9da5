"""Signatures of models and indexes: who can write to the storage and the tables has none of them.

What is signed is what a row says of files: whose they are, and the SHA-256 of their manifest, which
has the checksum of each of them. Only a worker's own process has the keys, never its children.
"""

import json
from typing import Protocol
from uuid import UUID

from lexiclass_core.keys import Keys
from lexiclass_worker.errors import ModelCorrupt
from lexiclass_worker.repositories.indexes import KeptIndexes


def model_content(project_id: int, field_id: int, version: int, digest: str) -> bytes:
    """What is signed of a model version: a JSON array without blanks."""
    return _content("model", project_id, field_id, version, digest)


def index_content(project_id: int, name: str, digest: str) -> bytes:
    """What is signed of an index: a JSON array without blanks."""
    return _content("index", project_id, name, digest)


def claim_keys(keys: Keys | None, project_id: int, build_key: UUID) -> Keys:
    """What a build of a project's index signs the shards with that no manifest names yet.

    A child that builds has them: they sign nothing else. Without ``keys``, who can read the tables
    can sign as well.
    """
    purpose = _content("shards", project_id, str(build_key))
    return Keys(purpose) if keys is None else keys.derived(purpose)


def _content(*parts: str | int) -> bytes:
    return json.dumps(parts, separators=(",", ":")).encode("ascii")


def signed(keys: Keys | None, content: bytes) -> str | None:
    """The signature to keep; None where nothing is signed."""
    return None if keys is None else keys.sign(content)


class Version(Protocol):
    """What a row says of a model version."""

    @property
    def field_id(self) -> int:
        """The field it is of."""
        ...

    @property
    def version(self) -> int:
        """Its number."""
        ...

    @property
    def manifest_digest(self) -> str | None:
        """SHA-256 of its manifest."""
        ...

    @property
    def signature(self) -> str | None:
        """Of that digest."""
        ...


def is_signed(keys: Keys, project_id: int, version: Version) -> bool:
    """Whether one of the keys has signed a model version as its row says it is."""
    digest = version.manifest_digest
    return digest is not None and keys.verify(
        model_content(project_id, version.field_id, version.version, digest), version.signature
    )


def require_signed(keys: Keys | None, project_id: int, version: Version) -> None:
    """Check that a model version is signed, where all have to be.

    Raises:
        ModelCorrupt: If it is not.
    """
    if keys is None or is_signed(keys, project_id, version):
        return
    found = "is not signed" if version.signature is None else "has no signature by any of its keys"
    raise ModelCorrupt(
        f"model version {version.version} of field {version.field_id} {found}, and with "
        "STORAGE__SIGNING_KEYS set only signed ones are used: `lexiclass-worker models sign` signs "
        "what is there, if you trust it; else train a new version",
        details={"field_id": version.field_id, "model_version": version.version},
    )


def known_digests(
    project_id: int, kept: KeptIndexes, keys: Keys | None
) -> dict[str, tuple[str, ...]]:
    """The manifests that each index may have; where they have to be signed, those that are."""
    return {
        name: tuple(
            digest
            for digest, signature in manifests.items()
            if keys is None or keys.verify(index_content(project_id, name, digest), signature)
        )
        for name, manifests in kept.manifests.items()
    }
