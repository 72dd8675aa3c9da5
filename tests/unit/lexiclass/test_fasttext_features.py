from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass import (
    EmptyVocabulary,
    InvalidParameters,
    ModelCorrupt,
    Pipeline,
    PipelineSpec,
    PluginContext,
    TokenMatrix,
    default_registry,
    evaluate,
)
from lexiclass.plugins.features.parameters import FastTextParameters
from lexiclass.serialization import read_all_arrays, write_arrays, write_json
from tests.support.easy_corpus import Corpus, MakeCorpus

if TYPE_CHECKING:  # modules are collected where the libraries are not installed, too
    from gensim.models.fasttext import FastText

    from lexiclass.plugins.features.fasttext.extractor import FastTextExtractor
    from lexiclass.plugins.features.fasttext.vectors import WordVectors

pytestmark = pytest.mark.heavy


def extractor(model_directory: Path | None = None, **parameters: Any) -> FastTextExtractor:
    from lexiclass.plugins.features.fasttext.extractor import FastTextExtractor

    context = PluginContext(model_directory=model_directory)
    return default_registry().create(FastTextExtractor, "fasttext", parameters, context)


DOCUMENTS = [["red", "apple"], ["fast", "car"], ["red", "car"]]
WORDS = st.sampled_from(["red", "apple", "car", "redder", "xyz", "ö", "bad \ud800"])


@pytest.fixture(scope="module")
def fitted() -> FastTextExtractor:
    made = extractor(dimension=8, epochs=2)
    made.fit_transform(TokenMatrix.from_lists(DOCUMENTS))
    return made


def test_documents_are_left_as_they_were(fitted: FastTextExtractor) -> None:
    documents = TokenMatrix.from_lists([["red", "car", "red"], ["apple", "apple"]])
    before = documents.indptr.copy()
    rows = fitted.transform(documents)
    np.testing.assert_array_equal(documents.indptr, before)
    np.testing.assert_array_equal(fitted.transform(documents), rows)


def test_near_duplicates_are_told_by_their_words() -> None:
    source = np.random.default_rng(0)
    texts = [" ".join(f"w{word}" for word in source.integers(0, 300, 30)) for _ in range(40)]
    pipeline = Pipeline(PipelineSpec(feature_extractor="fasttext"))
    pipeline.fit([*texts, *(f"{text} more" for text in texts)], ["a", "b"] * 40)
    assert pipeline.evidence is not None
    doubles = pipeline.evidence.doubles
    assert (doubles[:40] == doubles[40:]).mean() > 0.9
    assert (doubles >= 0).mean() > 0.9


@given(st.lists(st.lists(WORDS, max_size=5), max_size=4))
def test_a_document_is_the_mean_of_its_words(
    fitted: FastTextExtractor, documents: list[list[str]]
) -> None:
    rows = fitted.transform(TokenMatrix.from_lists(documents))
    assert rows.shape == (len(documents), 8)
    assert rows.dtype == np.float32
    for row, words in zip(rows, documents, strict=True):
        vectors = [fitted.transform(TokenMatrix.from_lists([[word]]))[0] for word in words]
        # A word of which not even a part is known counts for nothing. Centered means are the
        # means of centered words.
        known = [vector for vector in vectors if vector.any()]
        expected = np.mean(known, axis=0) if known else np.zeros(8)
        np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-6)


@given(st.lists(st.lists(WORDS, max_size=5), min_size=1, max_size=4))
def test_a_batch_gives_what_each_document_gives_alone(
    fitted: FastTextExtractor, documents: list[list[str]]
) -> None:
    together = fitted.transform(TokenMatrix.from_lists(documents[::-1]))[::-1]
    for row, words in zip(together, documents, strict=True):
        np.testing.assert_array_equal(fitted.transform(TokenMatrix.from_lists([words]))[0], row)


def test_vectors_are_gensims(monkeypatch: pytest.MonkeyPatch) -> None:
    from lexiclass.plugins.features.fasttext import training as fasttext_training

    models: list[Any] = []
    real = fasttext_training._new_model

    def new_model(*arguments: Any) -> Any:
        models.append(real(*arguments))
        return models[-1]

    monkeypatch.setattr(fasttext_training, "_new_model", new_model)
    made = extractor(dimension=8, epochs=2)
    made.fit_transform(TokenMatrix.from_lists(DOCUMENTS))
    for word in ("red", "apple", "car"):
        row = made.transform(TokenMatrix.from_lists([[word]]))[0]
        np.testing.assert_allclose(row + made._center, models[0].wv[word], atol=1e-6)
    wv = models[0].wv
    for word in ("red", "apple", "car"):
        # What the parts of a known word make is what gensim has for them.
        parts = wv.vectors_ngrams[wv.buckets_word[wv.key_to_index[word]]].mean(axis=0)
        np.testing.assert_allclose(made._trained().compose([word])[0], parts, atol=1e-6)


