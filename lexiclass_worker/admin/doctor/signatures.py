"""Whether the serving models would be used: with keys, only those that one of them signed."""

import asyncio
from typing import Final

from lexiclass_core.models import Model
from lexiclass_worker.admin.doctor.serving import find_serving
from lexiclass_worker.config import Settings
from lexiclass_worker.services.signatures import is_signed
from lexiclass_worker.telemetry.checks.outcome import Look, NotLooked, NotUsable, checked, listing

_REMEDY: Final = (
    "add the key that signed them to STORAGE__SIGNING_KEYS, or, if you trust what is there: "
    "lexiclass-worker models sign"
)


@checked("signatures", remedy=_REMEDY)
def check_signatures(settings: Settings) -> Look:
    """Whether one of STORAGE__SIGNING_KEYS has signed every serving model."""
    keys = settings.storage.keys
    if keys is None:
        raise NotLooked("STORAGE__SIGNING_KEYS is not set: models are used unsigned")
    serving = asyncio.run(find_serving(settings))
    if not serving:
        raise NotLooked("no model serves yet")
    refused: list[int] = []
    for row in serving:
        version = Model(field_id=row.field_id, version=row.version, manifest=row.manifest)
        if not is_signed(keys, row.project_id, version):
            refused.append(row.field_id)
    if refused:
        raise NotUsable(
            f"{len(refused)} of {len(serving)} serving models are signed by none of the keys, and "
            f"predict nothing (fields {listing(refused)})",
            _REMEDY,
        )
    return Look(f"those of all serving models ({len(serving)})")
