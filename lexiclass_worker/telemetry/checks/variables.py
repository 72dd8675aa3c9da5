"""Variables: whether some are settings that are misspelt."""

from lexiclass_worker.config import Settings, unknown_variables
from lexiclass_worker.telemetry.checks.outcome import Check, Finding, Look, attempt


def check_settings(settings: Settings) -> Check:
    """Which variables may be settings of ours with another name, and are not used: a warning.

    Those that are ours for certain are refused when settings are loaded.
    """

    def look() -> Look:
        doubtful = ", ".join(str(each) for each in unknown_variables() if each.is_doubtful)
        if not doubtful:
            return Look("no variable looks like one that is misspelt")
        found = f"no setting, so nothing looks at it: {doubtful}"
        return Look("", [Finding(found, "correct or unset it (CONFIGURATION.md)")])

    return attempt("settings", settings, look, remedy="see CONFIGURATION.md")
