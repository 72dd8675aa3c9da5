from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lexiclass import (
    EmptyVocabulary,
    InvalidParameters,
    NotEnoughDocuments,
    Pipeline,
    PipelineSpec,
    PluginNotFound,
    evaluate,
)
from lexiclass.manifest import Manifest
from tests.support.easy_corpus import Corpus, MakeCorpus
from tests.support.variants import examples


@pytest.mark.parametrize("feature_extractor", ["bow", "tfidf"])
def test_it_learns_what_it_is_shown(
    feature_extractor: str, corpus: Corpus, make_corpus: MakeCorpus
) -> None:
    pipeline = Pipeline(PipelineSpec(feature_extractor=feature_extractor))
    report = pipeline.fit(iter(corpus[0]), corpus[1])
    assert (report.num_documents, report.num_classes) == (60, 3)
    assert report.num_features == pipeline.num_features > 30
    assert list(report.stage_seconds) == ["tokenize", "features", "classifier"]
    texts, labels = make_corpus(seed=1)
    assert evaluate(labels, pipeline.predict(texts))["accuracy"] > 0.9


@pytest.mark.parametrize(
    ("locale", "texts"),
    [
        ("th", ["ภาษาไทย", "ฟุตบอล"]),
        ("zh", ["我爱北京", "足球比赛"]),
        ("ja", ["日本語のテキスト", "サッカーの試合"]),
    ],
)
def test_two_documents_of_two_classes_are_enough(locale: str, texts: list[str]) -> None:
    pipeline = Pipeline(PipelineSpec(locale=locale))
    pipeline.fit(texts, ["language", "sports"])
    assert pipeline.predict(texts).labels == ["language", "sports"]


def test_predictions_do_not_depend_on_batches(trained: Pipeline, corpus: Corpus) -> None:
    together = trained.predict(corpus[0]).probabilities
    np.testing.assert_array_equal(
        trained.predict(iter(corpus[0]), batch_size=7).probabilities, together
    )


def test_no_text_gives_no_prediction(trained: Pipeline) -> None:
    assert trained.predict([]).probabilities.shape == (0, 3)


@pytest.mark.parametrize("batch_size", [0, -1])
def test_no_text_at_a_time_is_refused(trained: Pipeline, batch_size: int) -> None:
    with pytest.raises(InvalidParameters, match="batch_size"):
        trained.predict(["a text"], batch_size=batch_size)


def test_a_text_without_a_known_word_gives_a_doubtful_prediction(trained: Pipeline) -> None:
    assert trained.predict(["", "xyzzy"]).confidence.max() < 0.9


def test_tokens_give_the_model_that_texts_give(corpus: Corpus) -> None:
    spec = PipelineSpec(feature_extractor="tfidf")
    from_texts, from_tokens = Pipeline(spec), Pipeline(spec)
    from_texts.fit(*corpus)
    # Another order of terms, as in an index, must not matter.
    tokens = from_tokens.tokenize(corpus[0][::-1]).take(np.arange(60)[::-1])
    from_tokens.fit_tokens(tokens, corpus[1], digests=["x"] * 60)
    np.testing.assert_array_equal(
        from_tokens.predict_tokens(tokens).probabilities,
        from_texts.predict(corpus[0]).probabilities,
    )


def test_progress_is_told_by_stage(corpus: Corpus) -> None:
    told = []
    Pipeline(PipelineSpec()).fit(*corpus, progress=lambda *step: told.append(step))
    assert told[0] == ("tokenize", 0, 60)
    assert ("tokenize", 60, 60) in told
    assert ("features", 1, 1) in told
    assert told[-1] == ("classifier", 33, 33)
    assert len(told) == len(set(told))


@pytest.mark.parametrize(("texts", "labels"), [([], []), (["a"], ["x"]), (["a", "b"], ["x", "x"])])
def test_too_little_to_train_on(texts: list[str], labels: list[str]) -> None:
    with pytest.raises(NotEnoughDocuments):
        Pipeline(PipelineSpec()).fit(texts, labels)


def test_texts_and_labels_must_be_as_many() -> None:
    with pytest.raises(InvalidParameters, match="3 documents, 2 labels"):
        Pipeline(PipelineSpec()).fit(["a", "b", "c"], ["x", "y"])


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ("a string", "several texts, found of type str"),
        (b"bytes", "several texts, found of type bytes"),
        (None, "several texts, found None"),
        (7, "several texts, found of type int"),
        (["one", None], "Text number 1 is None, not a string; leave it out"),
        (["one", b"two"], "Text number 1 is of type bytes, not a string; decode it"),
        ([1.0, "two"], "Text number 0 is of type float"),
    ],
)
def test_what_is_no_text_is_named(trained: Pipeline, texts: Any, found: str) -> None:
    with pytest.raises(InvalidParameters, match=found):
        trained.predict(texts)
    with pytest.raises(InvalidParameters, match=found):
        trained.tokenize(texts)
    with pytest.raises(InvalidParameters, match=found):
        Pipeline(PipelineSpec()).fit(texts, ["x", "y"])


