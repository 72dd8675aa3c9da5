"""What every check that finds something has."""

from lexiclass_worker.telemetry.checks import Check, State


def warned(check: Check) -> str:
    """What a warning says, which names what mends it."""
    assert (check.state, bool(check.remedy)) == (State.WARN, True), check
    return check.told


def failed(check: Check) -> str:
    """What a failure says, which names what mends it."""
    assert (check.state, bool(check.remedy)) == (State.FAIL, True), check
    return check.told


def passed(check: Check) -> str:
    """What is there."""
    assert check.state is State.PASS, check
    return check.found
