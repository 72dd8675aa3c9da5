from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from pydantic import BaseModel
from scipy import optimize, sparse
from scipy.sparse import csr_matrix

from lexiclass import (
    InvalidParameters,
    ModelCorrupt,
    Pipeline,
    PipelineSpec,
    PluginContext,
    PluginInfo,
    PluginType,
    build_registry,
    evaluate,
    expected_calibration_error,
)
from lexiclass.plugins.classic.adapters import ClassicTokenizer
from lexiclass.plugins.classic.classifier import ClassicClassifier
from lexiclass.plugins.classic.scores import (
    check_scores,
    class_columns,
    fit_reader,
    load_reader,
)
from lexiclass.plugins.classic.state import load_attributes, save_attributes
from lexiclass.plugins.info import NoParameters
from lexiclass.plugins.registry import Registry
from lexiclass.plugins.training_rows import TrainingRows
from tests.support.easy_corpus import Corpus, MakeCorpus


class BlankTokenizer:
    def __init__(self, locale: str, lowercase: bool = True) -> None:
        self.locale = locale
        self.lowercase = lowercase

    def tokenize(self, text: str) -> list[str]:
        return (text.lower() if self.lowercase else text).split()


class BatchTokenizer:
    def tokenize(self, text: Any) -> None:
        raise AssertionError("the batch method is there")

    def tokenize_batch(self, texts: list[str]) -> Iterator[list[str]]:
        return (text.split() for text in texts)


class WordCounts:
    """Keeps its vocabulary in a dictionary, as attributes."""

    def fit(self, documents: list[list[str]]) -> None:
        words = sorted({word for document in documents for word in document})
        self.columns = {word: column for column, word in enumerate(words)}

    def transform(self, documents: list[list[str]]) -> NDArray[np.float64]:
        rows = np.zeros((len(documents), len(self.columns)))
        for row, document in enumerate(documents):
            for word, count in Counter(document).items():
                if word in self.columns:
                    rows[row, self.columns[word]] = count
        return rows

    def num_features(self) -> int:
        return len(self.columns)


class Centroids:
    """Nearest class mean; ``scores`` decides what ``predict`` returns beside the labels."""

    def __init__(self, scores: str = "matrix", seed: int | None = None) -> None:
        self.scores = scores
        self.seed = seed

    def train(self, X: csr_matrix, y: list[str]) -> None:
        self.names = list(dict.fromkeys(y))  # in order of appearance, not sorted
        rows = np.array([self.names.index(label) for label in y])
        self.means = np.stack([X[rows == k].mean(axis=0).A1 for k in range(len(self.names))])
        self.means /= np.linalg.norm(self.means, axis=1, keepdims=True)

    def predict(
        self, X: csr_matrix
    ) -> tuple[Sequence[str] | NDArray[np.str_], NDArray[np.floating[Any]]]:
        matrix = X * self.means.T  # a product, as the matrix class has it
        labels = [self.names[best] for best in matrix.argmax(axis=1)]
        if self.scores == "matrix":
            return labels, matrix
        if self.scores == "probabilities":
            powers = np.exp(matrix)
            return np.array(labels), powers / powers.sum(axis=1, keepdims=True)
        if self.scores == "confidence":
            return labels, matrix.max(axis=1)
        if self.scores == "column":
            return labels, matrix.max(axis=1, keepdims=True)
        second = self.names.index(sorted(self.names)[1])
        return labels, matrix[:, second] - matrix[:, 1 - second]


class Parameters(BaseModel):
    model_config = {"extra": "forbid"}
    scores: str = "matrix"


def registry_of(
    classifier: type = Centroids, extractor: type = WordCounts, tokenizer: type = BlankTokenizer
) -> Registry:
    registry = build_registry()
    for place, implementation in zip(PluginType, (tokenizer, extractor, classifier), strict=True):
        registry.register(
            PluginInfo(
                name="classic",
                type=place,
                description="As the predecessor had it",
                implementation=implementation,
                parameters=Parameters if implementation is Centroids else NoParameters,
            )
        )
    return registry


CLASSIC = dict.fromkeys(("tokenizer", "feature_extractor", "classifier"), "classic")


