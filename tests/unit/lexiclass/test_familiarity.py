"""Documents of another kind are told from those of training."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lexiclass import ModelCorrupt, Pipeline, PipelineSpec, TokenMatrix
from lexiclass.checksums import FileRecord
from lexiclass.familiarity import (
    FALSE_ALARMS,
    FILE,
    CentroidFamiliarity,
    Reference,
    WordFamiliarity,
    load_familiarity,
    save_familiarity,
)
from lexiclass.familiarity.words import known_of_others
from lexiclass.self_digest import dump_with_digest, load_with_digest
from tests.support.tiny_encoder import write_encoder


def written(
    num: int, seed: int, *, first_word: int = 0, words: tuple[int, int] = (5, 40)
) -> list[str]:
    """Write texts of a language whose words follow Zipf's law."""
    source = np.random.default_rng(seed)
    lengths = source.integers(*words, num)
    return [
        " ".join(f"w{first_word + word}" for word in source.zipf(1.4, length) % 20_000)
        for length in lengths
    ]


def trained_on(texts: list[str], **spec: Any) -> Pipeline:
    labels = ["even" if number % 2 else "odd" for number in range(len(texts))]
    chosen = {"feature_extractor": "tfidf", "classifier_params": {"calibration": "none"}, **spec}
    pipeline = Pipeline(PipelineSpec(**chosen))
    pipeline.fit(texts, labels)
    return pipeline


@pytest.mark.parametrize("num", [300, 1500])
@pytest.mark.parametrize("feature_extractor", ["bow", "tfidf"])
def test_one_in_a_hundred_documents_like_those_of_training_is_flagged(
    feature_extractor: str, num: int
) -> None:
    pipeline = trained_on(written(num, seed=1), feature_extractor=feature_extractor)
    predictions = pipeline.predict(written(4000, seed=2))
    assert predictions.familiarity is not None
    assert predictions.unfamiliar is not None
    assert predictions.unfamiliar.mean() == pytest.approx(FALSE_ALARMS, abs=0.012)
    for share in (0.1, 0.5):
        assert (predictions.familiarity <= share).mean() == pytest.approx(share, abs=0.06)


def test_documents_of_other_words_are_flagged_though_they_are_short_or_long() -> None:
    pipeline = trained_on(written(1000, seed=1, words=(5, 60)))
    for words in ((12, 13), (200, 201)):
        strange = written(200, seed=3, first_word=30_000, words=words)
        assert np.all(unfamiliar(pipeline, strange))
    # Half of their words are those of training.
    halves = map(" ".join, zip(written(200, 4), written(200, 5, first_word=30_000), strict=True))
    assert unfamiliar(pipeline, list(halves)).mean() > 0.7


def test_texts_that_come_twice_do_not_vouch_for_each_other() -> None:
    once = written(600, seed=1)
    twice = trained_on([text for text in once for _ in range(2)])
    unseen = twice.predict(written(3000, seed=2))
    assert unseen.unfamiliar is not None
    assert unseen.familiarity is not None
    assert unseen.unfamiliar.mean() < 0.03
    assert unseen.familiarity.mean() == pytest.approx(0.5, abs=0.1)


def unfamiliar(pipeline: Pipeline, texts: list[str]) -> NDArray[np.bool_]:
    flagged = pipeline.predict(texts).unfamiliar
    assert flagged is not None
    return flagged


@pytest.mark.parametrize("text", ["", "🙂 🙃", "Ничего из этого она не видела никогда прежде"])
def test_a_document_without_a_known_word_is_unfamiliar(text: str) -> None:
    assert unfamiliar(trained_on(written(500, seed=1)), [text]).tolist() == [True]


def test_fewer_than_a_hundred_documents_flag_nothing() -> None:
    pipeline = trained_on(written(98, seed=1))
    predictions = pipeline.predict(["", "nothing of this was ever seen by anyone"])
    assert predictions.familiarity is not None
    assert predictions.unfamiliar is not None
    assert predictions.familiarity.tolist() == [1 / 99, 1 / 99]
    assert not predictions.unfamiliar.any()


