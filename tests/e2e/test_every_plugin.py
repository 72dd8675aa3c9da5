"""Every plugin through the actors: trained, evaluated and used by a real worker.

Pretrained models are the default one, in the package that carries it.
"""

import re
from typing import Any

import pytest

from lexiclass import read_manifest
from tests.support.house import House

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(300)]

_PATIENCE_S = 240.0
_TRANSFORMER: dict[str, Any] = {
    "classifier": "transformer",
    "classifier_params": {
        "max_length": 32, "epochs": 2, "batch_size": 8, "learning_rate": 1e-3,
    },
}  # fmt: skip


@pytest.mark.parametrize(
    "plugins",
    [
        pytest.param({"tokenizer": "spacy", "feature_extractor": "tfidf"}, id="spacy"),
        pytest.param(
            {"tokenizer": "sentencepiece", "feature_extractor": "tfidf"}, id="sentencepiece"
        ),
        pytest.param({"tokenizer": "huggingface", "feature_extractor": "bow"}, id="huggingface"),
        pytest.param({"feature_extractor": "fasttext"}, id="fasttext"),
        pytest.param({"feature_extractor": "sbert"}, id="sbert"),
        pytest.param({"feature_extractor": "tfidf", "classifier": "xgboost"}, id="xgboost"),
        pytest.param(_TRANSFORMER, id="transformer"),
    ],
)
def test_a_field_is_trained_evaluated_and_predicted(house: House, plugins: dict[str, Any]) -> None:
    project = house.project()
    request = {"project_id": project.project_id, "field_id": project.field_id}

    training = house.send("train_field_model", **request, **plugins)
    trained = house.database.succeeded(training, timeout_s=_PATIENCE_S)
    evaluation = house.send("evaluate_field_model", **request)
    evaluated = house.database.succeeded(evaluation, timeout_s=_PATIENCE_S)
    prediction = house.send_prediction(project, project.test_ids)
    predicted = house.database.succeeded(prediction, timeout_s=_PATIENCE_S)

    assert trained["result"]["metrics"]["num_documents"] == len(project.training_ids)
    # Three classes: guessing reaches a third.
    assert evaluated["result"]["metrics"]["accuracy"] > 0.6
    assert predicted["result"]["predictions_created"] == len(project.test_ids)
    assert house.database.row(
        "SELECT count(*) AS rows FROM prediction WHERE field_id = :id", id=project.field_id
    ) == {"rows": len(project.test_ids)}


@pytest.mark.parametrize("locale", ["de", "fr", "es", "it", "hi"])
def test_spacy_splits_by_the_rules_of_a_language(house: House, locale: str) -> None:
    project = house.project()

    task = house.train(project, tokenizer="spacy", feature_extractor="tfidf", locale=locale)

    manifest = read_manifest(house.model_directory(project, task["result"]["model_version"]))
    assert manifest.spec.locale == locale
    assert "spaCy" in manifest.plugin_versions["tokenizer"]


def test_a_pretrained_model_outside_its_folder_is_refused(house: House) -> None:
    project = house.project()

    task = house.database.failed(
        house.send_training(
            project, tokenizer="huggingface", tokenizer_params={"model": "/etc/passwd"}
        )
    )

    assert task["error"]["code"] == "VALIDATION_ERROR"
    assert "outside the directory" in task["error"]["message"]


def test_a_tokenizer_that_learns_makes_no_index(house: House) -> None:
    project = house.project()

    task = house.database.failed(
        house.send("index_documents", project_id=project.project_id, tokenizer="sentencepiece")
    )

    assert task["error"]["code"] == "VALIDATION_ERROR"
    assert "learns from the training texts" in task["error"]["message"]


@pytest.mark.parametrize(
    "plugins",
    [
        {"tokenizer": "huggingface", "tokenizer_params": {"model": "nobody/nothing"}},
        {"feature_extractor": "sbert", "feature_extractor_params": {"model": "nobody/nothing"}},
        {"classifier": "transformer", "classifier_params": {"model": "nobody/nothing"}},
        {"feature_extractor": "sbert", "feature_extractor_params": {"model": "package:nothing"}},
    ],
    ids=["huggingface", "sbert", "transformer", "package"],
)
def test_a_pretrained_model_that_is_not_here_is_not_waited_for(
    house: House, plugins: dict[str, Any]
) -> None:
    task = house.database.failed(house.send_training(house.project(), **plugins))

    assert task["error"]["code"] == "PLUGIN_UNAVAILABLE"
    assert task["error"]["retryable"] is False
    # Where it may come from, but no command that has the name from the request.
    assert "trust" in task["error"]["message"]
    assert not re.search(r"(install|download) \S*nothing", task["error"]["message"])
    assert task["attempts"] == 1
