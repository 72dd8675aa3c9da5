"""What tests measure, which is printed at the end of the run and asserted by none."""

from collections.abc import Callable

import pytest

Took = Callable[[str, float], None]
"""Notes how many seconds something took."""

Measured = Callable[[str], None]
"""Notes a line."""


def print_measured(reporter: pytest.TerminalReporter) -> None:
    """Print what the tests that passed have measured."""
    noted = [each for report in reporter.getreports("passed") for each in report.user_properties]
    seconds = sorted(value for name, value in noted if name == "took")
    if seconds:
        reporter.section("seconds from a fault to its end")
    for what, took_s in seconds:
        reporter.write_line(f"{took_s:8.2f}  {what}")
    for name, line in noted:
        if name == "measured":
            reporter.write_line(str(line))
