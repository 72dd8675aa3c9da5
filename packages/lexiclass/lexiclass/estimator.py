"""A pipeline as an estimator of scikit-learn: for its cross-validation, searches and metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from lexiclass.errors import InvalidParameters
from lexiclass.pipeline import Pipeline
from lexiclass.spec import PipelineSpec

Texts: TypeAlias = "Sequence[str] | NDArray[Any]"


_MAPPINGS = ("tokenizer_params", "feature_extractor_params", "classifier_params")


class LexiClassClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classifies texts, each of one class, with calibrated probabilities.

    The interface is that of scikit-learn's classifiers (L. Buitinck et al., API design for machine
    learning software, 2013). ``fit`` gives the model that :meth:`lexiclass.Pipeline.fit` gives, and
    :attr:`pipeline_` is it, to be saved. For documents of several classes use the pipeline itself.

    Args:
        tokenizer: See :class:`~lexiclass.PipelineSpec`, as of all that follow.
        feature_extractor: What turns tokens into numbers.
        classifier: What learns classes from numbers.
        tokenizer_params: A mapping; a search varies all of it, ``{"classifier_params": [{"C": 0.1},
            {"C": 1.0}]}``, or one parameter beside the others, ``{"classifier_params__C": [0.1,
            1.0]}``.
        feature_extractor_params: A mapping.
        classifier_params: A mapping.
        locale: BCP 47 language of the texts.
        random_state: Seed of everything random, 0 to 2**32 - 1.
        num_processes: Processes that one training may use.

    Attributes:
        classes_: (k,) the classes, sorted, as they were given.
        pipeline_: The trained pipeline; its classes are strings.

    Examples:
        >>> from lexiclass import LexiClassClassifier
        >>> texts = ["a cat and a dog", "a car and a bus"] * 20
        >>> model = LexiClassClassifier().fit(texts, ["animals", "vehicles"] * 20)
        >>> model.predict(["the dog of the cat"]).tolist()
        ['animals']
    """

    def __init__(
        self,
        *,
        tokenizer: str = "icu",
        feature_extractor: str = "tfidf",
        classifier: str = "svm",
        tokenizer_params: Mapping[str, Any] | None = None,
        feature_extractor_params: Mapping[str, Any] | None = None,
        classifier_params: Mapping[str, Any] | None = None,
        locale: str = "en",
        random_state: int = 42,
        num_processes: int = 1,
    ) -> None:
        # Nothing is checked here: scikit-learn's clone compares what it gave with what is kept.
        self.tokenizer = tokenizer
        self.feature_extractor = feature_extractor
        self.classifier = classifier
        self.tokenizer_params = tokenizer_params
        self.feature_extractor_params = feature_extractor_params
        self.classifier_params = classifier_params
        self.locale = locale
        self.random_state = random_state
        self.num_processes = num_processes

    def fit(self, X: Texts, y: Iterable[Any]) -> Self:  # noqa: N803 - the name there
        """Train on texts.

        Args:
            X: (n,) the texts.
            y: (n,) their classes: strings, numbers or booleans.

        Raises:
            InvalidParameters: If a parameter is not acceptable, X holds no texts, or y has more
                than one class a text.
            ValueError: If y is not as long as X, or no classes.
            NotEnoughDocuments: With fewer than 2 texts or classes.
            EmptyVocabulary: If no feature is left.
        """
        texts = _texts(X)
        labels = np.asarray(y)
        if type_of_target(labels, input_name="y").startswith("multilabel"):
            raise InvalidParameters(
                "y has several classes a text: use lexiclass.Pipeline with multi_label=True."
            )
        labels = column_or_1d(labels, warn=True)
        check_classification_targets(labels)
        check_consistent_length(texts, labels)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        names = [str(each) for each in self.classes_.tolist()]
        pipeline = Pipeline(self._spec(), num_processes=self.num_processes)
        pipeline.fit(texts, [names[number] for number in numbers])
        self.pipeline_ = pipeline
        # The pipeline sorts by names, which for numbers is another order.
        self._columns = np.array([pipeline.classes.index(name) for name in names], dtype=np.intp)
        return self

    def set_params(self, **params: Any) -> Self:
        """Set parameters; ``classifier_params__C`` sets one of those in a mapping.

        Raises:
            ValueError: If there is no such parameter.
        """
        whole = {name: value for name, value in params.items() if not _is_of_a_mapping(name)}
        super().set_params(**whole)
        for name in params.keys() - whole.keys():
            mapping, _, parameter = name.partition("__")
            # Another mapping: the one that was given is its giver's.
            changed = {**(getattr(self, mapping) or {}), parameter: params[name]}
            setattr(self, mapping, changed)
        return self

    def predict_proba(self, X: Texts) -> NDArray[np.float64]:  # noqa: N803
        """Return the calibrated probabilities (n, k), in the order of :attr:`classes_`.

        Raises:
            sklearn.exceptions.NotFittedError: Before :meth:`fit`.
            InvalidParameters: If X holds no texts.
        """
        check_is_fitted(self)
        probabilities = self.pipeline_.predict(_texts(X)).probabilities
        return np.asarray(probabilities, dtype=np.float64)[:, self._columns]

    def predict(self, X: Texts) -> NDArray[Any]:  # noqa: N803
        """Return the most probable class of each text, (n,).

        Raises:
            sklearn.exceptions.NotFittedError: Before :meth:`fit`.
            InvalidParameters: If X holds no texts.
        """
        probabilities = self.predict_proba(X)
        chosen: NDArray[Any] = self.classes_[probabilities.argmax(axis=1)]
        return chosen

    def _spec(self) -> PipelineSpec:
        return PipelineSpec.of(
            tokenizer=self.tokenizer,
            feature_extractor=self.feature_extractor,
            classifier=self.classifier,
            tokenizer_params=dict(self.tokenizer_params or {}),
            feature_extractor_params=dict(self.feature_extractor_params or {}),
            classifier_params=dict(self.classifier_params or {}),
            locale=self.locale,
            seed=self.random_state,
        )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        return tags


def _is_of_a_mapping(name: str) -> bool:
    return name.partition("__")[0] in _MAPPINGS and "__" in name


def _texts(given: Any) -> list[str]:
    """The texts as a list; what each of them is the pipeline looks at."""
    if isinstance(given, str | bytes):
        raise InvalidParameters("X is one text: give a list of texts.")
    dimensions = getattr(given, "ndim", 1)
    if dimensions != 1:
        raise InvalidParameters(f"X has {dimensions} dimensions: give a list of texts.")
    return list(given)
