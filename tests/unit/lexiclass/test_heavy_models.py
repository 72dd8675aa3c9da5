"""What holds for every plugin holds for each of those there are."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lexiclass import (
    ModelCorrupt,
    Pipeline,
    PipelineSpec,
    PluginMismatch,
    evaluate,
    read_manifest,
)
from tests.support.damage import damaged, rewrite_manifest
from tests.support.easy_corpus import Corpus, MakeCorpus
from tests.support.tiny_encoder import write_encoder, write_tokenizer
from tests.support.variants import examples

pytestmark = pytest.mark.heavy

PLUGINS: dict[str, dict[str, Any]] = {
    "spacy": {"tokenizer": "spacy", "feature_extractor": "tfidf"},
    "sentencepiece": {"tokenizer": "sentencepiece", "feature_extractor": "tfidf"},
    "sentencepiece-fasttext": {"tokenizer": "sentencepiece", "feature_extractor": "fasttext"},
    "huggingface": {"tokenizer": "huggingface", "feature_extractor": "tfidf"},
    "fasttext": {"feature_extractor": "fasttext"},
    "sbert": {"feature_extractor": "sbert"},
    "sbert-stored": {
        "feature_extractor": "sbert",
        "feature_extractor_params": {"store_encoder": True},
    },
    "bow": {"feature_extractor": "bow"},
    "xgboost": {"feature_extractor": "tfidf", "classifier": "xgboost"},
    "transformer": {
        "classifier": "transformer",
        "classifier_params": {"learning_rate": 0.01, "epochs": 8},
    },
}

# Whose output another major version may change.
LIBRARIES = {
    "spacy": {"spaCy"},
    "sentencepiece": {"SentencePiece"},
    "huggingface": {"tokenizers"},
    "fasttext": {"ICU"},
    "sbert": {"sentence-transformers", "transformers", "torch"},
    "transformer": {"transformers", "torch"},
}


@pytest.fixture(scope="module", params=list(PLUGINS))
def trained_model(
    request: pytest.FixtureRequest,
    corpus: Corpus,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Pipeline, Path]:
    """A trained pipeline, and the directory it was saved to."""
    directory = tmp_path_factory.mktemp(request.param)
    fields = dict(PLUGINS[request.param])
    words = sorted({word.strip(".") for text in corpus[0] for word in text.split()})
    if fields.get("tokenizer") == "huggingface":
        path = write_tokenizer(directory / "pretrained", [*words, "[UNK]"])
        fields["tokenizer_params"] = {"model": str(path)}
    for place, name in (("feature_extractor", "sbert"), ("classifier", "transformer")):
        if fields.get(place) == name:
            path = write_encoder(directory / "pretrained", [*words, "[UNK]"])
            others = fields.get(f"{place}_params", {})
            fields[f"{place}_params"] = {**others, "model": str(path)}
    pipeline = Pipeline(PipelineSpec(**fields))
    pipeline.fit(*corpus)
    pipeline.save(directory / "model")
    return pipeline, directory / "model"


def test_it_learns_what_it_is_shown(
    trained_model: tuple[Pipeline, Path], make_corpus: MakeCorpus
) -> None:
    texts, labels = make_corpus(seed=1)
    assert evaluate(labels, trained_model[0].predict(texts))["accuracy"] > 0.8


@pytest.fixture(scope="module")
def loaded_model(trained_model: tuple[Pipeline, Path]) -> Pipeline:
    return Pipeline.load(trained_model[1])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(max_size=40) | st.just("goal match team"), max_size=5))
def test_a_loaded_model_predicts_the_same(
    trained_model: tuple[Pipeline, Path], loaded_model: Pipeline, texts: list[str]
) -> None:
    np.testing.assert_array_equal(
        loaded_model.predict(texts).probabilities, trained_model[0].predict(texts).probabilities
    )


def test_predictions_do_not_depend_on_batches(
    trained_model: tuple[Pipeline, Path], corpus: Corpus
) -> None:
    together = trained_model[0].predict(corpus[0]).probabilities
    apart = trained_model[0].predict(iter(corpus[0]), batch_size=7).probabilities
    # Dense products round differently for other numbers of rows.
    np.testing.assert_allclose(apart, together, atol=1e-5)


def test_a_loaded_model_can_be_saved_again(
    trained_model: tuple[Pipeline, Path], loaded_model: Pipeline, tmp_path: Path
) -> None:
    first, second = trained_model[0].save(tmp_path / "1"), loaded_model.save(tmp_path / "2")
    assert first.model_digest == second.model_digest


def test_training_twice_gives_the_same_bytes_and_tells_how_far_it_is(
    trained_model: tuple[Pipeline, Path], corpus: Corpus, tmp_path: Path
) -> None:
    told = []
    again = Pipeline(trained_model[0].spec)
    again.fit(*corpus, progress=lambda *step: told.append(step))
    first, second = trained_model[0].save(tmp_path / "1"), again.save(tmp_path / "2")
    assert first.files == second.files
    assert first.model_digest == second.model_digest
    steps = [(done, total) for stage, done, total in told if stage == "classifier"]
    assert len(steps) > 3
    assert sorted(steps) == steps
    assert steps[-1][0] == steps[-1][1]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(60))
@given(data=st.data())
def test_no_changed_byte_goes_unnoticed(
    trained_model: tuple[Pipeline, Path], data: st.DataObject
) -> None:
    model = trained_model[1]
    with damaged(model, data), pytest.raises((ModelCorrupt, PluginMismatch)):
        Pipeline.load(model)


def test_a_missing_file_is_named(trained_model: tuple[Pipeline, Path], tmp_path: Path) -> None:
    for name in read_manifest(trained_model[1]).files:
        model = shutil.copytree(trained_model[1], tmp_path / "model")
        (model / name).unlink()
        with pytest.raises(ModelCorrupt, match="missing") as caught:
            Pipeline.load(model)
        assert caught.value.file == name
        shutil.rmtree(model)


@pytest.mark.parametrize("trained_model", LIBRARIES, indirect=True)
def test_another_major_version_of_a_library_is_a_mismatch(
    trained_model: tuple[Pipeline, Path], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    model = shutil.copytree(trained_model[1], tmp_path / "model")
    stored = read_manifest(model).plugin_versions
    named = set()
    for place, versions in stored.items():
        for library, version in versions.items():
            other = f"{int(version.partition('.')[0]) + 1}.0"
            changed = {**stored, place: {**versions, library: other}}
            rewrite_manifest(model, plugin_versions=changed)
            with pytest.raises(PluginMismatch, match=f"was {library} {other}, here is {library}"):
                Pipeline.load(model)
            named.add(library)
    assert named == LIBRARIES[request.node.callspec.params["trained_model"]]


def test_the_same_training_at_another_time_has_the_same_digest(
    trained_model: tuple[Pipeline, Path], corpus: Corpus, tmp_path: Path
) -> None:
    pipeline, directory = trained_model
    again = Pipeline(pipeline.spec)
    again.fit(*corpus)
    manifest = again.save(tmp_path / "again")
    first = read_manifest(directory)
    assert manifest.created_at > first.created_at
    assert manifest.model_digest == first.model_digest
