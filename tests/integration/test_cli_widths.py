"""What commands print at the widths of terminals: whole keys, whole figures, no line too long."""

import json
import re
from collections.abc import Callable

import pytest
from rich.cells import cell_len

from lexiclass.cli import output
from tests.integration.test_cli_dead_letters import buried
from tests.integration.test_cli_models import field_id
from tests.support.commands import Run
from tests.support.database import Database

__all__ = ["buried", "field_id"]

WIDTHS = (60, 80, 120)

Show = Callable[..., list[str]]


@pytest.fixture
def show(cli: Run, monkeypatch: pytest.MonkeyPatch) -> Show:
    """What a command prints for people at each width, no line of it wider."""

    def show(*arguments: object, widths: tuple[int, ...] = WIDTHS) -> list[str]:
        shown = []
        for width in widths:
            monkeypatch.setattr(output.console, "width", width)
            outcome = cli(*arguments)
            assert outcome.status == 0, outcome.err
            assert max(map(cell_len, outcome.out.splitlines())) <= width
            assert "…" not in outcome.out
            shown.append(outcome.out)
        return shown

    return show


def have(shown: list[str], *expected: object) -> bool:
    """Whether each has every expected word, whole."""
    words = [set(re.split(r"[\s,:]+", text)) for text in shown]
    return all(set(map(str, expected)) <= found for found in words)


def test_dead_letters_are_named_by_keys_that_can_be_copied(
    show: Show, buried: dict[str, str]
) -> None:
    listed = show("dead-letters", "list")
    assert have(listed, *buried.values(), "MODEL_CORRUPT", "CRASHED", "evaluate_field_model")
    assert have(show("dead-letters", "show", buried["corrupt"]), buried["corrupt"], "corrupt")
    replayed = show("dead-letters", "replay", "--all", "--dry-run")
    assert have(replayed, buried["corrupt"], "submitted")


@pytest.mark.slow
def test_tasks_are_listed_with_all_that_was_asked(show: Show, cli: Run, database: Database) -> None:
    task = cli("train", 7, 3, "--json").json
    database.execute(
        "UPDATE task SET status = 'failed', attempts = 12, "
        "error = jsonb_build_object('code', 'NO_TRAINING_LABELS', 'message', 'm', "
        "'details', jsonb_build_object(), 'retryable', false)"
    )
    listed = show("tasks", "list")
    assert have(listed, task["id"], "train_field_model", "failed", "NO_TRAINING_LABELS", 12)
    assert have(show("tasks", "show", task["id"]), task["message_id"], "NO_TRAINING_LABELS")


@pytest.mark.slow
def test_versions_are_listed_and_compared_with_their_figures(
    show: Show, database: Database, field_id: int
) -> None:
    database.execute(
        "UPDATE model SET accuracy = 0.8333333333333333, metrics = jsonb_build_object("
        "'classifier', 'svm', 'tokenizer', 'sentencepiece', 'feature_extractor', 'fasttext', "
        "'num_documents', 123456, 'num_features', 654321, 'evaluation', "
        "jsonb_build_object('macro_f1', 0.7916666666666666, 'accuracy', 0.8333333333333333))"
    )
    listed = show("models", "list", field_id)
    assert have(listed, "0.8333", "0.7917", "123456", "654321", "ready", "failed")
    assert not re.search(r"\d\.\d{5,}", "".join(listed))
    for compared in show("models", "compare", field_id, 1, 2, 3, 4, 5):
        assert compared.count("0.8333") == 5


def test_gates_and_what_they_said_fit(show: Show, database: Database, field_id: int) -> None:
    verdicts = [
        {"gate": "max_accuracy_loss", "outcome": "failed", "figures": {"low": -0.123456789}},
        {"gate": "calibrated", "outcome": "cannot_tell"},
    ]
    database.execute(
        "INSERT INTO model_event (field_id, version, action, done_by, details) "
        "VALUES (:f, 2, 'refused', 'anna', CAST(:d AS jsonb))",
        f=field_id,
        d=json.dumps({"gates": {"against": 1, "verdicts": verdicts}, "is_overridden": False}),
    )
    shown = show("models", "history", field_id)
    assert have(shown, "refused", "max_accuracy_loss", "failed", "calibrated", "cannot")
    assert not have(shown, "low")
    assert have(show("models", "gates", field_id, "--max-class-f1-loss", 0.125), 0.125)


def test_what_there_is_and_what_is_set_fits(show: Show) -> None:
    for arguments in ("queues list", "check", "plugins list", "plugins describe"):
        assert show(*arguments.split(), widths=(80,))
    shown = show("config", "show", widths=(60, 80))
    assert have(shown, "DRAMATIQ__HEARTBEAT_TIMEOUT_MS", "METRICS__PORT")


def test_projects_are_listed_with_their_fields(show: Show, database: Database) -> None:
    database.execute(
        "WITH p AS (INSERT INTO project (name) VALUES (:name) RETURNING id) "
        "INSERT INTO field (project_id, name) SELECT id, 'field ' || n FROM p, "
        "generate_series(1, 12) AS n",
        name="a project whose name is as long as people make them when they have many",
    )
    assert have(show("project", "list"), "people", 12, "pending")