@pytest.mark.parametrize("scores", ["matrix", "probabilities", "confidence", "column"])
def test_a_classic_pipeline_trains_predicts_and_is_stored(
    scores: str,
    corpus: Corpus,
    make_corpus: MakeCorpus,
    tmp_path: Path,
) -> None:
    registry = registry_of()
    pipeline = Pipeline(PipelineSpec(**CLASSIC, classifier_params={"scores": scores}), registry)
    steps = []
    pipeline.fit(*corpus, progress=lambda *step: steps.append(step))
    assert ("classifier", 4, 4) in steps
    texts, labels = make_corpus(seed=1)
    predictions = pipeline.predict(texts)
    assert evaluate(labels, predictions)["accuracy"] > 0.9
    np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1)
    pipeline.save(tmp_path / "model")
    loaded = Pipeline.load(tmp_path / "model", registry=registry)
    np.testing.assert_array_equal(loaded.predict(texts).probabilities, predictions.probabilities)
    assert len(loaded.predict([])) == 0


@pytest.mark.parametrize("scores", ["matrix", "confidence"])
def test_what_rests_on_nothing_has_the_classes_frequencies(
    scores: str, corpus: Corpus, tmp_path: Path
) -> None:
    registry = registry_of()
    texts, labels = corpus
    pipeline = Pipeline(PipelineSpec(**CLASSIC, classifier_params={"scores": scores}), registry)
    pipeline.fit([*texts, *[texts[0]] * 5, ""], [*labels, *[labels[0]] * 5, labels[0]])
    classes = np.array(pipeline.classes)
    counts = (np.array([*labels, *[labels[0]] * 6])[:, np.newaxis] == classes).sum(axis=0) + 0.5

    pipeline.save(tmp_path / "model")
    for each in (pipeline, Pipeline.load(tmp_path / "model", registry=registry)):
        found = each.predict(["", "neverseen", texts[0]]).probabilities
        np.testing.assert_allclose(found[:2], [counts / counts.sum()] * 2)
        assert found[2].max() > found[0].max()


class Cosines(Centroids):
    """Scores that are no numbers for a row of length 0."""

    def predict(self, X: csr_matrix) -> tuple[list[str], NDArray[np.float64]]:
        with np.errstate(invalid="ignore"):
            scores = (X * self.means.T) / sparse.linalg.norm(X, axis=1)[:, np.newaxis]
        return [self.names[best] for best in scores.argmax(axis=1)], scores


@pytest.mark.parametrize("classifier", [Centroids, Cosines])
def test_words_that_no_other_document_has_calibrate_nothing(
    classifier: type[Centroids], corpus: Corpus, tmp_path: Path
) -> None:
    texts, labels = corpus
    spec = PipelineSpec(feature_extractor="bow", classifier="classic")
    states = []
    for lonely in ([], ["lonely words"]):
        pipeline = Pipeline(spec, registry_of(classifier))
        report = pipeline.fit([*texts, *lonely], [*labels, *labels[: len(lonely)]])
        assert report.num_calibration_documents == len(set(texts))
        (tmp_path / str(len(lonely))).mkdir()
        pipeline._classifier.save(tmp_path / str(len(lonely)))
        states.append(json.loads((tmp_path / str(len(lonely)) / "scores.json").read_text()))
    for name in ("slopes", "offsets"):
        without, beside = (np.array(state["calibrator"][name]) for state in states)
        np.testing.assert_allclose(beside, without, rtol=0.1, atol=0.1)


def test_which_documents_are_held_out_does_not_depend_on_the_seed(corpus: Corpus) -> None:
    found = []
    for seed in (1, 2):
        pipeline = Pipeline(PipelineSpec(**CLASSIC, seed=seed), registry_of())
        pipeline.fit(*corpus)
        found.append(pipeline.predict(corpus[0]).probabilities)
    np.testing.assert_array_equal(found[0], found[1])


class DenseCentroids:
    """Looks at the shape of rows, as of an array."""

    def train(self, X: NDArray[np.float64], y: list[str]) -> None:
        assert X.shape[0] == len(y)
        self.names = sorted(set(y))
        self.means = np.stack([X[[name == each for each in y]].mean(axis=0) for name in self.names])

    def predict(self, X: NDArray[np.float64]) -> tuple[list[str], NDArray[np.float64]]:
        scores = -((X[:, np.newaxis] - self.means) ** 2).sum(axis=2)
        assert X.shape[0] == len(scores)
        return [self.names[best] for best in scores.argmax(axis=1)], scores


def test_rows_that_are_an_array_are_one_in_each_fold(corpus: Corpus) -> None:
    texts, labels = corpus
    rows = np.array([[len(text), text.count("a"), 1.0] for text in texts])
    classifier = ClassicClassifier(DenseCentroids, name="dense")
    classifier.fit(TrainingRows(rows), labels)
    np.testing.assert_allclose(classifier.predict_proba(rows).sum(axis=1), 1)


