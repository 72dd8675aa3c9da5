"""Colours of the console that axe does not look at."""

import re
from importlib.resources import files

import pytest

STYLE = (files("lexiclass_console") / "static" / "console.css").read_text()
LIGHT, DARK = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", part)) for part in re.findall(
    r":root \{(.*?)\}", STYLE, re.DOTALL
))  # fmt: skip


def luminance(colour: str) -> float:
    """WCAG's relative luminance."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("behind", ["page", "card"])
def test_the_border_of_an_input_is_seen(colours: dict[str, str], behind: str) -> None:
    rule = re.search(
        r"^input, select, textarea \{.*border: 1px solid var\(--(\w+)\)", STYLE, re.MULTILINE
    )
    assert rule
    lighter, darker = sorted(
        (luminance(colours[rule[1]]), luminance(colours[behind])), reverse=True
    )
    # WCAG 2.1, 1.4.11: what is needed to tell a control from what lies behind it.
    assert (lighter + 0.05) / (darker + 0.05) >= 3
