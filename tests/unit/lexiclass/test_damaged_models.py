"""No changed byte of a heavy plugin's model goes unnoticed, and none is ever run."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lexiclass import ModelCorrupt, Pipeline, PipelineSpec, PluginMismatch
from tests.support.damage import damaged
from tests.support.tiny_encoder import write_encoder

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module", params=["xgboost", "transformer"])
def saved(request, corpus, tmp_path_factory):
    directory = tmp_path_factory.mktemp("saved")
    parameters = {"max_rounds": 3}
    if request.param == "transformer":
        encoder = write_encoder(directory / "encoder", ["[UNK]", "goal", "shares"])
        parameters = {"model": str(encoder), "epochs": 1}
    pipeline = Pipeline(PipelineSpec(classifier=request.param, classifier_params=parameters))
    pipeline.fit(*corpus)
    pipeline.save(directory / "model")
    return directory / "model"


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50
)
@given(data=st.data())
def test_no_changed_byte_goes_unnoticed(saved, tmp_path, data):
    model = tmp_path / "model"
    if not model.exists():
        shutil.copytree(saved, model)
    with damaged(model, data), pytest.raises((ModelCorrupt, PluginMismatch)):
        Pipeline.load(model)


def test_the_undamaged_one_loads(saved, corpus):
    assert len(Pipeline.load(saved).predict(corpus[0])) == 60