def test_a_binary_margin_counts_for_both_classes(make_corpus: MakeCorpus) -> None:
    texts, labels = make_corpus()
    labels = ["sports" if label == "sports" else "other" for label in labels]
    pipeline = Pipeline(
        PipelineSpec(**CLASSIC, classifier_params={"scores": "margin"}), registry_of()
    )
    pipeline.fit(texts, labels)
    report = evaluate(labels, pipeline.predict(texts))
    assert report["accuracy"] > 0.9
    assert report["expected_calibration_error"] < 0.2


@pytest.mark.parametrize("scores", ["matrix", "confidence"])
def test_two_documents_are_enough(scores: str) -> None:
    pipeline = Pipeline(
        PipelineSpec(**CLASSIC, classifier_params={"scores": scores}), registry_of()
    )
    pipeline.fit(["a", "b"], ["x", "y"])
    assert pipeline.predict(["b", "a"]).labels == ["y", "x"]


def test_locale_and_seed_are_given_where_they_are_asked_for() -> None:
    pipeline = Pipeline(PipelineSpec(**CLASSIC, locale="de", seed=3), registry_of())
    assert isinstance(pipeline._tokenizer, ClassicTokenizer)
    assert isinstance(pipeline._classifier, ClassicClassifier)
    assert pipeline._tokenizer._instance.locale == "de"
    assert pipeline._classifier._instance.seed == 3


def test_a_batch_method_is_used() -> None:
    pipeline = Pipeline(PipelineSpec(**CLASSIC), registry_of(tokenizer=BatchTokenizer))
    assert pipeline.tokenize(["a b", "c"]).to_lists() == [["a", "b"], ["c"]]


class StoresInPlace(WordCounts):
    def save(self, directory: Path) -> None:
        Path(directory, "columns.json").write_text(json.dumps(self.columns))

    def load(self, directory: Path) -> None:
        self.columns = json.loads(Path(directory, "columns.json").read_text())


class StoresByClassMethod(WordCounts):
    def save(self, directory: Path) -> None:
        Path(directory, "columns.json").write_text(json.dumps(self.columns))

    @classmethod
    def load(cls, directory: Path) -> StoresByClassMethod:
        loaded = cls()
        loaded.columns = json.loads(Path(directory, "columns.json").read_text())
        return loaded


class HoldsAnObject(WordCounts):
    def __init__(self) -> None:
        self.nested = {"a": [1, Counter()]}


class HoldsItself(WordCounts):
    def __init__(self) -> None:
        self.me: list[object] = [1]
        self.me.append(self.me)


class Slotted:
    __slots__ = ()

    def tokenize(self, text: str) -> list[str]:
        return text.split()


@pytest.mark.parametrize("extractor", [StoresInPlace, StoresByClassMethod])
def test_own_ways_to_disk_are_used(
    extractor: type[StoresByClassMethod] | type[StoresInPlace],
    corpus: Corpus,
    tmp_path: Path,
) -> None:
    registry = registry_of(extractor=extractor)
    pipeline = Pipeline(PipelineSpec(**CLASSIC), registry)
    pipeline.fit(*corpus)
    manifest = pipeline.save(tmp_path / "model")
    assert "feature_extractor/columns.json" in manifest.files
    loaded = Pipeline.load(tmp_path / "model", registry=registry)
    assert loaded.predict(corpus[0]).labels == pipeline.predict(corpus[0]).labels


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"extractor": HoldsAnObject}, r"nested\['a'\]\[1\]\W holds a collections\.Counter"),
        ({"extractor": HoldsItself}, "HoldsItself can't be stored"),
        ({"tokenizer": Slotted}, "Slotted has no attributes"),
    ],
)
def test_what_can_not_be_stored_is_named(
    changes: dict[str, Any], message: str, corpus: Corpus, tmp_path: Path
) -> None:
    pipeline = Pipeline(PipelineSpec(**CLASSIC), registry_of(**changes))
    pipeline.fit(*corpus)
    with pytest.raises(InvalidParameters, match=message):
        pipeline.save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_copies_calibrate_as_one_document(corpus: Corpus) -> None:
    texts, labels = corpus
    for copies in (1, 3):
        pipeline = Pipeline(PipelineSpec(**CLASSIC), registry_of())
        report = pipeline.fit(texts * copies, labels * copies)
        assert report.num_calibration_documents == len(set(texts))


