"""Documents that are held out of a training have had no say in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass import (
    Pipeline,
    PipelineSpec,
    expected_calibration_error,
)
from lexiclass.near_duplicates import content_keys, text_keys, token_keys
from lexiclass.near_embeddings import embedding_keys
from lexiclass.tokens import TokenMatrix
from tests.support.extractors import counting_extractor
from tests.support.tiny_encoder import write_encoder


def topics(
    num: int, seed: int = 0, *, words: int = 12, sure: float = 0.25
) -> tuple[list[str], list[str]]:
    """Write texts of three topics, of which few words tell the topic."""
    source = np.random.default_rng(seed)
    texts, labels = [], []
    for number in range(num):
        topic = number % 3
        told = source.random(words) < sure
        picked = np.where(
            told, topic * 40 + source.integers(0, 40, words), 120 + source.zipf(1.4, words) % 800
        )
        texts.append(" ".join(f"w{word}" for word in picked))
        labels.append("abc"[topic])
    return texts, labels


documents_of_words = st.lists(
    st.lists(st.sampled_from("abcdefgh"), max_size=6), min_size=4, max_size=20
)


@pytest.mark.slow_variants
@given(documents_of_words, st.data())
@pytest.mark.parametrize("name", ["bow", "tfidf"])
@pytest.mark.parametrize("parameters", [{"min_df": 1}, {"min_df": 0.2, "ngram_range": (1, 2)}])
def test_rows_of_less_are_those_of_an_extractor_that_has_read_less(
    name: str, parameters: dict[str, Any], documents: list[list[str]], data: st.DataObject
) -> None:
    documents = [[*words, "there"] for words in documents]
    kept = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(documents), max_size=len(documents)))
    )
    if kept.sum() < 2:
        return
    tokens = TokenMatrix.from_lists(documents)
    whole = counting_extractor(name, **parameters)
    rows = whole.fit_transform(tokens)
    found = whole.relearned(rows, kept)(rows)
    # The same number of documents, whatever share that is.
    fewest, _ = whole._parameters.document_limits(len(documents), 1)
    if fewest > kept.sum():
        return
    less = counting_extractor(name, **{**parameters, "min_df": fewest / kept.sum() - 1e-9})
    less.fit_transform(tokens.take(np.flatnonzero(kept)))
    expected = less.transform(tokens)
    columns = {feature: column for column, feature in enumerate(whole.feature_names())}
    there = [columns[feature] for feature in less.feature_names()]
    np.testing.assert_allclose(found[:, there].toarray(), expected.toarray(), rtol=1e-4, atol=1e-6)
    assert found.sum() == pytest.approx(expected.sum(), rel=1e-4)


def test_near_duplicates_have_one_key_whatever_the_order() -> None:
    texts, _ = topics(60, words=40)
    texts += [f"{text} w900" for text in texts[:10]] + texts[10:20]
    tfidf = counting_extractor("tfidf", min_df=1, ngram_range=(1, 1))
    rows = tfidf.fit_transform(TokenMatrix.from_lists([text.split() for text in texts]))
    keys = content_keys(rows)
    assert len(np.unique(keys[:60])) == 60
    assert (keys[60:70] == keys[:10]).sum() >= 8  # some pairs may be missed
    np.testing.assert_array_equal(keys[70:], keys[10:20])
    order = np.random.default_rng(0).permutation(len(texts))
    np.testing.assert_array_equal(content_keys(rows[order]), keys[order])
    np.testing.assert_array_equal(text_keys(texts)[70:], text_keys(texts)[10:20])


@pytest.mark.parametrize(
    ("first", "last"),
    [("一", "龥"), ("ぁ", "ヺ"), ("ก", "ฮ"), ("က", "အ"), ("ក", "អ")],
    ids=["Chinese", "Japanese", "Thai", "Burmese", "Khmer"],
)
def test_near_duplicates_are_found_without_blanks_between_words(first: str, last: str) -> None:
    source = np.random.default_rng(0)
    written = source.integers(ord(first), ord(last), (200, 60))
    nearly = written.copy()
    nearly[:, 30] = source.integers(ord(first), ord(last), 200)
    texts = ["".join(map(chr, row)) + " 2026。" for row in (*written, *nearly)]
    keys = text_keys(texts)
    assert len(np.unique(keys)) >= 200
    assert (keys[:200] == keys[200:]).mean() > 0.9
    assert len(np.unique(text_keys(["字", "ก", "", "字x", "x语"]))) == 5


@pytest.mark.parametrize("name", ["bow", "tfidf"])
def test_what_all_documents_have_makes_none_alike_and_hides_none_that_are(name: str) -> None:
    source = np.random.default_rng(0)
    signature = [f"s{number}" for number in range(300)]
    written = source.integers(0, 2_000, (200, 30))
    nearly = written.copy()
    nearly[:, 7] = source.integers(0, 2_000, 200)
    documents = [[*(f"w{word}" for word in row), *signature] for row in (*written, *nearly)]
    tokens = TokenMatrix.from_lists(documents)
    rows = counting_extractor(name, min_df=1, ngram_range=(1, 1)).fit_transform(tokens)
    for keys in (content_keys(rows), token_keys(tokens), text_keys(list(map(" ".join, documents)))):
        assert len(np.unique(keys)) >= 200
        assert (keys[:200] == keys[200:]).mean() > 0.95


def test_a_signature_under_all_documents_leaves_some_to_calibrate_on() -> None:
    signature = " ".join(f"s{number}" for number in range(150))
    texts, labels = topics(300)
    pipeline = Pipeline(PipelineSpec(feature_extractor="bow"))
    pipeline.fit([f"{text} {signature}" for text in texts], labels)
    assert pipeline.num_calibration_documents == 300
    test_texts, truth = topics(1500, seed=1)
    predictions = pipeline.predict([f"{text} {signature}" for text in test_texts])
    right = (np.array(predictions.labels) == np.array(truth)).mean()
    assert predictions.confidence.mean() == pytest.approx(right, abs=0.08)


def test_equal_rows_are_found_sparse_and_dense() -> None:
    rows = counting_extractor("bow", min_df=1).fit_transform(
        TokenMatrix.from_lists([["a"], ["b"], ["a"]])
    )
    for keys in (content_keys(rows), content_keys(rows.toarray())):
        assert keys[0] == keys[2] != keys[1]


@pytest.mark.slow_variants
@pytest.mark.parametrize("copies", [1, 2])
def test_confidence_is_the_share_that_is_right(copies: int) -> None:
    texts, labels = topics(900)
    pipeline = Pipeline(PipelineSpec(feature_extractor="tfidf"))
    pipeline.fit(texts * copies, labels * copies)
    test_texts, truth = topics(3000, seed=1)
    predictions = pipeline.predict(test_texts)
    right = np.array(predictions.labels) == np.array(truth)
    assert 0.5 < right.mean() < 0.98
    assert predictions.confidence.mean() == pytest.approx(right.mean(), abs=0.04)
    assert expected_calibration_error(predictions.confidence, right) < 0.06


@pytest.mark.parametrize("classifier", ["svm", pytest.param("xgboost", marks=pytest.mark.heavy)])
def test_one_text_that_comes_a_thousand_times_does_not_decide_over_all_others(
    classifier: str,
) -> None:
    source = np.random.default_rng(0)

    def written(kind: str, num: int) -> list[str]:
        common, own = source.integers(0, 200, (num, 8)), source.integers(0, 20, (num, 4))
        return [
            " ".join([*(f"x{word}" for word in some), *(f"{kind}{word}" for word in told)])
            for some, told in zip(common, own, strict=True)
        ]

    texts = [*written("letter", 120), *written("advert", 60)]
    labels = ["letter"] * 120 + ["advert"] * 60
    again = "x1 x2 x3 x4 x5 letter1 letter2 letter3"
    pipeline = Pipeline(PipelineSpec(classifier=classifier))
    pipeline.fit([*texts, *[again] * 1_000], [*labels, *["advert"] * 1_000])
    assert pipeline.predict(written("letter", 200)).labels.count("letter") > 150


def test_answers_that_come_again_and_again_are_not_taken_for_others() -> None:
    texts, labels = ["yes", "no"] * 100, ["y", "n"] * 100
    labels[:10:2] = ["n"] * 5
    pipeline = Pipeline(PipelineSpec())
    pipeline.fit(texts, labels)
    assert pipeline.predict(["yes", "no"]).labels == ["y", "n"]


@pytest.mark.heavy
@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("classifier", ["xgboost", "transformer"])
def test_what_was_learned_by_heart_is_not_believed(
    classifier: str, copies: int, tmp_path: Path
) -> None:
    texts, _ = topics(300)
    # By chance: whoever has seen a document, or its copy, knows its label, and nobody else does.
    labels = np.random.default_rng(0).choice(["a", "b"], len(texts)).tolist()
    params: dict[str, Any] = {}
    if classifier == "transformer":
        words = ["[UNK]", *sorted({word for text in texts for word in text.split()})]
        encoder = write_encoder(tmp_path / "encoder", words)
        params = {"model": str(encoder), "learning_rate": 0.01, "epochs": 25}
    pipeline = Pipeline(PipelineSpec(classifier=classifier, classifier_params=params))
    pipeline.fit(texts * copies, labels * copies)
    assert pipeline.predict(topics(300, seed=1)[0]).confidence.mean() < 0.62


@pytest.mark.slow_variants
@pytest.mark.parametrize("words", [1, 3])
def test_documents_of_few_words_are_not_believed_more_than_they_are_right(words: int) -> None:
    texts, labels = topics(900)
    pipeline = Pipeline(PipelineSpec(feature_extractor="tfidf"))
    pipeline.fit(texts, labels)
    test_texts, truth = topics(3000, seed=1)
    predictions = pipeline.predict([" ".join(text.split()[:words]) for text in test_texts])
    right = (np.array(predictions.labels) == np.array(truth)).mean()
    assert predictions.confidence.mean() == pytest.approx(right, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("words", [1, 3])
def test_with_several_classes_few_words_are_not_believed_more_either(words: int) -> None:
    texts, labels = topics(900)
    pipeline = Pipeline(PipelineSpec(feature_extractor="tfidf", multi_label=True))
    pipeline.fit(texts, [{label} if label != "c" else {"b", "c"} for label in labels])
    test_texts, truth = topics(3000, seed=1)
    predictions = pipeline.predict([" ".join(text.split()[:words]) for text in test_texts])
    members = np.array([[label == "a", label != "a", label == "c"] for label in truth])
    error = expected_calibration_error(predictions.probabilities.ravel(), members.ravel())
    assert error < 0.08


@pytest.mark.parametrize("feature_extractor", ["bow", "tfidf"])
@pytest.mark.parametrize("text", ["", "🙂 🙃", "nothing of this was ever seen"])
def test_a_document_without_a_known_word_has_the_classes_frequencies(
    feature_extractor: str, text: str
) -> None:
    texts, labels = topics(300)
    labels = ["b" if label == "c" else label for label in labels]
    pipeline = Pipeline(PipelineSpec(feature_extractor=feature_extractor))
    pipeline.fit(texts, labels)
    np.testing.assert_allclose(pipeline.predict([text]).probabilities, [[1 / 3, 2 / 3]], atol=0.01)


@pytest.mark.parametrize("feature_extractor", ["bow", "tfidf"])
def test_how_many_words_are_known_is_said_beside_each_prediction(feature_extractor: str) -> None:
    texts, labels = topics(90)
    pipeline = Pipeline(PipelineSpec(feature_extractor=feature_extractor))
    pipeline.fit(texts, labels)
    predictions = pipeline.predict(
        [texts[0], "", f"{texts[1]} never seen {texts[1]}"], batch_size=2
    )
    assert predictions.known_words is not None
    assert predictions.known_words.tolist() == [12, 0, 24]
    assert pipeline.predict([]).known_words is None


@pytest.mark.slow
def test_embeddings_of_words_do_not_tell_how_much_they_rest_on() -> None:
    pytest.importorskip("gensim")
    texts, labels = topics(60)
    pipeline = Pipeline(PipelineSpec(feature_extractor="fasttext"))
    pipeline.fit(texts, labels)
    probabilities = pipeline.predict(texts).probabilities
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


@pytest.mark.slow
def test_documents_without_a_token_teach_nothing() -> None:
    texts, labels = topics(90)
    taught, not_taught = (Pipeline(PipelineSpec(feature_extractor="tfidf")) for _ in range(2))
    taught.fit(texts, labels)
    not_taught.fit([*texts, "", " ", "!?"], [*labels, "a", "a", "a"])
    np.testing.assert_array_equal(
        taught.predict(texts).probabilities, not_taught.predict(texts).probabilities
    )
    empty = not_taught.predict([""]).probabilities[0]
    np.testing.assert_allclose(empty, np.array([33, 30, 30]) / 93, atol=0.01)
    empty_class = Pipeline(PipelineSpec(feature_extractor="tfidf"))
    empty_class.fit([*texts, ""], [*labels, "d"])
    assert empty_class.classes == ("a", "b", "c", "d")


@pytest.mark.parametrize("num_told", [0, 1, 2])
@pytest.mark.parametrize("classifier", ["svm", pytest.param("xgboost", marks=pytest.mark.heavy)])
def test_documents_without_a_token_count_among_their_class(classifier: str, num_told: int) -> None:
    """Scans without a text come in one class; one of them that has a word is no reason to forget
    the others."""
    texts = [f"invoice number {number} of {number % 7}" for number in range(50)]
    blank = [*["a word"] * num_told, *[""] * 50]
    pipeline = Pipeline(PipelineSpec(feature_extractor="tfidf", classifier=classifier))
    pipeline.fit([*texts, *blank], [*["a"] * 50, *["b"] * len(blank)])

    for text in ("", "nothing known"):
        (probabilities,) = pipeline.predict([text]).probabilities
        assert probabilities[1] == pytest.approx(len(blank) / (50 + len(blank)), abs=0.01)


def test_documents_without_a_token_say_nothing_of_those_that_have_a_word() -> None:
    texts, labels = topics(90)
    told, more = (Pipeline(PipelineSpec(feature_extractor="tfidf")) for _ in range(2))
    told.fit(texts, labels)
    more.fit([*texts, *[""] * 60], [*labels, *["a"] * 60])
    short = [" ".join(text.split()[:2]) for text in texts]
    np.testing.assert_array_equal(
        told.predict(short).probabilities, more.predict(short).probabilities
    )


def test_classes_that_cannot_be_held_out_are_not_pushed_down_where_few_words_are_known(
    tmp_path: Path,
) -> None:
    source = np.random.default_rng(1)

    def write(topic: int, length: int) -> str:
        own = source.choice([f"t{topic}w{number}" for number in range(30)], length)
        common = source.choice([f"common{number}" for number in range(100)], length)
        return " ".join(np.where(source.random(length) < 0.4, own, common))

    sizes = {topic: 10 if topic < 12 else 1 for topic in range(72)}
    taught = [topic for topic, size in sizes.items() for _ in range(size)]
    pipeline = Pipeline(PipelineSpec(feature_extractor="tfidf"))
    pipeline.fit([write(topic, 40) for topic in taught], [f"class {topic}" for topic in taught])

    pipeline.save(tmp_path / "model")
    state = json.loads((tmp_path / "model" / "classifier" / "calibrator.json").read_text())
    singles = [sizes[int(name.split()[1])] == 1 for name in pipeline.classes]
    assert not np.array(state["shifts"])[:, singles].any()
    assert np.array(state["shifts"])[:, np.logical_not(singles)].any()


@pytest.mark.slow
def test_the_order_of_documents_and_another_seed_move_confidences_little() -> None:
    texts, labels = topics(1500)
    test_texts, _ = topics(600, seed=1)
    found = []
    for seed, order in ((1, np.arange(1500)), (2, np.arange(1500)), (1, np.arange(1500)[::-1])):
        pipeline = Pipeline(PipelineSpec(feature_extractor="tfidf", seed=seed))
        pipeline.fit([texts[row] for row in order], [labels[row] for row in order])
        found.append(pipeline.predict(test_texts).confidence)
    for other in found[1:]:
        assert np.quantile(np.abs(other - found[0]), 0.99) < 0.05


def test_how_many_documents_calibrated_a_model_is_kept(tmp_path: Path) -> None:
    texts, labels = topics(120)
    pipeline = Pipeline(PipelineSpec(feature_extractor="tfidf"))
    assert pipeline.fit(texts, labels).num_calibration_documents == 120
    assert pipeline.save(tmp_path / "model").num_calibration_documents == 120
    assert Pipeline.load(tmp_path / "model").num_calibration_documents == 120


@pytest.mark.slow_variants
@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("classifier", ["svm", "xgboost"])
def test_copies_and_near_doubles_calibrate_as_one_document(
    classifier: str, multi_label: bool
) -> None:
    texts, labels = topics(60, words=40)
    nearly = [f"{text} again" for text in texts[:20]]
    pipeline = Pipeline(
        PipelineSpec(
            feature_extractor="tfidf",
            classifier=classifier,
            classifier_params={} if classifier == "svm" else {"max_rounds": 5},
            multi_label=multi_label,
        )
    )
    named = [{label} if multi_label else label for label in labels]
    found = []
    for copies, more in ((1, 0), (3, 0), (1, 20), (2, 20)):
        taught = [*texts, *nearly[:more]] * copies, [*named, *named[:more]] * copies
        found.append(pipeline.fit(*taught).num_calibration_documents)
    assert found == [60, 60, 60, 60]


def test_documents_without_a_known_word_calibrate_nothing() -> None:
    texts, labels = topics(90)
    lonely = [f"only{number}" for number in range(30)]
    pipeline = Pipeline(
        PipelineSpec(feature_extractor="tfidf", feature_extractor_params={"min_df": 2})
    )
    report = pipeline.fit([*texts, *lonely], [*labels, *(["a", "b", "c"] * 10)])
    assert report.num_documents == 120
    assert report.num_calibration_documents == 90


def test_embeddings_that_are_nearly_the_same_have_one_key_whatever_the_order() -> None:
    source = np.random.default_rng(0)
    # Many encoders put all texts in one direction.
    rows = source.normal(size=(400, 64)) + 3
    nearly = rows + source.normal(size=rows.shape) * 0.2
    every = np.concatenate([rows, nearly, rows[:50]]).astype(np.float32)
    keys = embedding_keys(every)
    assert len(np.unique(keys)) >= 400
    assert (keys[:400] == keys[400:800]).mean() > 0.95
    np.testing.assert_array_equal(keys[800:], keys[:50])
    order = source.permutation(len(every))
    np.testing.assert_array_equal(embedding_keys(every[order]), keys[order])


@given(st.lists(st.integers(0, 3), max_size=6))
def test_embeddings_that_are_equal_have_one_key(numbers: list[int]) -> None:
    rows = np.eye(4, dtype=np.float32)[numbers].reshape(-1, 4)
    keys = embedding_keys(rows)
    assert len(np.unique(keys)) == len(set(numbers))
    assert len({(number, key) for number, key in zip(numbers, keys, strict=True)}) == len(
        set(numbers)
    )


def test_classes_of_one_document_are_the_answer_as_often_as_others() -> None:
    """No document of theirs can be held out; that tells nothing of how frequent they are."""
    source = np.random.default_rng(0)

    def write(topic: int) -> str:
        own = source.choice([f"t{topic}a", f"t{topic}b", f"t{topic}c", "t"], 2)
        return " ".join([*own, *(f"w{word}" for word in source.integers(0, 300, 8))])

    classes = range(90)
    taught = [topic for topic in classes for _ in range(1 + topic % 2)]
    pipeline = Pipeline(PipelineSpec(feature_extractor="tfidf"))
    pipeline.fit([write(topic) for topic in taught], [f"class {topic}" for topic in taught])
    truth = [topic for topic in classes for _ in range(10)]
    predictions = pipeline.predict([write(topic) for topic in truth])
    numbers = np.array([int(label.split()[1]) for label in predictions.labels])
    of_one, right = np.array(truth) % 2 == 0, numbers == np.array(truth)
    assert right[of_one].mean() > 0.5 * right[~of_one].mean()
