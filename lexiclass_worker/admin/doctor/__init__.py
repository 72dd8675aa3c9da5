"""Everything that can be looked at before tasks run: what `lexiclass-worker check` says."""

from collections.abc import Mapping
from typing import Final

from lexiclass_worker.admin.doctor.memory import check_memory
from lexiclass_worker.admin.doctor.plugins import check_plugins, check_sandbox
from lexiclass_worker.admin.doctor.signatures import check_signatures
from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry.checks import CHECKS
from lexiclass_worker.telemetry.checks.outcome import Check, Probe
from lexiclass_worker.telemetry.readiness import Readiness

# Somebody waits for it, and sees why: servers may be far away, and libraries take long to load.
_LIMIT_S: Final = 10.0
_LIBRARIES_S: Final = 60.0


def doctor_probes() -> Mapping[str, Probe]:
    """The checks of /readyz, and those that need more time or the libraries; in their order."""
    patient = {
        name: Probe(look=each.look, limit_s=_LIMIT_S, needs=each.needs, decides=each.decides)
        for name, each in CHECKS.items()
    }
    return {
        **patient,
        "sandbox": Probe(look=check_sandbox, limit_s=_LIBRARIES_S, decides=True),
        "memory": Probe(look=check_memory),
        "plugins": Probe(look=check_plugins, limit_s=_LIBRARIES_S, needs="tables"),
        "signatures": Probe(look=check_signatures, limit_s=_LIMIT_S, needs="tables"),
    }


class Doctor(Readiness):
    """Makes each check once, each within a time of its own."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, probes=doctor_probes(), deadline_s=None)


__all__ = ["Check", "Doctor", "doctor_probes"]