@pytest.mark.parametrize("kind", ["one score", "a score per class"])
def test_half_a_document_twice_is_one_to_a_reader(kind: str) -> None:
    source = np.random.default_rng(0)
    codes = source.integers(0, 3, 60)
    each = np.eye(3)[codes] + source.normal(0, 0.7, (60, 3))
    scores, predicted = each.max(axis=1) if kind == "one score" else each, each.argmax(axis=1)
    once = fit_reader((predicted, scores, codes), (predicted, scores), 3)
    twice = fit_reader(
        (np.tile(predicted, 2), np.concatenate([scores, scores]), np.tile(codes, 2)),
        (predicted, scores),
        3,
        np.full(120, 0.5),
    )
    np.testing.assert_allclose(twice(predicted, scores), once(predicted, scores), atol=1e-3)


def test_missing_methods_are_named() -> None:
    extractor = PluginInfo(
        name="x", type=PluginType.CLASSIFIER, description="", implementation=WordCounts
    )
    with pytest.raises(InvalidParameters, match="has no train, predict"):
        extractor.create({}, PluginContext())


class WrongShape(WordCounts):
    def num_features(self) -> int:
        return 1


class Stranger(Centroids):
    def predict(self, X: csr_matrix) -> tuple[list[str], NDArray[np.float64]]:
        return ["nobody"] * X.shape[0], np.zeros(X.shape[0])


def test_what_a_plugin_returns_is_checked(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameters, match=r"transform returned shape .* expected \(60, 1\)"):
        Pipeline(PipelineSpec(**CLASSIC), registry_of(extractor=WrongShape)).fit(*corpus)
    with pytest.raises(InvalidParameters, match="predicted 'nobody'"):
        Pipeline(PipelineSpec(**CLASSIC), registry_of(classifier=Stranger)).fit(*corpus)
    with pytest.raises(InvalidParameters, match=r"shape \(2, 5\).*expected \(2,\) or \(2, 3\)"):
        check_scores(np.zeros((2, 5)), 2, 3, "x")
    classifier = registry_of().get(PluginType.CLASSIFIER, "classic").create({}, PluginContext())
    assert isinstance(classifier, ClassicClassifier)
    for use in (lambda: classifier.predict(np.eye(2)), lambda: classifier.save(tmp_path)):
        with pytest.raises(InvalidParameters, match="not trained"):
            use()


def test_columns_are_found_in_any_order() -> None:
    scores = np.eye(3)[:, [2, 0, 1]]
    assert class_columns(np.array([0, 1, 2]), scores).tolist() == [1, 2, 0]
    assert class_columns(np.empty(0, np.intp), np.empty((0, 3))).tolist() == [0, 1, 2]


@given(st.integers(2, 6).flatmap(lambda k: st.tuples(
    st.just(k), st.lists(st.tuples(st.integers(0, k - 1), st.integers(0, k - 1)), max_size=20)
)))  # fmt: skip
def test_columns_are_those_that_most_predictions_agree_with(
    case: tuple[int, list[tuple[int, int]]],
) -> None:
    num_classes, seen = case
    predicted = np.array([row for row, _ in seen], dtype=np.intp)
    scores = np.eye(num_classes)[[column for _, column in seen]]

    columns = class_columns(predicted, scores)

    assert sorted(columns) == list(range(num_classes))
    counts = np.zeros((num_classes, num_classes))
    for pair in seen:
        counts[pair] += 1
    best = optimize.linear_sum_assignment(counts, maximize=True)
    assert counts[np.arange(num_classes), columns].sum() == counts[best].sum()
    if all(row == column for row, column in seen):
        assert columns.tolist() == list(range(num_classes))


@pytest.mark.slow
def test_columns_of_thousands_of_classes_are_found_without_a_table_of_all_by_all() -> None:
    num_classes = 5_000
    order = np.random.default_rng(0).permutation(num_classes)
    classes = np.arange(num_classes)[:-2]  # two are never predicted
    # A table of which 40 bytes a class are used, as memory is given out when it is written to.
    scores: NDArray[Any] = np.zeros((len(classes), num_classes), dtype=np.int8)
    scores[classes, order[classes]] = 1

    columns = class_columns(classes, scores)

    assert columns[:-2].tolist() == order[:-2].tolist()
    assert sorted(columns) == list(range(num_classes))


@pytest.mark.parametrize("num_classes", [2, 4])
@pytest.mark.parametrize("kind", ["confidence", "second"])
def test_vectors_of_scores_become_calibrated(num_classes: int, kind: str) -> None:
    source = np.random.default_rng(0)

    def draw() -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
        codes = source.integers(num_classes, size=4000)
        right = source.random(4000)
        other = (codes + 1) % num_classes
        predicted = np.where(source.random(4000) < right, codes, other)
        # Half the truth, squashed: informative but not a probability.
        scores = right * 5 - 1
        if kind == "second" and num_classes == 2:
            scores = np.where(predicted == 1, right, -right)
        return predicted, scores, codes

    held_out = draw()
    reader = fit_reader(held_out, held_out[:2], num_classes)
    predicted, scores, codes = draw()
    probabilities = reader(predicted, scores)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), predicted)
    error = expected_calibration_error(probabilities.max(axis=1), predicted == codes)
    assert error < (0.05 if num_classes > 2 else 0.16)  # below half it can't go, with two classes


