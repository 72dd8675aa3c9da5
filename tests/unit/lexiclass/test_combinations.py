from __future__ import annotations

from typing import Any

import pytest

from lexiclass import (
    InputKind,
    InvalidParameters,
    Pipeline,
    PipelineSpec,
    PluginInfo,
    PluginType,
    Registry,
    RowKind,
    default_registry,
)
from lexiclass.plugins.combinations import Combination


def plugin(kind: PluginType, name: str, **fields: Any) -> PluginInfo:
    return PluginInfo(name=name, type=kind, description="", implementation="no:where", **fields)


@pytest.fixture
def registry() -> Registry:
    found = Registry()
    for info in (
        plugin(PluginType.TOKENIZER, "icu"),
        plugin(PluginType.TOKENIZER, "other"),
        plugin(PluginType.FEATURE_EXTRACTOR, "tfidf"),
        plugin(PluginType.FEATURE_EXTRACTOR, "embed", input=InputKind.TEXT, gives=RowKind.DENSE),
        plugin(PluginType.CLASSIFIER, "svm", multi_label=True),
        plugin(PluginType.CLASSIFIER, "counting", takes=frozenset({RowKind.SPARSE})),
        plugin(PluginType.CLASSIFIER, "reader", input=InputKind.TEXT, multi_label=True),
        plugin(PluginType.CLASSIFIER, "sequences", input=InputKind.TOKENS),
    ):
        found.register(info)
    return found


def test_all_that_go_together_are_listed_once(registry: Registry) -> None:
    assert list(map(str, registry.combinations())) == [
        "reader",
        "icu+sequences",
        "embed+svm",
        "icu+tfidf+counting",
        "icu+tfidf+svm",
        "other+sequences",
        "other+tfidf+counting",
        "other+tfidf+svm",
    ]
    several = registry.combinations(multi_label=True)
    assert set(map(str, several)) == {"icu+tfidf+svm", "other+tfidf+svm", "embed+svm", "reader"}


def test_every_combination_is_valid_and_no_stage_is_idle(registry: Registry) -> None:
    for combination in registry.combinations():
        spec = registry.validate(combination.spec(seed=7))
        assert spec.seed == 7
        named = [combination.tokenizer, combination.feature_extractor, combination.classifier]
        assert [info.name for info in registry.stages(spec).values()] == [
            name for name in named if name is not None
        ]


def test_the_built_in_ones() -> None:
    found = default_registry().combinations()
    assert Combination("icu", "bow", "svm") in found
    assert Combination("icu", "tfidf", "xgboost") in found
    assert Combination(None, "sbert", "svm") in found
    assert Combination(None, None, "transformer") in found
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("fields", "problem", "nearest"),
    [
        (
            {"classifier": "reader", "feature_extractor": "embed"},
            r"'embed' would be ignored: the classifier 'reader' reads texts itself",
            {"feature_extractor": "tfidf"},
        ),
        (
            {"classifier": "reader", "tokenizer": "other"},
            "'other' would be ignored",
            {"tokenizer": "icu"},
        ),
        (
            {"classifier": "reader", "tokenizer_params": {"lowercase": True}},
            "tokenizer_params would be ignored",
            {"tokenizer": "icu"},
        ),
        (
            {"feature_extractor": "embed", "tokenizer": "other"},
            "the feature_extractor 'embed' reads texts itself",
            {"tokenizer": "icu"},
        ),
        (
            {"feature_extractor": "embed", "classifier": "counting"},
            "gives dense rows, which the classifier 'counting' does not take",
            {"feature_extractor": ["tfidf"]},
        ),
        (
            {"classifier": "counting", "multi_label": True},
            "'counting' gives every document one class. Choose for classifier: reader, svm",
            {"classifier": ["reader", "svm"]},
        ),
    ],
)
def test_what_does_not_go_together_is_refused_with_what_would(
    registry: Registry, fields: dict[str, Any], problem: str, nearest: dict[str, Any]
) -> None:
    with pytest.raises(InvalidParameters, match=problem) as caught:
        registry.validate(PipelineSpec(**fields))
    assert caught.value.details["nearest"] == nearest


def test_a_threshold_without_a_use_is_refused(registry: Registry) -> None:
    with pytest.raises(InvalidParameters, match="multi_label=True only"):
        registry.validate(PipelineSpec(threshold=0.3))


def test_defaults_of_idle_stages_are_no_wish(registry: Registry) -> None:
    # As a message has it: every field there, with the contract's defaults.
    spec = PipelineSpec(
        tokenizer="icu", feature_extractor="bow", classifier="reader", tokenizer_params={}
    )
    checked = registry.validate(spec)
    assert (checked.tokenizer, checked.tokenizer_params) == ("icu", {})
    assert registry.validate(checked) == checked


def test_idle_plugins_need_not_exist(registry: Registry) -> None:
    lonely = Registry()
    lonely.register(registry.get(PluginType.CLASSIFIER, "reader"))
    assert list(lonely.stages(PipelineSpec(classifier="reader"))) == [PluginType.CLASSIFIER]


def test_what_plugins_take_and_give_is_described(registry: Registry) -> None:
    found = {plugin["name"]: plugin for plugin in registry.describe()}
    assert found["icu"]["output"] == "tokens"
    assert (found["tfidf"]["output"], found["embed"]["output"]) == ("sparse rows", "dense rows")
    assert found["svm"]["takes"] == ["dense", "sparse"]
    assert (found["reader"]["takes"], found["reader"]["multi_label"]) == ([], True)


def test_a_pipeline_of_idle_stages_says_what_it_reads(registry: Registry) -> None:
    class Reader:
        def train(self, texts: Any, labels: Any) -> None: ...

        def predict(self, texts: Any) -> Any:
            return ["a"] * len(texts), [1.0] * len(texts)

    texts_only = Registry()
    texts_only.register(
        PluginInfo(
            name="reader",
            type=PluginType.CLASSIFIER,
            description="",
            implementation=Reader,
            input=InputKind.TEXT,
        )
    )
    pipeline = Pipeline(PipelineSpec(classifier="reader"), texts_only)
    assert (pipeline.uses_tokens, pipeline.num_features) == (False, 0)
    with pytest.raises(InvalidParameters, match="'reader' reads texts"):
        pipeline.tokenize(["a"])
