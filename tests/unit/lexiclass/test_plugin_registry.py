from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from lexiclass import (
    Classifier,
    InputKind,
    InvalidParameters,
    Pipeline,
    PipelineSpec,
    PluginContext,
    PluginInfo,
    PluginNotFound,
    PluginType,
    PluginUnavailable,
    Tokenizer,
    build_registry,
    default_registry,
)
from lexiclass.plugins.builtin import BUILTIN
from tests.support.easy_corpus import Corpus


class SplitTokenizer(Tokenizer):
    def __init__(self, parameters: BaseModel, context: PluginContext) -> None:
        self.context = context

    def tokenize_batch(self, texts: Sequence[str]) -> list[list[str]]:
        return [text.split() for text in texts]


def info(**changes: Any) -> PluginInfo:
    fields = {
        "name": "split",
        "type": PluginType.TOKENIZER,
        "description": "Text between blanks",
        "implementation": SplitTokenizer,
    }
    return PluginInfo(**{**fields, **changes})


def test_the_built_in_plugins_describe_themselves() -> None:
    found = default_registry().describe()
    names = {(plugin["type"], plugin["name"]) for plugin in found}
    assert names == {
        ("tokenizer", "icu"),
        ("tokenizer", "spacy"),
        ("tokenizer", "sentencepiece"),
        ("tokenizer", "huggingface"),
        ("feature_extractor", "bow"),
        ("feature_extractor", "tfidf"),
        ("feature_extractor", "fasttext"),
        ("feature_extractor", "sbert"),
        ("classifier", "svm"),
        ("classifier", "xgboost"),
        ("classifier", "transformer"),
    }
    for plugin in found:
        light = plugin["name"] in {"icu", "bow", "tfidf", "svm"}
        assert plugin["available"] is True or not light
        assert light or plugin["install"] == f"packages/lexiclass[{plugin['name']}]"
        assert plugin["description"]
        for parameter in plugin["parameters"]["properties"].values():
            assert parameter["description"]
            assert "default" in parameter
    json.dumps(found)


_WITHOUT = """
import sys
from importlib import metadata

blocked = sys.argv[1].split(",")
real = metadata.version

def version(name):
    if name in blocked:
        raise metadata.PackageNotFoundError(name)
    return real(name)

metadata.version = version
for name in blocked:
    sys.modules[name.replace("-", "_")] = None

from lexiclass import Pipeline, PipelineSpec, PluginUnavailable

for plugin in sys.argv[2:]:
    try:
        Pipeline(PipelineSpec(**dict([plugin.split("=")])))
    except PluginUnavailable as error:
        print(error.message)
"""

_NEEDED = {
    "tokenizer=spacy": "spacy",
    "tokenizer=sentencepiece": "sentencepiece",
    "tokenizer=huggingface": "tokenizers",
    "feature_extractor=fasttext": "gensim",
    "feature_extractor=sbert": "sentence-transformers,torch,transformers",
    "classifier=xgboost": "xgboost-cpu,xgboost",
    "classifier=transformer": "torch,transformers",
}


@pytest.mark.parametrize(
    ("blocked", "plugins"),
    [
        pytest.param(",".join(_NEEDED.values()), list(_NEEDED), id="all"),
        *(
            pytest.param(blocked, [plugin], id=plugin, marks=pytest.mark.slow)
            for plugin, blocked in _NEEDED.items()
        ),
    ],
)
def test_a_plugin_whose_library_is_not_there_says_what_to_install(
    blocked: str, plugins: list[str]
) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _WITHOUT, blocked, *plugins],
        check=True,
        capture_output=True,
        text=True,
    )
    for plugin, message in zip(plugins, ran.stdout.splitlines(), strict=True):
        assert f"pip install 'packages/lexiclass[{plugin.split('=')[1]}]'" in message


def test_a_registered_plugin_is_found_and_used(corpus: Corpus) -> None:
    registry = build_registry()
    registry.register(info())
    assert "split" in [plugin.name for plugin in registry.list(PluginType.TOKENIZER)]
    pipeline = Pipeline(PipelineSpec(tokenizer="split", locale="de", seed=7), registry)
    assert isinstance(pipeline._tokenizer, SplitTokenizer)
    assert pipeline._tokenizer.context == PluginContext(locale="de", seed=7)
    pipeline.fit(*corpus)
    assert pipeline.predict(["goal match team"]).labels == ["sports"]
    with pytest.raises(PluginNotFound):
        Pipeline(PipelineSpec(tokenizer="split"))