@pytest.mark.parametrize("name", ["a\0b", "half \ud800", "\udfff"])
def test_a_label_that_can_not_be_stored_is_refused_before_training(name: str) -> None:
    told: list[str] = []
    with pytest.raises(InvalidParameters, match="take it out"):
        Pipeline(PipelineSpec()).fit(
            ["one", "two"], ["fine", name], progress=lambda stage, done, total: told.append(stage)
        )
    with pytest.raises(InvalidParameters, match="take it out"):
        Pipeline(PipelineSpec(multi_label=True)).fit(["one", "two"], [{"fine"}, {"fine", name}])
    assert told == []


def test_documents_without_words_are_an_error() -> None:
    with pytest.raises(EmptyVocabulary):
        Pipeline(PipelineSpec()).fit(["...", ""], ["x", "y"])


def test_an_untrained_pipeline_says_so(tmp_path: Path) -> None:
    pipeline = Pipeline(PipelineSpec())
    for use in (lambda: pipeline.predict(["a"]), lambda: pipeline.save(tmp_path / "m")):
        with pytest.raises(InvalidParameters, match="not trained"):
            use()
    assert list(tmp_path.iterdir()) == []


def test_a_spec_is_checked_before_any_work() -> None:
    with pytest.raises(PluginNotFound, match="Did you mean 'tfidf'"):
        Pipeline(PipelineSpec(feature_extractor="tfdif"))
    with pytest.raises(InvalidParameters, match="ngrams: Extra inputs"):
        Pipeline(PipelineSpec(feature_extractor_params={"ngrams": 2}))
    with pytest.raises(InvalidParameters, match="language tag"):
        Pipeline(PipelineSpec(locale="klingon!"))
    with pytest.raises(ValidationError):
        PipelineSpec.model_validate({"tokeniser": "icu"})


def test_a_spec_is_spelled_out() -> None:
    pipeline = Pipeline(PipelineSpec())
    assert pipeline.spec.classifier_params["C"] == 1.0
    assert Pipeline(pipeline.spec).spec == pipeline.spec


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(20))
@given(texts=st.lists(st.text(max_size=40), max_size=5))
def test_a_loaded_model_predicts_the_same(
    trained: Pipeline, loaded: Pipeline, texts: list[str]
) -> None:
    np.testing.assert_array_equal(
        loaded.predict(texts).probabilities, trained.predict(texts).probabilities
    )


@pytest.fixture(scope="session")
def loaded(trained: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    directory = tmp_path_factory.mktemp("models") / "model"
    trained.save(directory)
    return Pipeline.load(directory)


def test_a_loaded_model_can_be_saved_again(
    trained: Pipeline, loaded: Pipeline, tmp_path: Path
) -> None:
    first, second = trained.save(tmp_path / "1"), loaded.save(tmp_path / "2")
    assert first.model_digest == second.model_digest
    assert first.training_digest == second.training_digest
    assert (second.num_documents, second.num_features) == (60, trained.num_features)


def test_the_digest_of_a_model_is_of_what_decides_predictions(
    tmp_path: Path, corpus: Corpus
) -> None:
    def digest(name: str, **spec: Any) -> Manifest:
        pipeline = Pipeline(PipelineSpec(**spec))
        pipeline.fit(*corpus)
        return pipeline.save(tmp_path / name, metadata={"name": name})

    first, again = digest("first"), digest("again")
    assert first.created_at < again.created_at
    assert first.model_digest == again.model_digest
    # The files are the same: no word of these texts is so long.
    other = digest("other", tokenizer_params={"max_length": 99})
    assert {name: file.sha256 for name, file in other.files.items()} == {
        name: file.sha256 for name, file in first.files.items()
    }
    assert other.model_digest != first.model_digest
    moved = first.model_copy(update={"plugin_versions": {"tokenizer": {"ICU": "1.0"}}})
    assert moved.model_digest != first.model_digest


_TRAIN = """
import sys
from pathlib import Path
from lexiclass import Pipeline, PipelineSpec
pipeline = Pipeline(PipelineSpec(feature_extractor="tfidf"))
pipeline.fit(["red apple", "green apple", "fast car", "slow car"], list("ffcc"))
print(pipeline.save(Path(sys.argv[1])).model_digest)
"""


@pytest.mark.slow
def test_training_twice_gives_the_same_bytes_whatever_the_hash_seed(tmp_path: Path) -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", _TRAIN, str(tmp_path / seed)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(digests) == 1
    for path in (tmp_path / "0").rglob("*.*"):
        if path.name != "manifest.json":
            twin = tmp_path / "1" / path.relative_to(tmp_path / "0")
            assert path.read_bytes() == twin.read_bytes()


_PREDICT = """
import sys
from pathlib import Path
from lexiclass import Pipeline
Pipeline.load(Path(sys.argv[1])).predict(["goal"])
sys.exit("sklearn" in sys.modules or "scipy.optimize" in sys.modules)
"""


def test_predicting_does_not_import_what_only_training_needs(
    trained: Pipeline, tmp_path: Path
) -> None:
    trained.save(tmp_path / "model")
    subprocess.run([sys.executable, "-c", _PREDICT, str(tmp_path / "model")], check=True)
