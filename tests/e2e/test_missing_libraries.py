"""A worker where the optional libraries are not installed, whatever is installed here."""

from pathlib import Path

import pytest

from tests.support.house import House

# Runs at the start of every Python that has it on its path, the sandbox's children too.
_HIDE = """
from importlib import metadata
import sys

HIDDEN = {
    "spacy", "sentencepiece", "tokenizers", "gensim", "sentence-transformers", "transformers",
    "torch", "xgboost", "xgboost-cpu",
}
MODULES = {name.replace("-", "_") for name in HIDDEN}
version = metadata.version


def visible_version(name):
    if name in HIDDEN:
        raise metadata.PackageNotFoundError(name)
    return version(name)


class Hide:
    def find_spec(self, name, path=None, target=None):
        if name in MODULES:
            raise ModuleNotFoundError(name)


metadata.version = visible_version
sys.meta_path.insert(0, Hide())
"""

_PLACES = {
    "spacy": "tokenizer",
    "sentencepiece": "tokenizer",
    "huggingface": "tokenizer",
    "fasttext": "feature_extractor",
    "sbert": "feature_extractor",
    "xgboost": "classifier",
    "transformer": "classifier",
}


@pytest.fixture
def without_libraries(tmp_path: Path) -> str:
    """A folder that hides the optional libraries from a Python with it on its path."""
    folder = tmp_path / "hide"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_HIDE)
    return str(folder)


@pytest.mark.slow
def test_a_plugin_that_is_not_installed_fails_at_once_and_says_what_to_install(
    own_house: House, without_libraries: str
) -> None:
    project = own_house.project()
    with own_house.worker(PYTHONPATH=without_libraries):
        tasks = {
            name: own_house.send_training(project, **{place: name})
            for name, place in _PLACES.items()
        }
        indexing = own_house.send(
            "index_documents", project_id=project.project_id, tokenizer="spacy"
        )

        for name, task in [*tasks.items(), ("spacy", indexing)]:
            row = own_house.database.failed(task)
            assert row["error"]["code"] == "PLUGIN_UNAVAILABLE", row["error"]
            assert f"pip install 'packages/lexiclass[{name}]'" in row["error"]["message"]
            assert (row["error"]["retryable"], row["attempts"]) == (False, 1)
        # What needs none of them works, and no version was used up.
        assert own_house.train(project)["result"]["model_version"] == 1