def test_a_known_part_makes_an_unknown_word_known(fitted: FastTextExtractor) -> None:
    assert fitted.transform(TokenMatrix.from_lists([["redder"]])).any()
    assert not fitted.transform(TokenMatrix.from_lists([["xyz"]])).any()


@pytest.mark.parametrize(
    "parameters",
    [{}, {"weighting": "idf"}, {"weighting": "sif"}, {"max_n": 0}, {"algorithm": "cbow"}],
)
def test_it_learns_what_it_is_shown(
    parameters: dict[str, Any], corpus: Corpus, make_corpus: MakeCorpus
) -> None:
    spec = PipelineSpec(
        feature_extractor="fasttext",
        feature_extractor_params={"dimension": 30, "epochs": 20, **parameters},
    )
    pipeline = Pipeline(spec)
    report = pipeline.fit(*corpus)
    assert report.num_features == 30
    texts, labels = make_corpus(seed=1)
    assert evaluate(labels, pipeline.predict(texts))["accuracy"] > 0.8


def test_weights_follow_the_training_documents() -> None:
    idf = extractor(weighting="idf", dimension=4, epochs=1)
    idf.fit_transform(TokenMatrix.from_lists(DOCUMENTS))
    weights = dict(zip([*idf._trained().terms, None], idf._weights.tolist(), strict=True))
    assert weights["red"] == weights["car"] < weights["apple"] < weights[None]
    sif = extractor(weighting="sif", dimension=4, epochs=1)
    sif.fit_transform(TokenMatrix.from_lists(DOCUMENTS))
    weights = dict(zip([*sif._trained().terms, None], sif._weights.tolist(), strict=True))
    assert weights["red"] < weights["apple"] < weights[None] == 1


@pytest.mark.parametrize("documents", [[["a"], ["b"]], [["ö", "日本"], ["\ud800"]]])
def test_two_documents_are_enough(documents: list[list[str]]) -> None:
    rows = extractor(dimension=4).fit_transform(TokenMatrix.from_lists(documents))
    assert rows.shape == (2, 4)
    assert np.isfinite(rows).all()


def test_documents_without_words_are_an_error() -> None:
    with pytest.raises(EmptyVocabulary, match="a word must occur 1 times"):
        extractor().fit_transform(TokenMatrix.from_lists([[], []]))


def test_long_documents_are_read_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    from lexiclass.plugins.features.fasttext import training as fasttext_training

    assert [len(s) for s in fasttext_training._sentences([["a"] * 25_000, []])] == [
        10_000,
        10_000,
        5_000,
    ]


def test_it_must_learn_before_it_transforms(tmp_path: Path) -> None:
    for use in (
        lambda: extractor().transform(TokenMatrix.from_lists([])),
        lambda: extractor().save(tmp_path),
    ):
        with pytest.raises(InvalidParameters, match="train the pipeline first"):
            use()
    assert extractor().num_features() == 0


def diverging(monkeypatch: pytest.MonkeyPatch, until: float) -> list[float]:
    """Let training give NaN above a learning rate; note the rates tried."""
    from lexiclass.plugins.features.fasttext import training as fasttext_training

    rates: list[float] = []
    real = fasttext_training._take

    def take(model: FastText, parameters: FastTextParameters) -> WordVectors:
        vectors = real(model, parameters)
        rates.append(model.alpha)
        if model.alpha > until:
            vectors.words[0, 0] = np.nan
        return vectors

    monkeypatch.setattr(fasttext_training, "_take", take)
    return rates