def test_the_order_of_documents_and_the_seed_change_nothing(tmp_path: Path) -> None:
    texts = written(400, seed=1)
    labels = ["even" if number % 2 else "odd" for number in range(400)]
    stored = []
    for number, order in enumerate((np.arange(400), np.random.default_rng(0).permutation(400))):
        pipeline = Pipeline(PipelineSpec(feature_extractor="tfidf", seed=number))
        pipeline.fit([texts[row] for row in order], [labels[row] for row in order])
        pipeline.save(tmp_path / str(number))
        stored.append((tmp_path / str(number) / FILE).read_bytes())
    assert stored[0] == stored[1]


def test_it_is_stored_with_the_model(tmp_path: Path) -> None:
    pipeline = trained_on(written(300, seed=1))
    assert FILE in pipeline.save(tmp_path / "model").files
    texts = written(50, seed=2)
    loaded = Pipeline.load(tmp_path / "model").predict(texts, batch_size=7)
    np.testing.assert_array_equal(loaded.familiarity, pipeline.predict(texts).familiarity)


def test_whether_texts_or_tokens_were_given_changes_nothing() -> None:
    texts = written(300, seed=1)
    from_texts = trained_on(texts)
    from_tokens = Pipeline(PipelineSpec(feature_extractor="tfidf"))
    labels = ["even" if number % 2 else "odd" for number in range(300)]
    from_tokens.fit_tokens(from_tokens.tokenize(texts), labels, digests=["x"] * 300)
    tokens = from_tokens.tokenize(written(50, seed=2))
    np.testing.assert_array_equal(
        from_tokens.predict_tokens(tokens).familiarity,
        from_texts.predict(written(50, seed=2)).familiarity,
    )


@pytest.mark.slow
def test_several_classes_a_document_make_no_difference() -> None:
    texts = written(300, seed=1)
    labels = [{"even"} if number % 2 else {"odd", "any"} for number in range(300)]
    several = Pipeline(PipelineSpec(feature_extractor="tfidf", multi_label=True))
    several.fit(texts, labels)
    unseen = written(50, seed=2)
    np.testing.assert_array_equal(
        several.predict(unseen).familiarity, trained_on(texts).predict(unseen).familiarity
    )


@pytest.mark.slow
def test_features_that_do_not_tell_known_words_tell_no_familiarity(tmp_path: Path) -> None:
    pytest.importorskip("gensim")
    pipeline = trained_on(written(60, seed=1), feature_extractor="fasttext")
    predictions = pipeline.predict(["w1 w2"])
    assert predictions.familiarity is None
    assert predictions.unfamiliar is None
    assert FILE not in pipeline.save(tmp_path / "model").files


words = st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=6), min_size=1, max_size=12)


@given(documents=words, fewest=st.integers(1, 3), data=st.data())
def test_a_word_counts_as_known_if_the_model_would_know_it_without_the_document(
    documents: list[list[str]], fewest: int, data: st.DataObject
) -> None:
    keys = data.draw(st.lists(st.integers(0, 3), min_size=len(documents), max_size=len(documents)))
    # Documents that are the same have the same key, as near-duplicates do.
    first = {tuple(document): key for document, key in zip(documents, keys, strict=True)}
    keys = [first[tuple(document)] for document in documents]
    tokens = TokenMatrix.from_lists(documents)
    frequency = np.bincount(tokens.counts().indices, minlength=len(tokens.terms))
    is_known = frequency >= fewest
    found = known_of_others(tokens, is_known, np.array(keys, dtype=np.uint64))
    # What is asked of a word follows from the rarest one that is known.
    asked = int(frequency[is_known].min()) if is_known.any() else 1
    for row, document in enumerate(documents):
        others = [set(d) for d, key in zip(documents, keys, strict=True) if key != keys[row]]
        known = [word for word in document if sum(word in other for other in others) >= asked]
        assert found[row] == (len(known) if is_known.any() else 0)


