"""The pipeline as an estimator of scikit-learn."""

import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks

from lexiclass import InvalidParameters, LexiClassClassifier, Pipeline, PipelineSpec

WORDS = {
    "animals": "cat dog horse sheep goat mouse".split(),
    "vehicles": "car bus train lorry tram bicycle".split(),
    "kitchen": "pot pan spoon knife oven plate".split(),
}


def corpus(num_documents: int = 90, seed: int = 0) -> tuple[list[str], list[str]]:
    drawn = random.Random(seed)
    labels = [drawn.choice(sorted(WORDS)) for _ in range(num_documents)]
    return [" ".join(drawn.choices(WORDS[label], k=6)) for label in labels], labels


TEXTS, LABELS = corpus()


@pytest.mark.parametrize(
    "name",
    [
        "check_parameters_default_constructible",
        "check_get_params_invariance",
        "check_set_params",
        "check_no_attributes_set_in_init",
        "check_valid_tag_types",
        "check_estimator_repr",
        "check_estimator_cloneable",
        "check_mixin_order",
    ],
)
def test_it_passes_the_checks_of_estimators_that_need_no_matrix(name: str) -> None:
    getattr(estimator_checks, name)("LexiClassClassifier", LexiClassClassifier())


@pytest.mark.filterwarnings("ignore:Can't test estimator")
def test_it_passes_what_the_library_checks_of_an_estimator_of_texts() -> None:
    # The checks give matrices of numbers but for a few.
    results = estimator_checks.check_estimator(LexiClassClassifier())
    assert {result["status"] for result in results} == {"passed"}


def test_it_learns_the_model_that_the_pipeline_learns() -> None:
    model = LexiClassClassifier(classifier_params={"C": 0.5}, random_state=7).fit(TEXTS, LABELS)
    pipeline = Pipeline(PipelineSpec(classifier_params={"C": 0.5}, seed=7))
    pipeline.fit(TEXTS, LABELS)

    assert model.classes_.tolist() == list(pipeline.classes)
    expected = pipeline.predict(TEXTS).probabilities
    np.testing.assert_array_equal(model.predict_proba(TEXTS), expected)
    assert model.predict(TEXTS).tolist() == LABELS
    assert model.score(TEXTS, LABELS) == 1.0


def test_a_trained_one_is_saved_as_the_pipeline_that_it_is(tmp_path: Path) -> None:
    model = LexiClassClassifier().fit(TEXTS, LABELS)
    model.pipeline_.save(tmp_path / "model")
    loaded = Pipeline.load(tmp_path / "model").predict(TEXTS)
    np.testing.assert_array_equal(loaded.probabilities, model.predict_proba(TEXTS))


@pytest.mark.parametrize("take", [list, tuple, np.array, lambda y: np.array(y, dtype=object)])
def test_texts_and_classes_come_as_lists_and_arrays(
    take: Callable[[list[str]], Any],
) -> None:
    model = LexiClassClassifier().fit(take(TEXTS), take(LABELS))
    assert model.predict(take(TEXTS[:5])).tolist() == LABELS[:5]


@pytest.mark.parametrize(
    "classes", [(2, 10, 1), (-1, 0, 3), (1.0, 10.0, 2.0)], ids=["numbers", "negative", "floats"]
)
def test_classes_that_are_numbers_stay_numbers_in_their_order(
    classes: tuple[float, float, float],
) -> None:
    names = dict(zip(sorted(WORDS), classes, strict=True))
    y = np.array([names[label] for label in LABELS])
    model = LexiClassClassifier().fit(TEXTS, y)

    assert model.classes_.tolist() == sorted(classes)
    assert model.predict(TEXTS).tolist() == y.tolist()
    chosen = model.classes_[model.predict_proba(TEXTS).argmax(axis=1)]
    assert chosen.tolist() == y.tolist()


def test_classes_may_be_true_and_false() -> None:
    y = [label == "animals" for label in LABELS]
    assert LexiClassClassifier().fit(TEXTS, y).predict(TEXTS).tolist() == y


