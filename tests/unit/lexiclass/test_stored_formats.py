"""Models and indexes that earlier versions of the library stored can be read for ever."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from lexiclass import Document, DocumentIndex, Pipeline, read_manifest
from lexiclass.compatibility import spelled_out
from lexiclass.index.embeddings import EmbeddingIndex, build_embeddings
from lexiclass.index.erasure import keep_documents
from lexiclass.manifest import text_digest
from lexiclass.plugins.classifiers.parameters import TransformerParameters, XgboostParameters
from lexiclass.self_digest import dump_with_digest, load_with_digest
from tests.support.embedder import hashed_words

STORED = Path(__file__).parent / "data"


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5])
def test_a_stored_model_predicts_as_it_did(version: int, tmp_path: Path) -> None:
    stored = STORED / f"format{version}"
    model = shutil.copytree(stored / "model", tmp_path / "model")
    assert read_manifest(model).format_version == version
    # Another ICU than that of the day is refused, as it should be; here only the format matters.
    path = model / "manifest.json"
    content = load_with_digest(path.read_bytes(), file="x")
    content["plugin_versions"] = {}
    path.write_bytes(dump_with_digest(content))

    pipeline = Pipeline.load(model)
    expected = json.loads((stored / "predictions.json").read_text())
    found = pipeline.predict(expected["texts"])
    assert list(found.classes) == expected["classes"]
    np.testing.assert_allclose(found.probabilities, expected["probabilities"], rtol=1e-6)
    assert (pipeline.spec.multi_label, found.threshold) == (False, None)
    assert pipeline.spec.tokenizer_params["split_identifiers"] is (version > 3)
    assert pipeline.spec.classifier_params["term_weighting"] == 0
    familiarity = None if found.familiarity is None else found.familiarity.tolist()
    assert familiarity == expected.get("familiarity")
    assert pipeline.save(tmp_path / "again").format_version > version


@pytest.mark.parametrize("classifier", ["xgboost", "transformer"])
def test_a_share_that_nobody_may_hold_out_any_more_is_read_as_the_least(classifier: str) -> None:
    model = TransformerParameters if classifier == "transformer" else XgboostParameters
    for share in (1e-320, 0.005):
        with pytest.raises(ValidationError, match=r"greater than or equal to 0\.01"):
            model.model_validate({"held_out": share})
        stored = spelled_out("classifier", classifier, {"held_out": share, "epochs": 2})
        assert stored == {"held_out": 0.01, "epochs": 2}
    assert spelled_out("classifier", classifier, {"held_out": 0.3}) == {"held_out": 0.3}
    assert spelled_out("classifier", "svm", {"held_out": "all"})["held_out"] == "all"


def test_stored_indexes_answer_as_they_did() -> None:
    expected = json.loads((STORED / "indexes/answers.json").read_text())
    tokens = DocumentIndex.open(STORED / "indexes/tokens")
    tokens.verify()
    ids = list(map(str, tokens.ids.tolist()))
    assert (tokens.manifest.format_version, len(tokens.manifest.shards)) == (3, 2)
    assert dict(zip(ids, tokens.tokens().to_lists(), strict=True)) == expected["tokens"]
    assert {id_: tokens.digest_of(row) for row, id_ in enumerate(ids)} == expected["digests"]
    assert list(map(list, tokens.similar(1, k=3))) == expected["similar"]

    embeddings = EmbeddingIndex.open(STORED / "indexes/embeddings")
    embeddings.verify()
    assert list(map(str, embeddings.ids.tolist())) == ids
    assert dict(zip(ids, embeddings.embeddings().tolist(), strict=True)) == expected["embeddings"]
    assert list(map(list, embeddings.similar(1, k=3))) == expected["similar_embeddings"]


def test_a_stored_index_is_gone_on_from(tmp_path: Path) -> None:
    directory = shutil.copytree(STORED / "indexes/embeddings", tmp_path / "embeddings")
    texts = json.loads((STORED / "indexes/answers.json").read_text())["texts"] | {"9": "new"}
    report = build_embeddings(
        directory,
        [Document(int(id_), text, text_digest(text), "utf-8") for id_, text in texts.items()],
        feature_extractor="hashed",
        embedder=hashed_words(),
    )
    assert (report.rebuilt_because, report.embedded, report.num_documents) == (None, 1, 6)


@pytest.mark.parametrize("kind", ["tokens", "embeddings"])
def test_documents_of_a_stored_index_can_be_erased(tmp_path: Path, kind: str) -> None:
    directory = shutil.copytree(STORED / "indexes" / kind, tmp_path / kind)
    assert keep_documents(directory, np.array([1, 3])) == 2
    index = (DocumentIndex if kind == "tokens" else EmbeddingIndex).open(directory)
    assert index.ids.tolist() == [1, 3]
    index.verify()