def test_documents_of_one_group_take_no_more_memory_than_they_have_words() -> None:
    # A chain: each is like the next one, and the first has no word of the last.
    documents = [[f"w{10 * number + word}" for word in range(50)] for number in range(1_000)]
    tokens = TokenMatrix.from_lists(documents)
    keys = np.zeros(len(documents), dtype=np.uint64)
    tracemalloc.start()
    try:
        found = known_of_others(tokens, np.ones(len(tokens.terms), dtype=np.bool_), keys)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not found.any()
    assert peak < 500 * len(tokens.ids)


@given(
    scores=st.lists(st.floats(-9, 9), max_size=60),
    more=st.lists(st.floats(-9, 9), min_size=1, max_size=9),
)
def test_p_values_are_shares_of_what_is_no_more_familiar(
    scores: list[float], more: list[float]
) -> None:
    found = Reference.of(np.array(scores)).p_values(np.array(more))
    expected = [(1 + sum(s <= score for s in scores)) / (1 + len(scores)) for score in more]
    assert found.tolist() == expected


def test_of_very_many_scores_some_stand_for_all() -> None:
    scores = np.random.default_rng(0).normal(size=50_000)
    few, new = Reference.of(scores), np.linspace(-4, 4, 200)
    assert len(few.scores) < 2_000
    exact = (1 + (scores[:, np.newaxis] <= new).sum(axis=0)) / 50_001
    np.testing.assert_allclose(few.p_values(new), exact, atol=0.001)


@given(
    known=st.lists(st.integers(0, 50), min_size=1, max_size=30),
    unknown=st.lists(st.integers(0, 50), min_size=1, max_size=30),
)
def test_what_is_stored_is_what_was_learned(
    known: list[int], unknown: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    num = min(len(known), len(unknown))
    counts = np.array(known[:num]), np.array(known[:num]) + np.array(unknown[:num])
    familiarity = WordFamiliarity.of_counts(*counts)
    directory = tmp_path_factory.mktemp("model")
    save_familiarity(directory, familiarity)
    again = load_familiarity(directory, 1)
    assert isinstance(again, WordFamiliarity)
    np.testing.assert_array_equal(again.p_values(*counts), familiarity.p_values(*counts))
    assert again.state() == familiarity.state()


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "other"},
        {"share": 1.5},
        {"share": None},
        {"correlation": -0.1},
        {"reference": [2.0, 1.0]},
        {"reference": ["x"]},
        {"reference": [[1.0]]},
        {"reference": [float("inf")]},
    ],
)
def test_what_is_no_familiarity_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    state = WordFamiliarity.of_counts(np.array([3, 4]), np.array([5, 6])).state() | change
    (tmp_path / FILE).write_text(json.dumps(state))
    with pytest.raises(ModelCorrupt, match="familiarity"):
        load_familiarity(tmp_path, 1)


@pytest.mark.parametrize("content", ["[]", "null", '{"kind": "words"}', "3"])
def test_what_is_no_object_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(ModelCorrupt, match="familiarity"):
        load_familiarity(tmp_path, 1)


points = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(-9, 9)), min_size=1, max_size=15
)


@given(points=points, num=st.integers(1, 5))
def test_no_embedding_has_a_part_in_the_means_that_it_is_compared_with(
    points: list[tuple[int, int, int]], num: int
) -> None:
    """Classes and places of documents; those of one place are the same, for they have one key."""
    codes = np.array([code for code, _, _ in points])
    places = {key: float(where) for _, key, where in points}
    rows = np.array([[places[key]] * num for _, key, _ in points])
    keys = np.array([key for _, key, _ in points], dtype=np.uint64)
    expected = []
    for code, key, _ in points:
        far = []
        for other in set(codes.tolist()):
            left = (codes == other) & ~((other == code) & (keys == key))
            if left.any():
                mean = rows[left].mean(axis=0)
                far.append(float(np.linalg.norm(places[key] - mean)))
        if far:
            expected.append(-min(far))
    found = CentroidFamiliarity.fit(rows, codes, keys)
    np.testing.assert_allclose(found.reference.scores, np.sort(expected), atol=1e-4)


