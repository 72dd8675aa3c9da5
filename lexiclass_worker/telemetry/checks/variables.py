"""Variables: whether some are settings that are misspelt."""

from lexiclass_worker.config import Settings, unknown_variables
from lexiclass_worker.telemetry.checks.outcome import Check, attempt


def check_settings(settings: Settings) -> Check:
    """Which variables may be settings of ours with another name, and are not used: a warning.

    Those that are ours for certain are refused when settings are loaded.
    """

    def look() -> str:
        doubtful = ", ".join(str(each) for each in unknown_variables() if each.is_doubtful)
        return f"no setting, so nothing looks at it: {doubtful}" if doubtful else ""

    return attempt("settings", settings, look)
