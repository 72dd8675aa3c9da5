from __future__ import annotations

import re
from pathlib import Path

import pytest

import lexiclass

README = Path(lexiclass.__file__).parents[1] / "README.md"


def test_the_export_list_is_sorted_complete_and_without_repeats() -> None:
    exported = lexiclass.__all__
    assert exported == sorted(set(exported))
    public = {
        name
        for name, value in vars(lexiclass).items()
        if not name.startswith("_")
        and not hasattr(value, "__path__")
        and "lexiclass" in str(getattr(value, "__module__", ""))
    }
    assert public <= set(exported)
    assert all(hasattr(lexiclass, name) for name in exported)


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL))
def test_the_readme_examples_run(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(code, str(README), "exec"), {"__name__": "readme"})
    if "fit(" in code:
        assert "business" in capsys.readouterr().out