def clouds(
    num: int, seed: int, *, away: float = 0.0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Place documents of three classes around means of their own."""
    source = np.random.default_rng(seed)
    means = np.random.default_rng(0).normal(size=(3, 20))
    codes = source.integers(0, 3, num)
    rows = means[codes] + 0.4 * source.normal(size=(num, 20)) + away
    return rows.astype(np.float32), codes


def test_of_embeddings_like_those_of_training_one_in_a_hundred_is_flagged() -> None:
    rows, codes = clouds(600, seed=1)
    familiarity = CentroidFamiliarity.fit(rows, codes, np.arange(600, dtype=np.uint64))
    found = familiarity.p_values(clouds(5000, seed=2)[0])
    for share in (FALSE_ALARMS, 0.1, 0.5):
        assert (found <= share).mean() == pytest.approx(share, abs=0.01 + share / 10)
    assert (familiarity.p_values(clouds(200, seed=3, away=2.0)[0]) <= FALSE_ALARMS).all()


def test_centroids_are_stored_and_checked(tmp_path: Path) -> None:
    rows, codes = clouds(200, seed=1)
    familiarity = CentroidFamiliarity.fit(rows, codes, np.arange(200, dtype=np.uint64))
    save_familiarity(tmp_path, familiarity)
    new = clouds(50, seed=2)[0]
    again = load_familiarity(tmp_path, 20)
    assert isinstance(again, CentroidFamiliarity)
    np.testing.assert_array_equal(again.p_values(new), familiarity.p_values(new))
    with pytest.raises(ModelCorrupt, match="19 features"):
        load_familiarity(tmp_path, 19)
    familiarity.centroids[0, 0] = np.nan
    save_familiarity(tmp_path, familiarity)
    with pytest.raises(ModelCorrupt, match="centroids"):
        load_familiarity(tmp_path, 20)


@pytest.mark.heavy
def test_a_model_of_embeddings_tells_where_documents_lie(tmp_path: Path) -> None:
    words = "red apple green pear fast car slow truck [UNK]".split()
    write_encoder(tmp_path / "encoder", words)
    source = np.random.default_rng(0)
    texts = [" ".join(source.choice(words[:8], 4)) for _ in range(150)]
    labels = ["even" if number % 2 else "odd" for number in range(150)]
    parameters = {"model": str(tmp_path / "encoder")}
    spec = PipelineSpec(feature_extractor="sbert", feature_extractor_params=parameters)
    pipeline = Pipeline(spec)
    pipeline.fit(texts, labels)
    found = pipeline.predict(texts[:20]).familiarity
    assert found is not None
    assert ((found > 0) & (found <= 1)).all()
    pipeline.save(tmp_path / "model")
    again = Pipeline.load(tmp_path / "model")
    loaded = again.predict(texts[:20]).familiarity
    assert loaded is not None
    np.testing.assert_allclose(loaded, found, atol=0.02)
    before = Pipeline(spec)
    embedder = before.require_embedder()
    embedder.prepare()
    embeddings = embedder.transform(texts)
    before.fit_embeddings(embeddings, labels, digests=["x"] * 150)
    of_embeddings = before.predict_embeddings(embeddings[:20]).familiarity
    assert of_embeddings is not None
    np.testing.assert_allclose(of_embeddings, found, atol=0.02)


def test_a_model_with_the_familiarity_of_another_is_refused(tmp_path: Path) -> None:
    trained_on(written(60, seed=1)).save(tmp_path / "model")
    rows, codes = clouds(60, seed=1)
    path = tmp_path / "model" / "manifest.json"
    content = load_with_digest(path.read_bytes(), file="x")
    centroids = rows[:, :1].repeat(content["num_features"], axis=1)
    save_familiarity(
        tmp_path / "model",
        CentroidFamiliarity.fit(centroids, codes, np.arange(60, dtype=np.uint64)),
    )
    names = [*content["files"], "familiarity.safetensors"]
    content["files"] = {
        name: FileRecord.of(tmp_path / "model" / name).model_dump() for name in names
    }
    path.write_bytes(dump_with_digest(content))
    with pytest.raises(ModelCorrupt, match="not for what this pipeline reads"):
        Pipeline.load(tmp_path / "model")