def test_diverging_vectors_are_trained_again_with_smaller_steps(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rates = diverging(monkeypatch, until=0.03)
    rows = extractor(dimension=4, learning_rate=0.1).fit_transform(
        TokenMatrix.from_lists(DOCUMENTS)
    )
    assert rates == [0.1, 0.05, 0.025]
    assert np.isfinite(rows).all()
    assert "diverged at learning rate 0.1" in caplog.text


def test_vectors_that_always_diverge_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = diverging(monkeypatch, until=0)
    with pytest.raises(
        InvalidParameters, match=r"diverge at learning rates from 0\.1 down to 0\.00625"
    ):
        extractor(dimension=4, learning_rate=0.1).fit_transform(TokenMatrix.from_lists(DOCUMENTS))
    assert len(rates) == 5


_TRAIN = """
import sys
from pathlib import Path
from lexiclass import Pipeline, PipelineSpec
pipeline = Pipeline(PipelineSpec(feature_extractor="fasttext"))
pipeline.fit([f"red apple {n}" for n in range(99)] + [f"fast car {n}" for n in range(99)],
             list("f" * 99 + "c" * 99))
print(pipeline.save(Path(sys.argv[1])).model_digest)
"""


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


_PREDICT = """
import sys
from pathlib import Path
from lexiclass import Pipeline
Pipeline.load(Path(sys.argv[1])).predict(["goal"])
sys.exit("gensim" in sys.modules or "sklearn" in sys.modules)
"""


def test_predicting_imports_neither_gensim_nor_scikit_learn(tmp_path: Path) -> None:
    pipeline = Pipeline(PipelineSpec(feature_extractor="fasttext"))
    pipeline.fit(["red apple", "fast car"], ["x", "y"])
    pipeline.save(tmp_path / "model")
    subprocess.run([sys.executable, "-c", _PREDICT, str(tmp_path / "model")], check=True)


def test_vectors_are_read_from_a_text_file(tmp_path: Path) -> None:
    path = tmp_path / "words.vec"
    path.write_text("4 2\nred 1 0\ncar 0 1\nred 9 9\nhas space 2 2 \n")
    for made in (extractor(path=str(path)), extractor(tmp_path, path="words.vec")):
        rows = made.fit_transform(TokenMatrix.from_lists([["red", "car"], ["has space"], ["no"]]))
        assert (rows[:2] + made._center).tolist() == [[0.5, 0.5], [2, 2]]
        assert rows[2].tolist() == [0, 0]
    few = extractor(path=str(path), max_words=1)
    rows = few.fit_transform(TokenMatrix.from_lists([["red"], ["car"]]))
    assert rows.tolist() == [[0.5, 0], [0, 0]]
    few.save(tmp_path)
    loaded = extractor(path="/gone", max_words=1)
    loaded.load(tmp_path)
    assert loaded.transform(TokenMatrix.from_lists([["red"]])).tolist() == [[0.5, 0]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "first line"),
        (b"\xba\x16O/\x0c\x00\x00\x00d\x00", "first line"),  # fastText's .bin
        (b"2 99999\na 1\n", "claims"),
        (b"0 2\n", "claims"),
        (b"2 2\na 1 2\n", "ends at line 3 of 3"),
        (b"1 2\na 1\n", "line 2 does not hold 2"),
        (b"1 2\na x y\n", "no number"),
        (b"1 2\na nan 1\n", "finite"),
        (b"1 2\na 1e99 1\n", "finite"),
        (b"1 2\n" + b"a" * 10_000 + b" 1 2\n", "line 2"),
        (b"9" * 100, "first line"),
    ],
)
def test_a_file_that_is_no_vectors_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.vec").write_bytes(content)
    with pytest.raises(InvalidParameters, match=message):
        extractor(path=str(tmp_path / "x.vec")).fit_transform(TokenMatrix.from_lists([["a"]]))


def test_paths_are_kept_to_the_model_directory(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameters, match="outside the directory"):
        extractor(tmp_path, path="/etc/passwd").fit_transform(TokenMatrix.from_lists([["a"]]))
    with pytest.raises(InvalidParameters, match="no file"):
        extractor(path=str(tmp_path)).fit_transform(TokenMatrix.from_lists([["a"]]))


def change(directory: Path, **arrays: Any) -> None:
    path = directory / "vectors.safetensors"
    write_arrays(path, {**read_all_arrays(path), **arrays})


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: write_json(d / "terms.json", ["a"]),
        lambda d: (d / "vectors.safetensors").unlink(),
        lambda d: (d / "weights.safetensors").write_bytes(b"no"),
        lambda d: write_arrays(
            d / "weights.safetensors",
            {"weights": np.ones(2, np.float32), "center": np.ones(8, np.float32)},
        ),
        lambda d: write_arrays(
            d / "weights.safetensors",
            {"weights": np.ones(5, np.float32), "center": np.ones(7, np.float32)},
        ),
        lambda d: write_arrays(
            d / "weights.safetensors",
            {"weights": np.full(5, np.nan, np.float32), "center": np.ones(8, np.float32)},
        ),
        lambda d: change(d, subwords=np.ones((1, 8), np.float32)),
        lambda d: change(d, words=np.full((4, 8), np.inf, np.float32)),
        lambda d: change(d, buckets=np.array([5, 5]), subwords=np.ones((2, 8), np.float32)),
        lambda d: change(d, buckets=np.array([-1]), subwords=np.ones((1, 8), np.float32)),
        lambda d: change(d, buckets=np.array([50_000]), subwords=np.ones((1, 8), np.float32)),
    ],
)
def test_files_that_do_not_fit_are_refused(
    fitted: FastTextExtractor, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    fitted.save(tmp_path)
    spoil(tmp_path)
    with pytest.raises(ModelCorrupt):
        extractor().load(tmp_path)