@pytest.mark.parametrize(("size", "centre"), [(1e6, 0.0), (1e-8, 0.0), (1.0, 1e3), (30.0, -5e3)])
@pytest.mark.parametrize("num_classes", [2, 3])
def test_the_size_of_a_score_changes_no_confidence(
    size: float, centre: float, num_classes: int
) -> None:
    source = np.random.default_rng(0)
    codes = source.integers(2, size=500)
    margins = codes - 0.5 + source.normal(0, 0.5, 500)
    predicted = (margins > 0).astype(np.intp)
    wanted, found = (
        fit_reader((predicted, scores, codes), (predicted, scores), num_classes)(predicted, scores)
        for scores in (margins, margins * size + centre)
    )
    np.testing.assert_allclose(found, wanted, atol=1e-3)


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"kind": "vector", "slopes": [1], "offsets": [1]},
        {"kind": "matrix", "columns": [0, 0]},
        {"kind": "matrix", "columns": [0, 1], "are_probabilities": True, "calibrator": {}},
        {"kind": "matrix", "columns": ["x"]},
    ],
)
def test_what_is_no_score_reader_is_refused(state: dict[str, Any]) -> None:
    with pytest.raises(ModelCorrupt):
        load_reader(state, num_classes=2, file="x")


class Holder:
    """Something with attributes."""

    array: NDArray[Any]
    matrix: Any
    scalars: list[Any]


PLAIN = (
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: (
            st.lists(inner)
            | st.lists(inner).map(tuple)
            | st.dictionaries(st.integers() | st.text("ab") | st.tuples(st.integers()), inner)
        ),
        max_leaves=8,
    )
    | st.sets(st.integers() | st.text("abc"))
    | st.frozensets(st.floats(allow_nan=False))
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text("abc", min_size=1), PLAIN))
def test_plain_attributes_come_back(tmp_path: Path, attributes: dict[str, Any]) -> None:
    before, after = Holder(), Holder()
    vars(before).update(attributes)
    save_attributes(before, tmp_path)
    load_attributes(after, tmp_path)
    assert vars(after) == attributes
    for name, value in attributes.items():
        assert type(getattr(after, name)) is type(value)
        if not isinstance(value, set | frozenset):  # equal sets may be spelled differently
            assert repr(getattr(after, name)) == repr(value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["bool", "int8", "uint16", ">i4", "int64", "float16", "float64", "U3"]).flatmap(
        lambda dtype: arrays(dtype, array_shapes(min_dims=0, max_side=3))
    )
)
def test_arrays_come_back(tmp_path: Path, array: Any) -> None:
    before, after = Holder(), Holder()
    before.array = array
    save_attributes(before, tmp_path)
    load_attributes(after, tmp_path)
    assert after.array.dtype == array.dtype.newbyteorder("=")
    assert after.array.shape == array.shape
    np.testing.assert_array_equal(after.array, array)


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csc_matrix, sparse.coo_array])
def test_sparse_matrices_and_scalars_come_back(
    tmp_path: Path, make: Callable[[NDArray[Any]], Any]
) -> None:
    before, after = Holder(), Holder()
    before.matrix = make(np.eye(3) * 2)
    before.scalars = [np.float32(1.5), np.int64(3), np.str_("x"), float("inf")]
    save_attributes(before, tmp_path)
    load_attributes(after, tmp_path)
    assert type(after.matrix) is make
    assert (after.matrix != before.matrix).nnz == 0
    assert after.scalars == before.scalars
    assert list(map(type, after.scalars)) == [np.float32, np.int64, np.str_, float]


@pytest.mark.parametrize(
    "state", ["[]", '{"a": {"magic": 1}}', '{"a": {"array": "none"}}', '{"a": {}}',
              '{"a": {"text_array": {"dtype": "O", "items": [], "shape": [0]}}}']
)  # fmt: skip
def test_files_that_are_no_attributes_are_refused(tmp_path: Path, state: str) -> None:
    save_attributes(Holder(), tmp_path)
    (tmp_path / "attributes.json").write_text(state)
    with pytest.raises(ModelCorrupt):
        load_attributes(Holder(), tmp_path)
