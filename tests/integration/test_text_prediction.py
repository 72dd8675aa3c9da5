"""Texts that are predicted here and now, and predictions that replace others."""

import asyncio
import io
import shutil
import sys
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.support.commands import Run
from tests.support.services import Workshop


@pytest.mark.slow
async def test_a_text_a_file_or_a_pipe_is_predicted_and_nothing_stored(
    workshop: Workshop, cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = await workshop.project(training=12, test=2)
    await workshop.train(project)
    await workshop.train(project, feature_extractor="tfidf")
    text = "a dog and a cat with a whisker, paw and tail"
    (tmp_path / "latin.txt").write_bytes(f"{text} à la carte".encode("cp1252"))
    message = EmailMessage()
    message["Subject"] = "car"
    message.set_content(text)
    (tmp_path / "mail.eml").write_bytes(bytes(message))
    predict = ("predict", "small", "topic")

    def commands() -> None:
        found = cli(*predict, "--text", text, "--json").json
        assert (found["model_version"], found["predicted_class"]) == (2, "animals")
        assert found["confidence"] == found["probabilities"][0]["probability"]
        probabilities = [entry["probability"] for entry in found["probabilities"]]
        assert probabilities == sorted(probabilities, reverse=True)
        assert sum(probabilities) == pytest.approx(1)
        assert {entry["class_name"] for entry in found["probabilities"]} == {*project.class_ids}
        assert 0 < found["familiarity"] <= 1
        assert found["unfamiliar"] is False
        first = cli(*predict, "--text", text, "--version", 1, "--top", 1, "--json").json
        assert (first["model_version"], len(first["probabilities"])) == (1, 1)
        table = cli(*predict, "--text", text)
        assert "animals" in table.out
        assert "by version 2; nothing is stored" in table.out
        for name in ("latin.txt", "mail.eml"):
            read = cli(*predict, "--file", name, "--json")
            assert read.json["predicted_class"] == "animals"
        pipe = io.TextIOWrapper(io.BytesIO(text.encode()))
        monkeypatch.setattr(sys, "stdin", pipe)
        assert cli(*predict, "--file", "-", "--json").json == found

        shutil.rmtree(workshop.model(project, 2))
        shutil.copytree(workshop.model(project, 1), workshop.model(project, 2))
        assert "another model's" in cli(*predict, "--text", text).err

    # The command runs an event loop of its own.
    await asyncio.to_thread(commands)
    for table in ("prediction", "task"):
        assert await workshop.rows(f"SELECT id FROM {table}") == []
    assert len(await workshop.rows("SELECT id FROM document")) == len(project.document_ids)


async def test_a_text_that_cannot_be_predicted_says_why(
    workshop: Workshop, cli: Run, tmp_path: Path
) -> None:
    project = await workshop.project(training=4, test=1)
    (tmp_path / "binary").write_bytes(b"\x00\x01\x02")
    predict = ("predict", "small", "topic")

    def without_a_model() -> None:
        outcome = cli(*predict, "--text", "x")
        assert outcome.status == 1
        assert "has no ready model: train one first" in outcome.err

    def with_one() -> None:
        for arguments, status, says in (
            (("--text", "x", "--version", 7), 1, "no model version 7"),
            (("--file", "binary"), 1, "binary"),
            (("--file", "nowhere"), 2, "nowhere"),
            (("--text", "x", "--file", "binary"), 2, "--text or --file"),
            (("--text", "x", "--wait"), 2, "--text or --file"),
            (("--text", "x", "--document", 1), 2, "--text or --file"),
        ):
            outcome = cli(*predict, *arguments)
            assert (outcome.status, outcome.out) == (status, "")
            assert says in outcome.err
        for file in workshop.model(project).glob("**/*.safetensors"):
            file.write_bytes(b"changed")
        damaged = cli(*predict, "--text", "x")
        assert damaged.status == 1
        assert "Traceback" not in damaged.err

    # The command runs an event loop of its own.
    await asyncio.to_thread(without_a_model)
    await workshop.train(project)
    await asyncio.to_thread(with_one)


@pytest.mark.slow
async def test_a_prediction_says_what_it_replaced_by_version(workshop: Workshop) -> None:
    project = await workshop.project(training=4, test=2)
    await workshop.train(project)
    assert (await workshop.predict(project)).replaced == {}
    assert (await workshop.predict(project)).replaced == {}
    await workshop.train(project)
    some = project.document_ids[:5]
    assert (await workshop.predict(project, document_ids=some)).replaced == {1: 5}
    gone = project.document_ids[7]
    workshop.document(project, gone).unlink()
    await workshop.train(project)

    result = await workshop.predict(project)

    assert (result.model_version, result.replaced) == (3, {1: 12, 2: 5})
    # What began later than this stays.
    await workshop.execute("UPDATE prediction SET predicted_at = now() + interval '1 hour'")
    assert (await workshop.predict(project, model_version=1)).replaced == {}
