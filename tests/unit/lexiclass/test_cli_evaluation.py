"""Evaluations at the width of a terminal: figures are whole, what matters comes first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rich.console import Console

from lexiclass import Predictions, evaluate
from lexiclass.cli import evaluation, output
from lexiclass.cli.evaluation import print_metrics


def metrics(num_classes: int) -> dict[str, Any]:
    """Each class has ten documents, of which its number, at most 9, are taken for the next one."""
    classes = [f"class-{number:03}" for number in range(num_classes)]
    true, predicted = [], []
    for number in range(num_classes):
        for place in range(10):
            true.append(classes[number])
            is_wrong = place < min(number, 9)
            predicted.append(classes[(number + is_wrong) % num_classes])
    rows = [[float(name == chosen) for name in classes] for chosen in predicted]
    return evaluate(true, Predictions(tuple(classes), np.array(rows)))


def shown(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    found: dict[str, Any],
    *,
    width: int,
    **options: Any,
) -> list[str]:
    console = Console(width=width)
    for module in (output, evaluation):
        monkeypatch.setattr(module, "console", console)
    print_metrics(found, **options)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("num_classes", [3, 12, 200])
def test_no_line_is_wider_than_the_terminal_and_no_figure_is_cut(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    width: int,
    num_classes: int,
) -> None:
    lines = shown(monkeypatch, capsys, metrics(num_classes), width=width)
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    assert any(line.startswith("macro average") for line in lines)
    largest = (
        ["class-009", "class-010", "9"] if num_classes > 9 else ["class-002", "class-000", "2"]
    )
    assert largest in [line.split() for line in lines]


def test_a_matrix_is_printed_where_it_fits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for width, is_there in ((80, True), (30, False)):
        lines = shown(monkeypatch, capsys, metrics(12), width=width)
        assert ("Confusion matrix: columns are predicted" in lines) is is_there
    at = [line.split() for line in shown(monkeypatch, capsys, metrics(3), width=80)]
    assert ["2", "class-001", ".", "9", "1"] in at


def test_of_many_classes_the_worst_are_shown_first_unless_all_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = metrics(60)
    lines = shown(monkeypatch, capsys, found, width=80)
    classes = [line.split()[0] for line in lines if line.startswith("class-")]
    assert lines[0].split() == ["class", "precision", "recall", "F1", "documents"]
    assert classes[0] == "class-010"  # 1 of 10 right, and 9 of another class taken for it
    assert any("20 classes with the lowest F1 of 60" in line for line in lines)
    everything = shown(monkeypatch, capsys, found, width=80, all_classes=True)
    assert {f"class-{n:03}" for n in range(60)} <= {line.split()[0] for line in everything if line}


def test_the_largest_confusions_of_thousands_of_classes_are_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = metrics(150)
    assert found["confusion_matrix"]["matrix"] is None
    lines = shown(monkeypatch, capsys, found, width=80)
    start = lines.index("Largest confusions")
    assert lines[start + 1].split() == ["true", "class", "predicted", "as", "documents"]
    assert [line.split()[-1] for line in lines[start + 2 : start + 12]] == ["9"] * 10
    assert "smaller ones" in lines[start + 12]


def test_a_model_that_is_always_right_has_no_confusions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown(monkeypatch, capsys, metrics(1), width=80)
    assert "Largest confusions" not in lines
