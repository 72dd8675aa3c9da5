"""The rival of ``make bench-trust``: a linear pipeline of scikit-learn, tuned on the documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC

_GRID: dict[str, Sequence[Any]] = {
    "tfidf__ngram_range": [(1, 1), (1, 2)],
    "tfidf__min_df": [1, 2],
    "svc__C": [0.3, 1.0, 3.0],
}
_FOLDS = 3


def tuned_answers(
    texts: Sequence[str], labels: Sequence[str], tested: Sequence[str]
) -> NDArray[np.str_]:
    """Return (n,) the classes that a tuned ``TfidfVectorizer`` and ``LinearSVC`` give texts.

    Every combination of runs of words, ``min_df`` and ``C`` in the grid is tried by three-fold
    cross-validation on the training documents; the best one is trained on all of them.

    Args:
        texts: Of the training documents.
        labels: Of the training documents.
        tested: The texts to classify.
    """
    pipeline = Pipeline(
        [("tfidf", TfidfVectorizer(sublinear_tf=True)), ("svc", LinearSVC(random_state=0))]
    )
    search = GridSearchCV(pipeline, _GRID, cv=StratifiedKFold(_FOLDS, shuffle=True, random_state=0))
    return np.asarray(search.fit(texts, labels).predict(tested))
