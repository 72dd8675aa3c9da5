"""Models that earlier versions of the library stored can be read for ever."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lexiclass import Pipeline, read_manifest
from lexiclass.sealed import seal, unseal

STORED = Path(__file__).parent / "data"


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_stored_model_predicts_as_it_did(version, tmp_path):
    stored = STORED / f"format{version}"
    model = shutil.copytree(stored / "model", tmp_path / "model")
    assert read_manifest(model).format_version == version
    # Another ICU than that of the day is refused, as it should be; here only the format matters.
    path = model / "manifest.json"
    content = unseal(path.read_bytes(), file="x")
    content["plugin_versions"] = {}
    path.write_bytes(seal(content))

    pipeline = Pipeline.load(model)
    expected = json.loads((stored / "predictions.json").read_text())
    found = pipeline.predict(expected["texts"])
    assert list(found.classes) == expected["classes"]
    np.testing.assert_allclose(found.probabilities, expected["probabilities"], rtol=1e-6)
    assert (pipeline.spec.multi_label, found.threshold) == (False, None)
    assert pipeline.spec.tokenizer_params["split_identifiers"] is False
    familiarity = None if found.familiarity is None else found.familiarity.tolist()
    assert familiarity == expected.get("familiarity")
    assert pipeline.save(tmp_path / "again").format_version > version