def test_a_name_is_given_once() -> None:
    registry = build_registry()
    with pytest.raises(InvalidParameters, match="already is a tokenizer named 'icu'"):
        registry.register(info(name="icu"))
    registry.register(info(name="svm"))  # another type is another name


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(PluginNotFound) as caught:
        default_registry().get(PluginType.FEATURE_EXTRACTOR, "tfdif")
    assert set(caught.value.known) >= {"bow", "tfidf"}
    assert "Did you mean 'tfidf'?" in caught.value.message


def test_what_is_missing_is_named_with_the_remedy() -> None:
    registry = build_registry()
    registry.register(info(requires=("no-such-thing", "numpy"), install="lexiclass[split]"))
    for use in (registry.validate, lambda spec: Pipeline(spec, registry)):
        with pytest.raises(PluginUnavailable, match=r"pip install 'lexiclass\[split\]'") as caught:
            use(PipelineSpec(tokenizer="split"))
        assert caught.value.details["missing"] == ["no-such-thing"]
    described = {plugin["name"]: plugin for plugin in registry.describe()}["split"]
    assert (described["available"], described["missing"]) == (False, ["no-such-thing"])


@pytest.mark.parametrize(
    ("requirement", "missing"),
    [
        ("numpy>=1.0", ()),
        ("numpy>=999.1", ("numpy>=999.1",)),
        ("no-such-thing>=1 | numpy", ()),
        ("no-such-thing | numpy>=999", ("no-such-thing | numpy>=999",)),
    ],
)
def test_versions_are_looked_at(requirement: str, missing: tuple[str]) -> None:
    assert info(requires=(requirement,)).missing() == missing


@pytest.mark.parametrize("place", ["no_such_module:X", "lexiclass.tokens:NoSuchClass"])
def test_code_that_can_not_be_imported_makes_a_plugin_unavailable(place: str) -> None:
    with pytest.raises(PluginUnavailable, match="can't be imported"):
        info(implementation=place).create({}, PluginContext())


def test_a_native_plugin_must_be_of_its_type() -> None:
    registry = build_registry()
    registry.register(info(type=PluginType.CLASSIFIER))
    with pytest.raises(PluginUnavailable, match="does not derive from Classifier"):
        registry.create(
            Classifier,  # type: ignore[type-abstract]  # only compared with
            "split",
            {},
            PluginContext(),
        )


def test_every_bad_parameter_is_named() -> None:
    class Parameters(BaseModel):
        model_config = ConfigDict(extra="forbid")
        size: int = 1

    plugin = info(parameters=Parameters)
    with pytest.raises(InvalidParameters) as caught:
        plugin.parse({"size": "big", "colour": "red"})
    assert [p["parameter"] for p in caught.value.details["problems"]] == ["size", "colour"]
    assert "Known parameters: size." in caught.value.message
    with pytest.raises(InvalidParameters, match="Known parameters: none"):
        info().parse({"size": 1})


PLUGIN_MODULE = """
from lexiclass import PluginInfo, PluginType

class Shout:
    def tokenize(self, text):
        return text.upper().split()

PLUGIN = PluginInfo(
    name="shout", type=PluginType.TOKENIZER, description="Loud", implementation=Shout
)
BOTH = [PLUGIN, PluginInfo(
    name="whisper", type=PluginType.TOKENIZER, description="Quiet", implementation=Shout
)]
WRONG = [42]
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install a distribution that announces plugins, by its metadata on the path."""

    def install(**points: str) -> None:
        (tmp_path / "loud_plugins.py").write_text(PLUGIN_MODULE)
        metadata = tmp_path / "loud_plugins-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: loud-plugins\nVersion: 1.0\n"
        )
        lines = [f"{name} = {value}" for name, value in points.items()]
        (metadata / "entry_points.txt").write_text("\n".join(["[lexiclass.plugins]", *lines]))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "loud_plugins", raising=False)

    return install


