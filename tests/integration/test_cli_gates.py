"""``models gates`` and ``models promote --gate``: what they print, and how they end."""

import pytest

from tests.integration.test_cli_models import field_id
from tests.support.commands import Run
from tests.support.database import Database

__all__ = ["field_id"]


def test_gates_are_shown_and_changed_one_by_one(
    cli: Run, database: Database, field_id: int
) -> None:
    assert "no gates" in cli("models", "gates", field_id).out

    shown = cli("models", "gates", field_id, "--max-accuracy-loss", 0.01, "--by", "anna")
    assert "max_accuracy_loss" in shown.out
    assert "evaluate one again" in " ".join(shown.out.split())
    assert "evaluate one again" not in " ".join(cli("models", "gates", field_id).out.split())
    assert "serves because it is the newest, whatever gates say" in " ".join(shown.out.split())
    cli("models", "gates", field_id, "--calibrated", "--promote-after-evaluation")

    assert database.value("SELECT config FROM field WHERE id = :f", f=field_id) == {
        "gates": {"max_accuracy_loss": 0.01, "calibrated": True},
        "promote_after_evaluation": True,
    }
    found = cli("models", "gates", field_id, "--json").json
    assert (found["gates"]["max_accuracy_loss"], found["gates"]["max_changed_share"]) == (
        0.01,
        None,
    )
    events = cli("models", "history", field_id, "--json").json
    assert [(event["action"], event["by"]) for event in events][-1] == ("gates_changed", "anna")

    cli("models", "gates", field_id, "--clear", "--max-class-f1-loss", 0)
    assert database.value("SELECT config FROM field WHERE id = :f", f=field_id) == {
        "gates": {"max_class_f1_loss": 0}
    }


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("gates", "--max-accuracy-loss", 2), "max-accuracy-loss"),
        (("gates", "--promote-after-evaluation"), "needs a gate"),
        (("promote", 1, "--override", "x"), "--override is for --gate"),
        (("promote", 1, "--gate", "--override", " "), "say why"),
    ],
)
def test_wrong_usage_ends_with_2(
    cli: Run, field_id: int, arguments: tuple[object, ...], says: str
) -> None:
    command, *rest = arguments
    outcome = cli("models", command, field_id, *rest)

    assert (outcome.status, outcome.out) == (2, "")
    assert says in " ".join(outcome.err.split())


def test_what_is_in_the_row_and_not_understood_is_said(
    cli: Run, database: Database, field_id: int
) -> None:
    database.execute('UPDATE field SET config = \'{"gates": {"accuracy": 1}}\'')

    for arguments in (("gates", field_id), ("gates", field_id, "--calibrated")):
        outcome = cli("models", *arguments)
        assert outcome.status == 1
        assert "gates.accuracy" in outcome.err
        assert "--clear" in outcome.err
    assert cli("models", "gates", field_id, "--clear", "--calibrated").status == 0
    assert cli("models", "gates", 4711).status == 1
