"""Variables: whether some are settings that are misspelt."""

from lexiclass_worker.config import Settings, unknown_variables
from lexiclass_worker.telemetry.checks.outcome import Finding, Look, checked


@checked("settings", remedy="see CONFIGURATION.md")
def check_settings(_settings: Settings) -> Look:
    """Which variables may be settings of ours with another name, and are not used: a warning.

    Those that are ours for certain are refused when settings are loaded.
    """
    doubtful = ", ".join(str(each) for each in unknown_variables() if each.is_doubtful)
    if not doubtful:
        return Look("no variable looks like one that is misspelt")
    found = f"no setting, so nothing looks at it: {doubtful}"
    return Look("", [Finding(found, "correct or unset it (CONFIGURATION.md)")])