@pytest.mark.parametrize(
    ("value", "names"),
    [("loud_plugins:PLUGIN", ["shout"]), ("loud_plugins:BOTH", ["shout", "whisper"])],
)
def test_plugins_of_other_distributions_are_found(
    installed: Callable[..., None], value: str, names: list[str]
) -> None:
    installed(loud=value)
    registry = build_registry()
    assert registry.broken == {}
    added = set(registry.list(PluginType.TOKENIZER)) - set(BUILTIN)
    assert sorted(plugin.name for plugin in added) == names
    pipeline = Pipeline(PipelineSpec(tokenizer="shout"), registry)
    assert pipeline.tokenize(["so loud"]).to_lists() == [["SO", "LOUD"]]


def test_a_broken_one_does_not_stand_in_the_way(installed: Callable[..., None]) -> None:
    installed(
        absent="no_such_module:X",
        good="loud_plugins:PLUGIN",
        wrong="loud_plugins:WRONG",
        zwice="loud_plugins:PLUGIN",
    )
    registry = build_registry()
    assert registry.get(PluginType.TOKENIZER, "shout").description == "Loud"
    assert sorted(registry.broken) == ["absent", "wrong", "zwice"]
    assert "holds int, expected PluginInfo" in registry.broken["wrong"]
    assert "choose another name" in registry.broken["zwice"]
    with pytest.raises(PluginUnavailable, match="No module named 'no_such_module'"):
        registry.validate(PipelineSpec(tokenizer="absent"))
    described = [plugin for plugin in registry.describe() if plugin["type"] is None]
    assert [plugin["name"] for plugin in described] == ["absent", "wrong", "zwice"]


class LengthExtractor:
    """Reads texts, not tokens."""

    def fit(self, texts: list[str]) -> None:
        self.longest = max(map(len, texts))

    def transform(self, texts: list[str]) -> list[list[float]]:
        return [[len(text) / self.longest, 1.0] for text in texts]

    def num_features(self) -> int:
        return 2


class LengthClassifier:
    """Reads texts itself."""

    def train(self, texts: list[str], labels: list[str]) -> None:
        self.lengths: dict[str, int] = {}
        for text, label in zip(texts, labels, strict=True):
            self.lengths.setdefault(label, len(text))

    def predict(self, texts: list[str]) -> tuple[list[str], list[float]]:
        best = [min(self.lengths, key=lambda n: abs(self.lengths[n] - len(t))) for t in texts]
        return best, [1.0] * len(texts)


@pytest.mark.parametrize("place", ["feature_extractor", "classifier"])
def test_plugins_may_read_texts(place: str, tmp_path: Path) -> None:
    registry = build_registry()
    implementation = {"feature_extractor": LengthExtractor, "classifier": LengthClassifier}[place]
    registry.register(
        info(
            name="length",
            type=PluginType(place),
            implementation=implementation,
            input=InputKind.TEXT,
        )
    )
    pipeline = Pipeline(PipelineSpec(**{place: "length"}), registry)
    assert not pipeline.uses_tokens
    texts = ["x", "y", "long " * 9, "lang " * 9] * 5
    pipeline.fit(texts, ["short", "short", "long", "long"] * 5)
    assert pipeline.predict(["z", "lung " * 9]).labels == ["short", "long"]
    pipeline.save(tmp_path / "model")
    loaded = Pipeline.load(tmp_path / "model", registry=registry)
    assert loaded.predict(["z", ""]).labels[0] == "short"
    with pytest.raises(InvalidParameters, match="reads texts"):
        pipeline.predict_tokens(pipeline.tokenize(texts))


def heavy(stages: dict[str, Any]) -> Any:
    return pytest.param(stages, marks=pytest.mark.heavy)


@pytest.mark.parametrize(
    "stages",
    [
        {"classifier": "svm", "classifier_params": {"max_iter": 2**31}},
        heavy({"classifier": "xgboost", "classifier_params": {"min_child_weight": 1e39}}),
        heavy({"classifier": "xgboost", "classifier_params": {"reg_lambda": 5e-324}}),
        heavy({"classifier": "xgboost", "classifier_params": {"learning_rate": 1e-300}}),
        heavy({"tokenizer": "huggingface", "tokenizer_params": {"max_tokens": 10**30}}),
    ],
)
def test_numbers_that_what_is_below_cannot_hold_are_refused_before_it(
    stages: dict[str, Any],
) -> None:
    with pytest.raises(InvalidParameters, match=r"2147483647|single precision"):
        default_registry().validate(PipelineSpec(**stages))