@pytest.mark.slow
def test_cross_validation_and_searches_take_it() -> None:
    assert cross_val_score(LexiClassClassifier(), TEXTS, LABELS, cv=3).tolist() == [1, 1, 1]
    probabilities = cross_val_predict(
        LexiClassClassifier(), TEXTS, LABELS, cv=3, method="predict_proba"
    )
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    grid = {
        "feature_extractor": ["bow", "tfidf"],
        "classifier_params": [{"C": 0.1}, {"C": 1.0}],
    }
    search = GridSearchCV(LexiClassClassifier(), grid, cv=2, scoring="neg_log_loss")
    search.fit(TEXTS, LABELS)
    assert search.best_params_.keys() == grid.keys()
    assert search.predict(TEXTS[:5]).tolist() == LABELS[:5]


@pytest.mark.slow
def test_a_search_varies_one_parameter_of_a_plugin_beside_others() -> None:
    given = {"loss": "hinge", "C": 5.0}
    model = LexiClassClassifier(classifier_params=given)
    search = GridSearchCV(model, {"classifier_params__C": [0.1, 1.0]}, cv=2).fit(TEXTS, LABELS)
    assert search.best_params_.keys() == {"classifier_params__C"}
    assert search.best_estimator_.classifier_params["loss"] == "hinge"
    assert search.best_estimator_.classifier_params["C"] in {0.1, 1.0}
    assert given == {"loss": "hinge", "C": 5.0}
    last = make_pipeline(FunctionTransformer(), LexiClassClassifier())
    last.set_params(lexiclassclassifier__feature_extractor_params__min_df=3)
    assert last[-1].feature_extractor_params == {"min_df": 3}
    with pytest.raises(ValueError, match="magic"):
        model.set_params(magic__C=1)


def test_it_stands_at_the_end_of_a_pipeline_of_scikit_learn() -> None:
    lowered = FunctionTransformer(lambda texts: [text.lower() for text in texts])
    model = make_pipeline(lowered, LexiClassClassifier())
    shouted = [text.upper() for text in TEXTS]
    assert model.fit(shouted, LABELS).predict(shouted).tolist() == LABELS


def test_a_clone_has_the_parameters_and_is_not_trained() -> None:
    model = LexiClassClassifier(classifier_params={"C": 3.0}).fit(TEXTS, LABELS)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        copy.predict(TEXTS)


def test_processes_of_a_search_are_sent_trained_ones() -> None:
    model = LexiClassClassifier().fit(TEXTS, LABELS)
    sent = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(sent.predict_proba(TEXTS), model.predict_proba(TEXTS))


def test_parameters_are_checked_when_it_is_trained() -> None:
    for model, named in (
        (LexiClassClassifier(classifier_params={"C": -1}), "C"),
        (LexiClassClassifier(random_state=-1), "seed"),
    ):
        with pytest.raises(InvalidParameters, match=named):
            model.fit(TEXTS, LABELS)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ("one text", ["a"], "X is one text"),
        (b"one text", ["a"], "X is one text"),
        (np.zeros((3, 2)), ["a", "b", "a"], "X has 2 dimensions"),
        ([1.0, 2.0], ["a", "b"], "of type float, not a string"),
        (TEXTS[:3], [[1, 0], [1, 1], [0, 1]], "several classes a text"),
    ],
)
def test_what_is_no_text_or_no_class_is_refused(
    x: Any, y: list[list[int]] | list[str], message: str
) -> None:
    with pytest.raises((InvalidParameters, TypeError), match=message):
        LexiClassClassifier().fit(x, y)


def test_as_many_classes_as_texts_are_expected() -> None:
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LexiClassClassifier().fit(TEXTS, LABELS[:-1])
    with pytest.raises(ValueError, match="continuous"):
        LexiClassClassifier().fit(TEXTS, np.linspace(0, 1, len(TEXTS)))
