"""A worker where the optional libraries are not installed, whatever is installed here."""

from pathlib import Path

import pytest

from tests.support.house import House

# Distributions, found before those that are installed, of a version that is too old for anything.
# The sandbox's children have the worker's path as well.
_HIDDEN = (
    "spacy", "sentencepiece", "tokenizers", "gensim", "sentence-transformers", "transformers",
    "torch", "xgboost", "xgboost-cpu",
)  # fmt: skip

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
    for name in _HIDDEN:
        distribution = folder / f"{name.replace('-', '_')}-0.dist-info"
        distribution.mkdir(parents=True)
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 0\n"
        (distribution / "METADATA").write_text(metadata)
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
