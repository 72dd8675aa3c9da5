"""Models with one thing changed and every checksum made to fit."""

import random
import shutil
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from lexiclass import ModelCorrupt, PipelineSpec, read_manifest
from lexiclass.manifest import verify_model
from tests.support.animals_and_vehicles import TEXTS, predict, train
from tests.support.forks import outcome_elsewhere
from tests.support.mutations import mutate
from tests.support.tiny_encoder import write_encoder
from tests.support.variants import FULL_EXAMPLES

# Processes of their own; resealed models and those of tests/fuzz are among the quicker tests.
pytestmark = pytest.mark.slow

WORDS = {"min_df": 1}
PIPELINES: dict[str, dict[str, Any]] = {
    "bow": {"feature_extractor_params": WORDS},
    "tfidf": {"feature_extractor": "tfidf", "feature_extractor_params": WORDS},
    "fasttext": {
        "feature_extractor": "fasttext",
        "feature_extractor_params": {"dimension": 8, "epochs": 1, "buckets": 50},
    },
    "xgboost": {
        "classifier": "xgboost",
        "classifier_params": {"max_rounds": 3},
        "feature_extractor_params": WORDS,
    },
    "sentencepiece": {
        "tokenizer": "sentencepiece",
        "tokenizer_params": {"vocabulary_size": 40},
        "feature_extractor_params": WORDS,
    },
    "several": {"multi_label": True, "feature_extractor_params": WORDS},
}
HEAVY = ("huggingface", "sbert", "transformer")
NEEDED = {
    "fasttext": "gensim",
    "huggingface": "tokenizers",
    "sbert": "sentence_transformers",
    "sentencepiece": "sentencepiece",
    "transformer": "transformers",
    "xgboost": "xgboost",
}

# Of a model, each a process of its own: 10, and 40 in the thorough profile (10 of those that take
# seconds); `make fuzz` tries more.
MUTATIONS = max(hypothesis.settings().max_examples, FULL_EXAMPLES) * 2 // 5


def spec_of(name: str, encoder: Path) -> PipelineSpec:
    match name:
        case "huggingface":
            fields: dict[str, Any] = {
                "tokenizer": "huggingface",
                "tokenizer_params": {"model": str(encoder / "tokenizer.json")},
                "feature_extractor_params": WORDS,
            }
        case "sbert":
            fields = {
                "feature_extractor": "sbert",
                "feature_extractor_params": {"model": str(encoder), "store_encoder": True},
            }
        case "transformer":
            fields = {
                "classifier": "transformer",
                "classifier_params": {"model": str(encoder), "epochs": 1, "device": "cpu"},
            }
        case _:
            fields = PIPELINES[name]
    return PipelineSpec(**fields)


@pytest.fixture(
    scope="module",
    params=[*PIPELINES, *(pytest.param(name, marks=pytest.mark.heavy) for name in HEAVY)],
)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    name: str = request.param
    if (needed := NEEDED.get(name)) and find_spec(needed) is None:
        pytest.skip(f"needs {needed}")
    directory = tmp_path_factory.mktemp(name)
    if name in HEAVY:
        words = [*" ".join(TEXTS).split(), "[UNK]"]
        write_encoder(directory / "encoder", words)
    spec = spec_of(name, directory / "encoder")
    assert outcome_elsewhere(train, spec, directory / "model") == "came to None"
    return directory / "model"


@pytest.mark.timeout(600)
def test_a_changed_model_predicts_or_is_refused_and_nothing_else(
    trained: Path, tmp_path: Path
) -> None:
    expected = outcome_elsewhere(predict, trained)
    assert expected.startswith("came to")
    mutations = MUTATIONS // 4 if trained.parent.name.startswith(HEAVY) else MUTATIONS
    found: Counter[str] = Counter()
    wrong = []
    for seed in range(mutations):
        model = Path(shutil.copytree(trained, tmp_path / "model"))
        what = mutate(model, random.Random(seed))
        came_to = outcome_elsewhere(predict, model)
        kind = "same" if came_to == expected else " ".join(came_to.split()[:2])
        found[kind] += 1
        if kind not in {"same", "came to", "refused with"}:
            wrong.append(f"seed {seed}, {what}:\n{came_to}")
        shutil.rmtree(model)
    assert not wrong, "\n".join(wrong)
    assert found["refused with"] > mutations // 4, found


@pytest.mark.timeout(600)
def test_a_changed_model_is_refused_where_its_digest_was_kept(
    trained: Path, tmp_path: Path
) -> None:
    digest = read_manifest(trained).file_digest
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    for seed in range(MUTATIONS):
        model = Path(shutil.copytree(trained, tmp_path / "model"))
        mutate(model, random.Random(seed))
        changed = any((model / p.relative_to(trained)).read_bytes() != b for p, b in before.items())
        if changed:
            with pytest.raises(ModelCorrupt):
                verify_model(model, digest=digest)
        shutil.rmtree(model)
