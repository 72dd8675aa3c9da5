"""Which terms of a document speak for one class over another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass import InvalidParameters, Pipeline, PipelineSpec

SPORT = ["the team won the match", "a goal in the last match", "the team lost a goal"] * 4
MONEY = ["the bank raised a loan", "a share of the bank fell", "the loan and a share"] * 4
CLASSES = ["money"] * 12 + ["sport"] * 12


def trained(**spec: object) -> Pipeline:
    pipeline = Pipeline(
        PipelineSpec.model_validate({"tokenizer": "icu", "feature_extractor": "tfidf", **spec})
    )
    pipeline.fit(MONEY + SPORT, CLASSES)
    return pipeline


def test_the_terms_of_each_class_are_told_apart() -> None:
    (found,) = trained().contrast(["the bank lent the team a loan"], ["sport"], ["money"]) or []
    assert {"bank", "loan"} <= set(found.better)
    assert "team" in found.given
    assert not {"bank", "loan"} & set(found.given)


def test_terms_of_a_document_are_named_and_no_others() -> None:
    (found,) = trained().contrast(["the bank"], ["sport"], ["money"]) or []
    assert set(found.better) | set(found.given) <= {"the", "bank", "the bank"}


def test_a_document_without_a_known_word_has_none() -> None:
    found = trained().contrast(["", "xyzzy"], ["sport"] * 2, ["money"] * 2)
    assert found is not None
    assert [(each.given, each.better) for each in found] == [((), ())] * 2


@pytest.mark.slow
@pytest.mark.parametrize("features", ["tfidf", "bow"])
@given(texts=st.lists(st.sampled_from([*SPORT[:3], *MONEY[:3]]), min_size=1, max_size=5))
def test_what_speaks_for_a_class_is_against_the_other(features: str, texts: list[str]) -> None:
    pipeline = _once(features)
    one = pipeline.contrast(texts, ["sport"] * len(texts), ["money"] * len(texts))
    other = pipeline.contrast(texts, ["money"] * len(texts), ["sport"] * len(texts))
    assert one is not None
    assert other is not None
    for each, mirrored in zip(one, other, strict=True):
        assert set(each.given) == set(mirrored.better)
        assert set(each.better) == set(mirrored.given)


def test_three_classes_and_a_learned_tokenizer_are_told_apart() -> None:
    weather = ["rain and wind in the north", "wind and snow", "rain in the valley"] * 4
    pipeline = Pipeline(PipelineSpec(tokenizer="icu", feature_extractor="tfidf"))
    pipeline.fit(MONEY + SPORT + weather, CLASSES + ["weather"] * 12)
    (found,) = pipeline.contrast(["rain on the bank"], ["money"], ["weather"]) or []
    assert "rain" in found.better
    assert "bank" in found.given


def test_tokens_say_what_texts_say() -> None:
    pipeline, texts = trained(), ["the bank lent the team a loan", "a goal"]
    tokens = pipeline.tokenize(texts)
    assert pipeline.contrast(tokens, ["sport"] * 2, ["money"] * 2) == pipeline.contrast(
        texts, ["sport"] * 2, ["money"] * 2
    )


def test_scores_that_are_no_sums_tell_nothing() -> None:
    pytest.importorskip("xgboost")
    assert trained(classifier="xgboost").contrast(["the bank"], ["sport"], ["money"]) is None


def test_a_pipeline_that_is_not_trained_says_so() -> None:
    with pytest.raises(InvalidParameters, match="not trained"):
        Pipeline(PipelineSpec()).contrast(["the bank"], ["sport"], ["money"])


def test_the_sum_over_all_terms_is_the_difference_of_margins() -> None:
    from lexiclass.plugins.classifiers.svm.classifier import SvmClassifier

    pipeline = trained()
    assembly = pipeline._assembly
    assert isinstance(assembly.classifier, SvmClassifier)
    assert assembly.extractor is not None
    rows = assembly.extractor.transform(pipeline.tokenize([*SPORT[:3], *MONEY[:3]]))
    margins = assembly.classifier.margins(rows) - assembly.classifier._intercepts
    added = assembly.classifier.contrast(rows, np.zeros(6, int), np.ones(6, int))
    assert added is not None
    np.testing.assert_allclose(added.sum(axis=1), margins[:, 1] - margins[:, 0], atol=1e-5)


_PIPELINES: dict[str, Pipeline] = {}


def _once(features: str) -> Pipeline:
    return _PIPELINES.setdefault(features, trained(feature_extractor=features))
